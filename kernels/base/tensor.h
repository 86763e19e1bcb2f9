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

// A pointer with its type, shape, strides and device. Never owns; trivially copyable.
// The last dimension is contiguous. `row_stride` is the distance in elements between consecutive
// indices of dimension rank-2, `plane_stride` of dimension rank-3; rank 4 is always dense.
struct TensorView {
  void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;
  int64_t row_stride = 0;
  int64_t plane_stride = 0;
  DeviceId device;

  TensorView() = default;
  TensorView(void* p, DType t, const Shape& s, DeviceId d = {})
      : data(p), dtype(t), shape(s), row_stride(s.last()), plane_stride(dense_plane()), device(d) {}

  int64_t numel() const { return shape.numel(); }
  int64_t bytes() const { return numel() * dtype_bytes(dtype); }
  bool dense() const {
    return (shape.rank() < 2 || row_stride == shape.last()) &&
           (shape.rank() < 3 || plane_stride == dense_plane());
  }

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

  // Rows [begin, begin + count) of every plane of a rank-3 view: (P, count, C), planes kept apart.
  TensorView plane_rows(int64_t begin, int64_t count) const {
    EMBER_CHECK(shape.rank() == 3 && begin >= 0 && count >= 0 && begin + count <= shape[1],
                "plane rows ", begin, "+", count, " of ", shape.str());
    TensorView v = *this;
    v.data = static_cast<std::byte*>(data) + begin * row_stride * dtype_bytes(dtype);
    v.shape = Shape{shape[0], count, shape[2]};
    return v;
  }

 private:
  int64_t dense_plane() const {
    const int rank = shape.rank();
    return rank < 2 ? shape.last() : shape[rank - 2] * shape[rank - 1];
  }
};

}  // namespace ember
