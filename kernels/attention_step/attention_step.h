// SPDX-License-Identifier: Apache-2.0
// What lies between the projections to q, k, v and the output projection in a step of decoding, for
// one new token of each of B sequences, in one pass:                 limited by: memory, latency
//   k_cache[j,pos,:] = rope(rmsnorm(k[b,j,:]) * k_norm, pos)
//   v_cache[j,pos,:] = v[b,j,:]
//   o[b,h,:] = softmax(scale * round(rope(rmsnorm(q[b,h,:]) * q_norm, pos)) . k_cache[j,0..pos,:])
//              v_cache[j,0..pos,:]
// with j = h / (H/K), and for each row b the caches and the position of its own slot. It is
// qk_norm_rope followed by attention, row by row; round() is to the dtype of the caches.
// Source: Qwen3Attention of transformers; RoPE of arXiv:2104.09864, half-split; arXiv:2305.13245.
// q (B, H*E), k (B, K*E), v (B, K*E), each F32|F16|BF16 with its own row stride (column slices of
// one qkv buffer); q_norm, k_norm (E) any float dtype; cos, sin (C, E/2) F32, row = position; o
// (B, H*E) F32|F16|BF16. slots[b].k, .v (K, S, E) dense, of one dtype F32|F16|BF16 in all slots; S
// may differ, S <= C. B = count, 1..16; E even, 2..512; K divides H. Memory of o, of the caches and
// of the inputs is apart; so are the caches of two slots.
// Position of row b: *pos_device when not null (memory of the op's device), else pos; 0 <= pos < S.
// The host checks what it can see. With pos_device a CUDA kernel writes nothing, neither cache nor
// o, for a row whose position is outside; the CPU throws before it writes anything.
// Of each cache only row pos is written, and no row after it is read: they may hold NaN.
// All arithmetic in fp32 (norms on the CPU in fp64). Results repeat bit by bit; the order of
// summation depends on shapes, device and all positions of the call, so that the rows of a batch
// may differ in the last bits from the same rows alone.
// Throws Error{kShape|kDtype|kAlign|kUnsupported}.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember::k {

inline constexpr int kMaxStepSequences = 16;

// The cache of one sequence, and where its new token goes.
struct CacheSlot {
  TensorView k, v;
  int64_t pos = 0;
  const int32_t* pos_device = nullptr;
};

struct AttentionStepParams {
  TensorView o, q, k, v, q_norm, k_norm, cos, sin;
  float eps = 1e-6f;
  float scale = 1.0f;
  int64_t count = 0;
  CacheSlot slots[kMaxStepSequences];
  // The positions in device memory, and the rows of the caches before them, were complete before
  // the first of a chain of overlapping launches began (see Stream::overlap): a kernel may read
  // them while its predecessors run. True where a whole step is one recorded graph: a graph starts
  // when the graph before it has ended. False costs time alone.
  bool settled = false;
};

// Whether a step of that many sequences, in a model of that width, is served better by this op than
// by qk_norm_rope and attention apart. One sequence of a wider model is not: beside the few blocks
// of two small kernels the next projection's weights can flow (docs/performance.md).
constexpr bool attention_step_pays(int64_t sequences, int64_t width) {
  return sequences > 1 || width <= 1024;
}

void validate(const AttentionStepParams& p);
// At pos; for pos_device, which the host cannot read, as if the cache were full.
Cost cost(const AttentionStepParams& p);
void attention_step_cpu(const AttentionStepParams& p);
void attention_step_cuda(const AttentionStepParams& p,
                         Stream stream);  // asynchronous; built without CUDA: kUnsupported
// Device memory that attention_step_cuda keeps at most for each stream it has run on, for H query
// and K kv heads of E elements on a device of that many SMs. What attention_cuda keeps is apart.
int64_t attention_step_scratch_bytes(int64_t H, int64_t K, int64_t E, int sm_count);
// The plain form: fp64 throughout, with the roundings of the contract. Judges the others.
void attention_step_oracle(const AttentionStepParams& p);

}  // namespace ember::k
