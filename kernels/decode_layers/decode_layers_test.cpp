// SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <utility>

#include "kernels/base/env_testing.h"
#include "kernels/decode_layers/decode_layers_plan.h"
#include "kernels/decode_layers/decode_layers_testing.h"

namespace ember::k::testing {
namespace {

float rounded(double v, DType t) {
  const float f = static_cast<float>(v);
  unsigned char raw[4];
  float back;
  from_f32(&f, t, raw, 1);
  to_f32(t, raw, &back, 1);
  return back;
}

// The formula of the header, a number at a time, and x as it should be.
std::vector<double> expected_x(const DecodeLayersCase& c, const LayersCall& call) {
  using V = std::vector<double>;
  V x = doubles(call.p.x);
  const V cos = doubles(call.p.cos), sin = doubles(call.p.sin);
  const auto product = [](const V& v, const TensorView& w) {
    const V m = doubles(w);
    V y(static_cast<size_t>(w.shape[0]));
    for (size_t n = 0; n < y.size(); ++n) {
      for (size_t k = 0; k < v.size(); ++k) {
        y[n] += v[k] * m[n * v.size() + k];
      }
    }
    return y;
  };
  const auto normed = [&](const double* v, int64_t n, const TensorView& gain) {
    const V g = doubles(gain);
    double squares = 0;
    for (int64_t i = 0; i < n; ++i) {
      squares += v[i] * v[i];
    }
    V y(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
      y[static_cast<size_t>(i)] = v[i] / std::sqrt(squares / static_cast<double>(n) + call.p.eps) *
                                  g[static_cast<size_t>(i)];
    }
    return y;
  };
  const auto rope = [&](V v) {
    const size_t half = static_cast<size_t>(c.E / 2), at = static_cast<size_t>(c.pos) * half;
    for (size_t i = 0; i < half; ++i) {
      const double a = v[i], b = v[half + i];
      v[i] = a * cos[at + i] - b * sin[at + i];
      v[half + i] = b * cos[at + i] + a * sin[at + i];
    }
    return v;
  };
  const auto E = static_cast<size_t>(c.E), rows = static_cast<size_t>(c.pos + 1 + c.room);
  for (const DecodeLayer& l : call.layers) {
    const V qkv = product(normed(x.data(), c.D, l.input_norm), l.qkv);
    V k = doubles(l.k_cache), v = doubles(l.v_cache), attn(static_cast<size_t>(c.H * c.E));
    for (int64_t h = 0; h < c.H; ++h) {
      const auto j = static_cast<size_t>(h / (c.H / c.K));
      V q = rope(normed(&qkv[static_cast<size_t>(h) * E], c.E, l.q_norm));
      const V new_k = rope(normed(&qkv[(static_cast<size_t>(c.H) + j) * E], c.E, l.k_norm));
      const double* new_v = &qkv[(static_cast<size_t>(c.H + c.K) + j) * E];
      const auto pos = static_cast<size_t>(c.pos);
      for (size_t e = 0; e < E; ++e) {
        q[e] = rounded(q[e], c.dtype);
        k[(j * rows + pos) * E + e] = rounded(new_k[e], c.dtype);
        v[(j * rows + pos) * E + e] = rounded(new_v[e], c.dtype);
      }
      V weight(pos + 1);
      double sum = 0;
      for (size_t s = 0; s <= pos; ++s) {
        double score = 0;
        for (size_t e = 0; e < E; ++e) {
          score += q[e] * k[(j * rows + s) * E + e];
        }
        sum += weight[s] = std::exp(score * call.p.scale);
      }
      for (size_t e = 0; e < E; ++e) {
        double o = 0;
        for (size_t s = 0; s <= pos; ++s) {
          o += weight[s] / sum * v[(j * rows + s) * E + e];
        }
        attn[static_cast<size_t>(h) * E + e] = rounded(o, c.dtype);
      }
    }
    const V o = product(attn, l.o);
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] += o[i];
    }
    const V gate_up = product(normed(x.data(), c.D, l.post_norm), l.gate_up);
    V act(static_cast<size_t>(c.F));
    for (size_t i = 0; i < act.size(); ++i) {
      const double gate = gate_up[i];
      act[i] =
          rounded(l.act_scale * gate / (1 + std::exp(-gate)) * gate_up[act.size() + i], c.dtype);
    }
    const V down = product(act, l.down);
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] += down[i] / l.act_scale;
    }
  }
  return x;
}

TEST(DecodeLayers, MatchesTheFormula) {
  for (DType t : {DType::kF16, DType::kBF16}) {
    for (int64_t pos : {0, 1, 17}) {
      for (int64_t L : {1, 3}) {
        DecodeLayersCase c{"formula", L, 24, 6, 2, 16, 40, pos};
        c.dtype = t;
        c.gain = pos == 1 ? DType::kBF16 : DType::kF32;
        SCOPED_TRACE(c.str());
        const LayerInputs in(c);
        const LayerState state(c);
        LayersCall call(c, in, state);
        const std::vector<double> want = expected_x(c, call);
        decode_layers_cpu(call.p);
        // A number that lies between two of 16 bits may round either way, one of many.
        EXPECT_TRUE(close(state.x, want, 1, epsilon(t) / epsilon(DType::kF32) / 6));
        EXPECT_TRUE(state.guards_intact() && in.guards_intact());
        const int32_t at = static_cast<int32_t>(pos);
        const LayerState again(c);
        LayersCall from_memory(c, in, again);
        from_memory.p.pos = -1;
        from_memory.p.pos_device = &at;
        decode_layers_cpu(from_memory.p);
        EXPECT_TRUE(again.same_bytes(state));
      }
    }
  }
}

