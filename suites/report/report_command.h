// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/cli/command.h"

namespace ember {

CommandFn add_report(CLI::App& app);  // ember report validate | show | merge | compare | …

}  // namespace ember
