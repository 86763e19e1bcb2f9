// SPDX-License-Identifier: Apache-2.0
// Causal attention of T new tokens over a cache that already holds their keys and values:
//   o[t,h,:] = softmax(scale * q[t,h,:] . k_cache[j,0..pos+t,:]) v_cache[j,0..pos+t,:]
// with j = h / (H/K) (grouped-query attention, arXiv:2305.13245).
//                                 limited by: memory (decode, T = 1), arithmetic (prefill)
// q, o (T, H*E) F32|F16|BF16, row strides >= H*E; k_cache, v_cache (K, S, E) dense, one dtype of
// F32|F16|BF16. H is the number of columns of q over E. K divides H; 1 <= E <= 512; T >= 0 (0 is
// a no-op). scale is 1/sqrt(E) for Qwen3. Position of row 0: *pos_device when not null (memory of
// the op's device), else pos; 0 <= pos and pos + T <= S. o must not overlap the inputs.
// Rows of the cache from pos + T on are never read into a result: they may hold NaN.
// Scores, maximum, sums and the output accumulate in fp32; one rounding at the end. The order of
// summation depends on shapes and position alone, never on the number of threads.
// Throws Error{kShape|kDtype|kAlign|kUnsupported}.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember::k {

struct AttentionParams {
  TensorView o, q, k_cache, v_cache;
  float scale = 1.0f;
  int64_t pos = 0;
  const int32_t* pos_device = nullptr;
};

void validate(const AttentionParams& p);
// At pos; for pos_device, which the host cannot read, as if pos + T were S.
Cost cost(const AttentionParams& p);
void attention_cpu(const AttentionParams& p);
void attention_cuda(const AttentionParams& p,
                    Stream stream);  // asynchronous; built without CUDA: kUnsupported
// Device memory that attention_cuda keeps for each stream it has run on: the partial results of a
// cache that is cut. K kv heads of E elements on a device of that many SMs.
int64_t attention_scratch_bytes(int64_t K, int64_t E, int sm_count);
// The plain form: every row by itself, fp64 throughout, rounded once. Judges the others.
void attention_oracle(const AttentionParams& p);

}  // namespace ember::k
