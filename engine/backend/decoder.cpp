// SPDX-License-Identifier: Apache-2.0
// The Qwen3 decoder, written once against IBackend: the default bodies of its composite ops.
// Reads beside "Qwen3 Technical Report" and transformers' modeling_qwen3.py.
#include <cmath>

#include "engine/backend/backend.h"
#include "kernels/base/profile.h"

namespace ember {
namespace {

// y = alpha x W^T, or y += alpha x W^T; W's row blocks fill consecutive columns of y.
void apply(IBackend& b, const TensorView& y, const TensorView& x, const Linear& w,
           bool accumulate = false, float alpha = 1.0f) {
  int64_t column = 0;
  for (int i = 0; i < w.count; ++i) {
    const int64_t n = w.blocks[i].shape[0];
    b.linear({y.cols(column, n), x, w.blocks[i], alpha, accumulate});
    column += n;
  }
}

}  // namespace

void IBackend::run_layer(const StageArgs& a, int64_t layer) {
  const ProfileRange range(RangeKind::kLayer, a.weights.first_layer + layer);
  const ModelShape& m = a.config.shape;
  const LayerWeights& w = a.weights.layers[layer];
  const int64_t t = a.tokens;
  const float eps = static_cast<float>(a.config.rms_eps);
  const float scale = 1.0f / std::sqrt(static_cast<float>(m.E));
  const auto tap_at = [&](Tap tap, const TensorView& v) {
    if (a.watch != nullptr) {
      (*a.watch)({tap, a.weights.first_layer + layer, a.pos}, v);
    } else if (wants_taps()) {
      this->tap({tap, a.weights.first_layer + layer, a.pos}, v);
    }
  };

  const TensorView x = a.work.x.rows(0, t);
  const TensorView normed = a.work.normed.rows(0, t);
  const TensorView qkv = a.work.qkv.rows(0, t);
  const TensorView q_raw = qkv.cols(0, m.q_dim());
  const TensorView k_raw = qkv.cols(m.q_dim(), m.kv_dim());
  const TensorView v_raw = qkv.cols(m.q_dim() + m.kv_dim(), m.kv_dim());
  const TensorView q = a.work.q.rows(0, t);
  const TensorView attn = a.work.attn.rows(0, t);
  const TensorView gate_up = a.work.gate_up.rows(0, t);
  const TensorView gate = gate_up.cols(0, m.F);
  const TensorView up = gate_up.cols(m.F, m.F);
  const TensorView act = a.work.act.rows(0, t);
  const TensorView k_cache = a.cache.k(layer);
  const TensorView v_cache = a.cache.v(layer);

  // Attention: x += O(attention(rope(norm(q)), rope(norm(k)), v))
  rmsnorm({normed, x, w.input_norm, eps});
  tap_at(Tap::kAttnNorm, normed);
  apply(*this, qkv, normed, w.qkv);
  tap_at(Tap::kQProj, q_raw);
  tap_at(Tap::kKProj, k_raw);
  tap_at(Tap::kVProj, v_raw);
  k::QkNormRopeParams rope;
  rope.q = q_raw;
  rope.k = k_raw;
  rope.v = v_raw;
  rope.q_norm = w.q_norm;
  rope.k_norm = w.k_norm;
  rope.eps = eps;
  rope.cos = a.rope.cos;
  rope.sin = a.rope.sin;
  rope.pos = a.pos;
  rope.q_out = q;
  rope.k_cache = k_cache;
  rope.v_cache = v_cache;
  qk_norm_rope(rope);
  tap_at(Tap::kQRope, q);
  tap_at(Tap::kKRope, k_cache.plane_rows(a.pos, t));
  k::AttentionParams attend;
  attend.o = attn;
  attend.q = q;
  attend.k_cache = k_cache;
  attend.v_cache = v_cache;
  attend.pos = a.pos;
  attend.scale = scale;
  attention(attend);
  tap_at(Tap::kAttention, attn);
  apply(*this, x, attn, w.o, /*accumulate=*/true);
  tap_at(Tap::kAttnResidual, x);

  // Feed-forward: x += down(silu(gate) * up)
  rmsnorm({normed, x, w.post_norm, eps});
  tap_at(Tap::kMlpNorm, normed);
  apply(*this, gate_up, normed, w.gate_up);
  tap_at(Tap::kGate, gate);
  tap_at(Tap::kUp, up);
  const float grow = std::ldexp(1.0f, w.act_shift);  // read here: watch may have just set it
  swiglu({act, gate, up, 1.0f / grow});
  tap_at(Tap::kSwiGlu, act);
  apply(*this, x, act, w.down, /*accumulate=*/true, grow);
  tap_at(Tap::kLayerOut, x);
}

void IBackend::run_stage(const StageArgs& a) {
  if (a.first) {
    const TensorView x = a.work.x.rows(0, a.tokens);
    TensorView ids = a.work.ids;
    ids.shape = Shape{a.tokens};
    embed({x, ids, a.weights.embedding});
    if (a.watch == nullptr && wants_taps()) {
      tap({Tap::kEmbedding, -1, a.pos}, x);
    }
  }
  for (int64_t layer = 0; layer < static_cast<int64_t>(a.weights.layers.size()); ++layer) {
    run_layer(a, layer);
  }
}

void IBackend::run_head(const StageArgs& a, int64_t first_row, int64_t rows) {
  const ProfileRange range(RangeKind::kHead, rows);
  const TensorView normed = a.work.normed.rows(0, rows);
  const TensorView logits = a.work.logits.rows(0, rows);
  rmsnorm({normed, a.work.x.rows(first_row, rows), a.weights.final_norm,
           static_cast<float>(a.config.rms_eps)});
  apply(*this, logits, normed, a.weights.head);
  if (wants_taps()) {
    tap({Tap::kFinalNorm, -1, a.pos + first_row}, normed);
    tap({Tap::kLogits, -1, a.pos + first_row}, logits);
  }
}

void IBackend::run_token(const StageArgs& a, const TokenArgs& t) {
  EMBER_CHECK(a.tokens == 1, "a step of ", a.tokens, " tokens");
  run_stage(a);
  if (a.last) {
    run_head(a, 0, 1);
  }
  choose_token(a, t);
}

void IBackend::choose_token(const StageArgs& a, const TokenArgs& t) {
  k::AdvanceParams end;
  end.pos = a.pos;
  end.device = device();
  if (a.last) {
    k::SampleParams p;
    p.id = t.id;
    p.x = a.work.logits.rows(0, 1);
    p.settings = t.settings;
    p.greedy = t.greedy;
    p.pos = a.pos;
    sample(p);
    end.id = t.id;
    end.ring = t.ring;
  }
  advance(end);
}

}  // namespace ember
