// SPDX-License-Identifier: Apache-2.0
// The checks of the selftest, and what they share.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "reports/report.h"
#include "suites/suite/selftest.h"

namespace ember {

class SelftestRun {
 public:
  using Strings = std::vector<std::string>;

  SelftestRun(const SelftestOptions& options, std::function<void(const SelftestCheck&)> done)
      : options_(options), done_(std::move(done)) {}

  const SelftestOptions& options() const { return options_; }
  const std::vector<SelftestCheck>& checks() const { return checks_; }
  std::string path(const std::string& name) const { return options_.dir + "/" + name; }

  // Exit code of `ember ARGS…` in a process, with NAME=value added to its environment; its output
  // goes to a log in the folder. A process that does not end in ten minutes gives 7.
  int ember(const Strings& args, const Strings& environment = {});
  // A check of one command.
  void expect(const std::string& name, int code, const Strings& args);
  void add(SelftestCheck check);
  void skip(const std::string& name, const std::string& expected, const std::string& why);

  // Processes of `bench kernels` on what is measured, as arguments.
  Strings bench() const;

 private:
  SelftestOptions options_;
  std::function<void(const SelftestCheck&)> done_;
  std::vector<SelftestCheck> checks_;
  int64_t processes_ = 0;
};

// Throws Error{kBadInput} when there is no such file.
std::string read_file(const std::string& path);
void write_json(const std::string& path, const report::Json& j);
// The first measured and gated kernel of a report.
report::Json& some_kernel(report::Json* r);

void check_golden(SelftestRun* run);
// BASE is measured by five processes of this binary; what follows changes one thing of it each.
// Leaves base.json, which the next ones use.
void check_compare(SelftestRun* run);
void check_hostile(SelftestRun* run);
void check_ab(SelftestRun* run);

}  // namespace ember
