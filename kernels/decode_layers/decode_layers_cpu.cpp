// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels/attention_step/attention_step.h"
#include "kernels/base/buffer.h"
#include "kernels/base/contract.h"
#include "kernels/decode_layers/decode_layers.h"
#include "kernels/linear/linear.h"
#include "kernels/norm_linear/norm_linear.h"

namespace ember::k {
namespace {

constexpr const char* kOp = "decode_layers";

// What all layers have in common, once layer 0 has been checked.
struct Dims {
  int64_t D, E, K, H, F, S;
};

Dims dims(const DecodeLayersParams& p) {
  const DecodeLayer& l = p.layers[0];
  const int64_t E = l.q_norm.shape[0];
  return {p.x.shape[1],      E, l.k_cache.shape[0], l.o.shape[1] / E, l.down.shape[1],
          l.k_cache.shape[1]};
}

void check_ranks(const DecodeLayer& l) {
  for (const Arg& a : {Arg{kOp, "input_norm", l.input_norm}, Arg{kOp, "post_norm", l.post_norm},
                       Arg{kOp, "q_norm", l.q_norm}, Arg{kOp, "k_norm", l.k_norm}}) {
    require_float(a);
    require_rank(a, 1);
  }
  for (const Arg& a : {Arg{kOp, "qkv", l.qkv}, Arg{kOp, "o", l.o}, Arg{kOp, "gate_up", l.gate_up},
                       Arg{kOp, "down", l.down}}) {
    require_dtype(a, {DType::kF16, DType::kBF16});
    require_rank(a, 2);
    require_dense(a);
  }
  for (const Arg& a : {Arg{kOp, "k_cache", l.k_cache}, Arg{kOp, "v_cache", l.v_cache}}) {
    require_dtype(a, {DType::kF16, DType::kBF16});
    require_rank(a, 3);
    require_dense(a);
  }
}

void check_layer(const DecodeLayersParams& p, int64_t index, const Dims& d) {
  const DecodeLayer& l = p.layers[index];
  check_ranks(l);
  const DecodeLayer& first = p.layers[0];
  const Arg x{kOp, "x", p.x};
  const Arg read[] = {{kOp, "input_norm", l.input_norm},
                      {kOp, "post_norm", l.post_norm},
                      {kOp, "q_norm", l.q_norm},
                      {kOp, "k_norm", l.k_norm},
                      {kOp, "qkv", l.qkv},
                      {kOp, "o", l.o},
                      {kOp, "gate_up", l.gate_up},
                      {kOp, "down", l.down}};
  const Arg k{kOp, "k_cache", l.k_cache}, v{kOp, "v_cache", l.v_cache};
  require_shape(read[0], {d.D});
  require_shape(read[1], {d.D});
  require_shape(read[2], {d.E});
  require_shape(read[3], {d.E});
  require_shape(read[4], {(d.H + 2 * d.K) * d.E, d.D});
  require_shape(read[5], {d.D, d.H * d.E});
  require_shape(read[6], {2 * d.F, d.D});
  require_shape(read[7], {d.D, d.F});
  require_shape(k, {d.K, d.S, d.E});
  require_shape(v, {d.K, d.S, d.E});
  for (int i = 0; i < 4; ++i) {
    require_dtype(read[i], {first.input_norm.dtype});
    require_dtype(read[4 + i], {first.qkv.dtype});
  }
  require_dtype(k, {first.k_cache.dtype});
  require_dtype(v, {first.k_cache.dtype});
  for (const Arg& written : {x, k, v}) {
    require_same_device(x, written);
    for (const Arg& a : read) {
      require_same_device(x, a);
      require_disjoint(written, a);
    }
    for (const Arg& a : {Arg{kOp, "cos", p.cos}, Arg{kOp, "sin", p.sin}}) {
      require_disjoint(written, a);
    }
  }
  require_disjoint(k, v);
  require_disjoint(x, k);
  require_disjoint(x, v);
  for (int64_t other = 0; other < index; ++other) {
    const Arg their_k{kOp, "another layer's k_cache", p.layers[other].k_cache},
        their_v{kOp, "another layer's v_cache", p.layers[other].v_cache};
    for (const Arg& a : {their_k, their_v}) {
      require_disjoint(k, a);
      require_disjoint(v, a);
    }
  }
  int exponent = 0;
  if (!(l.act_scale > 0) || std::frexp(l.act_scale, &exponent) != 0.5f) {
    fail(ErrorKind::kUnsupported, kOp, ": act_scale of layer ", index,
         ": expected a power of two, got ", l.act_scale);
  }
}

}  // namespace

void validate(const DecodeLayersParams& p) {
  require_range(kOp, "count", p.count, 1, INT32_MAX);
  if (p.layers == nullptr) {
    fail(ErrorKind::kShape, kOp, ": layers: expected ", p.count, " layers, got null");
  }
  const Arg x{kOp, "x", p.x}, cos{kOp, "cos", p.cos}, sin{kOp, "sin", p.sin};
  for (const Arg& a : {x, cos, sin}) {
    require_dtype(a, {DType::kF32});
    require_rank(a, 2);
    require_same_device(x, a);
  }
  require_range(kOp, "rows of x", p.x.shape[0], 1, 1);
  const DecodeLayer& first = p.layers[0];
  check_ranks(first);
  const int64_t E = first.q_norm.shape[0], K = first.k_cache.shape[0];
  require_range(kOp, "E", E, 2, 512);
  require_range(kOp, "K", K, 1, INT32_MAX);
  if (E % 2 != 0 || first.o.shape[1] % (E * K) != 0 || first.o.shape[1] == 0) {
    fail(ErrorKind::kShape, kOp, ": o: expected (D, H*E) with E = ", E,
         " even and H a multiple of ", K, " kv heads, got ", first.o.shape.str());
  }
  const Dims d = dims(p);
  require_range(kOp, "D", d.D, 1, INT32_MAX);
  require_range(kOp, "F", d.F, 1, INT32_MAX);
  require_range(kOp, "S", d.S, 1, p.cos.shape[0]);
  require_shape(cos, {p.cos.shape[0], E / 2});
  require_shape(sin, p.cos.shape);
  require_disjoint(x, cos);
  require_disjoint(x, sin);
  for (int64_t i = 0; i < p.count; ++i) {
    check_layer(p, i, d);
  }
  if (p.pos_device == nullptr) {
    require_range(kOp, "pos", p.pos, 0, d.S - 1);
  }
  if (!(p.eps >= 0)) {
    fail(ErrorKind::kUnsupported, kOp, ": eps: expected 0 or more, got ", p.eps);
  }
}

Cost cost(const DecodeLayersParams& p) {
  const Dims d = dims(p);
  const int64_t pos = p.pos_device != nullptr ? d.S - 1 : p.pos;
  Cost sum{p.x.bytes() + d.E * 4, p.x.bytes(), 0};
  for (int64_t i = 0; i < p.count; ++i) {
    const DecodeLayer& l = p.layers[i];
    const int64_t row = 2 * d.K * d.E * dtype_bytes(l.k_cache.dtype);
    sum.bytes_read += l.input_norm.bytes() + l.post_norm.bytes() + l.q_norm.bytes() +
                      l.k_norm.bytes() + l.qkv.bytes() + l.o.bytes() + l.gate_up.bytes() +
                      l.down.bytes() + pos * row;
    sum.bytes_written += row;
    sum.flops += 2 * (l.qkv.numel() + l.o.numel() + l.gate_up.numel() + l.down.numel()) + 8 * d.D +
                 7 * (d.H + d.K) * d.E + 4 * (pos + 1) * d.H * d.E;
  }
  return sum;
}

void decode_layers_cpu(const DecodeLayersParams& p) {
  validate(p);
  require_cpu({kOp, "x", p.x});
  const Dims d = dims(p);
  if (p.pos_device != nullptr) {
    require_range(kOp, "pos", *p.pos_device, 0, d.S - 1);
  }
  const DType t = p.layers[0].qkv.dtype;
  const int64_t width = d.H * d.E, kv = d.K * d.E;
  const Buffer qkv_memory((width + 2 * kv) * 4), attn_memory(width * 2), act_memory(d.F * 2);
  const TensorView qkv = qkv_memory.view(DType::kF32, {1, width + 2 * kv});
  const TensorView attn = attn_memory.view(t, {1, width}), act = act_memory.view(t, {1, d.F});
  for (int64_t i = 0; i < p.count; ++i) {
    const DecodeLayer& l = p.layers[i];
    norm_linear_cpu({qkv, p.x, l.input_norm, l.qkv, p.eps});
    AttentionStepParams step;
    step.o = attn;
    step.q = qkv.cols(0, width), step.k = qkv.cols(width, kv), step.v = qkv.cols(width + kv, kv);
    step.q_norm = l.q_norm, step.k_norm = l.k_norm, step.cos = p.cos, step.sin = p.sin;
    step.eps = p.eps, step.scale = p.scale;
    step.count = 1;
    step.slots[0] = {l.k_cache, l.v_cache, p.pos, p.pos_device};
    attention_step_cpu(step);
    linear_cpu({p.x, attn, l.o, 1.0f, /*accumulate=*/true});
    norm_linear_cpu({act, p.x, l.post_norm, l.gate_up, p.eps, /*gated=*/true, l.act_scale});
    linear_cpu({p.x, act, l.down, 1.0f / l.act_scale, /*accumulate=*/true});
  }
}

}  // namespace ember::k
