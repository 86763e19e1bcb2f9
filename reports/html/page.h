// SPDX-License-Identifier: Apache-2.0
// One page that holds a report whole: no network, no other file, light and dark. Tables and plots
// are there without a script; the same input gives the same bytes.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "reports/gate/compare.h"
#include "reports/history.h"
#include "reports/report.h"

namespace ember::report {

struct Page {
  Report report;
  std::optional<Comparison> comparison;  // of this report with another
  std::vector<HistoryEntry> history;
};

void write_page(std::ostream& out, const Page& page);

}  // namespace ember::report
