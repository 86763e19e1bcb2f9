// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "kernels/common/testing.h"
#include "kernels/rmsnorm/rmsnorm_cases.h"

namespace ember::k::testing {
namespace {

std::vector<double> expected(const TestTensor& x, const TestTensor& w, double eps) {
  const int64_t T = x.view().shape[0], D = x.view().shape[1];
  const std::vector<float> xv = values(x), wv = values(w);
  std::vector<double> y(T * D);
  for (int64_t t = 0; t < T; ++t) {
    double total = 0;
    for (int64_t i = 0; i < D; ++i) {
      total += static_cast<double>(xv[t * D + i]) * xv[t * D + i];
    }
    for (int64_t i = 0; i < D; ++i) {
      y[t * D + i] = xv[t * D + i] / std::sqrt(total / D + eps) * wv[i];
    }
  }
  return y;
}

TEST(RmsNorm, MatchesTheFormula) {
  for (const RmsNormCase& c : rmsnorm_cases()) {
    SCOPED_TRACE(c.name + " T " + std::to_string(c.T) + " D " + std::to_string(c.D));
    TestTensor x(c.x, {c.T, c.D}, c.padding), w(c.w, {c.D});
    x.randomise(c.seed * 2 + 1);
    w.randomise(c.seed * 2 + 2, 0.5f, 1.0f);
    for_each_isa([&] {
      for (const Impl<RmsNormParams>& impl : rmsnorm_impls()) {
        const TestTensor y(c.y, {c.T, c.D}, c.padding);
        impl.run({y, x, w, 1e-6f}, {});
        EXPECT_TRUE(close(y, expected(x, w, 1e-6f), 1, 1.0)) << impl.name;
        EXPECT_TRUE(y.guards_intact()) << impl.name;
      }
    });
  }
}

TEST(RmsNorm, EpsCountsWhenTheRowIsSmall) {
  TestTensor x(DType::kF32, {2, 64}), w(DType::kF32, {64});
  x.randomise(1, 1e-3f);
  w.randomise(2);
  for (float eps : {1e-6f, 1e-5f, 0.0f}) {
    const TestTensor y(DType::kF32, {2, 64});
    rmsnorm_cpu({y, x, w, eps});
    EXPECT_TRUE(close(y, expected(x, w, eps), 1, 1.0)) << eps;
  }
}

TEST(RmsNorm, InPlace) {
  for (DType t : kFloatDTypes) {
    TestTensor x(t, {3, 130}, 2), w(DType::kF32, {130});
    x.randomise(1);
    w.randomise(2);
    const TestTensor y(t, {3, 130}, 2);
    rmsnorm_cpu({y, x, w});
    rmsnorm_cpu({x, x, w});
    EXPECT_TRUE(x.same_bytes(y));
  }
}

TEST(RmsNorm, NanStaysInItsRow) {
  TestTensor x(DType::kF32, {3, 20}), w(DType::kF32, {20});
  x.randomise(1);
  w.randomise(2);
  x.view().as<float>()[20 + 4] = std::nanf("");
  const TestTensor y(DType::kF32, {3, 20});
  rmsnorm_cpu({y, x, w});
  const std::vector<float> v = values(y);
  for (size_t i = 0; i < v.size(); ++i) {
    EXPECT_EQ(std::isnan(v[i]), i / 20 == 1) << i;
  }
}

TEST(RmsNorm, ContractViolationsThrow) {
  const TestTensor x(DType::kF32, {2, 8}), w(DType::kF32, {8}), y(DType::kF32, {2, 8}),
      w7(DType::kF32, {7}), ids(DType::kI32, {2, 8}), empty(DType::kF32, {2, 0});
  const auto expect = [](ErrorKind kind, const char* words, const RmsNormParams& p) {
    EXPECT_TRUE(throws(kind, words, [&] { validate(p); }));
    EXPECT_TRUE(throws(kind, words, [&] { rmsnorm_cpu(p); }));
  };
  expect(ErrorKind::kDtype, "rmsnorm: x:", {y, ids, w});
  expect(ErrorKind::kShape, "rmsnorm: w:", {y, x, w7});
  expect(ErrorKind::kShape, "rmsnorm: x:", {y, w, w});
  expect(ErrorKind::kShape, "rmsnorm: D:", {y, empty, w});
  expect(ErrorKind::kUnsupported, "eps", {y, x, w, -1.0f});
  expect(ErrorKind::kUnsupported, "eps", {y, x, w, std::nanf("")});
  TensorView shifted = x.view();
  shifted.data = static_cast<float*>(shifted.data) + 1;
  shifted.shape = Shape{1, 8};
  expect(ErrorKind::kUnsupported, "overlap", {shifted, x.view().rows(0, 1), w});
  TensorView elsewhere = y;
  elsewhere.device = {DeviceKind::kCuda, 0};
  expect(ErrorKind::kUnsupported, "device", {elsewhere, x, w});
}

TEST(RmsNorm, Cost) {
  const TestTensor x(DType::kF32, {2, 8}), w(DType::kBF16, {8}), y(DType::kF16, {2, 8});
  const Cost c = cost(RmsNormParams{y, x, w});
  EXPECT_EQ(c.bytes_read, 2 * 8 * 4 + 8 * 2);
  EXPECT_EQ(c.bytes_written, 2 * 8 * 2);
}

}  // namespace
}  // namespace ember::k::testing
