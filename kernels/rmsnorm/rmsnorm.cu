// SPDX-License-Identifier: Apache-2.0
// One block a row. Each thread holds its share of the row in registers between the two passes
// (sum of squares, then scale), so that the row is read once up to D = 16384; longer rows are read
// again from L1/L2. The gain is fetched before the wait for the previous kernel. Limited by memory
// for many rows (2.4 TB/s read and written on an H100 at 2048 x 4096), by latency for one (1.4 us).
#include "kernels/common/launch.cuh"
#include "kernels/rmsnorm/rmsnorm.h"

namespace ember::k {
namespace {

constexpr int kHeld = 2;  // groups of elements that a thread keeps

template <int kWidth>
__device__ __forceinline__ void load(const void* p, DType t, int64_t i, float (&v)[kWidth]) {
  if constexpr (kWidth == 8) {
    dev::load8(p, t, i, v);
  } else {
    v[0] = dev::load1(p, t, i);
  }
}

template <int kWidth>
__device__ __forceinline__ void store(void* p, DType t, int64_t i, const float (&v)[kWidth]) {
  if constexpr (kWidth == 8) {
    dev::store8(p, t, i, v);
  } else {
    dev::store1(p, t, i, v[0]);
  }
}

template <int kWidth>
__device__ __forceinline__ float squares(const float (&v)[kWidth]) {
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    sum += v[i] * v[i];
  }
  return sum;
}

template <int kWidth>
__device__ __forceinline__ void scale(float (&v)[kWidth], float factor, const float (&w)[kWidth]) {
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    v[i] = v[i] * factor * w[i];
  }
}

template <int kWidth>
__global__ void rmsnorm_rows_kernel(dev::Rows y, dev::Rows x, dev::Rows w, int groups, int D,
                                    float eps) {
  __shared__ float partial[32];
  dev::let_next_start();
  const int step = blockDim.x;
  float gain[kHeld][kWidth], held[kHeld][kWidth];
#pragma unroll
  for (int h = 0; h < kHeld; ++h) {
    const int g = threadIdx.x + h * step;
    if (g < groups) {
      load(w.data, w.dtype, int64_t{g} * kWidth, gain[h]);
    }
  }
  dev::wait_for_previous();
  const void* x_row = x.row(blockIdx.x);
  float sum = 0.0f;
#pragma unroll
  for (int h = 0; h < kHeld; ++h) {
    const int g = threadIdx.x + h * step;
    if (g < groups) {
      load(x_row, x.dtype, int64_t{g} * kWidth, held[h]);
      sum += squares(held[h]);
    }
  }
  float v[kWidth], w_rest[kWidth];
  for (int g = threadIdx.x + kHeld * step; g < groups; g += step) {
    load(x_row, x.dtype, int64_t{g} * kWidth, v);
    sum += squares(v);
  }
  const float mean = dev::block_sum(sum, partial) / static_cast<float>(D);
  const float factor = 1.0f / sqrtf(mean + eps);
  void* y_row = y.row(blockIdx.x);
#pragma unroll
  for (int h = 0; h < kHeld; ++h) {
    const int g = threadIdx.x + h * step;
    if (g < groups) {
      scale(held[h], factor, gain[h]);
      store(y_row, y.dtype, int64_t{g} * kWidth, held[h]);
    }
  }
  for (int g = threadIdx.x + kHeld * step; g < groups; g += step) {
    load(x_row, x.dtype, int64_t{g} * kWidth, v);
    load(w.data, w.dtype, int64_t{g} * kWidth, w_rest);
    scale(v, factor, w_rest);
    store(y_row, y.dtype, int64_t{g} * kWidth, v);
  }
}

template <int kWidth>
void run(const RmsNormParams& p, Stream stream) {
  const int T = dev::narrow("rmsnorm", p.x.shape[0]);
  const int D = dev::narrow("rmsnorm", p.x.shape[1]);
  const int groups = D / kWidth;
  const int64_t threads = std::min<int64_t>(1024, dev::ceil_div(groups, 32) * 32);
  dev::launch("rmsnorm", stream, rmsnorm_rows_kernel<kWidth>, dim3(T), dim3(threads), 0,
              dev::rows(p.y), dev::rows(p.x), dev::rows(p.w), groups, D, p.eps);
}

}  // namespace

void rmsnorm_cuda(const RmsNormParams& p, Stream stream) {
  validate(p);
  require_cuda("rmsnorm", "y", p.y);
  if (p.x.shape[0] == 0) {
    return;
  }
  const cuda::DeviceGuard guard(p.y.device);
  if (dev::fits8(p.x) && dev::fits8(p.y) && dev::fits8(p.w)) {
    run<8>(p, stream);
  } else {
    run<1>(p, stream);
  }
}

}  // namespace ember::k
