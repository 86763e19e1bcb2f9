// SPDX-License-Identifier: Apache-2.0
// Runs the steps of a suite, each process of a step a fresh process of this binary: what crashes or
// runs out of memory costs its own step alone, no step finds what another left in memory or caches,
// and a fresh process is what the gate counts.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "reports/report.h"
#include "suites/suite/profile.h"

namespace ember {

struct RunOptions {
  std::string binary, dir;
  bool resume = false;
  std::function<bool()> stop;                        // true: end as soon as possible
  std::function<void(const std::string&)> progress;  // one line a process
};

// How a step ended. Its processes' reports are in `reports`.
struct StepResult {
  SuiteStep step;
  std::vector<report::Report> reports;
  int exit_code = 0;  // the first of its processes that is not 0
  int64_t kept = 0;   // processes taken from the run before
  double seconds = 0;
  std::string failure;  // why it left no report, or stopped; empty: it did its work
};

struct SuiteResult {
  std::vector<StepResult> steps;
  bool interrupted = false;
  int exit_code() const;
};

// DIR/parts/NAME-N.json and .log for each process, and DIR/suite.json, rewritten after each: what
// has run. With `resume`, processes that left their report under the same binary and arguments are
// not run again. Rounds: one process of every step in order, then the further ones of each step
// that has several, so that a slow change of the machine meets all of them alike.
SuiteResult run_steps(std::vector<SuiteStep> steps, const RunOptions& options);

}  // namespace ember
