// SPDX-License-Identifier: Apache-2.0
// Streams of 16-byte accesses, eight loads in flight a thread. On an H100 80GB HBM3 tiles of four
// blocks a multiprocessor read 3.11 TB/s, a copy a few percent less; on an H200 they stay at 4.04
// to 4.08 where strides of more blocks read more, so there is a choice of plans.
#include "harness/measure/bandwidth.h"

#include <algorithm>

#include "harness/measure/bandwidth_host.h"
#include "kernels/common/launch.cuh"

namespace ember {
namespace {

constexpr int kThreads = 512;
constexpr int kLoads = 8;

// A thread's loads lie `apart` from each other: one block's threads, or one grid's.
template <ReadPlan::Order kOrder>
__global__ void __launch_bounds__(kThreads) read_kernel(const uint4* p, int64_t n, uint32_t* sink) {
  k::dev::let_next_start();
  constexpr bool kTiles = kOrder == ReadPlan::Order::kTiles;
  const int64_t grid = int64_t{gridDim.x} * kThreads;
  const int64_t apart = kTiles ? kThreads : grid;
  uint32_t bits = 0;
  for (int64_t at = int64_t{blockIdx.x} * kThreads * (kTiles ? kLoads : 1) + threadIdx.x; at < n;
       at += grid * kLoads) {
    uint4 v[kLoads];
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      const int64_t j = at + i * apart;
      v[i] = make_uint4(0, 0, 0, 0);
      if (j < n) {
        asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
                     : "=r"(v[i].x), "=r"(v[i].y), "=r"(v[i].z), "=r"(v[i].w)
                     : "l"(p + j));
      }
    }
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      bits |= v[i].x | v[i].y | v[i].z | v[i].w;
    }
  }
  k::dev::wait_for_previous();
  // The memory holds zeros or small numbers: never all ones. The compiler cannot know.
  if (bits == 0xffffffffu) {
    *sink = bits;
  }
}

__global__ void __launch_bounds__(kThreads) write_kernel(uint4* p, int64_t n) {
  const uint4 value = make_uint4(1, 2, 3, 4);
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < n;
       i += int64_t{gridDim.x} * kThreads) {
    p[i] = value;
  }
}

template <int kUnroll>
__global__ void __launch_bounds__(kThreads) copy_kernel(uint4* to, const uint4* from, int64_t n) {
  const int64_t tile = int64_t{kThreads} * kUnroll;
  for (int64_t at = blockIdx.x * tile; at < n; at += gridDim.x * tile) {
    uint4 v[kUnroll];
#pragma unroll
    for (int i = 0; i < kUnroll; ++i) {
      const int64_t j = at + i * kThreads + threadIdx.x;
      if (j < n) {
        v[i] = from[j];
      }
    }
#pragma unroll
    for (int i = 0; i < kUnroll; ++i) {
      const int64_t j = at + i * kThreads + threadIdx.x;
      if (j < n) {
        to[j] = v[i];
      }
    }
  }
}

__global__ void nothing() {
  k::dev::let_next_start();
  k::dev::wait_for_previous();
}

int blocks(DeviceId device, int per_sm) {
  return per_sm * k::device_limits(device).sm_count;
}

}  // namespace

void read_memory(const void* from, int64_t bytes, void* sink, DeviceId device, Stream stream,
                 ReadPlan plan) {
  if (device.kind == DeviceKind::kCpu) {
    return read_host_memory(from, bytes, sink);
  }
  cuda::DeviceGuard guard(device);
  const auto kernel = plan.order == ReadPlan::Order::kTiles
                          ? read_kernel<ReadPlan::Order::kTiles>
                          : read_kernel<ReadPlan::Order::kStrides>;
  k::dev::launch("read_memory", stream, kernel, dim3(blocks(device, plan.blocks_per_sm)),
                 dim3(kThreads), 0, static_cast<const uint4*>(from), bytes / 16,
                 static_cast<uint32_t*>(sink));
}

void write_memory(void* to, int64_t bytes, DeviceId device, Stream stream) {
  if (device.kind == DeviceKind::kCpu) {
    return write_host_memory(to, bytes);
  }
  cuda::DeviceGuard guard(device);
  stream.overlap = false;
  k::dev::launch("write_memory", stream, write_kernel, dim3(blocks(device, 4)), dim3(kThreads), 0,
                 static_cast<uint4*>(to), bytes / 16);
}

void copy_memory(void* to, const void* from, int64_t bytes, DeviceId device, Stream stream,
                 int blocks_per_sm) {
  if (device.kind == DeviceKind::kCpu) {
    return copy_host_memory(to, from, bytes);
  }
  cuda::DeviceGuard guard(device);
  stream.overlap = false;
  const int64_t n = bytes / 16, most = blocks(device, blocks_per_sm);
  // What would not give every thread its eight loads is spread over more threads instead.
  const bool large = n >= most * kThreads * kLoads;
  const int64_t tile = int64_t{kThreads} * (large ? kLoads : 1);
  const int64_t grid = std::max<int64_t>(1, std::min(most, (n + tile - 1) / tile));
  k::dev::launch("copy_memory", stream, large ? copy_kernel<kLoads> : copy_kernel<1>,
                 dim3(static_cast<unsigned>(grid)), dim3(kThreads), 0, static_cast<uint4*>(to),
                 static_cast<const uint4*>(from), n);
}

void empty_kernel(DeviceId device, Stream stream) {
  cuda::DeviceGuard guard(device);
  k::dev::launch("empty_kernel", stream, nothing, dim3(1), dim3(32), 0);
}

}  // namespace ember
