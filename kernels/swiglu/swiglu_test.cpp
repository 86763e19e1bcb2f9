// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "kernels/common/testing.h"
#include "kernels/swiglu/swiglu_cases.h"

namespace ember::k::testing {
namespace {

struct Inputs {
  TestTensor both, gate, up;
  TensorView gate_view, up_view;
  Inputs(const SwigluCase& c, float range)
      : both(c.in, {c.T, 2 * c.F}), gate(c.in, {c.T, c.F}, 3), up(c.in, {c.T, c.F}, 1) {
    both.randomise(c.seed * 3 + 1, range);
    gate.randomise(c.seed * 3 + 2, range);
    up.randomise(c.seed * 3 + 3);
    gate_view = c.fused ? both.view().cols(0, c.F) : gate.view();
    up_view = c.fused ? both.view().cols(c.F, c.F) : up.view();
  }
};

std::vector<double> expected(const TensorView& gate, const TensorView& up, double scale) {
  const std::vector<float> g = values(gate), u = values(up);
  std::vector<double> y(g.size());
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] = scale * g[i] / (1 + std::exp(-static_cast<double>(g[i]))) * u[i];
  }
  return y;
}

// Relative: six roundings of the result's own size.
::testing::AssertionResult close_relative(const TensorView& got, const std::vector<double>& want) {
  const std::vector<float> g = values(got);
  for (size_t i = 0; i < want.size(); ++i) {
    const double allowed = tolerance(got.dtype, want[i], 1, std::fabs(want[i]));
    if (!(std::fabs(g[i] - want[i]) <= allowed)) {
      return ::testing::AssertionFailure() << i << ": " << g[i] << ", expected " << want[i];
    }
  }
  return ::testing::AssertionSuccess();
}

TEST(Swiglu, MatchesTheFormula) {
  for (const SwigluCase& c : swiglu_cases()) {
    SCOPED_TRACE(c.name + " T " + std::to_string(c.T) + " F " + std::to_string(c.F));
    const Inputs in(c, 12.0f);
    const std::vector<double> want = expected(in.gate_view, in.up_view, c.scale);
    for_each_isa([&] {
      for (const Impl<SwigluParams>& impl : swiglu_impls()) {
        const TestTensor y(c.y, {c.T, c.F}, 2);
        impl.run({y, in.gate_view, in.up_view, c.scale}, {});
        EXPECT_TRUE(close_relative(y, want)) << impl.name;
        EXPECT_TRUE(y.guards_intact()) << impl.name;
      }
    });
  }
}

TEST(Swiglu, FarTails) {
  SwigluCase c{"tails", 4, 1000};
  const Inputs in(c, 80.0f);
  for_each_isa([&] {
    const TestTensor y(DType::kF32, {4, 1000});
    swiglu_cpu({y, in.gate_view, in.up_view});
    EXPECT_TRUE(close_relative(y, expected(in.gate_view, in.up_view, 1)));
    const float inf = std::numeric_limits<float>::infinity();
    float gate[] = {1000, -1000, 0, -0.0f, inf, std::nanf("")}, up[] = {1, 1, 5, 5, 1, 1}, out[6];
    const auto row = [](float* p) { return TensorView(p, DType::kF32, {1, 6}); };
    swiglu_cpu({row(out), row(gate), row(up)});
    EXPECT_EQ(out[0], 1000);
    EXPECT_EQ(out[1], 0);
    EXPECT_EQ(out[2], 0);
    EXPECT_EQ(out[3], 0);
    EXPECT_EQ(out[4], inf);
    EXPECT_TRUE(std::isnan(out[5]));
  });
}

TEST(Swiglu, InPlace) {
  for (DType t : kFloatDTypes) {
    SwigluCase c{"in place", 3, 100};
    c.in = t;
    c.fused = true;
    const Inputs a(c, 4.0f), b(c, 4.0f);
    const TestTensor y(t, {3, 100});
    swiglu_cpu({y, a.gate_view, a.up_view});
    swiglu_cpu({a.gate_view, a.gate_view, a.up_view});
    EXPECT_EQ(values(y), values(a.gate_view));
    swiglu_cpu({b.up_view, b.gate_view, b.up_view});
    EXPECT_EQ(values(y), values(b.up_view));
  }
}

TEST(Swiglu, ContractViolationsThrow) {
  const TestTensor gate(DType::kF32, {2, 8}), up(DType::kF32, {2, 8}), y(DType::kF32, {2, 8}),
      narrow(DType::kF32, {2, 7}), ids(DType::kI32, {2, 8});
  const auto expect = [](ErrorKind kind, const char* words, const SwigluParams& p) {
    EXPECT_TRUE(throws(kind, words, [&] { validate(p); }));
    EXPECT_TRUE(throws(kind, words, [&] { swiglu_cpu(p); }));
  };
  expect(ErrorKind::kDtype, "swiglu: gate:", {y, ids, up});
  expect(ErrorKind::kShape, "swiglu: up:", {y, gate, narrow});
  expect(ErrorKind::kShape, "swiglu: y:", {narrow, gate, up});
  expect(ErrorKind::kUnsupported, "overlap",
         {gate.view().rows(1, 1), TensorView(gate.view().as<float>() + 4, DType::kF32, {1, 8}),
          up.view().rows(0, 1)});
  TensorView elsewhere = up;
  elsewhere.device = {DeviceKind::kCuda, 0};
  expect(ErrorKind::kUnsupported, "device", {y, gate, elsewhere});
}

}  // namespace
}  // namespace ember::k::testing
