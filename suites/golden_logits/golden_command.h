// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/cli/command.h"

namespace ember {

CommandFn add_golden(CLI::App& app);  // ember golden run | verify-ref

}  // namespace ember
