// SPDX-License-Identifier: Apache-2.0
#include "golden/compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "golden/figures.h"

namespace ember::golden {
namespace {

const float kNan = std::numeric_limits<float>::quiet_NaN();
const float kInf = std::numeric_limits<float>::infinity();

Diff diff(const std::vector<float>& e, const std::vector<float>& t) {
  return compare(e.data(), t.data(), static_cast<int64_t>(t.size()));
}

TEST(Compare, ClosedForm) {
  const Diff d = diff({3, 4, 1}, {3, 3, 0});
  EXPECT_EQ(d.worst, 1);
  EXPECT_DOUBLE_EQ(d.max_abs, 1);
  EXPECT_DOUBLE_EQ(d.rms, std::sqrt(2.0 / 3));
  EXPECT_DOUBLE_EQ(d.mean_signed, 2.0 / 3);
  EXPECT_DOUBLE_EQ(d.rel_l2, std::sqrt(2.0 / 18));
  EXPECT_DOUBLE_EQ(d.cosine, 21 / std::sqrt(18.0 * 26));
  EXPECT_TRUE(d.within(0.34));
  EXPECT_FALSE(d.within(0.33));
}

TEST(Compare, NanAndInfNeverPass) {
  for (float bad : {kNan, kInf, -kInf}) {
    const Diff in_e = diff({1, bad, 3}, {1, 2, 3});
    EXPECT_EQ(in_e.non_finite, 1);
    EXPECT_EQ(in_e.first_bad, 1);
    EXPECT_FALSE(in_e.within(1e30));
    EXPECT_FALSE(diff({1, 2, 3}, {1, bad, 3}).within(1e30));
    EXPECT_FALSE(diff({bad}, {bad}).within(1e30));  // equal, and still not a number to trust
  }
}

TEST(Compare, NothingComparedIsNoPass) {
  EXPECT_FALSE(diff({}, {}).within(1));
  EXPECT_FALSE(within(kNan, 1));
  EXPECT_FALSE(within(0, kNan));
  EXPECT_FALSE(within(0, std::numeric_limits<double>::infinity()));
  EXPECT_TRUE(within(0, 0));
}

TEST(Compare, AllZero) {
  EXPECT_TRUE(diff({0, 0}, {0, 0}).within(0));
  EXPECT_DOUBLE_EQ(diff({0, 0}, {0, 0}).cosine, 1);
  const Diff lost = diff({0, 0}, {3, 4});
  EXPECT_DOUBLE_EQ(lost.rel_l2, 1);
  EXPECT_DOUBLE_EQ(lost.cosine, 0);
  EXPECT_DOUBLE_EQ(diff({3, 4}, {0, 0}).rel_l2, 5);
}

// KL and JS against the definition in long double.
TEST(Compare, DivergenceMatchesItsDefinition) {
  std::vector<float> t(500), e(500);
  for (double size : {1e-6, 1e-3, 0.3, 20.0}) {
    for (int i = 0; i < 500; ++i) {
      t[i] = static_cast<float>(3 * std::sin(i * 1.7));
      e[i] = static_cast<float>(t[i] + size * std::cos(i * 2.3));
    }
    const std::vector<double> lp = log_softmax(t.data(), 500), lq = log_softmax(e.data(), 500);
    long double kl = 0, js = 0;
    for (int i = 0; i < 500; ++i) {
      const long double p = std::exp(static_cast<long double>(lp[i]));
      const long double q = std::exp(static_cast<long double>(lq[i])), m = (p + q) / 2;
      kl += p * (static_cast<long double>(lp[i]) - lq[i]);
      js += (p * std::log(p / m) + q * std::log(q / m)) / 2;
    }
    const RowDiff d = compare_logits(e.data(), t.data(), 500);
    const double slack = 1e-15 + 1e-9 * static_cast<double>(kl);
    EXPECT_NEAR(d.kl, static_cast<double>(kl), slack) << size;
    EXPECT_NEAR(d.js, static_cast<double>(js), slack) << size;
    EXPECT_GE(d.kl, 0);
  }
}

TEST(Compare, FarDistributionsStayFinite) {
  const std::vector<float> t = {2000, 0, -2000}, e = {-2000, 0, 2000};
  const RowDiff d = compare_logits(e.data(), t.data(), 3);
  EXPECT_NEAR(d.kl, 4000, 1e-6);
  EXPECT_NEAR(d.js, std::log(2.0), 1e-12);
  EXPECT_DOUBLE_EQ(d.dp_max, 1);
  EXPECT_FALSE(d.top1);
  EXPECT_EQ(d.rank, 2);
}

TEST(Compare, NanInARowIsNotADistribution) {
  const std::vector<float> t = {1, 2, 3}, e = {1, kNan, 3};
  EXPECT_FALSE(within(compare_logits(e.data(), t.data(), 3).kl, 1e30));
  EXPECT_FALSE(within(compare_logits(e.data(), t.data(), 3).dp_max, 1e30));
  EXPECT_EQ(argmax(e.data(), 3), 2);
  EXPECT_EQ(argmax(e.data(), 0), -1);
}

TEST(Compare, MedianAndSlope) {
  EXPECT_DOUBLE_EQ(median({5, 1, 3}), 3);
  EXPECT_DOUBLE_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_TRUE(std::isnan(median({})));
  // Slopes of the pairs: 2, 2, 33, 2, 48.5, 95. One wild point moves the median, not far.
  EXPECT_DOUBLE_EQ(theil_sen({0, 1, 2, 3}, {1, 3, 5, 100}), 17.5);
  EXPECT_DOUBLE_EQ(theil_sen({0, 1, 2, 3, 4}, {1, 3, 5, 7, 100}), 2);
  EXPECT_DOUBLE_EQ(theil_sen({1}, {1}), 0);
}

// A reference of 3 positions and 4 logits, all stored.
Reference small() {
  Reference r;
  r.L = 1;
  r.D = 2;
  r.V = 4;
  r.k = 4;
  r.ids = {0, 1, 2};
  r.full_pos = r.top_pos = r.res_pos = {0, 1, 2};
  r.full_logits = {4, 3, 2, 1, 1, 4, 3, 2, 2, 1, 4, 3};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 4; ++j) {
      r.top_ids.push_back((i + j) % 4);
      r.top_values.push_back(static_cast<float>(4 - j));
    }
    const RowStats s = row_stats(r.full_logits.data() + 4 * i, 4);
    for (double x : {s.lse, s.mean, s.sd, s.min}) {
      r.stats.push_back(static_cast<float>(x));
    }
  }
  r.residual = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  return r;
}

