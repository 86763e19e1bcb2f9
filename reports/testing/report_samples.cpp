// SPDX-License-Identifier: Apache-2.0
// report_samples DIR  writes the reports that the command-line tests read.
#include <cstdio>
#include <string>

#include "reports/testing/sample_report.h"
#include "reports/writer.h"

namespace {

ember::report::Report side(uint64_t seed, double slowdown, int processes) {
  ember::report::Report r = ember::report::kernel_report(seed, 4, processes, {}, slowdown, 2);
  r.run.id = "side " + std::to_string(seed);
  r.run.group = "samples";
  return r;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "report_samples DIR\n");
    return 2;
  }
  const std::string dir = std::string(argv[1]) + "/";
  ember::report::write_report(dir + "sample.json", ember::report::sample_report());
  ember::report::write_report(dir + "a.json", side(1, 1, 14));
  ember::report::write_report(dir + "b.json", side(2, 1, 14));
  ember::report::write_report(dir + "slow.json", side(3, 1.05, 14));
  ember::report::write_report(dir + "single.json", side(4, 1, 1));
  return 0;
}