TEST(DecodeLayers, ContractViolationsThrow) {
  const DecodeLayersCase c{"contract", 2, 24, 6, 2, 16, 40, 5};
  const LayerInputs in(c);
  const LayerState state(c);
  const auto expect = [&](ErrorKind kind, const char* words,
                          const std::function<void(LayersCall&)>& spoil) {
    LayersCall call(c, in, state);
    spoil(call);
    EXPECT_TRUE(throws(kind, words, [&] { validate(call.p); })) << words;
    EXPECT_TRUE(throws(kind, words, [&] { decode_layers_cpu(call.p); })) << words;
  };
  expect(ErrorKind::kShape, "count", [](LayersCall& s) { s.p.count = 0; });
  expect(ErrorKind::kShape, "layers", [](LayersCall& s) { s.p.layers = nullptr; });
  expect(ErrorKind::kShape, "pos", [](LayersCall& s) { s.p.pos = 9; });
  expect(ErrorKind::kShape, "pos", [](LayersCall& s) { s.p.pos = -1; });
  expect(ErrorKind::kUnsupported, "eps", [](LayersCall& s) { s.p.eps = -1; });
  expect(ErrorKind::kUnsupported, "act_scale", [](LayersCall& s) { s.layers[1].act_scale = 3; });
  expect(ErrorKind::kUnsupported, "act_scale", [](LayersCall& s) { s.layers[0].act_scale = 0; });
  expect(ErrorKind::kDtype, "x:", [](LayersCall& s) { s.p.x.dtype = DType::kBF16; });
  expect(ErrorKind::kDtype, "down", [](LayersCall& s) { s.layers[1].down.dtype = DType::kF16; });
  expect(ErrorKind::kDtype, "q_norm",
         [](LayersCall& s) { s.layers[1].q_norm.dtype = DType::kF16; });
  expect(ErrorKind::kDtype, "k_cache",
         [](LayersCall& s) { s.layers[0].k_cache.dtype = DType::kF32; });
  expect(ErrorKind::kShape, "gate_up", [](LayersCall& s) {
    s.layers[1].gate_up.shape = Shape{40, 24};
  });
  expect(ErrorKind::kShape, "v_cache", [](LayersCall& s) {
    s.layers[1].v_cache.shape = Shape{2, 8, 16};
  });
  expect(ErrorKind::kShape, "o:", [](LayersCall& s) { s.layers[0].o.shape = Shape{24, 80}; });
  expect(ErrorKind::kShape, "S", [](LayersCall& s) {
    s.p.cos.shape = s.p.sin.shape = Shape{8, 8};
  });
  expect(ErrorKind::kUnsupported, "overlap",
         [](LayersCall& s) { s.layers[1].k_cache = s.layers[0].v_cache; });
  expect(ErrorKind::kUnsupported, "device", [](LayersCall& s) {
    s.layers[1].qkv.device = {DeviceKind::kCuda, 0};
  });
  LayersCall call(c, in, state);
  const int32_t outside = 9;
  call.p.pos_device = &outside;
  const LayerState before(c);
  EXPECT_TRUE(throws(ErrorKind::kShape, "pos", [&] { decode_layers_cpu(call.p); }));
  EXPECT_TRUE(state.same_bytes(before));
}

TEST(DecodeLayers, Cost) {
  const DecodeLayersCase c{"cost", 2, 24, 6, 2, 16, 40, 5};
  const LayerInputs in(c);
  const LayerState state(c);
  LayersCall call(c, in, state);
  const int64_t weights = 160 * 24 + 24 * 96 + 80 * 24 + 24 * 40;
  const Cost here = cost(call.p);
  EXPECT_EQ(here.bytes_read,
            24 * 4 + 16 * 4 + 2 * (weights * 2 + (24 + 24 + 16 + 16) * 4 + 5 * 2 * 2 * 16 * 2));
  EXPECT_EQ(here.bytes_written, 24 * 4 + 2 * 2 * 2 * 16 * 2);
  const int32_t at = 5;
  call.p.pos_device = &at;
  EXPECT_EQ(cost(call.p).bytes_read, here.bytes_read + 2 * 3 * 2 * 2 * 16 * 2);
}

