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

// Scratch of the decode kernel: a tile of fp32 sums with maximum and sum for each part of the
// cache, and a ticket for each kv head. Nothing where E is not 64 or 128.
int64_t decode_partial_bytes(int64_t K, int64_t E, int sm_count);
int64_t decode_ticket_bytes(int64_t K);

// The launchers behind attention_cuda, one a kernel. Arguments are validated.
void attention_decode_cuda(const AttentionParams& p, Stream stream);
void attention_prefill_cuda(const AttentionParams& p, Stream stream);
void attention_rows_cuda(const AttentionParams& p, Stream stream);

}  // namespace ember::k
