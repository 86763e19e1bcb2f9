// SPDX-License-Identifier: Apache-2.0
// Views as kernels take them, and what the host asks of them before it picks a kernel.
#pragma once

#include <cstdint>

#include "kernels/base/tensor.h"

namespace ember::k::dev {

// A rank-1 or rank-2 view as kernels take it.
struct Rows {
  void* data;
  int64_t stride;  // elements
  DType dtype;

  __device__ __forceinline__ void* row(int64_t t) const {
    return static_cast<char*>(data) + t * stride * (dtype == DType::kF32 ? 4 : 2);
  }
};

inline Rows rows(const TensorView& v) {
  return {v.data, v.shape.rank() < 2 ? v.shape.last() : v.row_stride, v.dtype};
}

// True when the elements 2 i and 2 i + 1 of every row can be accessed at once.
inline bool fits2(const TensorView& v) {
  return reinterpret_cast<uintptr_t>(v.data) % (2 * dtype_bytes(v.dtype)) == 0 &&
         (v.shape.rank() < 2 || v.row_stride % 2 == 0);
}

// True when each row starts on 16 bytes and holds whole groups of 8 elements: load8 and store8 fit.
inline bool fits8(const TensorView& v) {
  return reinterpret_cast<uintptr_t>(v.data) % 16 == 0 && v.shape.last() % 8 == 0 &&
         (v.shape.rank() < 2 || v.row_stride % 8 == 0) &&
         (v.shape.rank() < 3 || v.plane_stride % 8 == 0);
}

}  // namespace ember::k::dev
