// SPDX-License-Identifier: Apache-2.0
#include "reports/gate/rank_sum.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/base/error.h"
#include "reports/stats.h"

namespace ember::report {
namespace {

double choose(int64_t n, int64_t k) {
  return std::exp(std::lgamma(double(n) + 1) - std::lgamma(double(k) + 1) -
                  std::lgamma(double(n - k) + 1));
}

// Twice the mid-rank of every value of x then y: integers even where values tie.
std::vector<int64_t> doubled_ranks(const std::vector<double>& x, const std::vector<double>& y) {
  std::vector<double> all = x;
  all.insert(all.end(), y.begin(), y.end());
  std::vector<size_t> by_value(all.size());
  std::iota(by_value.begin(), by_value.end(), size_t{0});
  std::sort(by_value.begin(), by_value.end(), [&](size_t a, size_t b) { return all[a] < all[b]; });
  std::vector<int64_t> ranks(all.size());
  for (size_t i = 0; i < all.size();) {
    size_t end = i;
    while (end < all.size() && all[by_value[end]] == all[by_value[i]]) {
      ++end;
    }
    for (size_t k = i; k < end; ++k) {
      ranks[by_value[k]] = static_cast<int64_t>(i + 1 + end);  // (i + 1 + end) / 2, doubled
    }
    i = end;
  }
  return ranks;
}

// count[s]: subsets of `take` of the ranks whose sum is s. Exact in double: C(80, 40) is 1e23, and
// only ratios to it are used, whose error stays near 1e-15.
std::vector<double> subset_sums(const std::vector<int64_t>& ranks, size_t take) {
  const size_t limit = static_cast<size_t>(std::accumulate(ranks.begin(), ranks.end(), int64_t{0}));
  std::vector<std::vector<double>> count(take + 1, std::vector<double>(limit + 1, 0));
  count[0][0] = 1;
  size_t reached = 0;
  for (size_t i = 0; i < ranks.size(); ++i) {
    const size_t r = static_cast<size_t>(ranks[i]);
    reached += r;
    for (size_t k = std::min(take, i + 1); k-- > 0;) {
      for (size_t s = reached - r + 1; s-- > 0;) {
        count[k + 1][s + r] += count[k][s];
      }
    }
  }
  return count[take];
}

double normal_p(const std::vector<int64_t>& ranks, size_t n) {
  const double total = static_cast<double>(ranks.size()), m = total - static_cast<double>(n);
  double sum = 0, square = 0;
  for (size_t i = 0; i < ranks.size(); ++i) {
    const double r = static_cast<double>(ranks[i]) / 2;
    sum += i < n ? r : 0;
    square += r * r;
  }
  const double mean = (total + 1) / 2;
  const double nd = static_cast<double>(n);
  const double variance = nd * m / (total - 1) * (square / total - mean * mean);
  if (variance <= 0) {
    return 1;
  }
  const double z = std::max(0.0, std::fabs(sum - nd * mean) - 0.5) / std::sqrt(variance);
  return std::erfc(z / std::sqrt(2.0));
}

}  // namespace

double rank_test_p(const std::vector<double>& x, const std::vector<double>& y) {
  EMBER_CHECK(!x.empty() && !y.empty(), "a rank test of nothing");
  const std::vector<int64_t> ranks = doubled_ranks(x, y);
  if (x.size() > kExactSide || y.size() > kExactSide) {
    return normal_p(ranks, x.size());
  }
  const auto first = ranks.begin();
  const int64_t sum =
      std::accumulate(first, first + static_cast<std::ptrdiff_t>(x.size()), int64_t{0});
  const int64_t total = static_cast<int64_t>(ranks.size());
  const int64_t mean = static_cast<int64_t>(x.size()) * (total + 1);  // doubled ranks
  const std::vector<double> count = subset_sums(ranks, x.size());
  double all = 0, far = 0;
  for (size_t s = 0; s < count.size(); ++s) {
    all += count[s];
    if (std::llabs(static_cast<int64_t>(s) - mean) >= std::llabs(sum - mean)) {
      far += count[s];
    }
  }
  return std::min(1.0, far / all);
}

double attainable_p(int64_t n, int64_t m) {
  return n < 1 || m < 1 ? 1 : std::min(1.0, 2 / choose(n + m, n));
}

Shift shift_of(const std::vector<double>& x, const std::vector<double>& y, double level) {
  EMBER_CHECK(!x.empty() && !y.empty(), "a shift of nothing");
  std::vector<double> differences;
  for (const double a : x) {
    for (const double b : y) {
      differences.push_back(b - a);
    }
  }
  std::sort(differences.begin(), differences.end());
  Shift out;
  out.shift = quantile(differences, 0.5);
  out.low = differences.front();
  out.high = differences.back();
  const size_t n = x.size(), m = y.size();
  size_t k = 0;
  if (n <= kExactSide && m <= kExactSide) {
    std::vector<int64_t> ranks(n + m);
    std::iota(ranks.begin(), ranks.end(), int64_t{1});
    const std::vector<double> count = subset_sums(ranks, n);
    const double all = std::accumulate(count.begin(), count.end(), 0.0);
    double below = 0;
    for (size_t s = n * (n + 1) / 2; s < count.size(); ++s) {  // U = 0, 1, …
      below += count[s] / all;
      if (below > (1 - level) / 2) {
        break;
      }
      ++k;
    }
  } else {
    const double nd = double(n), md = double(m);
    const double z = 1.959963984540054;  // level 0.95 alone
    k = static_cast<size_t>(
        std::max(0.0, std::floor(nd * md / 2 - z * std::sqrt(nd * md * (nd + md + 1) / 12))));
  }
  if (k > 0) {
    out.low = differences[k - 1];
    out.high = differences[differences.size() - k];
    out.attained = true;
  }
  return out;
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  std::vector<double> out(p.size());
  double most = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    most = std::max(most, std::min(1.0, static_cast<double>(p.size() - i) * p[order[i]]));
    out[order[i]] = most;
  }
  return out;
}

}  // namespace ember::report
