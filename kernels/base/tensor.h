// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/base/device.h"
#include "kernels/base/dtype.h"
#include "kernels/base/half.h"
#include "kernels/base/shape.h"

namespace ember {

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kF32;
};
template <>
struct DTypeOf<F16> {
  static constexpr DType value = DType::kF16;
};
template <>
struct DTypeOf<BF16> {
  static constexpr DType value = DType::kBF16;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::kI32;
};

// A pointer with its type, shape, row stride and device. Never owns; trivially copyable.
// All dimensions but the first of a matrix are contiguous; `row_stride` is the distance between
// consecutive indices of dimension rank-2 in elements (equal to the last dimension when dense).
struct TensorView {
  void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;
  int64_t row_stride = 0;
  DeviceId device;

  TensorView() = default;
  TensorView(void* p, DType t, const Shape& s, DeviceId d = {})
      : data(p), dtype(t), shape(s), row_stride(s.last()), device(d) {}

  int64_t numel() const { return shape.numel(); }
  int64_t bytes() const { return numel() * dtype_bytes(dtype); }
  bool dense() const { return row_stride == shape.last(); }

  // Typed access; throws Error{kDtype} when T is not the view's type.
  template <class T>
  T* as() const {
    if (DTypeOf<T>::value != dtype) {
      fail(ErrorKind::kDtype, "tensor ", shape.str(), " is ", dtype_name(dtype), ", read as ",
           dtype_name(DTypeOf<T>::value));
    }
    return static_cast<T*>(data);
  }

  // Rows [begin, begin + count) of a rank-2 view.
  TensorView rows(int64_t begin, int64_t count) const {
    EMBER_CHECK(shape.rank() == 2 && begin >= 0 && count >= 0 && begin + count <= shape[0], "rows ",
                begin, "+", count, " of ", shape.str());
    TensorView v = *this;
    v.data = static_cast<std::byte*>(data) + begin * row_stride * dtype_bytes(dtype);
    v.shape = Shape{count, shape[1]};
    return v;
  }

  // Columns [begin, begin + count) of a rank-2 view; keeps the row stride.
  TensorView cols(int64_t begin, int64_t count) const {
    EMBER_CHECK(shape.rank() == 2 && begin >= 0 && count >= 0 && begin + count <= shape[1], "cols ",
                begin, "+", count, " of ", shape.str());
    TensorView v = *this;
    v.data = static_cast<std::byte*>(data) + begin * dtype_bytes(dtype);
    v.shape = Shape{shape[0], count};
    return v;
  }
};

}  // namespace ember
