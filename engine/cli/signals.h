// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ember {

// While one lives, SIGINT and SIGTERM are noted instead of ending the process, so that generation
// stops at a token. A second SIGINT that finds the first unanswered ends the process at once.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

  // The signal noted, or 0. exit code: 128 + it.
  static int pending();
  static void clear();
};

}  // namespace ember
