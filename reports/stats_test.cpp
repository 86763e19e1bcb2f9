// SPDX-License-Identifier: Apache-2.0
#include "reports/stats.h"

#include <gtest/gtest.h>

#include "reports/testing/sample_report.h"

namespace ember::report {
namespace {

TEST(Stats, KnownFigures) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_DOUBLE_EQ(quantile({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0.9), 9.1);
  EXPECT_EQ(mad({1, 1, 2, 2, 4, 6, 9}), 1);
  const Summary s = summarise({{0, 0, {}, {2, 4, 4, 4}}, {1, 1, {}, {5, 5, 7, 9}}});
  EXPECT_EQ(s.n, 8);
  EXPECT_EQ(s.processes, 2);
  EXPECT_EQ(s.mean, 5);
  EXPECT_NEAR(s.stddev, 2.13809, 1e-5);
  EXPECT_EQ(s.min, 2);
  EXPECT_EQ(s.max, 9);
}

// Conover, Practical Nonparametric Statistics: n = 16, 95 % by the 4th and 13th value.
TEST(Stats, MedianIntervalByOrderStatistics) {
  std::vector<double> v;
  for (int i = 1; i <= 16; ++i) {
    v.push_back(i);
  }
  EXPECT_EQ(median_interval(v), std::make_pair(4.0, 13.0));
  EXPECT_EQ(median_interval({1, 2, 3}), std::make_pair(1.0, 3.0));  // 95 % is out of reach
}

TEST(Stats, IntervalCoversTheMedianAsOftenAsItSays) {
  NormalNoise noise(7);
  int covered = 0;
  for (int i = 0; i < 4000; ++i) {
    std::vector<double> v;
    for (int k = 0; k < 21; ++k) {
      v.push_back(noise.next());
    }
    const auto ci = median_interval(v);
    covered += ci.first <= 0 && 0 <= ci.second;
  }
  EXPECT_GE(covered, 3760);  // 94 %, three deviations below 95 %
  EXPECT_LE(covered, 3960);
}

TEST(Stats, HugeValuesStayFinite) {
  const Summary s = summarise({{0, 0, {}, {-1e290, 1e290, 1e290}}});
  EXPECT_LT(s.stddev, 1e300);
}

TEST(Stats, ProcessMediansFollowTheOrderOfExecution) {
  Case c;
  c.samples = {{7, 2, {}, {30, 31, 29}}, {8, 0, {}, {10}}, {9, 1, {}, {20, 22}}};
  EXPECT_EQ(process_medians(c), (std::vector<double>{10, 21, 30}));
}

}  // namespace
}  // namespace ember::report
