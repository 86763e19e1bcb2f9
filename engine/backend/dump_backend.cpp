// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/dump_backend.h"

namespace ember {
namespace {

float value_at(const TensorView& v, int64_t i) {
  switch (v.dtype) {
    case DType::kF32:
      return v.as<float>()[i];
    case DType::kF16:
      return to_float(v.as<F16>()[i]);
    case DType::kBF16:
      return to_float(v.as<BF16>()[i]);
    default:
      fail(ErrorKind::kDtype, "a tap of ", dtype_name(v.dtype));
  }
}

// Rows of one device view, dense, in the order of memory.
std::vector<TensorView> row_views(const TensorView& v) {
  std::vector<TensorView> rows;
  const int64_t planes = v.shape.rank() == 3 ? v.shape[0] : 1;
  const int64_t count = v.shape[v.shape.rank() - 2], width = v.shape.last();
  for (int64_t p = 0; p < planes; ++p) {
    for (int64_t r = 0; r < count; ++r) {
      const int64_t offset = p * v.plane_stride + r * v.row_stride;
      std::byte* data = static_cast<std::byte*>(v.data) + offset * dtype_bytes(v.dtype);
      rows.emplace_back(data, v.dtype, Shape{1, width}, v.device);
    }
  }
  return rows;
}

}  // namespace

void TapBackend::tap(const TapPoint& at, const TensorView& v) {
  if (device().kind == DeviceKind::kCpu) {
    sink_(at, v);
  } else {
    synchronize();
    host_.resize(v.bytes());
    const int64_t row_bytes = v.shape.last() * dtype_bytes(v.dtype);
    const std::vector<TensorView> rows = row_views(v);
    for (size_t i = 0; i < rows.size(); ++i) {
      download(rows[i], host_.data() + static_cast<int64_t>(i) * row_bytes);
    }
    sink_(at, TensorView(host_.data(), v.dtype, v.shape));
    for (size_t i = 0; access_ == Access::kWrite && i < rows.size(); ++i) {
      upload(rows[i], host_.data() + static_cast<int64_t>(i) * row_bytes);
    }
  }
  ForwardingBackend::tap(at, v);
}

std::vector<float> tap_rows(const TensorView& v) {
  EMBER_CHECK(v.shape.rank() == 2 || v.shape.rank() == 3, "tap of shape ", v.shape.str());
  const int64_t planes = v.shape.rank() == 3 ? v.shape[0] : 1;
  const int64_t rows = v.shape[v.shape.rank() - 2], width = v.shape.last();
  std::vector<float> out(rows * planes * width);
  for (int64_t p = 0; p < planes; ++p) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < width; ++c) {
        out[(r * planes + p) * width + c] = value_at(v, p * v.plane_stride + r * v.row_stride + c);
      }
    }
  }
  return out;
}

}  // namespace ember
