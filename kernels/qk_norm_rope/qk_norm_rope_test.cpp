// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "kernels/common/testing.h"
#include "kernels/qk_norm_rope/qk_norm_rope_cases.h"

namespace ember::k::testing {
namespace {

struct Fixture {
  TestTensor qkv, q, k, v, q_norm, k_norm, cos, sin;
  TestTensor q_out, k_cache, v_cache;
  QkNormRopeParams p;

  explicit Fixture(const QkNormRopeCase& c)
      : qkv(c.in, {c.T, (c.H + 2 * c.K) * c.E}, 5),
        q(c.in, {c.T, c.H * c.E}),
        k(c.in, {c.T, c.K * c.E}, 1),
        v(c.in, {c.T, c.K * c.E}, 2),
        q_norm(c.gain, {c.E}),
        k_norm(c.gain, {c.E}),
        cos(DType::kF32, {c.pos + c.T, c.E / 2}),
        sin(DType::kF32, {c.pos + c.T, c.E / 2}),
        q_out(c.q_out, {c.T, c.H * c.E}, 3),
        k_cache(c.cache, {c.K, c.S, c.E}),
        v_cache(c.cache, {c.K, c.S, c.E}) {
    qkv.randomise(c.seed * 9 + 1, 3.0f);
    q.randomise(c.seed * 9 + 2, 3.0f);
    k.randomise(c.seed * 9 + 3, 3.0f);
    v.randomise(c.seed * 9 + 4, 3.0f);
    q_norm.randomise(c.seed * 9 + 5, 1.0f, 1.0f);
    k_norm.randomise(c.seed * 9 + 6, 1.0f, 1.0f);
    for (int64_t s = 0; s < c.pos + c.T; ++s) {
      for (int64_t i = 0; i < c.E / 2; ++i) {
        const float angle = static_cast<float>(s) *
                            static_cast<float>(std::pow(
                                1e6, -2.0 * static_cast<double>(i) / static_cast<double>(c.E)));
        cos.view().as<float>()[s * (c.E / 2) + i] = std::cos(angle);
        sin.view().as<float>()[s * (c.E / 2) + i] = std::sin(angle);
      }
    }
    p.q_out = q_out;
    p.k_cache = k_cache;
    p.v_cache = v_cache;
    p.q = c.fused ? qkv.view().cols(0, c.H * c.E) : q.view();
    p.k = c.fused ? qkv.view().cols(c.H * c.E, c.K * c.E) : k.view();
    p.v = c.fused ? qkv.view().cols((c.H + c.K) * c.E, c.K * c.E) : v.view();
    p.q_norm = q_norm;
    p.k_norm = k_norm;
    p.cos = cos;
    p.sin = sin;
    p.pos = c.pos;
  }
};

// The head as transformers writes it: normed * cos + rotate_half(normed) * sin, in fp64.
std::vector<double> expected_head(const float* x, const std::vector<float>& w, const float* cos,
                                  const float* sin, int64_t E, double eps) {
  double total = 0;
  for (int64_t i = 0; i < E; ++i) {
    total += static_cast<double>(x[i]) * x[i];
  }
  std::vector<double> normed(E), y(E);
  for (int64_t i = 0; i < E; ++i) {
    normed[i] = x[i] / std::sqrt(total / static_cast<double>(E) + eps) * w[i];
  }
  for (int64_t i = 0; i < E; ++i) {
    const double rotated = i < E / 2 ? -normed[i + E / 2] : normed[i - E / 2];
    y[i] = normed[i] * cos[i % (E / 2)] + rotated * sin[i % (E / 2)];
  }
  return y;
}

std::vector<double> expected_heads(const TensorView& x, const TestTensor& gain, const Fixture& f,
                                   const QkNormRopeCase& c) {
  const std::vector<float> v = values(x), w = values(gain), cos = values(f.cos),
                           sin = values(f.sin);
  const int64_t heads = x.shape[1] / c.E;
  std::vector<double> want;
  for (int64_t t = 0; t < c.T; ++t) {
    const int64_t row = (c.pos + t) * (c.E / 2);
    for (int64_t h = 0; h < heads; ++h) {
      const std::vector<double> y = expected_head(v.data() + (t * heads + h) * c.E, w,
                                                  cos.data() + row, sin.data() + row, c.E, 1e-6f);
      want.insert(want.end(), y.begin(), y.end());
    }
  }
  return want;
}

// (K, S, E) -> rows pos..pos+T-1 as (T, K*E); elements elsewhere must still be NaN.
TestTensor written_rows(const TestTensor& cache, const QkNormRopeCase& c) {
  TestTensor rows(DType::kF32, {c.T, c.K * c.E});
  const std::vector<float> all = values(cache);
  for (int64_t j = 0; j < c.K; ++j) {
    for (int64_t s = 0; s < c.S; ++s) {
      for (int64_t e = 0; e < c.E; ++e) {
        const float x = all[(j * c.S + s) * c.E + e];
        if (s >= c.pos && s < c.pos + c.T) {
          rows.view().as<float>()[((s - c.pos) * c.K + j) * c.E + e] = x;
        } else {
          EXPECT_TRUE(std::isnan(x)) << "row " << s << " was written";
        }
      }
    }
  }
  return rows;
}

TEST(QkNormRope, MatchesTheFormula) {
  for (const QkNormRopeCase& c : qk_norm_rope_cases()) {
    SCOPED_TRACE(c.name + " T " + std::to_string(c.T) + " H " + std::to_string(c.H) + " K " +
                 std::to_string(c.K) + " E " + std::to_string(c.E));
    for_each_isa([&] {
      for (const Impl<QkNormRopeParams>& impl : qk_norm_rope_impls()) {
        const Fixture f(c);
        impl.run(f.p, {});
        EXPECT_TRUE(close(f.q_out, expected_heads(f.p.q, f.q_norm, f, c), 1, 2.0)) << impl.name;
        // The cache's rounding, of values up to 8, stands in for fp32's in `typical`.
        const double coarse = epsilon(c.cache) / epsilon(DType::kF32);
        EXPECT_TRUE(close(written_rows(f.k_cache, c), expected_heads(f.p.k, f.k_norm, f, c), 1,
                          2.0 + coarse));
        EXPECT_TRUE(close(written_rows(f.v_cache, c), doubles(f.p.v), 1, coarse)) << impl.name;
        EXPECT_TRUE(f.q_out.guards_intact() && f.k_cache.guards_intact() &&
                    f.v_cache.guards_intact());
      }
    });
  }
}

QkNormRopeCase small_case() {
  QkNormRopeCase c;
  c.name = "small";
  c.T = 3;
  c.H = 4;
  c.K = 2;
  c.E = 8;
  c.S = 20;
  c.pos = 11;
  return c;
}

TEST(QkNormRope, InPlaceAndPositionInMemory) {
  QkNormRopeCase c = small_case();
  c.fused = true;
  const Fixture f(c), in_place(c);
  qk_norm_rope_cpu(f.p);
  QkNormRopeParams p = in_place.p;
  const int32_t pos = 11;
  p.q_out = p.q;
  p.pos = -1;
  p.pos_device = &pos;
  qk_norm_rope_cpu(p);
  EXPECT_EQ(values(p.q), values(f.q_out));
  EXPECT_TRUE(in_place.k_cache.same_bytes(f.k_cache));
  EXPECT_TRUE(in_place.v_cache.same_bytes(f.v_cache));
  const int32_t beyond = 18;
  p.pos_device = &beyond;
  EXPECT_TRUE(throws(ErrorKind::kShape, "pos + T", [&] { qk_norm_rope_cpu(p); }));
}

TEST(QkNormRope, ContractViolationsThrow) {
  const QkNormRopeCase c = small_case();
  const Fixture f(c);
  const TestTensor ids(DType::kI32, {3, 32}), v16(DType::kF16, {2, 20, 8}),
      half(DType::kF16, {14, 4}), odd(DType::kF32, {3, 24}), gap(DType::kF32, {2, 20, 8}, 1);
  const auto expect = [&](ErrorKind kind, const char* words, const auto& change) {
    QkNormRopeParams p = f.p;
    change(p);
    EXPECT_TRUE(throws(kind, words, [&] { validate(p); }));
    EXPECT_TRUE(throws(kind, words, [&] { qk_norm_rope_cpu(p); }));
  };
  using P = QkNormRopeParams;
  expect(ErrorKind::kShape, "pos: ", [](P& p) { p.pos = -1; });
  expect(ErrorKind::kShape, "pos + T: ", [](P& p) { p.pos = 12; });  // past the tables
  expect(ErrorKind::kDtype, ": q:", [&](P& p) { p.q = ids; });
  expect(ErrorKind::kShape, ": q:", [&](P& p) { p.q = odd; });
  expect(ErrorKind::kShape, ": k:", [&](P& p) { p.k = p.q; });
  expect(ErrorKind::kDtype, ": v_cache:", [&](P& p) { p.v_cache = v16; });
  expect(ErrorKind::kShape, ": k_cache:", [&](P& p) { p.k_cache = gap; });
  expect(ErrorKind::kDtype, ": cos:", [&](P& p) { p.cos = half; });
  expect(ErrorKind::kShape, ": q_norm:", [&](P& p) { p.q_norm = p.q; });
  expect(ErrorKind::kUnsupported, "overlap", [](P& p) { p.v_cache = p.k_cache; });
  expect(ErrorKind::kUnsupported, "eps", [](P& p) { p.eps = -1; });
  expect(ErrorKind::kUnsupported, "device", [](P& p) { p.k.device = {DeviceKind::kCuda, 0}; });
}

}  // namespace
}  // namespace ember::k::testing
