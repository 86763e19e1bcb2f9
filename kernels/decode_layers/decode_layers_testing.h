// SPDX-License-Identifier: Apache-2.0
// Operands of decode_layers for tests. Included by *_test.cpp alone.
#pragma once

#include <cmath>
#include <deque>
#include <vector>

#include "kernels/common/testing.h"
#include "kernels/decode_layers/decode_layers_cases.h"

namespace ember::k::testing {

// What a run only reads. Products of a projection are of the size of what went in.
struct LayerInputs {
  struct Layer {
    TestTensor input_norm, qkv, q_norm, k_norm, o, post_norm, gate_up, down;
  };
  std::deque<Layer> layers;
  TestTensor cos, sin;

  explicit LayerInputs(const DecodeLayersCase& c)
      : cos(DType::kF32, {c.pos + 1 + c.room, c.E / 2}),
        sin(DType::kF32, {c.pos + 1 + c.room, c.E / 2}) {
    for (int64_t i = 0; i < c.L; ++i) {
      Layer& l = layers.emplace_back(Layer{{c.gain, {c.D}},
                                           {c.dtype, {(c.H + 2 * c.K) * c.E, c.D}},
                                           {c.gain, {c.E}},
                                           {c.gain, {c.E}},
                                           {c.dtype, {c.D, c.H * c.E}},
                                           {c.gain, {c.D}},
                                           {c.dtype, {2 * c.F, c.D}},
                                           {c.dtype, {c.D, c.F}}});
      uint64_t seed = (c.seed * 64 + static_cast<uint64_t>(i)) * 8;
      for (TestTensor* gain : {&l.input_norm, &l.post_norm, &l.q_norm, &l.k_norm}) {
        gain->randomise(seed++, 0.5f, 1.0f);
      }
      for (TestTensor* w : {&l.qkv, &l.o, &l.gate_up, &l.down}) {
        w->randomise(seed++, 1.5f / std::sqrt(static_cast<float>(w->view().shape[1])));
      }
    }
    for (int64_t i = 0; i < c.E / 2; ++i) {  // the other rows stay NaN
      const double angle = static_cast<double>(c.pos) *
                           std::pow(1e6, -2.0 * static_cast<double>(i) / static_cast<double>(c.E));
      cos.view().as<float>()[c.pos * (c.E / 2) + i] = static_cast<float>(std::cos(angle));
      sin.view().as<float>()[c.pos * (c.E / 2) + i] = static_cast<float>(std::sin(angle));
    }
  }

  bool guards_intact() const {
    bool intact = cos.guards_intact();
    for (const Layer& l : layers) {
      intact = intact && l.qkv.guards_intact() && l.o.guards_intact() &&
               l.gate_up.guards_intact() && l.down.guards_intact();
    }
    return intact;
  }
};

// What a run writes: x, and caches that hold the rows of earlier steps; from pos on they are NaN.
struct LayerState {
  TestTensor x;
  std::deque<TestTensor> k, v;

  explicit LayerState(const DecodeLayersCase& c) : x(DType::kF32, {1, c.D}) {
    x.randomise(c.seed + 77, 2.0f);
    for (int64_t i = 0; i < c.L; ++i) {
      for (std::deque<TestTensor>* side : {&k, &v}) {
        TestTensor& t = side->emplace_back(c.dtype, Shape{c.K, c.pos + 1 + c.room, c.E});
        std::vector<float> row(static_cast<size_t>(c.E));
        for (int64_t j = 0; j < c.K; ++j) {
          for (int64_t s = 0; s < c.pos; ++s) {
            for (int64_t e = 0; e < c.E; ++e) {
              const auto index = static_cast<uint64_t>((j * c.pos + s) * c.E + e);
              row[static_cast<size_t>(e)] =
                  (side == &v ? 1.0f : 2.0f) * noise(c.seed * 512 + i * 2 + (side == &v), index);
            }
            from_f32(row.data(), c.dtype, row_ptr(t.view(), j * (c.pos + 1 + c.room) + s), c.E);
          }
        }
      }
    }
  }

  bool guards_intact() const {
    bool intact = x.guards_intact();
    for (size_t i = 0; i < k.size(); ++i) {
      intact = intact && k[i].guards_intact() && v[i].guards_intact();
    }
    return intact;
  }
  bool same_bytes(const LayerState& other) const {
    bool same = x.same_bytes(other.x);
    for (size_t i = 0; i < k.size(); ++i) {
      same = same && k[i].same_bytes(other.k[i]) && v[i].same_bytes(other.v[i]);
    }
    return same;
  }
};

// A call, with the memory that its list of layers takes.
class LayersCall {
 public:
  DecodeLayersParams p;
  std::vector<DecodeLayer> layers;

  LayersCall(const DecodeLayersCase& c, const LayerInputs& in, const LayerState& state) {
    for (size_t i = 0; i < in.layers.size(); ++i) {
      const LayerInputs::Layer& l = in.layers[i];
      layers.push_back({l.input_norm, l.qkv, l.q_norm, l.k_norm, l.o, l.post_norm, l.gate_up,
                        l.down, state.k[i], state.v[i], i % 2 == 0 ? 1.0f : 0.125f});
    }
    p.x = state.x;
    p.cos = in.cos, p.sin = in.sin;
    p.layers = layers.data();
    p.count = c.L;
    p.scale = 1.0f / std::sqrt(static_cast<float>(c.E));
    p.pos = c.pos;
  }
  LayersCall(const LayersCall&) = delete;
  LayersCall& operator=(const LayersCall&) = delete;

  std::vector<TensorView*> operands() {
    std::vector<TensorView*> all = {&p.x, &p.cos, &p.sin};
    for (DecodeLayer& l : layers) {
      for (TensorView* v : {&l.input_norm, &l.qkv, &l.q_norm, &l.k_norm, &l.o, &l.post_norm,
                            &l.gate_up, &l.down, &l.k_cache, &l.v_cache}) {
        all.push_back(v);
      }
    }
    return all;
  }
};

// New rows may differ by `allowed` in each element, other rows not at all.
inline ::testing::AssertionResult same_but_new_row(const TestTensor& got, const TestTensor& want,
                                                   int64_t pos, double allowed) {
  const TensorView &g = got.view(), &w = want.view();
  const int64_t S = g.shape[1], E = g.shape[2];
  std::vector<float> a(static_cast<size_t>(E)), b(a);
  for (int64_t row = 0; row < g.shape[0] * S; ++row) {
    if (row % S != pos) {
      if (std::memcmp(row_ptr(g, row), row_ptr(w, row),
                      static_cast<size_t>(E * dtype_bytes(g.dtype))) != 0) {
        return ::testing::AssertionFailure() << "row " << row % S << " was changed";
      }
      continue;
    }
    to_f32(g.dtype, row_ptr(g, row), a.data(), E);
    to_f32(w.dtype, row_ptr(w, row), b.data(), E);
    for (size_t e = 0; e < a.size(); ++e) {
      if (!(std::fabs(a[e] - b[e]) <= allowed + 2 * epsilon(g.dtype) * std::fabs(b[e]))) {
        return ::testing::AssertionFailure()
               << "row " << pos << " of head " << row / S << " element " << e << ": " << a[e]
               << ", expected " << b[e] << " +- " << allowed;
      }
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace ember::k::testing
