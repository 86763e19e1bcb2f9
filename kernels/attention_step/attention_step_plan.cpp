// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention_step/attention_step_plan.h"

#include <algorithm>

namespace ember::k {
namespace {

constexpr int kClusterStages = 3, kTicketStages = 2;
// An exchange in shared memory costs about as much as one more step of a warp; through global
// memory, several.
constexpr int kClusterAlone = 8, kClusterLeast = 4;
constexpr int kTicketAlone = 16, kTicketLeast = 8;
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

int power_of_two_below(int n) {
  int power = 1;
  while (2 * power <= n) {
    power *= 2;
  }
  return power;
}

AttentionStepPlan sized(const AttentionStepParams& p, AttentionStepPlan plan) {
  const int64_t E = p.slots[0].k.shape[2], K = p.slots[0].k.shape[0];
  plan.shared_bytes = step_layout(static_cast<int>(p.q.shape[1] / E / K), static_cast<int>(E),
                                  plan.stages, plan.kernel == AttentionStepKernel::kCluster)
                          .end;
  return plan;
}

}  // namespace

AttentionStepPlan plan_step_without_clusters(const AttentionStepParams& p, int sm_count) {
  if (!fits(p)) {
    return {AttentionStepKernel::kPrimitives, 0, 0, 0, 0, 0};
  }
  const int64_t K = p.slots[0].k.shape[0];
  const int ranks = static_cast<int>(std::clamp<int64_t>(sm_count / K, 1, kStepMaxRanks));
  return sized(
      p, {AttentionStepKernel::kTickets, ranks, kTicketStages, kTicketAlone, kTicketLeast, 0});
}

AttentionStepPlan plan_attention_step(const AttentionStepParams& p, int sm_count, int cc) {
  if (!fits(p) || cc < 90) {
    return plan_step_without_clusters(p, sm_count);
  }
  const int64_t K = p.slots[0].k.shape[0];
  const int share = static_cast<int>(std::clamp<int64_t>(sm_count / K, 1, kStepRanks));
  return sized(p, {AttentionStepKernel::kCluster, power_of_two_below(share), kClusterStages,
                   kClusterAlone, kClusterLeast, 0});
}

std::string AttentionStepPlan::str() const {
  switch (kernel) {
    case AttentionStepKernel::kPrimitives:
      return "attention_step: qk_norm_rope and attention, row by row";
    case AttentionStepKernel::kCluster:
    case AttentionStepKernel::kTickets:
      break;
  }
  return std::string("attention_step: ") +
         (kernel == AttentionStepKernel::kCluster ? "clusters" : "tickets") + ", " +
         std::to_string(ranks) + " blocks a kv head, " + std::to_string(kStepWarps) + " warps, " +
         std::to_string(stages) + " stages, " + std::to_string(shared_bytes) +
         " bytes of shared memory; alone up to " + std::to_string(alone) + " groups, at least " +
         std::to_string(least) + " a share";
}

int64_t attention_step_scratch_bytes(int64_t H, int64_t K, int64_t E, int sm_count) {
  const int64_t ranks = std::clamp<int64_t>(sm_count / K, 1, kStepMaxRanks);
  const int64_t group = H / K;
  const int64_t tickets =
      group <= kStepRows ? step_partial_bytes(K, ranks, group, E) + step_ticket_bytes(K) : 0;
  return tickets + kMaxStepSequences * H * E * 4;
}

}  // namespace ember::k
