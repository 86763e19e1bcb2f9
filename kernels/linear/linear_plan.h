// SPDX-License-Identifier: Apache-2.0
// Which kernel computes a linear map on a CUDA device, and how it is cut. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/common/gemv_plan.h"
#include "kernels/linear/linear.h"

namespace ember::k {

enum class LinearKernel {
  kGemv,     // one token, 16-bit weights, rows of whole 16-byte groups
  kFew,      // 2 to 16 tokens, x and w of one 16-bit dtype, rows of whole 16-byte groups
  kLibrary,  // x and w of one dtype: cuBLASLt
  kRows,     // anything else: plain, slow, without limits on alignment
};

// A product of a few tokens on the tensor cores: weights and tokens pass through a ring of slots in
// shared memory, each kFewDepth k of one tile of rows and of all tokens.
struct FewPlan {
  int blocks;      // each owns a run of rows
  int block_rows;  // of the longest run
  int tile_rows;   // rows of a run that are in work at once
  int stages;      // slots of the ring; 0: they do not fit
  int shared_bytes;

  int slot_rows() const { return (tile_rows + 7) / 8 * 8; }
  int tiles_of_16() const { return (tile_rows + 15) / 16; }
  // Rows over what as many blocks could read in the time of the longest run.
  double balance(int64_t N) const {
    return static_cast<double>(N) / (static_cast<double>(blocks) * block_rows);
  }
  std::string str() const;
};

inline constexpr int64_t kFewMaxTokens = 16;
inline constexpr int64_t kFewMinN = 16;
inline constexpr int kFewDepth = 256;    // elements of K in a slot
inline constexpr int kFewTileRows = 64;  // at most
inline constexpr int kFewMaxStages = 12;
inline constexpr int kFewThreads = 288;  // eight warps that compute, one that copies tokens
// Of a block at most, so that small kernels beside it find room on the SM.
inline constexpr int kFewSharedBytes = 208 * 1024;

// `shared_bytes`: the most that a block of the device can have.
LinearKernel choose_linear_kernel(const LinearParams& p, int sm_count, int shared_bytes);
FewPlan plan_few(int64_t T, int64_t N, int64_t K, int sm_count, int shared_bytes);

// The launchers behind linear_cuda, one a kernel. Arguments are validated.
void linear_gemv_cuda(const LinearParams& p, Stream stream);
void linear_few_cuda(const LinearParams& p, Stream stream);
// False when the library has no algorithm for these operands.
bool linear_library_cuda(const LinearParams& p, Stream stream);
void linear_rows_cuda(const LinearParams& p, Stream stream);

}  // namespace ember::k
