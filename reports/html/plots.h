// SPDX-License-Identifier: Apache-2.0
// The plots of the page, each a string of HTML, empty where the report has nothing for it.
#pragma once

#include <string>
#include <vector>

#include "reports/gate/compare.h"
#include "reports/history.h"
#include "reports/report.h"

namespace ember::report {

std::string strip_plot(const Case& c);  // every sample by process; at most 120 are drawn
std::string roofline_plot(const Report& r);
std::string forest_plot(const Comparison& c);
std::string heat_map(const Report& r);
std::string percentile_plot(const Report& r);
std::string golden_plots(const Report& r);
std::string history_plots(const std::vector<HistoryEntry>& entries);

}  // namespace ember::report
