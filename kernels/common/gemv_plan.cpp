// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/gemv_plan.h"

#include <algorithm>

namespace ember::k {
namespace {

constexpr int kWarpElements = 256;  // 32 lanes of 8 elements
constexpr int kPartialBytes = 8 * 1024;

int ceil_div(int64_t a, int64_t b) {
  return static_cast<int>((a + b - 1) / b);
}

}  // namespace

std::string GemvPlan::str() const {
  return "gemv: " + std::to_string(blocks) + " blocks of " + std::to_string(groups) + "x" +
         std::to_string(k_warps) + " warps, tiles of " + std::to_string(rows) + " rows x " +
         std::to_string(vectors) + " loads, window " + std::to_string(window);
}

GemvPlan plan_gemv(int64_t N, int64_t K, int sm_count) {
  const int units = ceil_div(K, kWarpElements);
  GemvPlan plan{};
  plan.vectors = units <= 20 ? 1 : units <= 32 ? 2 : units <= 48 ? 3 : 5;
  plan.k_warps = ceil_div(units, plan.vectors);
  plan.rows = gemv_rows(plan.vectors);
  plan.groups = std::max(1, gemv_max_threads(plan.vectors) / 32 / plan.k_warps);
  const int tiles = ceil_div(N, plan.rows);
  plan.blocks = std::min(sm_count, tiles);
  const int tiles_a_group = ceil_div(ceil_div(tiles, plan.blocks), plan.groups);
  const int tile_bytes = plan.groups * plan.rows * plan.k_warps * 4;
  const int fit = std::max(2, kPartialBytes / tile_bytes / 2 * 2);
  plan.window = std::min(fit, (tiles_a_group + 1) / 2 * 2);
  // One float a k warp more, for the norm: in whole 16 bytes, as the compiler reads them.
  plan.shared_bytes = plan.window * tile_bytes + ceil_div(plan.k_warps, 4) * 16;
  return plan;
}

Prefetch prefetch_for(const GemvPlan& plan, const void* w, int64_t N, int64_t K, int64_t bytes) {
  const int64_t row = K * 2, skip = int64_t{plan.groups} * plan.rows * row;
  Prefetch p;
  p.pieces = plan.blocks;
  p.stride = N / plan.blocks * row;  // the blocks' first rows, within one tile
  p.data = static_cast<const char*>(w) + skip;
  p.take =
      static_cast<int>(std::min({bytes / p.pieces, p.stride - skip, int64_t{1} << 20}) / 16 * 16);
  return p.take > 0 && row % 16 == 0 ? p : Prefetch{};
}

}  // namespace ember::k
