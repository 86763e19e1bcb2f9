// SPDX-License-Identifier: Apache-2.0
// Eight elements a thread from their indices alone; the arithmetic is that of the header, so the
// bits are the CPU's. Limited by memory (writes).
#include "kernels/common/launch.cuh"
#include "kernels/random_weights/random_weights.h"

namespace ember::k {
namespace {

constexpr int kThreads = 256;

__global__ void random_weights_kernel(void* y, DType dtype, int64_t n, uint64_t stream,
                                      uint64_t first, bool gain, bool whole_groups) {
  dev::let_next_start();
  dev::wait_for_previous();
  const int64_t step = int64_t{gridDim.x} * blockDim.x * 8;
  for (int64_t at = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * 8; at < n; at += step) {
    float v[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int32_t sum = random_weights_sum(stream, first + static_cast<uint64_t>(at) + i);
      v[i] = gain ? random_weights_gain(sum) : random_weights_matrix(sum);
    }
    if (whole_groups && at + 8 <= n) {
      dev::store8(y, dtype, at, v);
    } else {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        if (at + i < n) {
          dev::store1(y, dtype, at + i, v[i]);
        }
      }
    }
  }
}

}  // namespace

void random_weights_cuda(const RandomWeightsParams& p, Stream stream) {
  validate(p);
  require_cuda("random_weights", "y", p.y);
  const int64_t n = p.y.numel();
  if (n == 0) {
    return;
  }
  const cuda::DeviceGuard guard(p.y.device);
  const int64_t blocks =
      std::min<int64_t>(dev::ceil_div(n, 8 * kThreads), 16 * device_limits(p.y.device).sm_count);
  dev::launch("random_weights", stream, random_weights_kernel, dim3(static_cast<unsigned>(blocks)),
              dim3(kThreads), 0, p.y.data, p.y.dtype, n, p.stream, static_cast<uint64_t>(p.first),
              p.kind == RandomKind::kGain, reinterpret_cast<uintptr_t>(p.y.data) % 16 == 0);
}

}  // namespace ember::k
