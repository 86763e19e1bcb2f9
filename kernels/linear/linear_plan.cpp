// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear/linear_plan.h"

#include <algorithm>

namespace ember::k {
namespace {

constexpr int kWarpElements = 256;  // 32 lanes of 8 elements
constexpr int kPartialBytes = 8 * 1024;

int ceil_div(int64_t a, int64_t b) {
  return static_cast<int>((a + b - 1) / b);
}

bool whole_groups(const TensorView& v) {
  return reinterpret_cast<uintptr_t>(v.data) % 16 == 0 && v.shape[1] % 8 == 0 &&
         (v.row_stride % 8 == 0 || v.shape[0] <= 1);
}

}  // namespace

std::string GemvPlan::str() const {
  return "gemv: " + std::to_string(blocks) + " blocks of " + std::to_string(groups) + "x" +
         std::to_string(k_warps) + " warps, tiles of " + std::to_string(rows) + " rows x " +
         std::to_string(vectors) + " loads, window " + std::to_string(window);
}

LinearKernel choose_linear_kernel(const LinearParams& p) {
  const bool narrow_weights = p.w.dtype == DType::kF16 || p.w.dtype == DType::kBF16;
  if (p.x.shape[0] == 1 && p.w.shape[0] >= kGemvMinN && narrow_weights &&
      p.x.shape[1] <= kGemvMaxK && whole_groups(p.x) && whole_groups(p.w)) {
    return LinearKernel::kGemv;
  }
  const bool one_dtype = p.x.dtype == p.w.dtype;
  const bool known_output = p.y.dtype == DType::kF32 || p.y.dtype == p.x.dtype;
  return one_dtype && known_output ? LinearKernel::kLibrary : LinearKernel::kRows;
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
  plan.shared_bytes = plan.window * tile_bytes;
  return plan;
}

}  // namespace ember::k
