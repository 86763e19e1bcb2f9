// SPDX-License-Identifier: Apache-2.0
// Robust statistics of timing samples: medians and distribution-free intervals, because timings are
// neither symmetric nor normal.
#pragma once

#include <vector>

namespace ember {

double median(std::vector<double> v);                 // 0 when empty
double median_deviation(const std::vector<double>&);  // median of |x - median|, unscaled
double quantile(std::vector<double> v, double q);     // linear between order statistics

struct MedianInterval {
  double low, high;
};
// 95 % interval of the median from order statistics (David and Nagaraja, "Order Statistics",
// 7.1): the binomial distribution with p = 1/2 says how many samples may lie below it. With fewer
// than 6 samples no pair of order statistics reaches 95 %: the interval is the whole range.
MedianInterval median_interval(std::vector<double> v);

}  // namespace ember
