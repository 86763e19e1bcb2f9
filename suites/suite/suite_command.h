// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/cli/command.h"

namespace ember {

CommandFn add_suite(CLI::App& app);     // ember suite, and below it:
CommandFn add_selftest(CLI::App& app);  // ember suite selftest

}  // namespace ember
