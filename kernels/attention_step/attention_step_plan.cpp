// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention_step/attention_step_plan.h"

#include <algorithm>

namespace ember::k {
namespace {

struct Shape {
  int warps, stages, alone, least;
};
// The first that fits. Thresholds are reasoned, not yet measured: an SM should fetch the 128 KB of
// 256 positions in 1.2 us, an exchange costs 1.8 us, and a ring of 192 KB fills while the queries
// are made; so one block up to 512 positions, and then two groups a warp.
constexpr Shape kShapes[] = {{8, 3, 32, 16}, {8, 2, 32, 16}, {4, 2, 16, 8}};
constexpr int kStaticBytes = 64;  // of shared memory, beside the layout
// Products of groups and shares are counted in 32 bits.
constexpr int64_t kMaxPositions = int64_t{1} << 27;

bool aligned(const TensorView& v, int64_t bytes) {
  return reinterpret_cast<uintptr_t>(v.data) % bytes == 0;
}

// Two neighbouring elements of every row can be accessed at once.
bool pairs(const TensorView& v) {
  return aligned(v, 2 * dtype_bytes(v.dtype)) &&
         (v.shape.rank() < 2 || v.shape[0] <= 1 || v.row_stride % 2 == 0);
}

bool fits(const AttentionStepParams& p) {
  const TensorView& cache = p.slots[0].k;
  const int64_t E = cache.shape[2], K = cache.shape[0], group = p.q.shape[1] / E / K;
  bool fast = (E == 64 || E == 128) && group <= kStepRows && cache.dtype != DType::kF32;
  for (const TensorView* v : {&p.o, &p.q, &p.k, &p.v, &p.q_norm, &p.k_norm, &p.cos, &p.sin}) {
    fast = fast && pairs(*v);
  }
  int64_t positions = 0;
  for (int64_t b = 0; b < p.count; ++b) {
    const CacheSlot& s = p.slots[b];
    fast = fast && aligned(s.k, 16) && aligned(s.v, 16);
    positions += s.k.shape[1];
  }
  return fast && positions <= kMaxPositions;
}

}  // namespace

AttentionStepPlan plan_attention_step(const AttentionStepParams& p, int sm_count,
                                      int64_t shared_bytes) {
  if (fits(p)) {
    const int64_t E = p.slots[0].k.shape[2], K = p.slots[0].k.shape[0];
    const int group = static_cast<int>(p.q.shape[1] / E / K);
    const int ranks = static_cast<int>(std::clamp<int64_t>(sm_count / K, 1, kStepMaxRanks));
    for (const Shape& s : kShapes) {
      const int bytes = step_layout(group, static_cast<int>(E), s.warps, s.stages).end;
      if (bytes + kStaticBytes <= shared_bytes) {
        return {AttentionStepKernel::kFused, ranks, s.warps, s.stages, s.alone, s.least, bytes};
      }
    }
  }
  return {AttentionStepKernel::kPrimitives, 0, 0, 0, 0, 0, 0};
}

std::string AttentionStepPlan::str() const {
  if (kernel == AttentionStepKernel::kPrimitives) {
    return "attention_step: qk_norm_rope and attention, row by row";
  }
  return "attention_step: " + std::to_string(ranks) + " blocks a kv head, " +
         std::to_string(warps) + " warps, " + std::to_string(stages) + " stages, " +
         std::to_string(shared_bytes) + " bytes of shared memory; alone up to " +
         std::to_string(alone) + " groups, then " + std::to_string(least) + " a share";
}

int64_t attention_step_scratch_bytes(int64_t H, int64_t K, int64_t E, int sm_count) {
  const int64_t ranks = std::clamp<int64_t>(sm_count / K, 1, kStepMaxRanks);
  const int64_t group = H / K;
  const int64_t fused =
      group <= kStepRows ? step_partial_bytes(K, ranks, group, E) + step_ticket_bytes(K) : 0;
  return fused + kMaxStepSequences * H * E * 4;
}

}  // namespace ember::k
