// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/base/dtype.h"

namespace ember::k {

// Most tokens that the GEMV form takes at once.
constexpr int64_t kGemvTokens = 6;

// out[t * out_stride + n] = x[t] . w[n] for T <= kGemvTokens tokens and n < N rows of w. Weights
// are read once, in order, and converted in registers. A token's result does not depend on T.
struct GemvArgs {
  const void* w;  // N rows of w_dtype at distance w_stride elements
  DType w_dtype;
  int64_t w_stride, N, K;
  const float* x;  // (T, K) at distance x_stride
  int64_t x_stride, T;
  float* out;
  int64_t out_stride;
};

}  // namespace ember::k
