// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/report_output.h"

#include <algorithm>
#include <iostream>

#include "engine/core/clock.h"
#include "harness/environment.h"
#include "kernels/base/error.h"
#include "reports/format.h"
#include "reports/writer.h"

namespace ember {

void output_report(report::Report* r, const std::string& json, double start) {
  finish_report(r, now_seconds() - start);
  const bool to_stdout = json == "-";
  report::print(to_stdout ? std::cerr : std::cout, *r);
  if (to_stdout) {
    std::cout << report::dump_report(report::to_json(*r));
  } else if (!json.empty()) {
    report::write_report(json, *r);
  }
}

int exit_code_of(const report::Report& r) {
  const bool failed = std::any_of(r.cases.begin(), r.cases.end(), [](const report::Case& c) {
    return c.status == report::Status::kFailed;
  });
  return failed ? exit_code(ErrorKind::kWrong) : 0;
}

}  // namespace ember
