// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/statistics.h"

#include <algorithm>
#include <cmath>

namespace ember {

double quantile(std::vector<double> v, double q) {
  if (v.empty()) {
    return 0;
  }
  std::sort(v.begin(), v.end());
  const double at = q * static_cast<double>(v.size() - 1);
  const size_t below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, v.size() - 1);
  return v[below] + (at - static_cast<double>(below)) * (v[above] - v[below]);
}

double median(std::vector<double> v) {
  return quantile(std::move(v), 0.5);
}

double median_deviation(const std::vector<double>& v) {
  const double middle = median(v);
  std::vector<double> distance;
  for (const double x : v) {
    distance.push_back(std::fabs(x - middle));
  }
  return median(std::move(distance));
}

MedianInterval median_interval(std::vector<double> v) {
  if (v.empty()) {
    return {0, 0};
  }
  std::sort(v.begin(), v.end());
  const size_t n = v.size();
  // The largest k for which at most 2.5 % of the distribution of "samples below the median" lies
  // below k: then [v(k), v(n - k + 1)], counted from one, covers the median in 95 % or more.
  double probability = std::exp2(-static_cast<double>(n)), below = 0;
  if (n > 1000) {  // the first terms underflow; the normal approximation is exact enough
    const double half = 1.959964 * std::sqrt(static_cast<double>(n)) / 2;
    const size_t k = static_cast<size_t>(std::floor(static_cast<double>(n) / 2 - half));
    return {v[k], v[n - 1 - k]};
  }
  size_t k = 0;
  while (k < n / 2 && below + probability <= 0.025) {
    below += probability;
    ++k;
    probability *= static_cast<double>(n - k + 1) / static_cast<double>(k);
  }
  return k == 0 ? MedianInterval{v.front(), v.back()} : MedianInterval{v[k - 1], v[n - k]};
}

}  // namespace ember
