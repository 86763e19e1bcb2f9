// SPDX-License-Identifier: Apache-2.0
#include "kernels/decode_layers/decode_layers_plan.h"

#include <algorithm>

namespace ember::k {
namespace {

bool aligned(const TensorView& v) {
  return reinterpret_cast<uintptr_t>(v.data) % 16 == 0;
}

}  // namespace

std::string DecodeLayersPlan::str() const {
  return std::to_string(blocks) + " blocks, ring of " + std::to_string(stages) + " stages of " +
         std::to_string(columns) + " columns, " + std::to_string(in_flight) + " under way, up to " +
         std::to_string(ranks) + " blocks a kv head, " + std::to_string(shared_bytes) + " B shared";
}

DecodeLayersPlan plan_decode_layers(int64_t D, int64_t H, int64_t K, int64_t F, int sm_count,
                                    int64_t shared_bytes) {
  DecodeLayersPlan plan{};
  plan.blocks = sm_count;
  plan.ranks = static_cast<int>(std::max<int64_t>(1, sm_count / K));
  plan.columns = layers_columns(static_cast<int>(D));
  if (K > sm_count) {
    return plan;
  }
  for (int stages = kLayersMaxStages; stages >= kLayersMinStages; --stages) {
    const LayersLayout l =
        layers_layout(static_cast<int>(D), static_cast<int>(H), static_cast<int>(K),
                      static_cast<int>(F), sm_count, stages);
    if (l.end <= shared_bytes) {
      plan.stages = stages;
      // What is asked for waits in the memory system's queues, and what blocks tell each other
      // waits behind it. Small layers, which wait for each other more than for memory, gain by less
      // of it, large ones lose bandwidth; on an H200, us, with 2, 3 and 4 under way: 0.6B 404, 423,
      // 427; 1.7B 807, 744, 750; 4B 2244, 1957, 1938; 8B 3667, 3256, 3234 (5: 3279);
      // 4B in stages of 1280 columns 1988, 1856, 1864.
      const int64_t layer = 2 * ((2 * H + 2 * K) * kLayersHeadDim + 3 * F) * D / sm_count;
      const int64_t ring = int64_t{stages} * layers_stage_bytes(plan.columns);
      plan.in_flight = layer < 2 * ring ? 2 : layer < 6 * ring ? 3 : 4;
      plan.shared_bytes = l.end;
      break;
    }
  }
  return plan;
}

bool layers_fit_kernel(const DecodeLayersParams& p) {
  const DecodeLayer& first = p.layers[0];
  const int64_t D = p.x.shape[1], E = first.q_norm.shape[0], K = first.k_cache.shape[0];
  const int64_t width = first.o.shape[1], F = first.down.shape[1];
  if (E != kLayersHeadDim || width / E / K > kLayersMaxGroup || D > kLayersMaxD || D % 128 != 0 ||
      F % 128 != 0 || F > (int64_t{1} << 16) || p.count > kLayersMaxCount || !aligned(p.x) ||
      !aligned(p.cos) || !aligned(p.sin)) {
    return false;
  }
  for (int64_t i = 0; i < p.count; ++i) {
    const DecodeLayer& l = p.layers[i];
    for (const TensorView* v : {&l.input_norm, &l.qkv, &l.q_norm, &l.k_norm, &l.o, &l.post_norm,
                                &l.gate_up, &l.down, &l.k_cache, &l.v_cache}) {
      if (!aligned(*v)) {
        return false;
      }
    }
    if (l.k_cache.dtype != l.qkv.dtype || l.post_norm.dtype != l.input_norm.dtype ||
        l.q_norm.dtype != l.input_norm.dtype || l.k_norm.dtype != l.input_norm.dtype) {
      return false;
    }
  }
  return true;
}

int64_t decode_layers_scratch_bytes(int64_t D, int64_t H, int64_t K, int64_t F, int sm_count) {
  const int ranks = std::max(1, sm_count / static_cast<int>(K));
  return layers_exchange(static_cast<int>(D), static_cast<int>(H), static_cast<int>(K),
                         static_cast<int>(F), ranks)
             .end +
         256;
}

}  // namespace ember::k
