// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear/linear_kernels.h"

#include "kernels/common/gemv.h"
#include "kernels/common/tile.h"

namespace ember::k::EMBER_ISA {
namespace {

constexpr int64_t kPanelTokens = kTileVecs * kWidth;
// A panel's slice of this depth and the matching slice of weights stay in the two inner caches.
constexpr int64_t kDepth = 256;
// Rows of the weight scratch are this far apart: not a power of two, or they would share cache
// sets.
constexpr int64_t kScratchRow = kDepth + 16;

int vecs_in_panel(int64_t T, int64_t index) {
  const int64_t left = T - index * kPanelTokens;
  return left >= kPanelTokens ? kTileVecs : static_cast<int>((left + kWidth - 1) / kWidth);
}

int64_t panel_width(int64_t T, int64_t index) {
  return vecs_in_panel(T, index) * kWidth;
}

int64_t padded_tokens(int64_t T) {
  return (T + kWidth - 1) / kWidth * kWidth;
}

void pack(const float* x, int64_t x_stride, int64_t T, int64_t K, int64_t index, float* panels) {
  const int64_t first = index * kPanelTokens;
  const int64_t count = T - first < kPanelTokens ? T - first : kPanelTokens;
  pack_columns(x + first * x_stride, x_stride, count, K, panels + first * K, panel_width(T, index));
}

int64_t gemm_w_floats(int64_t N) {
  return N * kScratchRow;
}

// Converts N rows, and asks for those that the next call will want: the product that runs in
// between hides the latency of memory.
template <class W>
void unpack_weights(const W* w, int64_t w_stride, int64_t N, int64_t depth, float* scratch) {
  for (int64_t n = 0; n < N; ++n) {
    const W* src = w + n * w_stride;
    float* dst = scratch + n * kScratchRow;
    int64_t k = 0;
    for (; k + kWidth <= depth; k += kWidth) {
      __builtin_prefetch(src + k + N * w_stride);
      store(dst + k, load(src + k));
    }
    if (k < depth) {
      store_part(dst + k, load_part(src + k, depth - k), depth - k);
    }
  }
}

void unpack(const GemmArgs& a, int64_t k, int64_t depth, int64_t row, int64_t count) {
  const int64_t offset = row * a.w_stride + k;
  switch (a.w_dtype) {
    case DType::kF16:
      return unpack_weights(static_cast<const F16*>(a.w) + offset, a.w_stride, count, depth,
                            a.w_scratch);
    case DType::kBF16:
      return unpack_weights(static_cast<const BF16*>(a.w) + offset, a.w_stride, count, depth,
                            a.w_scratch);
    default:
      return unpack_weights(static_cast<const float*>(a.w) + offset, a.w_stride, count, depth,
                            a.w_scratch);
  }
}

// Rows [row, row + count) of the block at depth k on, against every panel.
void multiply(const GemmArgs& a, int64_t k, int64_t depth, int64_t row, int64_t count) {
  for (int64_t first = 0, index = 0; first < a.T; first += kPanelTokens, ++index) {
    const int vecs = vecs_in_panel(a.T, index);
    TileArgs t;
    t.x_k = vecs * kWidth;
    t.x = a.x + first * a.K + k * t.x_k;
    t.w = a.w_scratch;
    t.w_row = kScratchRow;
    t.w_k = 1;
    t.depth = depth;
    t.c = a.c + first * a.N + row * t.x_k;
    t.accumulate = k > 0;
    tile_rows(vecs, t, count);
  }
}

void gemm(const GemmArgs& a) {
  // One panel uses each weight once: then a few rows are unpacked at a time, into the first cache.
  const int64_t group = a.T <= kPanelTokens ? kTileRows : a.N;
  for (int64_t k = 0; k < a.K; k += kDepth) {
    const int64_t depth = a.K - k < kDepth ? a.K - k : kDepth;
    for (int64_t row = 0; row < a.N; row += group) {
      const int64_t count = a.N - row < group ? a.N - row : group;
      unpack(a, k, depth, row, count);
      multiply(a, k, depth, row, count);
    }
  }
}

}  // namespace

extern const LinearKernels linear_kernels;
const LinearKernels linear_kernels = {gemv,          kPanelTokens, padded_tokens, pack,
                                      gemm_w_floats, gemm,         panel_width};

}  // namespace ember::k::EMBER_ISA
