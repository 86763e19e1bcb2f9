// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace ember::report {

// Runs a program with stdout and stderr in a log, and returns its exit code (128 + signal when a
// signal ended it). It dies with this process. Throws Error{kUsage} when it cannot be started,
// Error{kTimeout} after killing it and its group at the limit. Once `stop` says so the group is
// asked to end (SIGTERM), and is killed five seconds later.
int run_process(const std::vector<std::string>& command, const std::string& log, double limit_s,
                const std::function<bool()>& stop = nullptr);

}  // namespace ember::report
