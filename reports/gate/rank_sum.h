// SPDX-License-Identifier: Apache-2.0
// Two small samples compared without a model of their noise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace ember::report {

// Two-sided p of the Wilcoxon-Mann-Whitney test: the exact permutation distribution of the rank
// sum, ties by mid-ranks, up to kExactSide values a side; beyond that the normal approximation.
inline constexpr size_t kExactSide = 40;
double rank_test_p(const std::vector<double>& x, const std::vector<double>& y);

// The smallest p that n against m values can reach: 2 / C(n + m, n).
double attainable_p(int64_t n, int64_t m);

// Hodges-Lehmann shift of y over x, the median of all differences, and its exact interval by the
// rank-sum distribution (Moses). `attained` is false where n and m are too small for `level`; the
// interval is then the range of the differences.
struct Shift {
  double shift = 0, low = 0, high = 0;
  bool attained = false;
};
Shift shift_of(const std::vector<double>& x, const std::vector<double>& y, double level = 0.95);

// Adjusted p values by Holm's step-down, in the order given.
std::vector<double> holm(const std::vector<double>& p);

}  // namespace ember::report
