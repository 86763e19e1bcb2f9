// SPDX-License-Identifier: Apache-2.0
// How a matrix-vector product with 16-bit weights is cut over a CUDA device. Pure functions; the
// kernel is gemv_device.cuh.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/common/prefetch.h"

namespace ember::k {

// A product in which each warp keeps its share of x in registers.
struct GemvPlan {
  int vectors;  // 16-byte groups of x a lane holds
  int rows;     // weight rows of one tile
  int k_warps;  // warps that share a row
  int groups;   // sets of k_warps warps, each with tiles of its own
  int blocks;
  int window;  // tiles of a group between two sums over the k_warps; even
  int shared_bytes;

  int threads() const { return 32 * k_warps * groups; }
  std::string str() const;
};

// The longest row that the kernel takes, in elements, and with the norm in its prologue.
inline constexpr int64_t kGemvMaxK = 20480;
inline constexpr int64_t kGemvMaxNormK = 5120;
inline constexpr int64_t kGemvMinN = 8;  // a whole tile
// Rows of a tile, so that its loads and those of the next fit in the registers beside x.
constexpr int gemv_rows(int vectors) {
  return vectors == 1 ? 8 : vectors == 2 ? 4 : vectors == 3 ? 2 : 1;
}
// Threads of a block, and with them the registers of a thread: 96, or 128 where x takes more.
constexpr int gemv_max_threads(int vectors) {
  return vectors == 1 ? 640 : 512;
}

GemvPlan plan_gemv(int64_t N, int64_t K, int sm_count);

// Whether the device fetches into its L2 cache in bulk, and has room there.
constexpr bool prefetch_pays(int cc_major, int64_t l2_bytes) {
  return cc_major >= 9 && l2_bytes >= 8 * kAheadBytes;
}
// Of w (N, K), what a plan's blocks will read after what they fetch before they wait.
Prefetch prefetch_for(const GemvPlan& plan, const void* w, int64_t N, int64_t K, int64_t bytes);

}  // namespace ember::k
