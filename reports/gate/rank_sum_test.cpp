// SPDX-License-Identifier: Apache-2.0
#include "reports/gate/rank_sum.h"

#include <gtest/gtest.h>

#include <cmath>

#include "reports/testing/sample_report.h"

namespace ember::report {
namespace {

TEST(RankSum, SmallestAttainableP) {
  EXPECT_NEAR(attainable_p(3, 3), 0.1, 1e-9);
  EXPECT_NEAR(attainable_p(4, 4), 2.0 / 70, 1e-9);
  EXPECT_NEAR(attainable_p(5, 5), 2.0 / 252, 1e-9);
  EXPECT_NEAR(attainable_p(9, 9), 2.0 / 48620, 1e-12);
  EXPECT_EQ(attainable_p(0, 9), 1);
  EXPECT_EQ(attainable_p(1, 1), 1);
}

TEST(RankSum, ExactValues) {
  EXPECT_NEAR(rank_test_p({1, 2, 3}, {4, 5, 6}), 0.1, 1e-12);
  EXPECT_NEAR(rank_test_p({4, 5, 6}, {1, 2, 3}), 0.1, 1e-12);
  EXPECT_NEAR(rank_test_p({1, 2, 3, 4, 5, 6, 7, 8, 9}, {10, 11, 12, 13, 14, 15, 16, 17, 18}),
              2.0 / 48620, 1e-12);
  // U = 2 of 4 against 4: P(U <= 2) = (1 + 1 + 2) / 70, doubled.
  EXPECT_NEAR(rank_test_p({1, 2, 3, 6}, {4, 5, 7, 8}), 8.0 / 70, 1e-12);
  EXPECT_EQ(rank_test_p({5, 5, 5}, {5, 5, 5}), 1);
}

// Every way to split seven values with ties in two, counted one by one.
TEST(RankSum, TiesAgreeWithCounting) {
  const std::vector<double> all = {1, 2, 2, 2, 3, 3, 4};
  const double rank[] = {1, 3, 3, 3, 5.5, 5.5, 7};
  for (int pick = 0; pick < 128; ++pick) {
    if (__builtin_popcount(static_cast<unsigned>(pick)) != 3) {
      continue;
    }
    std::vector<double> x, y;
    double sum = 0;
    for (int i = 0; i < 7; ++i) {
      ((pick >> i & 1) != 0 ? x : y).push_back(all[i]);
      sum += (pick >> i & 1) != 0 ? rank[i] : 0;
    }
    int far = 0, total = 0;
    for (int other = 0; other < 128; ++other) {
      if (__builtin_popcount(static_cast<unsigned>(other)) != 3) {
        continue;
      }
      double s = 0;
      for (int i = 0; i < 7; ++i) {
        s += (other >> i & 1) != 0 ? rank[i] : 0;
      }
      ++total;
      far += std::fabs(s - 12) >= std::fabs(sum - 12) - 1e-9;
    }
    EXPECT_NEAR(rank_test_p(x, y), double(far) / total, 1e-12) << pick;
  }
}

TEST(RankSum, NormalBeyondTheExactSideAgrees) {
  NormalNoise noise(3);
  std::vector<double> x, y;
  for (int i = 0; i < 40; ++i) {
    x.push_back(noise.next());
    y.push_back(noise.next() + 0.4);
  }
  const double exact = rank_test_p(x, y);
  x.push_back(0.1);
  const double normal = rank_test_p(x, y);
  EXPECT_GT(normal, exact / 2);
  EXPECT_LT(normal, exact * 2 + 0.02);
}

TEST(Shift, IntervalOfTheTables) {
  // n = m = 5: the 95 % interval leaves out two differences at either end.
  const Shift s = shift_of({1, 2, 3, 4, 5}, {11, 22, 33, 44, 55});
  EXPECT_EQ(s.shift, 30);
  EXPECT_EQ(s.low, 8);    // sorted differences 6 7 8 …
  EXPECT_EQ(s.high, 52);  // … 52 53 54
  EXPECT_TRUE(s.attained);
  EXPECT_FALSE(shift_of({1, 2, 3}, {4, 5, 6}).attained);
}

TEST(Shift, CoversTheTruthAsOftenAsItSays) {
  NormalNoise noise(11);
  int covered = 0;
  for (int i = 0; i < 2000; ++i) {
    std::vector<double> x, y;
    for (int k = 0; k < 9; ++k) {
      x.push_back(noise.next());
      y.push_back(noise.next() + 1);
    }
    const Shift s = shift_of(x, y);
    covered += s.low <= 1 && 1 <= s.high;
  }
  EXPECT_GE(covered, 1870);  // 95 % less two deviations
}

TEST(Holm, StepsDown) {
  const std::vector<double> p = holm({0.01, 0.04, 0.03});
  EXPECT_NEAR(p[0], 0.03, 1e-12);
  EXPECT_NEAR(p[1], 0.06, 1e-12);
  EXPECT_NEAR(p[2], 0.06, 1e-12);
  EXPECT_TRUE(holm({}).empty());
}

}  // namespace
}  // namespace ember::report
