// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/device_testing.h"
#include "kernels/norm_linear/norm_linear_cases.h"

namespace ember::k::testing {
namespace {

const std::vector<TensorView*> operands(NormLinearParams& p) {
  return {&p.y, &p.x, &p.norm, &p.w};
}

struct Inputs {
  TestTensor x, norm, w;
  explicit Inputs(const NormLinearCase& c)
      : x(DType::kF32, {1, c.K}),
        norm(c.norm, {c.K}),
        w(c.w, {c.gated ? 2 * c.N : c.N, c.K}, c.padding) {
    x.randomise(c.seed * 3 + 1, 3.0f);
    norm.randomise(c.seed * 3 + 2, 0.5f, 1.0f);
    w.randomise(c.seed * 3 + 3, 2.0f / std::sqrt(static_cast<float>(c.K)));
  }
  NormLinearParams params(const NormLinearCase& c, const TestTensor& y) const {
    return {y, x, norm, w, 1e-6f, c.gated, c.scale, {}};
  }
};

void check_case(const NormLinearCase& c) {
  SCOPED_TRACE(c.name + " N " + std::to_string(c.N) + " K " + std::to_string(c.K) + " w " +
               dtype_name(c.w) + " norm " + dtype_name(c.norm) + " y " + dtype_name(c.y) +
               (c.gated ? " gated" : ""));
  const Inputs in(c);
  const TestTensor want(DType::kF32, {1, c.N}), y(c.y, {1, c.N}), again(c.y, {1, c.N});
  norm_linear_cpu(in.params(c, want));
  run_on_device(norm_linear_cuda, in.params(c, y), operands);
  run_on_device(norm_linear_cuda, in.params(c, again), operands);
  EXPECT_TRUE(close(y, doubles(want), c.K, c.scale * 2.0));
  EXPECT_TRUE(y.guards_intact() && in.x.guards_intact() && in.w.guards_intact());
  EXPECT_TRUE(y.same_bytes(again));
}

TEST(NormLinearCuda, EveryModel) {
  EMBER_NEEDS_CUDA();
  for (const NormLinearCase& c : norm_linear_preset_cases(1031)) {
    check_case(c);
  }
}

TEST(NormLinearCuda, Edges) {
  EMBER_NEEDS_CUDA();
  for (const NormLinearCase& c : norm_linear_edge_cases()) {
    check_case(c);
  }
}

// More tiles than a window of partial sums holds.
TEST(NormLinearCuda, SeveralWindows) {
  EMBER_NEEDS_CUDA();
  for (bool gated : {false, true}) {
    NormLinearCase c;
    c.name = "windows";
    c.N = 17504, c.K = 4096;
    c.gated = gated;
    check_case(c);
  }
}

// A hint reads nothing into the result, at the end of its memory neither.
TEST(NormLinearCuda, PrefetchChangesNothing) {
  EMBER_NEEDS_CUDA();
  NormLinearCase c;
  c.N = 264, c.K = 1024;
  const Inputs in(c);
  const TestTensor y(c.y, {1, c.N}), ahead(c.y, {1, c.N});
  run_on_device(norm_linear_cuda, in.params(c, y), operands);
  const Buffer next(1 << 20, Buffer::Fill::kZero, DeviceMirror::device(), "next weights");
  NormLinearParams p = in.params(c, ahead);
  p.prefetch.data = next.data();
  p.prefetch.pieces = 200;  // more than blocks
  p.prefetch.stride = next.bytes() / 200 / 16 * 16;
  p.prefetch.take = static_cast<int>(p.prefetch.stride);
  run_on_device(norm_linear_cuda, p, operands);
  EXPECT_TRUE(y.same_bytes(ahead));
}

TEST(NormLinearCuda, NanInOneWeightRowStaysInItsColumn) {
  EMBER_NEEDS_CUDA();
  for (bool gated : {false, true}) {
    NormLinearCase c;
    c.N = 40, c.K = 304;
    c.w = DType::kF16;
    c.gated = gated;
    const Inputs in(c);
    in.w.view().as<F16>()[(gated ? 47 : 7) * c.K + 5].bits = 0x7e00;
    const TestTensor y(c.y, {1, c.N});
    run_on_device(norm_linear_cuda, in.params(c, y), operands);
    const std::vector<float> v = values(y);
    for (size_t i = 0; i < v.size(); ++i) {
      EXPECT_EQ(std::isnan(v[i]), i == 7) << i;
    }
  }
}

TEST(NormLinearCuda, WhatItCannotDoIsRefused) {
  const TestTensor x(DType::kF32, {1, 8}), norm(DType::kF32, {8}), w(DType::kBF16, {16, 8}),
      y(DType::kF32, {1, 16});
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "norm_linear", [&] {
    norm_linear_cuda({y, x, norm, w}, {});
  }));
}

}  // namespace
}  // namespace ember::k::testing