// Every model fits an H100 or H200, and its blocks share out every row and every position once.
TEST(DecodeLayersPlan, FitsEveryModel) {
  for (const ModelPreset& m : model_presets()) {
    const ModelShape& s = m.shape;
    for (int sm_count : {80, 114, 132}) {
      SCOPED_TRACE(m.name + " on " + std::to_string(sm_count));
      const DecodeLayersPlan plan = plan_decode_layers(s.D, s.H, s.K, s.F, sm_count, 227 << 10);
      ASSERT_GE(plan.stages, 8);
      EXPECT_LE(plan.shared_bytes, 227 << 10);
      EXPECT_EQ(plan.ranks, sm_count / s.K);
      EXPECT_EQ(plan.columns, s.D == 2560 ? 1280 : 1024);
      if (sm_count == 132 && s.D >= 1024) {
        EXPECT_EQ(plan.in_flight, s.D == 1024 ? 2 : s.D == 2048 ? 3 : 4);
      }
      for (int64_t rows : {(s.H + 2 * s.K) * s.E, s.D, s.F}) {
        const int n = static_cast<int>(rows), unit = rows == s.F ? 2 : 1;
        EXPECT_EQ(layers_cut(0, n / unit, sm_count), 0);
        EXPECT_EQ(layers_cut(sm_count, n / unit, sm_count) * unit, n);
        for (int b = 0; b < sm_count; ++b) {
          const int count =
              (layers_cut(b + 1, n / unit, sm_count) - layers_cut(b, n / unit, sm_count)) * unit;
          EXPECT_GE(count, 0);
          EXPECT_LE((count + kLayersRows - 1) / kLayersRows * kLayersRows,
                    layers_most_rows(n, sm_count));
        }
      }
    }
  }
  EXPECT_EQ(plan_decode_layers(5120, 40, 8, 17408, 132, 99 << 10).stages, 0);
  EXPECT_EQ(plan_decode_layers(1024, 64, 64, 3072, 46, 227 << 10).stages, 0);
}

TEST(DecodeLayersPlan, SharesCoverEveryPosition) {
  for (int ranks : {1, 2, 16, 66}) {
    for (int stages = 1; stages < 1300; stages += stages < 40 ? 1 : 31) {
      const int shares = layers_shares(stages, ranks);
      ASSERT_GE(shares, 1);
      ASSERT_LE(shares, std::min(stages, ranks));
      EXPECT_EQ(layers_share_cut(0, stages, shares), 0);
      EXPECT_EQ(layers_share_cut(shares, stages, shares), stages);
      for (int s = 0; s < shares; ++s) {
        EXPECT_LT(layers_share_cut(s, stages, shares), layers_share_cut(s + 1, stages, shares));
      }
    }
  }
}

// What the kernel is written for, and what is left to others.
TEST(DecodeLayersPlan, SaysWhatTheKernelFits) {
  const DecodeLayersCase c{"fits", 2, 256, 4, 2, 128, 384, 5};
  const LayerInputs in(c);
  const LayerState state(c);
  const auto fits = [&](const std::function<void(LayersCall&)>& spoil) {
    LayersCall call(c, in, state);
    for (DecodeLayer& l : call.layers) {  // as tests have them, F32
      l.input_norm.dtype = l.post_norm.dtype = l.q_norm.dtype = l.k_norm.dtype = DType::kF32;
    }
    spoil(call);
    return layers_fit_kernel(call.p);
  };
  EXPECT_TRUE(fits([](LayersCall&) {}));
  const auto moved = [](TensorView& v) { v.data = static_cast<std::byte*>(v.data) + 8; };
  EXPECT_FALSE(fits([&](LayersCall& s) { moved(s.layers[1].down); }));
  EXPECT_FALSE(fits([&](LayersCall& s) { moved(s.p.x); }));
  EXPECT_FALSE(fits([](LayersCall& s) { s.layers[0].k_cache.dtype = DType::kF16; }));
  EXPECT_FALSE(fits([](LayersCall& s) { s.layers[1].k_norm.dtype = DType::kBF16; }));
  EXPECT_FALSE(fits([](LayersCall& s) { s.p.x.shape = Shape{1, 5248}; }));
  EXPECT_FALSE(fits([](LayersCall& s) { s.p.count = 65; }));
  EXPECT_FALSE(fits([](LayersCall& s) { s.layers[0].q_norm.shape = Shape{64}; }));
  LayersCall call(c, in, state);
  EXPECT_FALSE(decode_layers_takes(call.p));  // host memory
}

// A word from outside does not change what a device can do; a wrong one is refused.
TEST(DecodeLayersChoice, NeedsADeviceThatTakesThem) {
  const ModelShape& shape = find_preset("qwen3-0.6b")->shape;
  for (const char* forced : {"", "0", "1"}) {
    const ScopedEnv word("EMBER_DECODE_LAYERS", forced);
    EXPECT_FALSE(decode_layers_chosen(shape, DType::kBF16, DeviceId{})) << forced;
  }
  const ScopedEnv wrong("EMBER_DECODE_LAYERS", "2");
  EXPECT_TRUE(throws(ErrorKind::kUsage, "EMBER_DECODE_LAYERS",
                     [&] { decode_layers_chosen(shape, DType::kBF16, DeviceId{}); }));
}

}  // namespace
}  // namespace ember::k::testing
