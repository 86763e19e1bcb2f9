// SPDX-License-Identifier: Apache-2.0
#include "reports/stats.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/error.h"

namespace ember::report {
namespace {

double sorted_quantile(const std::vector<double>& v, double q) {
  const double at = q * static_cast<double>(v.size() - 1);
  const size_t low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, v.size() - 1);
  const double part = at - static_cast<double>(low);
  // Not low + part * (high - low): the difference of two huge values overflows.
  return part == 0 ? v[low] : (1 - part) * v[low] + part * v[high];
}

}  // namespace

double quantile(std::vector<double> values, double q) {
  EMBER_CHECK(!values.empty() && q >= 0 && q <= 1, "quantile ", q, " of ", values.size());
  std::sort(values.begin(), values.end());
  return sorted_quantile(values, q);
}

double median(std::vector<double> values) {
  return quantile(std::move(values), 0.5);
}

double mad(const std::vector<double>& values) {
  const double center = median(values);
  std::vector<double> off;
  off.reserve(values.size());
  for (const double v : values) {
    off.push_back(std::fabs(v - center));
  }
  return median(std::move(off));
}

std::pair<double, double> median_interval(std::vector<double> values, double level) {
  EMBER_CHECK(!values.empty(), "no values");
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  // Largest k with P(Binomial(n, 1/2) < k) <= (1 - level) / 2; the interval is [x_k, x_(n+1-k)].
  const double tail = (1 - level) / 2;
  double below = 0;
  size_t k = 0;
  for (size_t i = 0; i < n / 2; ++i) {
    const double nd = static_cast<double>(n), id = static_cast<double>(i);
    below += std::exp(std::lgamma(nd + 1) - std::lgamma(id + 1) - std::lgamma(nd - id + 1) -
                      nd * std::log(2.0));
    if (below > tail) {
      break;
    }
    k = i + 1;
  }
  if (k == 0) {
    return {values.front(), values.back()};
  }
  return {values[k - 1], values[n - k]};
}

Summary summarise(const std::vector<Samples>& samples) {
  std::vector<double> all;
  for (const Samples& s : samples) {
    all.insert(all.end(), s.values.begin(), s.values.end());
  }
  EMBER_CHECK(!all.empty(), "a summary of no samples");
  Summary out;
  out.n = static_cast<int64_t>(all.size());
  out.processes = static_cast<int64_t>(samples.size());
  std::sort(all.begin(), all.end());
  const double n = static_cast<double>(all.size());
  for (const double v : all) {
    out.mean += v / n;
  }
  double scale = 0;  // keeps squares of huge values finite
  for (const double v : all) {
    scale = std::max(scale, std::fabs(v - out.mean));
  }
  double sum = 0;
  for (const double v : all) {
    sum += scale > 0 ? std::pow((v - out.mean) / scale, 2) : 0;
  }
  out.stddev = all.size() > 1 ? scale * std::sqrt(sum / (n - 1)) : 0;
  out.median = sorted_quantile(all, 0.5);
  out.p90 = sorted_quantile(all, 0.9);
  out.p99 = sorted_quantile(all, 0.99);
  out.min = all.front();
  out.max = all.back();
  out.mad = mad(all);
  out.ci95 = median_interval(all);
  return out;
}

std::vector<double> process_medians(const Case& c) {
  std::vector<const Samples*> in_order;
  for (const Samples& s : c.samples) {
    in_order.push_back(&s);
  }
  std::stable_sort(in_order.begin(), in_order.end(),
                   [](const Samples* a, const Samples* b) { return a->order < b->order; });
  std::vector<double> out;
  for (const Samples* s : in_order) {
    out.push_back(median(s->values));
  }
  return out;
}

}  // namespace ember::report
