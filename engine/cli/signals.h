// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>

namespace ember {

// Ends the command; dispatch() turns it into the exit code.
class Interrupted : public std::exception {
 public:
  explicit Interrupted(int signal) : signal_(signal) {}
  int exit_code() const { return 128 + signal_; }
  const char* what() const noexcept override { return "interrupted"; }

 private:
  int signal_;
};

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
  // Throws Interrupted when a signal is pending.
  static void check();
};

}  // namespace ember
