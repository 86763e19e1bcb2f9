// SPDX-License-Identifier: Apache-2.0
// Between equal dtypes the copy engine moves rows; a conversion runs eight elements a thread.
// Limited by memory.
#include "kernels/base/cuda_memory.h"
#include "kernels/common/launch.cuh"
#include "kernels/copy/copy.h"

namespace ember::k {
namespace {

constexpr int kThreads = 256;

template <int kWidth>
__global__ void convert_kernel(dev::Rows dst, dev::Rows src, int groups, int64_t total) {
  dev::let_next_start();
  dev::wait_for_previous();
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t at = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; at < total; at += step) {
    const int64_t t = at / groups;
    const int64_t i = (at - t * groups) * kWidth;
    if constexpr (kWidth == 8) {
      float v[8];
      dev::load8(src.row(t), src.dtype, i, v);
      dev::store8(dst.row(t), dst.dtype, i, v);
    } else {
      dev::store1(dst.row(t), dst.dtype, i, dev::load1(src.row(t), src.dtype, i));
    }
  }
}

template <int kWidth>
void convert(const TensorView& dst, const TensorView& src, Stream stream) {
  const int groups = dev::narrow("copy", src.shape.last() / kWidth);
  const int64_t total = src.numel() / kWidth;
  const int64_t blocks =
      std::min<int64_t>(dev::ceil_div(total, kThreads), 16 * device_limits(dst.device).sm_count);
  dev::launch("copy", stream, convert_kernel<kWidth>, dim3(static_cast<unsigned>(blocks)),
              dim3(kThreads), 0, dev::rows(dst), dev::rows(src), groups, total);
}

void move_rows(const TensorView& dst, const TensorView& src, Stream stream) {
  const int64_t size = dtype_bytes(src.dtype);
  const int64_t row_bytes = src.shape.last() * size;
  const int64_t rows = src.numel() / src.shape.last();
  const auto pitch = [&](const TensorView& v) {
    return v.shape.rank() < 2 ? row_bytes : v.row_stride * size;
  };
  cuda::copy_rows_async(dst.data, pitch(dst), src.data, pitch(src), row_bytes, rows, stream);
}

void copy_rows(const TensorView& dst, const TensorView& src, Stream stream) {
  if (dst.dtype == src.dtype) {
    move_rows(dst, src, stream);
  } else if (dev::fits8(dst) && dev::fits8(src)) {
    convert<8>(dst, src, stream);
  } else {
    convert<1>(dst, src, stream);
  }
}

// Plane i of a rank-3 view as a rank-2 view.
TensorView plane(const TensorView& v, int64_t i) {
  TensorView p(static_cast<std::byte*>(v.data) + i * v.plane_stride * dtype_bytes(v.dtype), v.dtype,
               {v.shape[1], v.shape[2]}, v.device);
  p.row_stride = v.row_stride;
  return p;
}

}  // namespace

void copy_cuda(const CopyParams& p, Stream stream) {
  validate(p);
  require_cuda("copy", "dst", p.dst);
  if (p.src.numel() == 0) {
    return;
  }
  const cuda::DeviceGuard guard(p.dst.device);
  if (p.src.shape.rank() == 3 && !(p.src.dense() && p.dst.dense())) {
    for (int64_t i = 0; i < p.src.shape[0]; ++i) {
      copy_rows(plane(p.dst, i), plane(p.src, i), stream);
    }
  } else {
    copy_rows(p.dst, p.src, stream);
  }
}

}  // namespace ember::k
