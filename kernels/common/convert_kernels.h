// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/base/half.h"

namespace ember::k {

struct ConvertKernels {
  void (*f16_to_f32)(const F16* src, float* dst, int64_t n);
  void (*bf16_to_f32)(const BF16* src, float* dst, int64_t n);
  void (*f32_to_f16)(const float* src, F16* dst, int64_t n);
  void (*f32_to_bf16)(const float* src, BF16* dst, int64_t n);
};

namespace plain {
extern const ConvertKernels convert_kernels;
}
namespace avx2 {
extern const ConvertKernels convert_kernels;
}
namespace avx512 {
extern const ConvertKernels convert_kernels;
}

}  // namespace ember::k
