// SPDX-License-Identifier: Apache-2.0
// Rows of any float dtype to fp32 and back, for the CPU implementations.
#pragma once

#include "kernels/base/buffer.h"
#include "kernels/base/tensor.h"

namespace ember::k {

// n elements; dtypes are F32, F16 or BF16. Rounds to nearest even.
void to_f32(DType src_dtype, const void* src, float* dst, int64_t n);
void from_f32(const float* src, DType dst_dtype, void* dst, int64_t n);

// Address of row i of a view, rows being what the last dimension holds.
inline std::byte* row_ptr(const TensorView& v, int64_t i) {
  return static_cast<std::byte*>(v.data) + i * v.row_stride * dtype_bytes(v.dtype);
}

// Row i of a view, rows being what the last dimension holds as fp32: the row itself when it is
// fp32, else converted into `scratch`, which holds at least a row.
inline const float* f32_row(const TensorView& v, int64_t i, float* scratch) {
  if (v.dtype == DType::kF32) {
    return reinterpret_cast<const float*>(row_ptr(v, i));
  }
  to_f32(v.dtype, row_ptr(v, i), scratch, v.shape.last());
  return scratch;
}

// Memory that a thread keeps between calls; declare it thread_local. Contents are undefined.
class Scratch {
 public:
  float* floats(int64_t n) {
    const int64_t bytes = n * static_cast<int64_t>(sizeof(float));
    if (buffer_.bytes() < bytes) {
      buffer_ = Buffer();  // give the old memory back first
      buffer_ = Buffer(bytes, Buffer::Fill::kNone, {}, "kernel scratch");
    }
    return reinterpret_cast<float*>(buffer_.data());
  }

 private:
  Buffer buffer_;
};

}  // namespace ember::k
