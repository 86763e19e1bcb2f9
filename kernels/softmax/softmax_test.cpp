// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "kernels/common/testing.h"
#include "kernels/softmax/softmax_cases.h"

namespace ember::k::testing {
namespace {

TEST(Softmax, MatchesTheFormula) {
  for (const SoftmaxCase& c : softmax_cases()) {
    SCOPED_TRACE(c.name + " T " + std::to_string(c.T) + " V " + std::to_string(c.V));
    TestTensor x(DType::kF32, {c.T, c.V}, 2);
    x.randomise(c.seed, 8.0f);
    const std::vector<float> v = values(x);
    std::vector<double> want(v.size()), want_lse(c.T);
    for (int64_t t = 0; t < c.T; ++t) {
      long double total = 0;  // scores up to 800: inside the range of long double's exponent
      for (int64_t i = 0; i < c.V; ++i) {
        total += std::exp(static_cast<long double>(c.scale) * v[t * c.V + i]);
      }
      want_lse[t] = static_cast<double>(std::log(total));
      for (int64_t i = 0; i < c.V; ++i) {
        want[t * c.V + i] = static_cast<double>(
            std::exp(static_cast<long double>(c.scale) * v[t * c.V + i]) / total);
      }
    }
    for (const Impl<SoftmaxParams>& impl : softmax_impls()) {
      const TestTensor y(DType::kF32, {c.T, c.V}, 1), lse(DType::kF32, {c.T});
      impl.run({y, x, lse, c.scale}, {});
      EXPECT_TRUE(close(y, want, 0, 0.0)) << impl.name;
      EXPECT_TRUE(close(lse, want_lse, 0, 0.0)) << impl.name;
      EXPECT_TRUE(y.guards_intact() && lse.guards_intact()) << impl.name;
    }
  }
}

TEST(Softmax, MaskedAndBrokenRows) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  float x[] = {-inf, 0, 0, -inf, -inf, -inf, 1, nan, 2, 1, inf, 2}, y[12], lse[4];
  softmax_cpu({TensorView(y, DType::kF32, {4, 3}), TensorView(x, DType::kF32, {4, 3}),
               TensorView(lse, DType::kF32, {4})});
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[1], 0.5f);
  for (int row = 1; row < 4; ++row) {
    EXPECT_TRUE(std::isnan(lse[row])) << row;
    EXPECT_TRUE(std::isnan(y[row * 3])) << row;
  }
}

TEST(Softmax, EitherResultMayBeLeftOut) {
  TestTensor x(DType::kF32, {2, 9});
  x.randomise(1);
  const TestTensor y(DType::kF32, {2, 9}), lse(DType::kF32, {2});
  softmax_cpu({TensorView(), x, lse});
  EXPECT_FALSE(std::isnan(values(lse)[1]));
  softmax_cpu({y, x, TensorView()});
  softmax_cpu({x, x, TensorView()});
  EXPECT_EQ(values(x), values(y));
}

TEST(Softmax, ContractViolationsThrow) {
  const TestTensor x(DType::kF32, {2, 8}), y(DType::kF32, {2, 8}), lse(DType::kF32, {2}),
      half(DType::kF16, {2, 8}), narrow(DType::kF32, {2, 7});
  const auto expect = [](ErrorKind kind, const char* words, const SoftmaxParams& p) {
    EXPECT_TRUE(throws(kind, words, [&] { validate(p); }));
    EXPECT_TRUE(throws(kind, words, [&] { softmax_cpu(p); }));
  };
  expect(ErrorKind::kDtype, "softmax: x:", {y, half, lse});
  expect(ErrorKind::kShape, "softmax: y:", {narrow, x, lse});
  expect(ErrorKind::kShape, "softmax: lse:", {y, x, x});
  expect(ErrorKind::kUnsupported, "scale", {y, x, lse, std::nanf("")});
}

}  // namespace
}  // namespace ember::k::testing
