// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "reports/report.h"

namespace ember {

// Ends the run that began at `start` (now_seconds()), prints its table, and writes the report to
// `json` where that is not empty: "-" is stdout, and the table then goes to stderr.
void output_report(report::Report* r, const std::string& json, double start);

// Exit code: that of ErrorKind::kWrong when a case failed, else 0.
int exit_code_of(const report::Report& r);

}  // namespace ember
