// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear/linear_plan.h"

#include <algorithm>

namespace ember::k {
namespace {

int ceil_div(int64_t a, int64_t b) {
  return static_cast<int>((a + b - 1) / b);
}

bool whole_groups(const TensorView& v) {
  return reinterpret_cast<uintptr_t>(v.data) % 16 == 0 && v.shape[1] % 8 == 0 &&
         (v.row_stride % 8 == 0 || v.shape[0] <= 1);
}

}  // namespace

LinearKernel choose_linear_kernel(const LinearParams& p, int sm_count, int shared_bytes) {
  const int64_t T = p.x.shape[0], N = p.w.shape[0], K = p.x.shape[1];
  const bool one_dtype = p.x.dtype == p.w.dtype;
  if (p.w.dtype != DType::kF32 && whole_groups(p.x) && whole_groups(p.w)) {
    if (T == 1 && N >= kGemvMinN && K <= kGemvMaxK) {
      return LinearKernel::kGemv;
    }
    if (T >= 2 && T <= kFewMaxTokens && N >= kFewMinN && one_dtype) {
      if (plan_few(T, N, K, sm_count, shared_bytes).stages > 0) {
        return LinearKernel::kFew;
      }
    }
  }
  const bool known_output = p.y.dtype == DType::kF32 || p.y.dtype == p.x.dtype;
  return one_dtype && known_output ? LinearKernel::kLibrary : LinearKernel::kRows;
}

std::string FewPlan::str() const {
  return "few: " + std::to_string(blocks) + " blocks of " + std::to_string(block_rows) +
         " rows, tiles of " + std::to_string(tile_rows) + ", " + std::to_string(stages) +
         " stages, " + std::to_string(shared_bytes) + " bytes shared";
}

FewPlan plan_few(int64_t T, int64_t N, int64_t K, int sm_count, int shared_bytes) {
  constexpr int kMinBlockRows = 8, kEnoughStages = 4, kRowBytes = 2 * kFewDepth, kWarps = 8;
  const int steps = ceil_div(K, kFewDepth);
  FewPlan plan{};
  plan.blocks = std::min(sm_count, ceil_div(N, kMinBlockRows));
  plan.block_rows = ceil_div(N, plan.blocks);
  const int room = std::min(shared_bytes, kFewSharedBytes);
  // The fewest tiles, each of which brings the tokens along once more, with which the ring is deep
  // enough.
  for (int tiles = ceil_div(plan.block_rows, kFewTileRows);; ++tiles) {
    plan.tile_rows = ceil_div(plan.block_rows, tiles);
    const int slot_bytes = (plan.slot_rows() + static_cast<int>(T)) * kRowBytes;
    const int partial_bytes = kWarps * plan.tiles_of_16() * 16 * ceil_div(T, 8) * 8 * 4;
    const int64_t all_steps = int64_t{tiles} * steps;
    plan.stages = static_cast<int>(std::min<int64_t>(
        {(room - partial_bytes) / slot_bytes, kFewMaxStages, std::max<int64_t>(all_steps + 1, 2)}));
    plan.shared_bytes = plan.stages * slot_bytes + partial_bytes;
    if (plan.stages >= std::min<int64_t>(kEnoughStages, all_steps + 1)) {
      return plan;
    }
    if (plan.tile_rows <= 8) {
      break;
    }
  }
  plan.stages = plan.stages < 2 ? 0 : plan.stages;
  return plan;
}

}  // namespace ember::k
