// SPDX-License-Identifier: Apache-2.0
// The register tile that every matrix product of the CPU backend is made of. For *_isa.cpp files.
//
//   c[r][i] (+)= sum over k of x[k][i] * w[r, k],   r < R rows, i < V vectors
//
// Lanes run along i, so each element of w is one broadcast and x is read as whole vectors. Sums
// run over k in order, in blocks of kSumBlock: a result depends on neither V nor R.
#pragma once

#include "kernels/common/vec.h"

namespace ember::k::EMBER_ISA {

#if defined(__AVX512F__)
constexpr int kTileRows = 8;  // 8 x 3 accumulators of 32 registers
#else
constexpr int kTileRows = 4;  // 4 x 3 of 16
#endif
constexpr int kTileVecs = 3;
// Products summed in one accumulator before they join c. One sum over a whole row of weights or a
// whole head errs about twice as much as the blocked sums of other libraries, which shows in the
// golden check of a trained model, where scores are large.
constexpr int64_t kSumBlock = 32;

struct TileArgs {
  const float* x;  // V * kWidth floats for each k, at distance x_k
  int64_t x_k;
  const float* w;  // element (r, k) at w[r * w_row + k * w_k]
  int64_t w_row, w_k;
  int64_t depth;
  float* c;         // (R, V * kWidth)
  bool accumulate;  // add to c, else overwrite it
};

template <int V, int R>
inline void tile(const TileArgs& a) {
  const float* x = a.x;
  const float* w = a.w;
  bool accumulate = a.accumulate;
  for (int64_t k0 = 0; k0 < a.depth || k0 == 0; k0 += kSumBlock) {
    const int64_t k1 = a.depth - k0 < kSumBlock ? a.depth : k0 + kSumBlock;
    Vec acc[R][V] = {};
    for (int64_t k = k0; k < k1; ++k) {
      Vec xv[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        xv[v] = load(x + v * kWidth);
      }
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const Vec b = splat(w[r * a.w_row]);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
          acc[r][v] += b * xv[v];
        }
      }
      x += a.x_k;
      w += a.w_k;
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        float* c = a.c + (r * V + v) * kWidth;
        store(c, accumulate ? load(c) + acc[r][v] : acc[r][v]);
      }
    }
    accumulate = true;
  }
}

// As tile, over any number of rows: whole tiles, then the rest one by one.
template <int V>
inline void tile_rows(TileArgs a, int64_t rows) {
  for (; rows >= kTileRows; rows -= kTileRows) {
    tile<V, kTileRows>(a);
    a.w += kTileRows * a.w_row;
    a.c += kTileRows * V * kWidth;
  }
  for (; rows > 0; --rows) {
    tile<V, 1>(a);
    a.w += a.w_row;
    a.c += V * kWidth;
  }
}

// vecs from 1 to kTileVecs.
inline void tile_rows(int vecs, const TileArgs& a, int64_t rows) {
  switch (vecs) {
    case 1:
      return tile_rows<1>(a, rows);
    case 2:
      return tile_rows<2>(a, rows);
    default:
      return tile_rows<3>(a, rows);
  }
}

// Rows [0, rows) of src, each n floats at distance src_row, become the columns of a (n, width)
// panel; columns from `rows` on are zero. Blocks of lines of one row are read together: with one
// line a row at a time there would be more streams than the prefetchers follow.
inline void pack_columns(const float* src, int64_t src_row, int64_t rows, int64_t n, float* panel,
                         int64_t width) {
  constexpr int64_t kBlock = 64;
  for (int64_t k0 = 0; k0 < n; k0 += kBlock) {
    const int64_t depth = n - k0 < kBlock ? n - k0 : kBlock;
    float* to = panel + k0 * width;
    for (int64_t i = 0; i < rows; ++i) {
      const float* from = src + i * src_row + k0;
      for (int64_t k = 0; k < depth; ++k) {
        to[k * width + i] = from[k];
      }
    }
    for (int64_t i = rows; i < width; ++i) {
      for (int64_t k = 0; k < depth; ++k) {
        to[k * width + i] = 0.0f;
      }
    }
  }
}

}  // namespace ember::k::EMBER_ISA
