// SPDX-License-Identifier: Apache-2.0
// Descriptive figures of samples. Values must be finite; lists must not be empty.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "reports/report.h"

namespace ember::report {

double median(std::vector<double> values);
// Linear interpolation between order statistics (type 7 of Hyndman and Fan 1996); 0 <= q <= 1.
double quantile(std::vector<double> values, double q);
double mad(const std::vector<double>& values);  // median absolute deviation, not scaled
// Distribution-free interval of the median by order statistics, at least `level` where n allows it
// (six values for 95 %), else the whole range.
std::pair<double, double> median_interval(std::vector<double> values, double level = 0.95);

struct Summary {
  int64_t n = 0, processes = 0;
  double median = 0, mad = 0, mean = 0, stddev = 0, min = 0, max = 0, p90 = 0, p99 = 0;
  std::pair<double, double> ci95;
};

Summary summarise(const std::vector<Samples>& samples);

// One value a process, in the order of execution: the unit of evidence of the gate.
std::vector<double> process_medians(const Case& c);

}  // namespace ember::report
