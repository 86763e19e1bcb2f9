// SPDX-License-Identifier: Apache-2.0
// Whether the harness can be trusted: what must turn it red is planted, and every command must end
// with the exit code that is documented. The commands are the real ones, each a process.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "reports/report.h"

namespace ember {

struct SelftestOptions {
  std::string binary, dir;  // of this program; a folder for what the checks read and write
  std::string model, golden;
  std::string devices = "cpu";
  // What `bench kernels` measures: arguments, and the text of the slowed case.
  std::vector<std::string> bench, environment;
  std::string planted;
  double share = 0.05;  // by how much
  int64_t rounds = 1;   // of A against A, and of A against the slowed A
  uint64_t seed = 1;
};

struct SelftestCheck {
  std::string name, expected;  // "1", or in words for several runs
  std::vector<int> codes;      // of each run
  bool pass = false, inconclusive = false;
  std::string note;  // why it was not run, or what else was wrong
  double seconds = 0;
};

struct SelftestResult {
  std::vector<SelftestCheck> checks;
  // 1 when a check deviates; else 3 when the machine was too noisy for one; else 0.
  int exit_code() const;
};

// One line a check to `progress` as it ends.
SelftestResult run_selftest(const SelftestOptions& options, std::ostream& progress);
void print(std::ostream& out, const SelftestResult& result);
// check/selftest/NAME.
std::vector<report::Case> report_cases(const SelftestResult& result);

}  // namespace ember
