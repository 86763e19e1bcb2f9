// SPDX-License-Identifier: Apache-2.0
// Figures for people.
#pragma once

#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "reports/report.h"

namespace ember::report {

// Four significant digits and a prefix that fits: 2.100 us, 3.100 TB/s, 1920 1/s.
std::string human(double value, const std::string& unit);
std::string percent(double share, int digits = 1);  // "87.3 %"

// What the machine was and did beside comparable_facts(), in words: "gpu 0 SM clock", "1965 to 1980
// MHz, median 1980". What is unknown is left out.
std::vector<std::pair<std::string, std::string>> run_facts(const Report& r);

// The table of `ember report show`; text out of the report is made printable.
void print(std::ostream& out, const Report& r);

}  // namespace ember::report
