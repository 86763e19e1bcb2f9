// SPDX-License-Identifier: Apache-2.0
#include "golden/tolerance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>

#include "golden/compare.h"

namespace ember::golden {
namespace {

Figures figures(double x) {
  Figures f;
  std::fill(f.value, f.value + kFigures, x);
  f.bias = 0.1 * x;
  f.slope = x;
  f.residual = {0, x};
  return f;
}

// Two cases; variants err by 1, 1.1 and 1.5.
Band band() {
  Band b;
  b.dtype = "fp32";
  b.slack = 1.25;
  for (const char* name : {"a", "b"}) {
    b.cases[name].variants = {{"x", figures(1)}, {"y", figures(1.1)}, {"z", figures(1.5)}};
  }
  b.limits = b.derive();
  return b;
}

bool all_pass(const std::vector<Verdict>& v) {
  return std::all_of(v.begin(), v.end(), [](const Verdict& x) { return x.pass; });
}

const Verdict& find(const std::vector<Verdict>& v, const std::string& figure) {
  return *std::find_if(v.begin(), v.end(), [&](const Verdict& x) { return x.figure == figure; });
}

TEST(Tolerance, LimitsAreTheWidestLeaveOneOutRatio) {
  const Limits l = band().limits;
  EXPECT_DOUBLE_EQ(l[Figure::kRelL2], 1.25 * 1.5 / 1.05);  // 1.5 against the median of 1 and 1.1
  EXPECT_DOUBLE_EQ(l[Figure::kMaxAbs], 1.25 * 1.5 / 1.1);  // 1.5 against the larger of them
  EXPECT_DOUBLE_EQ(l.residual, 1.25 * 1.5 / 1.1);
}

TEST(Tolerance, EachTapHasItsOwnLimit) {
  Band b = band();
  b.cases["a"].local = {{"x", {{"q_proj", {1, 1}}, {"attention", {1, 2}}}},
                        {"y", {{"q_proj", {1, 1}}, {"attention", {3, 2}}}}};
  const Limits l = b.derive();
  EXPECT_DOUBLE_EQ(l.local.at("q_proj"), 1.25);  // one computation: nothing to judge it by
  EXPECT_DOUBLE_EQ(l.local.at("attention"), 1.25 * 3);
}

TEST(Tolerance, GroupsOfVariants) {
  EXPECT_EQ(band_group("fp32", "cpu-avx2/eager/whole"), "cpu");
  EXPECT_EQ(band_group("fp32", "cuda/eager/whole"), "cuda");
  EXPECT_EQ(band_group("bf16", "cuda/eager/whole"), "all");
  EXPECT_EQ(band_group("fp16", "cpu/sdpa/offset_1"), "all");
}

TEST(Tolerance, VariantsPassTheirOwnBand) {
  const Band b = band();
  for (double x : {1.0, 1.1, 1.5}) {
    EXPECT_TRUE(all_pass(judge_case(b, "a", figures(x)))) << x;
    EXPECT_TRUE(all_pass(judge_all(b, {{"a", figures(x)}, {"b", figures(x)}}))) << x;
  }
}

TEST(Tolerance, WorseThanTheBandFails) {
  const Band b = band();
  const double far = 1.01 * 1.5 * b.limits[Figure::kMaxAbs];
  EXPECT_FALSE(find(judge_case(b, "a", figures(far)), "max_abs").pass);
  const double mean = 1.01 * 1.1 * b.limits[Figure::kRelL2];
  EXPECT_FALSE(find(judge_all(b, {{"a", figures(mean)}, {"b", figures(mean)}}), "rel_l2").pass);
}

// One odd prompt does not decide, a handful does.
TEST(Tolerance, ManyCasesAreJudgedByTheirInterval) {
  Band b = band();
  RunFigures run;
  for (int i = 0; i < 20; ++i) {
    const std::string name = "c" + std::to_string(i);
    b.cases[name] = b.cases["a"];
    run[name] = figures(1);
  }
  run["c0"] = figures(4);
  EXPECT_TRUE(find(judge_all(b, run), "rel_l2").pass);
  for (int i = 0; i < 8; ++i) {
    run["c" + std::to_string(i)] = figures(4);
  }
  EXPECT_FALSE(find(judge_all(b, run), "rel_l2").pass);
}

TEST(Tolerance, NonFiniteFiguresFail) {
  const Band b = band();
  for (double x :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    for (const Verdict& v : judge_case(b, "a", figures(x))) {
      EXPECT_FALSE(v.pass) << v.figure;
    }
    for (const Verdict& v : judge_all(b, {{"a", figures(x)}, {"b", figures(1)}})) {
      EXPECT_FALSE(v.pass) << v.figure;
    }
  }
}

TEST(Tolerance, ExactWhereTheVariantsAreExact) {
  const Band b = band();
  Figures f = figures(1);
  EXPECT_TRUE(find(judge_case(b, "a", f), "residual").pass);
  f.residual[0] = 1e-30;  // every variant has 0 there
  const Verdict v = find(judge_case(b, "a", f), "residual");
  EXPECT_FALSE(v.pass);
  EXPECT_EQ(v.note, "embedding");
}

TEST(Tolerance, ASystematicShiftFails) {
  const Band b = band();
  Figures f = figures(1);
  f.bias = -3;
  EXPECT_FALSE(find(judge_all(b, {{"a", f}, {"b", f}}), "bias").pass);
}

TEST(Tolerance, Bootstrap) {
  const Interval one = bootstrap_mean({2, 2, 2});
  EXPECT_DOUBLE_EQ(one.mean, 2);
  EXPECT_DOUBLE_EQ(one.low, 2);
  EXPECT_DOUBLE_EQ(one.high, 2);
  std::vector<double> v;
  for (int i = 0; i < 100; ++i) {
    v.push_back(i);
  }
  const Interval ci = bootstrap_mean(v);  // standard error 2.9
  EXPECT_NEAR(ci.high - ci.mean, 1.96 * 2.9, 0.8);
  EXPECT_NEAR(ci.mean - ci.low, 1.96 * 2.9, 0.8);
}

TEST(Tolerance, RateBound) {
  EXPECT_NEAR(rate_upper_bound(0, 100), 0.0370, 0.0005);
  EXPECT_NEAR(rate_upper_bound(10, 100), 0.1744, 0.0005);
  EXPECT_DOUBLE_EQ(rate_upper_bound(0, 0), 1);
}

}  // namespace
}  // namespace ember::golden
