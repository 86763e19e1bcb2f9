// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels/attention/attention.h"
#include "kernels/attention_step/attention_step.h"
#include "kernels/attention_step/attention_step_plan.h"
#include "kernels/base/buffer.h"
#include "kernels/base/contract.h"
#include "kernels/qk_norm_rope/qk_norm_rope.h"

namespace ember::k {
namespace {

constexpr const char* kOp = "attention_step";
constexpr int64_t kMaxHeadDim = 512;

void check_slot(const AttentionStepParams& p, int64_t b) {
  const CacheSlot& s = p.slots[b];
  const Arg k{kOp, "slot.k", s.k}, v{kOp, "slot.v", s.v}, o{kOp, "o", p.o};
  require_float(k);
  require_dtype(k, {p.slots[0].k.dtype});
  require_dtype(v, {p.slots[0].k.dtype});
  require_same_device(o, k);
  require_same_device(o, v);
  require_rank(k, 3);
  require_shape(k, {p.slots[0].k.shape[0], s.k.shape[1], p.slots[0].k.shape[2]});
  require_shape(v, s.k.shape);
  require_dense(k);
  require_dense(v);
  require_range(kOp, "S", s.k.shape[1], 1, p.cos.shape[0]);
  require_disjoint(k, v);
  const TensorView* const inputs[] = {&p.o, &p.q, &p.k, &p.v, &p.q_norm, &p.k_norm, &p.cos, &p.sin};
  for (const TensorView* input : inputs) {
    require_disjoint(k, {kOp, "another operand", *input});
    require_disjoint(v, {kOp, "another operand", *input});
  }
  for (int64_t other = 0; other < b; ++other) {
    const Arg their_k{kOp, "another slot's k", p.slots[other].k},
        their_v{kOp, "another slot's v", p.slots[other].v};
    for (const Arg& a : {their_k, their_v}) {
      require_disjoint(k, a);
      require_disjoint(v, a);
    }
  }
  if (s.pos_device == nullptr) {
    require_range(kOp, "pos", s.pos, 0, s.k.shape[1] - 1);
  }
}

}  // namespace

QkNormRopeParams step_rope(const AttentionStepParams& p, int64_t b, const TensorView& q_out) {
  const CacheSlot& s = p.slots[b];
  QkNormRopeParams r;
  r.q_out = q_out, r.k_cache = s.k, r.v_cache = s.v;
  r.q = p.q.rows(b, 1), r.k = p.k.rows(b, 1), r.v = p.v.rows(b, 1);
  r.q_norm = p.q_norm, r.k_norm = p.k_norm, r.cos = p.cos, r.sin = p.sin;
  r.eps = p.eps, r.pos = s.pos, r.pos_device = s.pos_device;
  return r;
}

AttentionParams step_attention(const AttentionStepParams& p, int64_t b, const TensorView& q) {
  const CacheSlot& s = p.slots[b];
  return {p.o.rows(b, 1), q, s.k, s.v, p.scale, s.pos, s.pos_device};
}

void validate(const AttentionStepParams& p) {
  require_range(kOp, "count", p.count, 1, kMaxStepSequences);
  const Arg o{kOp, "o", p.o}, q{kOp, "q", p.q}, k{kOp, "k", p.k}, v{kOp, "v", p.v},
      q_norm{kOp, "q_norm", p.q_norm}, k_norm{kOp, "k_norm", p.k_norm}, cos{kOp, "cos", p.cos},
      sin{kOp, "sin", p.sin}, slot{kOp, "slot.k", p.slots[0].k};
  for (const Arg& a : {o, q, k, v, q_norm, k_norm, cos, sin}) {
    require_float(a);
    require_same_device(o, a);
  }
  require_dtype(cos, {DType::kF32});
  require_dtype(sin, {DType::kF32});
  require_rank(slot, 3);
  const int64_t B = p.count, K = slot.view.shape[0], E = slot.view.shape[2];
  require_range(kOp, "K", K, 1, INT32_MAX);
  require_range(kOp, "E", E, 2, kMaxHeadDim);
  require_rank(q, 2);
  const int64_t H = p.q.shape[1] / E;
  if (E % 2 != 0 || H < 1 || p.q.shape[1] != H * E || H % K != 0) {
    fail(ErrorKind::kShape, kOp, ": q: expected (B, H*E) with E = ", E,
         " even and H a multiple of ", K, " kv heads, got ", p.q.shape.str());
  }
  require_shape(q, {B, H * E});
  require_shape(o, p.q.shape);
  require_shape(k, {B, K * E});
  require_shape(v, {B, K * E});
  require_shape(q_norm, {E});
  require_shape(k_norm, {E});
  require_rank(cos, 2);
  require_shape(cos, {p.cos.shape[0], E / 2});
  require_shape(sin, p.cos.shape);
  for (const Arg& a : {q, k, v, q_norm, k_norm, cos, sin}) {
    require_disjoint(o, a);
  }
  for (int64_t b = 0; b < B; ++b) {
    check_slot(p, b);
  }
  if (!(p.eps >= 0)) {
    fail(ErrorKind::kUnsupported, kOp, ": eps: expected 0 or more, got ", p.eps);
  }
}

Cost cost(const AttentionStepParams& p) {
  const int64_t K = p.slots[0].k.shape[0], E = p.slots[0].k.shape[2], B = p.count;
  const int64_t row = 2 * K * E * dtype_bytes(p.slots[0].k.dtype);  // of both caches
  int64_t cached = 0, pairs = 0;
  for (int64_t b = 0; b < B; ++b) {
    const CacheSlot& s = p.slots[b];
    const int64_t pos = s.pos_device != nullptr ? s.k.shape[1] - 1 : s.pos;
    cached += pos * row;
    pairs += pos + 1;
  }
  const int64_t tables = B * E * 4 + p.q_norm.bytes() + p.k_norm.bytes();
  return {p.q.bytes() + p.k.bytes() + p.v.bytes() + tables + cached, p.o.bytes() + B * row,
          7 * (p.q.numel() + p.k.numel()) + 4 * pairs * p.q.shape[1]};
}

void attention_step_cpu(const AttentionStepParams& p) {
  validate(p);
  require_cpu({kOp, "o", p.o});
  for (int64_t b = 0; b < p.count; ++b) {
    const CacheSlot& s = p.slots[b];
    if (s.pos_device != nullptr) {
      require_range(kOp, "pos", *s.pos_device, 0, s.k.shape[1] - 1);
    }
  }
  const DType dtype = p.slots[0].k.dtype;
  const Shape row{1, p.q.shape[1]};
  const Buffer memory(row.numel() * dtype_bytes(dtype));
  const TensorView q = memory.view(dtype, row);
  for (int64_t b = 0; b < p.count; ++b) {
    qk_norm_rope_cpu(step_rope(p, b, q));
    attention_cpu(step_attention(p, b, q));
  }
}

}  // namespace ember::k
