// SPDX-License-Identifier: Apache-2.0
// Dot products of a few vectors with many rows of 16- or 32-bit numbers. For *_isa.cpp files.
#pragma once

#include "kernels/common/gemv_args.h"
#include "kernels/common/vec.h"

namespace ember::k::EMBER_ISA {

// Vectors of x longer than this are read from the second cache level, once for every block of rows.
constexpr int64_t kGemvLongRow = 6144;
// Rows up to this size share pages with their neighbours, which misleads the CPU's own prefetcher
// when several are read side by side.
constexpr int64_t kGemvShortRowBytes = 2048;

// Rows of w at a time for T tokens. Two accumulators each have to fit the registers.
constexpr int gemv_row_count(int T) {
#if defined(__AVX512F__)
  return T <= 3 ? 4 : 2;
#else
  return T == 1 ? 4 : T <= 3 ? 2 : 1;
#endif
}

// R rows of w from row n on against T tokens. Even and odd vectors add up apart, whatever R and T:
// two chains of dependent additions, and one order for everybody. Every loop over acc is unrolled
// by pragma: one that is not would keep acc in memory.
template <class W, int R, int T>
inline void gemv_block(const GemvArgs& a, const W* w, int64_t n) {
  constexpr int kStepBytes = 2 * R * kWidth * static_cast<int>(sizeof(W));
  w += n * a.w_stride;
  const char* ahead = reinterpret_cast<const char*>(w + R * a.w_stride);
  const bool short_rows = R > 1 && a.K * static_cast<int64_t>(sizeof(W)) <= kGemvShortRowBytes;
  int64_t k = 0;
  Vec acc[2][R][T] = {};
  for (; k + 2 * kWidth <= a.K; k += 2 * kWidth) {
    if (short_rows) {  // ask for the next rows in address order
#pragma GCC unroll 16
      for (int i = 0; i < kStepBytes; i += 64) {
        __builtin_prefetch(ahead + i);
      }
      ahead += kStepBytes;
    }
    Vec wv[2][R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      wv[0][r] = load(w + r * a.w_stride + k);
      wv[1][r] = load(w + r * a.w_stride + k + kWidth);
    }
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      const Vec x0 = load(a.x + t * a.x_stride + k);
      const Vec x1 = load(a.x + t * a.x_stride + k + kWidth);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        acc[0][r][t] += wv[0][r] * x0;
        acc[1][r][t] += wv[1][r] * x1;
      }
    }
  }
#pragma GCC unroll 2
  for (int c = 0; c < 2; ++c) {
    const int64_t left = a.K - k;
    if (left <= 0) {
      break;
    }
    const int64_t count = left < kWidth ? left : kWidth;
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      const Vec xv = load_part(a.x + t * a.x_stride + k, count);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        acc[c][r][t] += load_part(w + r * a.w_stride + k, count) * xv;
      }
    }
    k += count;
  }
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      a.out[t * a.out_stride + n + r] = sum(acc[0][r][t] + acc[1][r][t]);
    }
  }
}

template <int R, int T, class W>
inline void gemv_tokens(const GemvArgs& a, const W* w) {
  int64_t n = 0;
  for (; n + R <= a.N; n += R) {
    gemv_block<W, R, T>(a, w, n);
  }
  for (; n < a.N; ++n) {
    gemv_block<W, 1, T>(a, w, n);
  }
}

template <int T, class W>
inline void gemv_tokens(const GemvArgs& a, const W* w) {
  // One row at a time reads the weights in address order, at the speed of memory, as long as x
  // comes from the first cache level. More tokens are worth a vector of x for several rows.
  if (T == 1 && a.K <= kGemvLongRow) {
    return gemv_tokens<1, T>(a, w);
  }
  return gemv_tokens<gemv_row_count(T), T>(a, w);
}

// w is a.w, typed.
template <class W>
inline void gemv_rows(const GemvArgs& a, const W* w) {
  switch (a.T) {
    case 1:
      return gemv_tokens<1>(a, w);
    case 2:
      return gemv_tokens<2>(a, w);
    case 3:
      return gemv_tokens<3>(a, w);
    case 4:
      return gemv_tokens<4>(a, w);
    case 5:
      return gemv_tokens<5>(a, w);
    default:
      return gemv_tokens<6>(a, w);
  }
}

inline void gemv(const GemvArgs& a) {
  switch (a.w_dtype) {
    case DType::kF16:
      return gemv_rows(a, static_cast<const F16*>(a.w));
    case DType::kBF16:
      return gemv_rows(a, static_cast<const BF16*>(a.w));
    default:
      return gemv_rows(a, static_cast<const float*>(a.w));
  }
}

}  // namespace ember::k::EMBER_ISA
