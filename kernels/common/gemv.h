// SPDX-License-Identifier: Apache-2.0
// Dot products of a few vectors with many rows of 16- or 32-bit numbers. For *_isa.cpp files.
#pragma once

#include "kernels/common/gemv_args.h"
#include "kernels/common/vec.h"

namespace ember::k::EMBER_ISA {

constexpr int kGemvRows = 4;

// R rows of w from row n on against T tokens.
template <class W, int R, int T>
inline void gemv_block(const GemvArgs& a, const W* w, int64_t n) {
  w += n * a.w_stride;
  Vec acc[R][T] = {};
  int64_t k = 0;
  for (; k + kWidth <= a.K; k += kWidth) {
    Vec wv[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      wv[r] = load(w + r * a.w_stride + k);
    }
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      const Vec xv = load(a.x + t * a.x_stride + k);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        acc[r][t] += wv[r] * xv;
      }
    }
  }
  if (k < a.K) {
    for (int t = 0; t < T; ++t) {
      const Vec xv = load_part(a.x + t * a.x_stride + k, a.K - k);
      for (int r = 0; r < R; ++r) {
        acc[r][t] += load_part(w + r * a.w_stride + k, a.K - k) * xv;
      }
    }
  }
  for (int t = 0; t < T; ++t) {
    for (int r = 0; r < R; ++r) {
      a.out[t * a.out_stride + n + r] = sum(acc[r][t]);
    }
  }
}

template <int T, class W>
inline void gemv_tokens(const GemvArgs& a, const W* w) {
  int64_t n = 0;
  for (; n + kGemvRows <= a.N; n += kGemvRows) {
    gemv_block<W, kGemvRows, T>(a, w, n);
  }
  for (; n < a.N; ++n) {
    gemv_block<W, 1, T>(a, w, n);
  }
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
