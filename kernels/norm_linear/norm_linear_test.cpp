// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/testing.h"
#include "kernels/norm_linear/norm_linear_cases.h"

namespace ember::k::testing {
namespace {

// By the definition, one value at a time.
std::vector<double> expected(const NormLinearParams& p) {
  const std::vector<float> x = values(p.x), gain = values(p.norm), w = values(p.w);
  const size_t K = x.size(), N = static_cast<size_t>(p.y.shape[1]);
  double squares = 0;
  for (float v : x) {
    squares += static_cast<double>(v) * v;
  }
  const double factor = 1 / std::sqrt(squares / static_cast<double>(K) + p.eps);
  const auto z = [&](size_t n) {
    double sum = 0;
    for (size_t k = 0; k < K; ++k) {
      sum += factor * x[k] * gain[k] * w[n * K + k];
    }
    return sum;
  };
  std::vector<double> y(N);
  for (size_t n = 0; n < N; ++n) {
    y[n] = p.scale * (p.gated ? z(n) / (1 + std::exp(-z(n))) * z(N + n) : z(n));
  }
  return y;
}

TEST(NormLinear, MatchesTheFormula) {
  for (const NormLinearCase& c : norm_linear_edge_cases()) {
    SCOPED_TRACE(c.name + " N " + std::to_string(c.N) + " K " + std::to_string(c.K));
    TestTensor x(DType::kF32, {1, c.K}), norm(c.norm, {c.K}),
        w(c.w, {c.gated ? 2 * c.N : c.N, c.K}, c.padding);
    x.randomise(c.seed * 3 + 1);
    norm.randomise(c.seed * 3 + 2, 0.5f, 1.0f);
    w.randomise(c.seed * 3 + 3);
    const TestTensor y(c.y, {1, c.N});
    const NormLinearParams p{y, x, norm, w, 1e-6f, c.gated, c.scale, {}};
    norm_linear_cpu(p);
    EXPECT_TRUE(close(y, expected(p), 1, 1.0));
    EXPECT_TRUE(y.guards_intact());
  }
}

TEST(NormLinear, ContractViolationsThrow) {
  const TestTensor x(DType::kF32, {1, 8}), norm(DType::kF32, {8}), w(DType::kBF16, {16, 8}),
      y(DType::kF32, {1, 16}), w32(DType::kF32, {16, 8}), two(DType::kF32, {2, 8}),
      odd(DType::kBF16, {15, 8}), y8(DType::kF32, {1, 8}), x16(DType::kBF16, {1, 8}),
      norm7(DType::kF32, {7});
  const auto expect = [](ErrorKind kind, const char* words, const NormLinearParams& p) {
    EXPECT_TRUE(throws(kind, words, [&] { validate(p); }));
    EXPECT_TRUE(throws(kind, words, [&] { norm_linear_cpu(p); }));
  };
  expect(ErrorKind::kDtype, "norm_linear: x:", {y, x16, norm, w});
  expect(ErrorKind::kDtype, "norm_linear: w:", {y, x, norm, w32});
  expect(ErrorKind::kShape, "norm_linear: rows of x", {y, two, norm, w});
  expect(ErrorKind::kShape, "norm_linear: norm:", {y, x, norm7, w});
  expect(ErrorKind::kShape, "norm_linear: y:", {y8, x, norm, w});
  expect(ErrorKind::kShape, "norm_linear: y:", {y, x, norm, w, 1e-6f, true});
  expect(ErrorKind::kShape, "as many rows", {y8, x, norm, odd, 1e-6f, true});
  expect(ErrorKind::kUnsupported, "eps", {y, x, norm, w, -1.0f});
  expect(ErrorKind::kUnsupported, "overlap", {x, x, norm, w.view().rows(0, 8)});
  TensorView elsewhere = y;
  elsewhere.device = {DeviceKind::kCuda, 0};
  expect(ErrorKind::kUnsupported, "device", {elsewhere, x, norm, w});
}

TEST(NormLinear, Cost) {
  const TestTensor x(DType::kF32, {1, 8}), norm(DType::kBF16, {8}), w(DType::kBF16, {16, 8}),
      y(DType::kF16, {1, 8});
  const Cost c = cost(NormLinearParams{y, x, norm, w, 1e-6f, true, 1.0f, {}});
  EXPECT_EQ(c.bytes_read, 8 * 4 + 8 * 2 + 16 * 8 * 2);
  EXPECT_EQ(c.bytes_written, 8 * 2);
}

// The models' matrices are taken; what the kernel cannot do is not.
TEST(NormLinear, SaysWhatADeviceTakes) {
  for (const NormLinearCase& c : norm_linear_preset_cases(64)) {
    const TestTensor x(DType::kF32, {1, c.K}), norm(c.norm, {c.K}),
        w(c.w, {c.gated ? 2 * c.N : c.N, c.K}), y(c.y, {1, c.N});
    EXPECT_TRUE(norm_linear_takes({y, x, norm, w, 1e-6f, c.gated})) << c.name;
  }
  const auto takes = [](int64_t N, int64_t K, bool gated) {
    const TestTensor x(DType::kF32, {1, K}), norm(DType::kF32, {K}), w(DType::kBF16, {N, K}),
        y(DType::kF32, {1, gated ? N / 2 : N});
    return norm_linear_takes({y, x, norm, w, 1e-6f, gated});
  };
  EXPECT_TRUE(takes(8, 5120, false));
  EXPECT_FALSE(takes(8, 5128, false));
  EXPECT_FALSE(takes(8, 36, false));
  EXPECT_FALSE(takes(7, 64, false));
  EXPECT_FALSE(takes(9, 64, false));
  EXPECT_FALSE(takes(12, 64, true));
}

}  // namespace
}  // namespace ember::k::testing
