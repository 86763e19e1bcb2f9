// SPDX-License-Identifier: Apache-2.0
// Which kernel computes a linear map on a CUDA device, and how it is cut. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/linear/linear.h"

namespace ember::k {

enum class LinearKernel {
  kGemv,     // one token, 16-bit weights, rows of whole 16-byte groups
  kFew,      // 2 to 8 tokens, x and w of one 16-bit dtype, rows of whole 16-byte groups
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

// A product of a few tokens on the tensor cores, the tokens in shared memory.
struct FewPlan {
  int warps;  // that share the K axis
  int blocks;
  int blocks_along_k;  // of 32 elements
  int slice;           // of them a warp
  int x_stride;        // elements between tokens: whole blocks, and 64 bytes against bank conflicts
  int window;          // tiles between two sums over the warps; 0: the tokens do not fit
  int shared_bytes;
  double balance;  // share of the blocks that work, averaged over the run
};

inline constexpr int64_t kFewMaxTokens = 8;
inline constexpr int64_t kFewMinN = 16;  // a whole tile
inline constexpr int kFewMaxThreads = 512;

// `shared_bytes`: the most that a block of the device can have.
LinearKernel choose_linear_kernel(const LinearParams& p, int sm_count, int shared_bytes);
FewPlan plan_few(int64_t T, int64_t N, int64_t K, int sm_count, int shared_bytes);
GemvPlan plan_gemv(int64_t N, int64_t K, int sm_count);

// The launchers behind linear_cuda, one a kernel. Arguments are validated.
void linear_gemv_cuda(const LinearParams& p, Stream stream);
void linear_few_cuda(const LinearParams& p, Stream stream);
// False when the library has no algorithm for these operands.
bool linear_library_cuda(const LinearParams& p, Stream stream);
void linear_rows_cuda(const LinearParams& p, Stream stream);

}  // namespace ember::k
