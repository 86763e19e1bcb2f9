// SPDX-License-Identifier: Apache-2.0
// What lies between the q/k/v projections and attention, in one pass:  limited by: memory
//   q_out[t,h,:]       = rope(rmsnorm(q[t,h,:]) * q_norm, pos + t)
//   k_cache[j,pos+t,:] = rope(rmsnorm(k[t,j,:]) * k_norm, pos + t)
//   v_cache[j,pos+t,:] = v[t,j,:]
// Source: Qwen3Attention of transformers; RoPE of arXiv:2104.09864 in the half-split form: element
// i of a head pairs with i + E/2:  (a, b) -> (a cos - b sin, b cos + a sin), one angle a pair.
// q (T, H*E), k (T, K*E), v (T, K*E), each F32|F16|BF16 with its own row stride (column slices of
// one qkv buffer); q_norm, k_norm (E) any float dtype; cos, sin (C, E/2) F32, row = position,
// already multiplied by the attention factor of a scaled RoPE; q_out (T, H*E) F32|F16|BF16;
// k_cache, v_cache (K, S, E) dense, one dtype of F32|F16|BF16. E even, 2..512; K divides H. H and
// K follow from the shapes. q_out may be q itself (same pointer, dtype, stride).
// Position of row 0: *pos_device when not null (memory of the op's device), else pos. Needs
// 0 <= pos, pos + T <= S and pos + T <= C. The host checks what it can see; with pos_device a
// CUDA kernel writes nothing for rows outside. Only rows pos..pos+T-1 of the caches are written.
// All arithmetic in fp32 (the CPU sums squares in fp64), one rounding at the end.
// Throws Error{kShape|kDtype|kAlign|kUnsupported}.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember::k {

struct QkNormRopeParams {
  TensorView q_out, k_cache, v_cache;
  TensorView q, k, v, q_norm, k_norm, cos, sin;
  float eps = 1e-6f;
  int64_t pos = 0;
  const int32_t* pos_device = nullptr;
};

void validate(const QkNormRopeParams& p);
Cost cost(const QkNormRopeParams& p);
void qk_norm_rope_cpu(const QkNormRopeParams& p);
void qk_norm_rope_cuda(const QkNormRopeParams& p,
                       Stream stream);  // asynchronous; built without CUDA: kUnsupported
// The plain form: fp64, rounded once. Judges every other implementation.
void qk_norm_rope_oracle(const QkNormRopeParams& p);

}  // namespace ember::k
