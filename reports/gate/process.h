// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace ember::report {

// Runs a program with stdout and stderr in a log, and returns its exit code (128 + signal when a
// signal ended it). It dies with this process. Throws Error{kUsage} when it cannot be started,
// Error{kTimeout} after killing it and its group at the limit.
int run_process(const std::vector<std::string>& command, const std::string& log, double limit_s);

}  // namespace ember::report
