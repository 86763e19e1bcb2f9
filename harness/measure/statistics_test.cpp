// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ember {
namespace {

TEST(Statistics, KnownValues) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_EQ(quantile({10, 20, 30, 40, 50}, 0.9), 46);
  EXPECT_EQ(median_deviation({1, 1, 2, 2, 4, 6, 9}), 1);
}

// Tables of the sign test give the ranks: n = 6: 1 and 6, n = 15: 4 and 12, n = 25: 8 and 18.
TEST(Statistics, IntervalRanks) {
  const auto ranks = [](int n) {
    std::vector<double> v;
    for (int i = n; i >= 1; --i) {
      v.push_back(i);
    }
    const MedianInterval m = median_interval(v);
    return std::make_pair(static_cast<int>(m.low), static_cast<int>(m.high));
  };
  EXPECT_EQ(ranks(5), std::make_pair(1, 5));
  EXPECT_EQ(ranks(6), std::make_pair(1, 6));
  EXPECT_EQ(ranks(9), std::make_pair(2, 8));
  EXPECT_EQ(ranks(15), std::make_pair(4, 12));
  EXPECT_EQ(ranks(25), std::make_pair(8, 18));
  EXPECT_EQ(ranks(100), std::make_pair(40, 61));
}

// The interval covers the true median in 95 % of experiments or a little more, whatever the shape
// of the distribution.
TEST(Statistics, IntervalCoversTheMedian) {
  uint64_t state = 7;
  const auto uniform = [&] {
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (static_cast<double>((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
  };
  for (const int n : {11, 40, 300}) {
    int covered = 0;
    constexpr int kTrials = 4000;
    for (int t = 0; t < kTrials; ++t) {
      std::vector<double> v;
      for (int i = 0; i < n; ++i) {
        v.push_back(-std::log(uniform()));  // exponential: median ln 2, far from symmetric
      }
      const MedianInterval m = median_interval(v);
      covered += m.low <= std::log(2.0) && std::log(2.0) <= m.high;
    }
    EXPECT_GT(covered, 0.94 * kTrials) << n;
    EXPECT_LT(covered, 0.99 * kTrials) << n;
  }
}

}  // namespace
}  // namespace ember
