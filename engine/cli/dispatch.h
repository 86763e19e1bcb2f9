// SPDX-License-Identifier: Apache-2.0
// From the process arguments to a command's exit code: the bare form, help, version, and the one
// place where exceptions become messages and exit codes (docs/cli.md lists them).
#pragma once

#include <string>
#include <vector>

#include "engine/cli/command.h"

namespace ember {

// Runs `ember ARGS…` (without the program's name). Never throws.
int dispatch(const std::vector<CommandEntry>& commands, const std::vector<std::string>& args);

// The candidate nearest to `word` by edit distance, or "" when none is near enough to suggest.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace ember
