// SPDX-License-Identifier: Apache-2.0
// The Qwen3 decoder, written once against IBackend: the default bodies of its composite ops.
// Reads beside "Qwen3 Technical Report" and transformers' modeling_qwen3.py.
#include <cmath>
#include <vector>

#include "engine/backend/backend.h"
#include "kernels/base/profile.h"

namespace ember {
namespace {

// y = alpha x W^T, or y += alpha x W^T; W's row blocks fill consecutive columns of y.
void apply(IBackend& b, const TensorView& y, const TensorView& x, const Linear& w,
           bool accumulate = false, float alpha = 1.0f, const k::Prefetch& prefetch = {}) {
  int64_t column = 0;
  for (int i = 0; i < w.count; ++i) {
    const int64_t n = w.blocks[i].shape[0];
    b.linear({y.cols(column, n), x, w.blocks[i], alpha, accumulate, prefetch});
    column += n;
  }
}

// Whether nothing looks at what fused ops leave out. Prefill keeps the ops apart: its bits do not
// depend on how it is cut into passes, nor on taps.
bool fuses(const IBackend& b, const StageArgs& a) {
  return a.step && a.watch == nullptr && !b.wants_taps();
}

// A norm and the projection behind it at once, in a step and where the backend can.
bool apply_with_norm(IBackend& b, const StageArgs& a, const TensorView& y, const TensorView& x,
                     const TensorView& norm, const Linear& w, bool gated, float scale,
                     const k::Prefetch& prefetch) {
  const float eps = static_cast<float>(a.config.rms_eps);
  return fuses(b, a) && w.count == 1 &&
         b.norm_linear({y, x, norm, w.blocks[0], eps, gated, scale, prefetch});
}

}  // namespace

void IBackend::show(const StageArgs& a, Tap at, int64_t layer, const TensorView& rows) {
  if (a.watch == nullptr && !wants_taps()) {
    return;
  }
  const int64_t each = rows.shape[0] / a.sequences();
  for (int64_t i = 0; i < a.sequences(); ++i) {
    const TapPoint point{at, layer, a.sequence(i).pos};
    if (a.watch != nullptr) {
      (*a.watch)(point, rows.rows(i * each, each));
    } else {
      tap(point, rows.rows(i * each, each));
    }
  }
}

bool IBackend::attend_at_once(const StageArgs& a, int64_t layer) {
  if (!fuses(*this, a)) {
    return false;
  }
  const ModelShape& m = a.config.shape;
  const LayerWeights& w = a.weights.layers[layer];
  const int64_t B = a.sequences();
  const TensorView qkv = a.work.qkv.rows(0, B);
  k::AttentionStepParams p;
  p.o = a.work.attn.rows(0, B);
  p.q = qkv.cols(0, m.q_dim());
  p.k = qkv.cols(m.q_dim(), m.kv_dim());
  p.v = qkv.cols(m.q_dim() + m.kv_dim(), m.kv_dim());
  p.q_norm = w.q_norm;
  p.k_norm = w.k_norm;
  p.cos = a.rope.cos;
  p.sin = a.rope.sin;
  p.eps = static_cast<float>(a.config.rms_eps);
  p.scale = 1.0f / std::sqrt(static_cast<float>(m.E));
  p.count = B;
  for (int64_t i = 0; i < B; ++i) {
    const SequenceArgs s = a.sequence(i);
    p.slots[i] = {s.cache->k(layer), s.cache->v(layer), s.host_pos(), s.pos_device};
  }
  return attention_step(p, m);
}

void IBackend::attend(const StageArgs& a, int64_t layer) {
  if (attend_at_once(a, layer)) {
    return;
  }
  const ModelShape& m = a.config.shape;
  const LayerWeights& w = a.weights.layers[layer];
  const int64_t index = a.weights.first_layer + layer, n = a.rows_each();
  for (int64_t i = 0; i < a.sequences(); ++i) {
    const SequenceArgs s = a.sequence(i);
    const TensorView qkv = a.work.qkv.rows(i * n, n), q = a.work.q.rows(i * n, n);
    k::QkNormRopeParams rope;
    rope.q = qkv.cols(0, m.q_dim());
    rope.k = qkv.cols(m.q_dim(), m.kv_dim());
    rope.v = qkv.cols(m.q_dim() + m.kv_dim(), m.kv_dim());
    rope.q_norm = w.q_norm;
    rope.k_norm = w.k_norm;
    rope.eps = static_cast<float>(a.config.rms_eps);
    rope.cos = a.rope.cos;
    rope.sin = a.rope.sin;
    rope.pos = s.host_pos();
    rope.pos_device = s.pos_device;
    rope.q_out = q;
    rope.k_cache = s.cache->k(layer);
    rope.v_cache = s.cache->v(layer);
    qk_norm_rope(rope);
    const auto tap_at = [&](Tap at, const TensorView& v) {
      if (a.watch != nullptr) {
        (*a.watch)({at, index, s.pos}, v);
      } else if (wants_taps()) {
        tap({at, index, s.pos}, v);
      }
    };
    tap_at(Tap::kQRope, q);
    tap_at(Tap::kKRope, rope.k_cache.plane_rows(s.pos, n));
    k::AttentionParams attend;
    attend.o = a.work.attn.rows(i * n, n);
    attend.q = q;
    attend.k_cache = rope.k_cache;
    attend.v_cache = rope.v_cache;
    attend.pos = s.host_pos();
    attend.pos_device = s.pos_device;
    attend.scale = 1.0f / std::sqrt(static_cast<float>(m.E));
    attention(attend);
    tap_at(Tap::kAttention, attend.o);
  }
}

bool IBackend::run_layers_at_once(const StageArgs& a) {
  if (!fuses(*this, a) || a.tokens != 1) {
    return false;
  }
  const SequenceArgs s = a.sequence(0);
  std::vector<k::DecodeLayer> layers;
  for (const LayerWeights& w : a.weights.layers) {
    if (w.qkv.count != 1 || w.o.count != 1 || w.gate_up.count != 1 || w.down.count != 1) {
      return false;
    }
    const auto layer = static_cast<int64_t>(layers.size());
    layers.push_back({w.input_norm, w.qkv.blocks[0], w.q_norm, w.k_norm, w.o.blocks[0], w.post_norm,
                      w.gate_up.blocks[0], w.down.blocks[0], s.cache->k(layer), s.cache->v(layer),
                      std::ldexp(1.0f, -w.act_shift)});
  }
  if (layers.empty()) {
    return false;
  }
  k::DecodeLayersParams p;
  p.x = a.work.x.rows(0, 1);
  p.cos = a.rope.cos;
  p.sin = a.rope.sin;
  p.layers = layers.data();
  p.count = static_cast<int64_t>(layers.size());
  p.eps = static_cast<float>(a.config.rms_eps);
  p.scale = 1.0f / std::sqrt(static_cast<float>(a.config.shape.E));
  p.pos = s.host_pos();
  p.pos_device = s.pos_device;
  if (a.last) {
    p.prefetch = ahead_of(a.weights.head, k::kLayersAheadBytes);
  }
  return decode_layers(p, a.config.shape);
}

void IBackend::run_layer(const StageArgs& a, int64_t layer) {
  const ProfileRange range(RangeKind::kLayer, a.weights.first_layer + layer);
  const ModelShape& m = a.config.shape;
  const LayerWeights& w = a.weights.layers[layer];
  const int64_t t = a.tokens;
  const float eps = static_cast<float>(a.config.rms_eps);
  const auto tap_at = [&](Tap at, const TensorView& v) {
    show(a, at, a.weights.first_layer + layer, v);
  };

  const TensorView x = a.work.x.rows(0, t);
  const TensorView normed = a.work.normed.rows(0, t);
  const TensorView qkv = a.work.qkv.rows(0, t);
  const TensorView attn = a.work.attn.rows(0, t);
  const TensorView gate_up = a.work.gate_up.rows(0, t);
  const TensorView gate = gate_up.cols(0, m.F);
  const TensorView up = gate_up.cols(m.F, m.F);
  const TensorView act = a.work.act.rows(0, t);

  // The kernels of a step are short: the memory must not idle between them.
  const auto ahead = [&](const Linear& next) {
    return a.step ? ahead_of(next, k::kAheadBytes) : k::Prefetch{};
  };

  // Attention: x += O(attention(rope(norm(q)), rope(norm(k)), v))
  if (!apply_with_norm(*this, a, qkv, x, w.input_norm, w.qkv, false, 1.0f, ahead(w.o))) {
    rmsnorm({normed, x, w.input_norm, eps});
    tap_at(Tap::kAttnNorm, normed);
    apply(*this, qkv, normed, w.qkv);
  }
  tap_at(Tap::kQProj, qkv.cols(0, m.q_dim()));
  tap_at(Tap::kKProj, qkv.cols(m.q_dim(), m.kv_dim()));
  tap_at(Tap::kVProj, qkv.cols(m.q_dim() + m.kv_dim(), m.kv_dim()));
  attend(a, layer);
  apply(*this, x, attn, w.o, /*accumulate=*/true, 1.0f, ahead(w.gate_up));
  tap_at(Tap::kAttnResidual, x);

  // Feed-forward: x += down(silu(gate) * up). act_shift is read late: watch may set it.
  const auto shrink = [&] { return std::ldexp(1.0f, -w.act_shift); };
  if (!apply_with_norm(*this, a, act, x, w.post_norm, w.gate_up, true, shrink(), ahead(w.down))) {
    rmsnorm({normed, x, w.post_norm, eps});
    tap_at(Tap::kMlpNorm, normed);
    apply(*this, gate_up, normed, w.gate_up);
    tap_at(Tap::kGate, gate);
    tap_at(Tap::kUp, up);
    swiglu({act, gate, up, shrink()});
    tap_at(Tap::kSwiGlu, act);
  }
  const bool last_layer = layer + 1 == static_cast<int64_t>(a.weights.layers.size());
  const Linear& next = last_layer ? a.weights.head : a.weights.layers[layer + 1].qkv;
  apply(*this, x, act, w.down, /*accumulate=*/true, 1.0f / shrink(), ahead(next));
  tap_at(Tap::kLayerOut, x);
}

void IBackend::run_stage(const StageArgs& a) {
  if (a.first) {
    const TensorView x = a.work.x.rows(0, a.tokens);
    TensorView ids = a.work.ids;
    ids.shape = Shape{a.tokens};
    embed({x, ids, a.weights.embedding});
    if (a.watch == nullptr) {
      show(a, Tap::kEmbedding, -1, x);
    }
  }
  if (run_layers_at_once(a)) {
    return;
  }
  for (int64_t layer = 0; layer < static_cast<int64_t>(a.weights.layers.size()); ++layer) {
    run_layer(a, layer);
  }
}

void IBackend::run_head(const StageArgs& a, int64_t first_row, int64_t rows) {
  const ProfileRange range(RangeKind::kHead, rows);
  const TensorView normed = a.work.normed.rows(0, rows);
  const TensorView logits = a.work.logits.rows(0, rows);
  const TensorView x = a.work.x.rows(first_row, rows);
  if (!apply_with_norm(*this, a, logits, x, a.weights.final_norm, a.weights.head, false, 1.0f,
                       {})) {
    rmsnorm({normed, x, a.weights.final_norm, static_cast<float>(a.config.rms_eps)});
    apply(*this, logits, normed, a.weights.head);
  }
  if (wants_taps()) {
    for (int64_t i = 0; i < a.sequences(); ++i) {
      const int64_t n = rows / a.sequences(), pos = a.sequence(i).pos + first_row;
      tap({Tap::kFinalNorm, -1, pos}, normed.rows(i * n, n));
      tap({Tap::kLogits, -1, pos}, logits.rows(i * n, n));
    }
  }
}

void IBackend::run_token(const StageArgs& a, const TokenArgs& t) {
  EMBER_CHECK(a.rows_each() == 1 && a.tokens <= kMaxBatch, "a step of ", a.tokens, " tokens");
  run_stage(a);
  if (a.last) {
    run_head(a, 0, a.tokens);
  }
  choose_token(a, t);
}

void IBackend::choose_token(const StageArgs& a, const TokenArgs& t) {
  // Sequences whose positions lie on the device are one call; others are values, one a call.
  const bool together = a.sequence(0).pos_device != nullptr;
  const int64_t each = together ? a.sequences() : 1;
  for (int64_t i = 0; i < a.sequences(); i += each) {
    const SequenceArgs s = a.sequence(i);
    if (!a.last) {
      k::AdvanceParams end;
      end.pos = s.host_pos();
      end.pos_device = s.pos_device;
      end.device = device();
      end.count = each;
      advance(end);
      continue;
    }
    k::SampleParams p;
    p.id = t.id;
    p.id.data = t.id.as<int32_t>() + i;
    p.id.shape = Shape{each};
    p.x = a.work.logits.rows(i, each);
    p.settings = t.settings.rows(i, each);
    p.greedy = t.greedy >> i;
    p.pos = s.host_pos();
    p.pos_device = s.pos_device;
    p.advance = true;
    p.ring = t.ring.rows(i, each);
    sample(p);
  }
}

}  // namespace ember
