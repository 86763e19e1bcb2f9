// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/device_testing.h"
#include "kernels/qk_norm_rope/qk_norm_rope_cases.h"

namespace ember::k::testing {
namespace {

const std::vector<TensorView*> operands(QkNormRopeParams& p) {
  return {&p.q_out, &p.k_cache, &p.v_cache, &p.q, &p.k, &p.v, &p.q_norm, &p.k_norm, &p.cos, &p.sin};
}

struct Inputs {
  TestTensor qkv, q_norm, k_norm, cos, sin;
  explicit Inputs(const QkNormRopeCase& c)
      : qkv(c.in, {c.T, (c.H + 2 * c.K) * c.E}, c.fused ? 0 : 5),
        q_norm(c.gain, {c.E}),
        k_norm(c.gain, {c.E}),
        cos(DType::kF32, {c.pos + c.T, c.E / 2}),
        sin(DType::kF32, {c.pos + c.T, c.E / 2}) {
    qkv.randomise(c.seed * 9 + 1, 3.0f);
    q_norm.randomise(c.seed * 9 + 5, 1.0f, 1.0f);
    k_norm.randomise(c.seed * 9 + 6, 1.0f, 1.0f);
    for (int64_t s = 0; s < c.pos + c.T; ++s) {
      for (int64_t i = 0; i < c.E / 2; ++i) {
        const double angle = s * std::pow(1e6, -2.0 * i / c.E);
        cos.view().as<float>()[s * (c.E / 2) + i] = static_cast<float>(std::cos(angle));
        sin.view().as<float>()[s * (c.E / 2) + i] = static_cast<float>(std::sin(angle));
      }
    }
  }
};

struct Outputs {
  TestTensor q, k_cache, v_cache;
  Outputs(const QkNormRopeCase& c, DType q_type, DType cache_type, int64_t padding = 3)
      : q(q_type, {c.T, c.H * c.E}, padding),
        k_cache(cache_type, {c.K, c.S, c.E}),
        v_cache(cache_type, {c.K, c.S, c.E}) {}
};

QkNormRopeParams params(const QkNormRopeCase& c, const Inputs& in, const Outputs& out) {
  QkNormRopeParams p;
  p.q_out = out.q, p.k_cache = out.k_cache, p.v_cache = out.v_cache;
  p.q = in.qkv.view().cols(0, c.H * c.E);
  p.k = in.qkv.view().cols(c.H * c.E, c.K * c.E);
  p.v = in.qkv.view().cols((c.H + c.K) * c.E, c.K * c.E);
  p.q_norm = in.q_norm, p.k_norm = in.k_norm, p.cos = in.cos, p.sin = in.sin;
  p.pos = c.pos;
  return p;
}

// Rows that the CPU has not written must still be NaN here too.
void expect_cache(const TestTensor& got, const TestTensor& want) {
  const std::vector<float> g = values(got), w = values(want);
  for (size_t i = 0; i < g.size(); ++i) {
    if (std::isnan(w[i])) {
      ASSERT_TRUE(std::isnan(g[i])) << "element " << i << " was written";
    } else {
      ASSERT_TRUE(std::fabs(g[i] - w[i]) <= tolerance(got.view().dtype, w[i], 4, 8.0))
          << i << ": " << g[i] << ", expected " << w[i];
    }
  }
  EXPECT_TRUE(got.guards_intact());
}

TEST(QkNormRopeCuda, MatchesTheCpu) {
  EMBER_NEEDS_CUDA();
  for (const QkNormRopeCase& c : qk_norm_rope_cases()) {
    SCOPED_TRACE(c.name + " T " + std::to_string(c.T) + " H " + std::to_string(c.H) + " K " +
                 std::to_string(c.K) + " E " + std::to_string(c.E));
    const Inputs in(c);
    const Outputs want(c, DType::kF32, DType::kF32), got(c, c.q_out, c.cache),
        again(c, c.q_out, c.cache);
    qk_norm_rope_cpu(params(c, in, want));
    run_on_device(qk_norm_rope_cuda, params(c, in, got), operands);
    run_on_device(qk_norm_rope_cuda, params(c, in, again), operands);
    EXPECT_TRUE(close(got.q, doubles(want.q), 4, 8.0));
    EXPECT_TRUE(got.q.guards_intact() && in.qkv.guards_intact());
    expect_cache(got.k_cache, want.k_cache);
    expect_cache(got.v_cache, want.v_cache);
    EXPECT_TRUE(got.q.same_bytes(again.q) && got.k_cache.same_bytes(again.k_cache) &&
                got.v_cache.same_bytes(again.v_cache));
    if (HasFailure()) {
      return;
    }
  }
}

QkNormRopeCase small_case() {
  QkNormRopeCase c;
  c.name = "small";
  c.T = 3, c.H = 4, c.K = 2, c.E = 8, c.S = 20, c.pos = 11;
  c.fused = true;
  return c;
}

// Position in device memory, and q in place.
TEST(QkNormRopeCuda, PositionInMemory) {
  EMBER_NEEDS_CUDA();
  const QkNormRopeCase c = small_case();
  const Inputs in(c), in_place(c);
  // An odd padding would choose another kernel for q, with another order of summation.
  const Outputs want(c, DType::kF32, DType::kF32, 4);
  run_on_device(qk_norm_rope_cuda, params(c, in, want), operands);
  Buffer pos(4, Buffer::Fill::kNone, DeviceMirror::device());
  for (int32_t at : {11, 18, -1, 12}) {  // 12: past the tables; 18: past the cache
    cuda::upload(pos.view(DType::kI32, {1}), &at, test_stream().get());
    const Outputs out(c, DType::kF32, DType::kF32);
    QkNormRopeParams p = params(c, in_place, out);
    p.pos = -1;
    p.pos_device = reinterpret_cast<const int32_t*>(pos.data());
    if (at == 11) {
      p.q_out = p.q;
    }
    run_on_device(qk_norm_rope_cuda, p, operands);
    if (at == 11) {
      EXPECT_EQ(values(p.q), values(want.q));
      EXPECT_TRUE(out.k_cache.same_bytes(want.k_cache) && out.v_cache.same_bytes(want.v_cache));
      continue;
    }
    // Only rows inside both the cache and the tables may have been written.
    const std::vector<float> k = values(out.k_cache);
    for (int64_t s = 0; s < c.S; ++s) {
      const bool may = s >= at && s < at + c.T && s < c.pos + c.T;
      for (int64_t e = 0; e < c.E; ++e) {
        EXPECT_EQ(std::isnan(k[s * c.E + e]), !may) << at << " row " << s;
      }
    }
    EXPECT_TRUE(out.k_cache.guards_intact() && out.v_cache.guards_intact());
  }
}

TEST(QkNormRopeCuda, HostMemoryIsRefused) {
  const QkNormRopeCase c = small_case();
  const Inputs in(c);
  const Outputs out(c, DType::kF32, DType::kF32);
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "qk_norm_rope",
                     [&] { qk_norm_rope_cuda(params(c, in, out), {}); }));
}

}  // namespace
}  // namespace ember::k::testing
