// SPDX-License-Identifier: Apache-2.0
// The instruction-set specific parts of attention_cpu. Query rows of one kv head are numbered
// i = t * G + g: token t, query head j * G + g.
#pragma once

#include <cstdint>

#include "kernels/base/dtype.h"

namespace ember::k {

struct AttentionRows {
  const float* q;  // (T, H*E) fp32 from the kv head's first query head on, rows q_stride apart
  int64_t q_stride;
  const void* k;  // (S, E) of the kv head
  const void* v;
  DType cache_dtype;
  int64_t G, E, pos;
  float scale;
  int64_t first, count;  // query rows to do

  int64_t limit(int64_t i) const { return pos + i / G + 1; }  // cache rows that row i sees
  const float* query(int64_t i) const { return q + i / G * q_stride + i % G * E; }
};

struct AttentionKernels {
  // Many rows, at most tile_rows, against all of the cache: out (count, E).
  int64_t tile_rows;
  int64_t (*tile_scratch_floats)(int64_t E);
  void (*tile)(const AttentionRows& a, float* scratch, float* out);
  // Few rows against cache rows [begin, end), end - begin <= kAttentionSplit: for each row the
  // unnormalised sum of values (E), then the maximum score and the sum of weights.
  int64_t (*split_scratch_floats)(int64_t E, int64_t count);
  void (*split)(const AttentionRows& a, int64_t begin, int64_t end, float* scratch, float* partial);
};

// Cache rows a split of the few-rows form covers. Fixed, so that results depend on nothing else.
constexpr int64_t kAttentionSplit = 256;
// partial of split(): floats a row.
inline int64_t attention_partial_floats(int64_t E) {
  return E + 2;
}

namespace plain {
extern const AttentionKernels attention_kernels;
}
namespace avx2 {
extern const AttentionKernels attention_kernels;
}
namespace avx512 {
extern const AttentionKernels attention_kernels;
}

}  // namespace ember::k
