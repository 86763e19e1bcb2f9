// SPDX-License-Identifier: Apache-2.0
// The instruction-set specific parts of linear_cpu.
#pragma once

#include <cstdint>

#include "kernels/common/gemv_args.h"

namespace ember::k {

// One block of weight rows against packed tokens.
struct GemmArgs {
  const float* x;  // panels of up to panel_tokens() tokens, as pack() makes them
  int64_t T, K;
  const void* w;  // N rows
  DType w_dtype;
  int64_t w_stride, N;
  float* w_scratch;  // gemm_w_floats(N)
  float* c;          // (panels, N, panel width): padded_tokens(T) * N floats
};

struct LinearKernels {
  void (*gemv)(const GemvArgs& a);
  int64_t panel_tokens;  // in a full panel; the last one is as narrow as vectors allow
  int64_t (*padded_tokens)(int64_t T);  // in all panels together
  // Panel `index` of x (T, K): token-minor, zero-padded; it starts at index * panel_tokens * K.
  void (*pack)(const float* x, int64_t x_stride, int64_t T, int64_t K, int64_t index,
               float* panels);
  int64_t (*gemm_w_floats)(int64_t N);
  void (*gemm)(const GemmArgs& a);
  // Tokens in panel `index`, padding included.
  int64_t (*panel_width)(int64_t T, int64_t index);
};

namespace plain {
extern const LinearKernels linear_kernels;
}
namespace avx2 {
extern const LinearKernels linear_kernels;
}
namespace avx512 {
extern const LinearKernels linear_kernels;
}

}  // namespace ember::k
