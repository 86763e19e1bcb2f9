// SPDX-License-Identifier: Apache-2.0
// report_samples DIR  writes the reports that the command-line tests read.
// report_samples --bench SEED SLOWDOWN IDS OUT  plays a bench: one process of the cases that the
// file IDS lists, kernel/op2/M=1 SLOWDOWN times slower.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
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

int bench(char** argv) {
  ember::report::Report r = side(std::strtoull(argv[2], nullptr, 10), std::atof(argv[3]), 1);
  std::set<std::string> ids;
  std::ifstream file(argv[4]);
  for (std::string line; std::getline(file, line);) {
    ids.insert(line);
  }
  std::vector<ember::report::Case> wanted;
  for (const ember::report::Case& c : r.cases) {
    if (ids.count("*") + ids.count(c.id) > 0) {
      wanted.push_back(c);
    }
  }
  r.cases = wanted;
  ember::report::write_report(argv[5], r);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 6 && std::strcmp(argv[1], "--bench") == 0) {
    return bench(argv);
  }
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