Figures feed(const Reference& r, const std::vector<float>& logits,
             const std::vector<float>& residual) {
  Meter meter(r);
  for (int i = 0; i < 3; ++i) {
    meter.logits(i, logits.data() + 4 * i);
    for (int layer = 0; layer < 2; ++layer) {
      meter.residual(layer, i, residual.data() + (layer * 3 + i) * 2);
    }
  }
  return meter.finish();
}

TEST(Meter, TheTruthItselfHasNoError) {
  const Reference r = small();
  const Figures f = feed(r, r.full_logits, r.residual);
  for (int i = 0; i < kFigures; ++i) {
    EXPECT_NEAR(f.value[i], 0, 1e-6) << name(static_cast<Figure>(i));
  }
  EXPECT_EQ(f.flips, 0);
  EXPECT_EQ(f.residual, std::vector<double>({0, 0}));
}

TEST(Meter, SwappedRowsShow) {
  const Reference r = small();
  std::vector<float> swapped = r.full_logits;
  std::swap_ranges(swapped.begin(), swapped.begin() + 4, swapped.begin() + 4);
  const Figures f = feed(r, swapped, r.residual);
  EXPECT_GT(f[Figure::kRelL2], 0.5);
  EXPECT_EQ(f.flips, 2);
}

TEST(Meter, AShiftOfAllLogitsShowsAsBiasOnly) {
  const Reference r = small();
  std::vector<float> shifted = r.full_logits;
  for (float& x : shifted) {
    x += 0.5f;
  }
  const Figures f = feed(r, shifted, r.residual);
  EXPECT_NEAR(f[Figure::kRelL2], 0, 1e-6);
  EXPECT_NEAR(f[Figure::kKl], 0, 1e-12);
  EXPECT_NEAR(f[Figure::kMaxAbs], 0.5, 1e-6);
  EXPECT_NEAR(f.bias, 0.5 / std::sqrt(1.25), 1e-6);
}

TEST(Meter, MissingOrNonFiniteRowsPassNothing) {
  const Reference r = small();
  Meter meter(r);
  EXPECT_TRUE(std::isinf(meter.finish()[Figure::kRelL2]));
  EXPECT_EQ(meter.missing_rows(), 12);
  std::vector<float> bad = r.full_logits;
  bad[5] = kNan;
  for (int i = 0; i < 3; ++i) {
    meter.logits(i, bad.data() + 4 * i);
  }
  EXPECT_EQ(meter.first_non_finite(), 1);
  EXPECT_TRUE(std::isinf(meter.finish()[Figure::kMaxAbs]));
}

TEST(Meter, NanInTheStreamPassesNothing) {
  const Reference r = small();
  std::vector<float> bad = r.residual;
  bad[7] = kNan;
  const Figures f = feed(r, r.full_logits, bad);
  EXPECT_FALSE(within(f.residual[1], 1e30));
}

}  // namespace
}  // namespace ember::golden
