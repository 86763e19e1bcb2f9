// SPDX-License-Identifier: Apache-2.0
// Runs the built `ember` binary as a user would: arguments in; exit code, stdout and stderr out.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace ember {

struct ProcessResult {
  int exit_code = -1;  // 128 + signal when a signal ended it
  std::string out, err;
};

struct ProcessOptions {
  std::string input;                     // given on stdin, then closed
  std::vector<std::string> environment;  // "NAME=value", added to this process's own
  // Called with the process's id once its stdout holds `after_bytes` bytes (0: at once).
  std::function<void(int pid)> during;
  size_t after_bytes = 0;
  double limit_seconds = 120;  // killed after that, and Error{kTimeout} is thrown
};

ProcessResult run_ember(const std::vector<std::string>& args, const ProcessOptions& options = {});

// The same with stdin, stdout and stderr on one terminal; all output is in `out`. The script is a
// list of (text to wait for, what to type then). Throws an Error when it is not played to its end.
ProcessResult run_ember_on_terminal(const std::vector<std::string>& args,
                                    const std::vector<std::pair<std::string, std::string>>& script,
                                    double limit_seconds = 60,
                                    const std::vector<std::string>& environment = {});

}  // namespace ember
