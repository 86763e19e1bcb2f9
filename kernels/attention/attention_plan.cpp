// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention_plan.h"

#include <algorithm>

namespace ember::k {
namespace {

bool whole_groups(const TensorView& v) {
  return reinterpret_cast<uintptr_t>(v.data) % 16 == 0 &&
         (v.row_stride % 8 == 0 || v.shape[v.shape.rank() - 2] <= 1);
}

// Two neighbouring elements can be stored at once.
bool pairs(const TensorView& v) {
  return reinterpret_cast<uintptr_t>(v.data) % (2 * dtype_bytes(v.dtype)) == 0 &&
         (v.row_stride % 2 == 0 || v.shape[0] <= 1);
}

}  // namespace

AttentionKernel choose_attention_kernel(const AttentionParams& p) {
  const int64_t E = p.k_cache.shape[2], K = p.k_cache.shape[0];
  const int64_t group = p.q.shape[1] / E / K;
  const bool tensor_cores = (E == 64 || E == 128) && p.q.dtype != DType::kF32 &&
                            p.q.dtype == p.k_cache.dtype && whole_groups(p.q) &&
                            whole_groups(p.k_cache) && whole_groups(p.v_cache) && pairs(p.o);
  if (!tensor_cores) {
    return AttentionKernel::kRows;
  }
  return p.q.shape[0] * group <= kDecodeRows ? AttentionKernel::kDecode : AttentionKernel::kPrefill;
}

int decode_splits(int64_t K, int sm_count) {
  constexpr int64_t kBlocksASm = 2;
  return static_cast<int>(
      std::min<int64_t>(kDecodeMaxSplits, std::max<int64_t>(1, kBlocksASm * sm_count / K)));
}

int64_t decode_partial_bytes(int64_t K, int64_t E, int sm_count) {
  return E == 64 || E == 128 ? K * decode_splits(K, sm_count) * kDecodeRows * (E + 2) * 4 : 0;
}

int64_t decode_ticket_bytes(int64_t K) {
  return K * 4;
}

int64_t attention_scratch_bytes(int64_t K, int64_t E, int sm_count) {
  return decode_partial_bytes(K, E, sm_count) + decode_ticket_bytes(K);
}

}  // namespace ember::k
