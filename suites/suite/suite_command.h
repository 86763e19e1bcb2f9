// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/cli/command.h"

namespace ember {

CommandFn add_suite(CLI::App& app);  // ember suite, ember suite selftest

}  // namespace ember
