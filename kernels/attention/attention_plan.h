// SPDX-License-Identifier: Apache-2.0
// Which kernel computes attention on a CUDA device, and how the cache is cut. Pure functions.
#pragma once

#include <cstdint>

#include "kernels/attention/attention.h"

namespace ember::k {

enum class AttentionKernel {
  kDecode,   // T * H/K <= 16 rows a kv head, q and cache of one 16-bit dtype, E 64 or 128
  kPrefill,  // more rows, the same dtypes and E
  kRows,     // anything else: plain, slow
};

AttentionKernel choose_attention_kernel(const AttentionParams& p);

// Rows that one decode block holds: a tile of the tensor cores.
inline constexpr int kDecodeRows = 16;

// Blocks that share a kv head's cache at most: two for each SM, counted over the K heads.
inline constexpr int kDecodeMaxSplits = 128;
int decode_splits(int64_t K, int sm_count);

// A warp takes a group of kDecodeKeys positions at a time, and a block's warps take them in turn.
inline constexpr int kDecodeKeys = 16, kDecodeWarps = 4;
inline constexpr int kDecodeChunkStep = kDecodeKeys * kDecodeWarps;

// Positions of one block. Half of the blocks, one an SM, can fetch a short cache as fast as all of
// them, and leave fewer parts to merge.
constexpr int decode_chunk(int length, int splits) {
  constexpr int kLong = 768;
  constexpr int kLeast = 2 * kDecodeChunkStep;  // below this, merging costs more than it saves
  const int half = (splits + 1) / 2;
  int even = (length + half - 1) / half;
  if (even > kLong) {
    even = (length + splits - 1) / splits;
  }
  const int rounded = (even + kDecodeChunkStep - 1) / kDecodeChunkStep * kDecodeChunkStep;
  return rounded < kLeast ? kLeast : rounded;
}

// Rows (token and query head of a kv head) of a block of the prefill kernel, positions of its step.
inline constexpr int kPrefillRows = 128, kPrefillKeys = 64;

// The plain kernel: positions a block has in work at once; the widest head of its narrow form.
inline constexpr int kRowsWarps = 4, kRowsNarrowE = 128;

// Scratch of the decode kernel: a tile of fp32 sums with maximum and sum for each part of the
// cache, and a ticket for each kv head. Nothing where E is not 64 or 128.
int64_t decode_partial_bytes(int64_t K, int64_t E, int sm_count);
int64_t decode_ticket_bytes(int64_t K);

// The launchers behind attention_cuda, one a kernel. Arguments are validated.
void attention_decode_cuda(const AttentionParams& p, Stream stream);
void attention_prefill_cuda(const AttentionParams& p, Stream stream);
void attention_rows_cuda(const AttentionParams& p, Stream stream);

}  // namespace ember::k
