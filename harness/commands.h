// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/cli/command.h"

namespace ember {

// Every subcommand of the binary. Defined in suites/all_commands.cpp, above this layer, so that
// harness never includes a suite; the linker closes the loop.
std::vector<CommandEntry> all_commands();

}  // namespace ember
