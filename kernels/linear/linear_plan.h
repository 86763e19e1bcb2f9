// SPDX-License-Identifier: Apache-2.0
// Which kernel computes a linear map on a CUDA device, and how it is cut. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/linear/linear.h"

namespace ember::k {

enum class LinearKernel {
  kGemv,     // one token, 16-bit weights, rows of whole 16-byte groups
  kLibrary,  // x and w of one dtype: cuBLASLt
  kRows,     // anything else: plain, slow, without limits on alignment
};

// A matrix-vector product in which each warp keeps its share of x in registers.
struct GemvPlan {
  bool packed_x;  // x has the weights' type and stays packed in registers
  int vectors;    // 16-byte groups of x a lane holds
  int rows;       // weight rows of one tile
  int k_warps;    // warps that share a row
  int groups;     // sets of k_warps warps, each with tiles of its own
  int blocks;
  int window;  // tiles of a group between two sums over the k_warps; even
  int shared_bytes;

  int threads() const { return 32 * k_warps * groups; }
  std::string str() const;
};

// The longest row that the GEMV kernel takes, in elements.
inline constexpr int64_t kGemvMaxK = 20480;
inline constexpr int64_t kGemvMinN = 8;  // a whole tile
// Rows of a tile, so that its loads and those of the next fit in the registers beside x.
constexpr int gemv_rows(int vectors) {
  return vectors == 1 ? 8 : vectors == 2 ? 4 : vectors == 3 ? 2 : 1;
}
// Threads of a block, and with them the registers of a thread: 96, or 128 where x takes more.
constexpr int gemv_max_threads(int vectors) {
  return vectors == 1 ? 640 : 512;
}

LinearKernel choose_linear_kernel(const LinearParams& p);
GemvPlan plan_gemv(int64_t N, int64_t K, int sm_count);

// The launchers behind linear_cuda, one a kernel. Arguments are validated.
void linear_gemv_cuda(const LinearParams& p, Stream stream);
// False when the library has no algorithm for these operands.
bool linear_library_cuda(const LinearParams& p, Stream stream);
void linear_rows_cuda(const LinearParams& p, Stream stream);

}  // namespace ember::k
