// SPDX-License-Identifier: Apache-2.0
// Element access of any float dtype for the faults: slow, plain, host only.
#pragma once

#include "kernels/base/tensor.h"

namespace ember {

inline float load_element(const TensorView& v, int64_t i) {
  return v.dtype == DType::kF32   ? v.as<float>()[i]
         : v.dtype == DType::kF16 ? to_float(v.as<F16>()[i])
                                  : to_float(v.as<BF16>()[i]);
}

inline void store_element(const TensorView& v, int64_t i, float x) {
  if (v.dtype == DType::kF32) {
    v.as<float>()[i] = x;
  } else if (v.dtype == DType::kF16) {
    v.as<F16>()[i] = from_float<F16>(x);
  } else {
    v.as<BF16>()[i] = from_float<BF16>(x);
  }
}

// Rank 2, and one plane of rank 3.
inline float load2(const TensorView& v, int64_t r, int64_t c) {
  return load_element(v, r * v.row_stride + c);
}
inline void store2(const TensorView& v, int64_t r, int64_t c, float x) {
  store_element(v, r * v.row_stride + c, x);
}
inline float load3(const TensorView& v, int64_t p, int64_t r, int64_t c) {
  return load_element(v, p * v.plane_stride + r * v.row_stride + c);
}
inline void store3(const TensorView& v, int64_t p, int64_t r, int64_t c, float x) {
  store_element(v, p * v.plane_stride + r * v.row_stride + c, x);
}

}  // namespace ember
