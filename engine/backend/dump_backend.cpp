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

}  // namespace

void TapBackend::tap(const TapPoint& at, const TensorView& v) {
  if (wanted_ && !wanted_(at)) {
    // Not for the sink.
  } else if (device().kind == DeviceKind::kCpu) {
    sink_(at, v);
  } else {
    host_.resize(v.bytes());
    download(v, host_.data());
    if (access_ == Access::kWrite) {
      read_ = host_;
    }
    sink_(at, TensorView(host_.data(), v.dtype, v.shape));
    if (access_ == Access::kWrite && host_ != read_) {
      upload(v, host_.data());
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
