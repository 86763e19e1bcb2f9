// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/operands.h"

#include <cmath>

#include "kernels/common/convert.h"

namespace ember {

TensorView Operands::empty(const Shape& shape, DType dtype) {
  const int64_t bytes = shape.numel() * dtype_bytes(dtype);
  memory_.emplace_back(bytes, Buffer::Fill::kZero, device_, "operand");
  return memory_.back().view(dtype, shape);
}

TensorView Operands::random(const Shape& shape, DType dtype, k::RandomKind kind) {
  k::RandomWeightsParams p;
  p.y = empty(shape, dtype);
  p.stream = static_cast<uint64_t>(memory_.size());
  p.kind = kind;
  cuda() ? k::random_weights_cuda(p, stream_) : k::random_weights_cpu(p);
  return p.y;
}

TensorView HostCopies::operator()(const TensorView& from) {
  memory_.emplace_back(from.bytes(), Buffer::Fill::kNone);
  const TensorView to = memory_.back().view(from.dtype, from.shape);
  if (from.device.kind == DeviceKind::kCuda) {
    cuda::download(from, to.data, stream_);
    return to;
  }
  const int64_t rows = from.numel() / from.shape.last(), row = from.shape.last();
  for (int64_t r = 0; r < rows; ++r) {
    const std::byte* at =
        from.dense() ? static_cast<const std::byte*>(from.data) + r * row * dtype_bytes(from.dtype)
                     : k::row_ptr(from, r);
    std::copy(at, at + row * dtype_bytes(from.dtype),
              static_cast<std::byte*>(to.data) + r * row * dtype_bytes(from.dtype));
  }
  return to;
}

void HostCopies::replace(std::initializer_list<TensorView*> views) {
  for (TensorView* v : views) {
    *v = (*this)(*v);
  }
}

TensorView HostCopies::like(const TensorView& v, const Shape& shape) {
  memory_.emplace_back(shape.numel() * dtype_bytes(v.dtype), Buffer::Fill::kZero);
  return memory_.back().view(v.dtype, shape);
}

std::string judge(const TensorView& got, const TensorView& want, DType rounded) {
  const int64_t row = got.shape.last();
  std::vector<float> g(row), w(row);
  double error = 0, norm = 0;
  for (int64_t r = 0; r < got.numel() / row; ++r) {
    const int64_t at = r * row * dtype_bytes(got.dtype);
    k::to_f32(got.dtype, static_cast<const std::byte*>(got.data) + at, g.data(), row);
    k::to_f32(want.dtype, static_cast<const std::byte*>(want.data) + at, w.data(), row);
    for (int64_t i = 0; i < row; ++i) {
      if (!std::isfinite(g[i])) {
        return "element " + std::to_string(r * row + i) + " is not finite";
      }
      const double off = static_cast<double>(g[i]) - static_cast<double>(w[i]);
      error += off * off;
      norm += static_cast<double>(w[i]) * static_cast<double>(w[i]);
    }
  }
  const double relative = std::sqrt(error / std::max(norm, 1e-300));
  // fp32 sums of up to 2e4 products of 16-bit values, in any order, err by some 1e-5.
  const double limit = rounded == DType::kF32 ? 1e-4 : rounded == DType::kF16 ? 2e-3 : 1.2e-2;
  if (relative <= limit) {
    return "";
  }
  return "relative L2 to the oracle " + std::to_string(relative) + ", limit " +
         std::to_string(limit);
}

}  // namespace ember
