// SPDX-License-Identifier: Apache-2.0
// Each value becomes a 64-bit key whose order is (value, then lower index first); the largest key
// wins, so the result does not depend on the order of comparison. Few rows are cut over several
// blocks, and the last block to finish reduces the others' keys; many rows take one block each.
// Limited by memory.
#include "kernels/argmax/argmax.h"
#include "kernels/base/cuda_scratch.cuh"
#include "kernels/common/launch.cuh"

namespace ember::k {
namespace {

constexpr int kThreads = 512;
constexpr int kMaxCut = 64;      // blocks a row
constexpr int kMaxCutRows = 32;  // rows that are cut; more fill the device by themselves
constexpr unsigned long long kNan = ~0ull;

__device__ __forceinline__ unsigned long long key_of(float x, int index) {
  if (x != x) {
    return kNan;
  }
  uint32_t u = __float_as_uint(x == 0.0f ? 0.0f : x);  // -0 equals +0
  u = (u & 0x80000000u) ? ~u : u | 0x80000000u;
  return static_cast<unsigned long long>(u) << 32 | (0xffffffffu - static_cast<uint32_t>(index));
}

__device__ __forceinline__ unsigned long long larger(unsigned long long a, unsigned long long b) {
  return a > b ? a : b;
}

// To thread 0.
__device__ unsigned long long block_max(unsigned long long key, unsigned long long* partial) {
#pragma unroll
  for (int d = 16; d > 0; d /= 2) {
    key = larger(key, __shfl_xor_sync(0xffffffffu, key, d));
  }
  if (threadIdx.x % 32 == 0) {
    partial[threadIdx.x / 32] = key;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int w = 1; w < static_cast<int>(blockDim.x) / 32; ++w) {
      key = larger(key, partial[w]);
    }
  }
  return key;
}

// Grid (cuts, T). keys: (T, cuts); tickets: (T), zero before and after.
__global__ void argmax_kernel(int32_t* ids, dev::Rows x, int V, unsigned long long* keys,
                              unsigned* tickets) {
  __shared__ unsigned long long partial[kThreads / 32];
  dev::let_next_start();
  dev::wait_for_previous();
  const void* row = x.row(blockIdx.y);
  unsigned long long best = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < V; i += gridDim.x * blockDim.x) {
    best = larger(best, key_of(dev::load1(row, x.dtype, i), i));
  }
  best = block_max(best, partial);
  if (threadIdx.x != 0) {
    return;
  }
  if (gridDim.x > 1) {
    volatile unsigned long long* row_keys = keys + int64_t{blockIdx.y} * gridDim.x;
    row_keys[blockIdx.x] = best;
    __threadfence();
    if (atomicAdd(&tickets[blockIdx.y], 1u) != gridDim.x - 1) {
      return;
    }
    __threadfence();
    for (unsigned b = 0; b < gridDim.x; ++b) {
      best = larger(best, row_keys[b]);
    }
    tickets[blockIdx.y] = 0;
  }
  ids[blockIdx.y] =
      best == kNan ? -1 : static_cast<int32_t>(0xffffffffu - static_cast<uint32_t>(best));
}

}  // namespace

void argmax_cuda(const ArgmaxParams& p, Stream stream) {
  validate(p);
  require_cuda("argmax", "ids", p.ids);
  const int64_t T = p.x.shape[0], V = p.x.shape[1];
  if (T == 0) {
    return;
  }
  const cuda::DeviceGuard guard(p.ids.device);
  constexpr int64_t kMaxRows = 65535;  // of one launch
  const int64_t cuts =
      T > kMaxCutRows ? 1 : std::min<int64_t>(kMaxCut, dev::ceil_div(V, 4 * kThreads));
  std::byte* scratch = cuda::scratch(p.ids.device.index, stream, cuda::ScratchUser::kArgmax,
                                     kMaxCutRows * (kMaxCut * 8 + 4));
  auto* tickets = reinterpret_cast<unsigned*>(scratch + kMaxCutRows * kMaxCut * 8);
  for (int64_t t = 0; t < T; t += kMaxRows) {
    const TensorView x = p.x.rows(t, std::min(kMaxRows, T - t));
    dev::launch("argmax", stream, argmax_kernel,
                dim3(static_cast<unsigned>(cuts), static_cast<unsigned>(x.shape[0])),
                dim3(kThreads), 0, static_cast<int32_t*>(p.ids.data) + t, dev::rows(x),
                dev::narrow("argmax", V), reinterpret_cast<unsigned long long*>(scratch), tickets);
  }
}

}  // namespace ember::k
