// SPDX-License-Identifier: Apache-2.0
// Operands of attention_step for tests. Included by *_test.cpp alone.
#pragma once

#include <cmath>
#include <deque>

#include "kernels/attention_step/attention_step_cases.h"
#include "kernels/common/testing.h"

namespace ember::k::testing {

// Operands of a case; rows of the caches from the new one on are NaN.
struct StepInputs {
  TestTensor qkv, q, k, v, q_norm, k_norm, cos, sin;
  bool fused;

  explicit StepInputs(const AttentionStepCase& c)
      : qkv(c.in, {count(c), (c.H + 2 * c.K) * c.E}, 8),
        q(c.in, {count(c), c.H * c.E}),
        k(c.in, {count(c), c.K * c.E}, 2),
        v(c.in, {count(c), c.K * c.E}, 4),
        q_norm(c.gain, {c.E}),
        k_norm(c.gain, {c.E}),
        cos(DType::kF32, {rows(c), c.E / 2}),
        sin(DType::kF32, {rows(c), c.E / 2}),
        fused(c.fused) {
    qkv.randomise(c.seed * 9 + 1, 3.0f);
    q.randomise(c.seed * 9 + 2, 3.0f);
    k.randomise(c.seed * 9 + 3, 3.0f);
    v.randomise(c.seed * 9 + 4, 1.0f);
    q_norm.randomise(c.seed * 9 + 5, 0.5f, 1.5f);
    k_norm.randomise(c.seed * 9 + 6, 0.5f, 1.5f);
    for (int64_t pos : c.pos) {  // the other rows stay NaN
      for (int64_t i = 0; i < c.E / 2; ++i) {
        const double angle =
            static_cast<double>(pos) *
            std::pow(1e6, -2.0 * static_cast<double>(i) / static_cast<double>(c.E));
        cos.view().as<float>()[pos * (c.E / 2) + i] = static_cast<float>(std::cos(angle));
        sin.view().as<float>()[pos * (c.E / 2) + i] = static_cast<float>(std::sin(angle));
      }
    }
  }

  static int64_t count(const AttentionStepCase& c) { return static_cast<int64_t>(c.pos.size()); }
  // Rows of the cache of sequence b: more than it needs, differing between sequences.
  static int64_t room(const AttentionStepCase& c, int64_t b) { return c.pos[b] + 1 + b % 3 * 9; }
  static int64_t rows(const AttentionStepCase& c) {
    int64_t most = 0;
    for (int64_t b = 0; b < count(c); ++b) {
      most = std::max(most, room(c, b));
    }
    return most;
  }
};

// What a run writes: o, and caches that hold the rows of earlier steps.
struct StepState {
  TestTensor o;
  std::deque<TestTensor> k, v;

  explicit StepState(const AttentionStepCase& c) : StepState(c, c.o) {}
  StepState(const AttentionStepCase& c, DType o_dtype)
      : o(o_dtype, {StepInputs::count(c), c.H * c.E}, 4) {
    for (int64_t b = 0; b < StepInputs::count(c); ++b) {
      for (std::deque<TestTensor>* side : {&k, &v}) {
        TestTensor& t = side->emplace_back(c.cache, Shape{c.K, StepInputs::room(c, b), c.E});
        fill(t, c.pos[b], c.seed * 9 + 7 + (side == &v ? 1 : 0) + 100 * b,
             side == &v ? 1.0f : 2.0f);
      }
    }
  }

  AttentionStepParams params(const AttentionStepCase& c, const StepInputs& in) const {
    AttentionStepParams p;
    p.o = o;
    p.q = in.fused ? in.qkv.view().cols(0, c.H * c.E) : in.q.view();
    p.k = in.fused ? in.qkv.view().cols(c.H * c.E, c.K * c.E) : in.k.view();
    p.v = in.fused ? in.qkv.view().cols((c.H + c.K) * c.E, c.K * c.E) : in.v.view();
    p.q_norm = in.q_norm, p.k_norm = in.k_norm, p.cos = in.cos, p.sin = in.sin;
    p.scale = 1.0f / std::sqrt(static_cast<float>(c.E));
    p.count = StepInputs::count(c);
    for (int64_t b = 0; b < p.count; ++b) {
      p.slots[b] = {k[b], v[b], c.pos[b], nullptr};
    }
    return p;
  }

 private:
  // Rows before `used` of every plane.
  static void fill(const TestTensor& t, int64_t used, uint64_t seed, float scale) {
    const TensorView& view = t.view();
    const int64_t K = view.shape[0], S = view.shape[1], E = view.shape[2];
    std::vector<float> row(E);
    for (int64_t j = 0; j < K; ++j) {
      for (int64_t s = 0; s < used; ++s) {
        for (int64_t e = 0; e < E; ++e) {
          row[e] = scale * noise(seed, (j * S + s) * E + e);
        }
        from_f32(row.data(), view.dtype, row_ptr(view, j * S + s), E);
      }
    }
  }
};

inline bool guards_intact(const StepState& s, const StepInputs& in) {
  bool intact = s.o.guards_intact() && in.qkv.guards_intact();
  for (size_t b = 0; b < s.k.size(); ++b) {
    intact = intact && s.k[b].guards_intact() && s.v[b].guards_intact();
  }
  return intact;
}

// A new row may differ by one rounding, every other row not at all.
inline ::testing::AssertionResult same_cache(const TestTensor& got, const TestTensor& want,
                                             int64_t pos) {
  const TensorView &g = got.view(), &w = want.view();
  const int64_t S = g.shape[1], E = g.shape[2], size = E * dtype_bytes(g.dtype);
  std::vector<float> a(E), b(E);
  for (int64_t row = 0; row < g.shape[0] * S; ++row) {
    if (row % S != pos) {
      if (std::memcmp(row_ptr(g, row), row_ptr(w, row), size) != 0) {
        return ::testing::AssertionFailure() << "row " << row % S << " was changed";
      }
      continue;
    }
    to_f32(g.dtype, row_ptr(g, row), a.data(), E);
    to_f32(w.dtype, row_ptr(w, row), b.data(), E);
    for (int64_t e = 0; e < E; ++e) {
      // `want` is rounded too: two roundings of one value, or of neighbours.
      const double allowed =
          tolerance(g.dtype, b[e], 4, 8.0) + 2 * epsilon(g.dtype) * std::fabs(b[e]);
      if (!(std::fabs(a[e] - b[e]) <= allowed)) {
        return ::testing::AssertionFailure() << "row " << pos << " element " << e << ": " << a[e]
                                             << ", expected " << b[e] << " +- " << allowed;
      }
    }
  }
  return ::testing::AssertionSuccess();
}

inline bool same_bytes(const StepState& a, const StepState& b) {
  bool same = a.o.same_bytes(b.o);
  for (size_t i = 0; i < a.k.size(); ++i) {
    same = same && a.k[i].same_bytes(b.k[i]) && a.v[i].same_bytes(b.v[i]);
  }
  return same;
}

// Error in a result from what may round otherwise in q and in the new key: one step of the cache's
// dtype in a few of E elements moves a score, and with it the weights, by this share of values
// below
// 1. In fp32 the difference is in the tolerance already.
inline double query_rounding(DType cache) {
  return cache == DType::kF32 ? 0.0 : epsilon(cache);
}

}  // namespace ember::k::testing
