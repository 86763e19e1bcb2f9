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

LinearKernel choose_linear_kernel(const LinearParams& p, int sm_count, int shared_bytes) {
  const int64_t T = p.x.shape[0], N = p.w.shape[0], K = p.x.shape[1];
  const bool one_dtype = p.x.dtype == p.w.dtype;
  if (p.w.dtype != DType::kF32 && whole_groups(p.x) && whole_groups(p.w)) {
    if (T == 1 && N >= kGemvMinN && K <= kGemvMaxK) {
      return LinearKernel::kGemv;
    }
    if (T >= 2 && T <= kFewMaxTokens && N >= kFewMinN && one_dtype) {
      // Where whole tiles leave many SMs idle the library, which cuts K as well, is faster.
      constexpr double kEnough = 0.75;
      const FewPlan plan = plan_few(T, N, K, sm_count, shared_bytes);
      if (plan.window > 0 && (plan.balance >= kEnough || plan.blocks < sm_count)) {
        return LinearKernel::kFew;
      }
    }
  }
  const bool known_output = p.y.dtype == DType::kF32 || p.y.dtype == p.x.dtype;
  return one_dtype && known_output ? LinearKernel::kLibrary : LinearKernel::kRows;
}

FewPlan plan_few(int64_t T, int64_t N, int64_t K, int sm_count, int shared_bytes) {
  constexpr int kRows = 16, kBlock = 32, kMaxWindow = 8;
  FewPlan plan{};
  plan.blocks_along_k = ceil_div(K, kBlock);
  plan.slice = ceil_div(plan.blocks_along_k, kFewMaxThreads / 32);
  plan.warps = ceil_div(plan.blocks_along_k, plan.slice);
  const int tiles = ceil_div(N, kRows);
  plan.blocks = std::min(sm_count, tiles);
  plan.balance = static_cast<double>(tiles) / plan.blocks / ceil_div(tiles, plan.blocks);
  plan.x_stride = ceil_div(K, 2 * kBlock) * 2 * kBlock + kBlock;
  const int64_t x_bytes = T * plan.x_stride * 2;
  const int tile_bytes = plan.warps * kRows * static_cast<int>(kFewMaxTokens) * 4;
  const int64_t left = shared_bytes - x_bytes;
  const int64_t fit = left < 0 ? 0 : left / tile_bytes;
  plan.window =
      static_cast<int>(std::min<int64_t>({fit, kMaxWindow, ceil_div(tiles, plan.blocks)}));
  plan.shared_bytes = static_cast<int>(x_bytes) + plan.window * tile_bytes;
  return plan;
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
