// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/device_testing.h"
#include "kernels/swiglu/swiglu_cases.h"

namespace ember::k::testing {
namespace {

const std::vector<TensorView*> operands(SwigluParams& p) {
  return {&p.y, &p.gate, &p.up};
}

TEST(SwigluCuda, MatchesTheFormula) {
  EMBER_NEEDS_CUDA();
  for (const SwigluCase& c : swiglu_cases()) {
    SCOPED_TRACE(c.name + " T " + std::to_string(c.T) + " F " + std::to_string(c.F) + " in " +
                 dtype_name(c.in) + " y " + dtype_name(c.y));
    TestTensor both(c.in, {c.T, 2 * c.F}), other(c.in, {c.T, c.F}, 3);
    both.randomise(c.seed * 3 + 1, 12.0f);
    other.randomise(c.seed * 3 + 2);
    const TensorView gate = both.view().cols(0, c.F);
    const TensorView up = c.fused ? both.view().cols(c.F, c.F) : other.view();
    const TestTensor y(c.y, {c.T, c.F}), again(c.y, {c.T, c.F});
    run_on_device(swiglu_cuda, {y, gate, up, c.scale}, operands);
    run_on_device(swiglu_cuda, {again, gate, up, c.scale}, operands);
    const std::vector<float> g = values(gate), u = values(up), got = values(y);
    for (size_t i = 0; i < got.size(); ++i) {
      const double want = c.scale * g[i] / (1 + std::exp(-static_cast<double>(g[i]))) * u[i];
      const double allowed = tolerance(c.y, want, 1, std::fabs(want));
      ASSERT_TRUE(std::fabs(got[i] - want) <= allowed) << i << ": " << got[i] << " for " << want;
    }
    EXPECT_TRUE(y.guards_intact() && both.guards_intact() && other.guards_intact());
    EXPECT_TRUE(y.same_bytes(again));
  }
}

TEST(SwigluCuda, ExtremesAndInPlace) {
  EMBER_NEEDS_CUDA();
  TestTensor gate(DType::kF32, {1, 8}), up(DType::kF32, {1, 8});
  up.randomise(3);
  const float inf = std::numeric_limits<float>::infinity();
  const float in[8] = {-1e4f, 1e4f, -88.0f, -104.0f, 0.0f, inf, std::nanf(""), 1.0f};
  std::copy(in, in + 8, gate.view().as<float>());
  const TestTensor y(DType::kF32, {1, 8});
  run_on_device(swiglu_cuda, {y, gate, up, 1.0f}, operands);
  const std::vector<float> v = values(y), u = values(up);
  EXPECT_EQ(v[0], 0.0f);
  EXPECT_EQ(v[1], 1e4f * u[1]);
  EXPECT_EQ(v[4], 0.0f);
  EXPECT_TRUE(std::isinf(v[5]) && std::isnan(v[6]));
  run_on_device(swiglu_cuda, {gate, gate, up, 1.0f}, operands);
  EXPECT_TRUE(gate.same_bytes(y));
}

TEST(SwigluCuda, HostMemoryIsRefused) {
  const TestTensor a(DType::kF32, {2, 8}), b(DType::kF32, {2, 8}), y(DType::kF32, {2, 8});
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "swiglu", [&] { swiglu_cuda({y, a, b}, {}); }));
}

}  // namespace
}  // namespace ember::k::testing
