// SPDX-License-Identifier: Apache-2.0
// The first kernel, and the one that ends a greedy choice.
#pragma once

#include "kernels/sample/sample_blocks.cuh"

namespace ember::k::sampling {

__device__ __forceinline__ Summary warp_summary(const Summary& s) {
  Summary all;
  all.key = __reduce_max_sync(kAll, s.key);
  all.index = __reduce_min_sync(kAll, s.key == all.key ? s.index : kAll);
  all.lowest = __reduce_min_sync(kAll, s.lowest);
  all.bad = __reduce_min_sync(kAll, s.bad);
  return all;
}

// Over a block of kThreads, to every thread. `partial` is free again after the next
// __syncthreads().
__device__ __forceinline__ Summary block_summary(const Summary& s, Summary* partial) {
  constexpr unsigned kWarps = kThreads / 32;
  const Summary own = warp_summary(s);
  if (threadIdx.x % 32 == 0) {
    partial[threadIdx.x / 32] = own;
  }
  __syncthreads();
  return warp_summary(partial[threadIdx.x % kWarps]);
}

// Grid (tiles, B). With `bins` also clears what the next kernels add to.
static __global__ void __launch_bounds__(kThreads)
    sample_summary_kernel(const Operands o, bool bins) {
  __shared__ Summary partial[kThreads / 32];
  dev::let_next_start();
  dev::wait_for_previous();
  Work* w = o.work_of(blockIdx.y);
  float v[kEach];
  o.load(v);
  if (bins) {
    const int first = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
#pragma unroll 1
    for (int i = first; i < kBins; i += static_cast<int>(gridDim.x) * kThreads) {
      w->count[i] = 0;
      w->mass[i] = 0;
    }
    if (first == 0) {
      w->likely_mass = 0;
      w->listed = 0;
      w->gathered = 0;
    }
  }
  Summary s = Summary::none();
#pragma unroll
  for (int e = 0; e < kEach; ++e) {
    s.add(v[e], Operands::index(e));
  }
  s = block_summary(s, partial);
  if (threadIdx.x == 0) {
    w->summaries[blockIdx.x] = s;
  }
}

// Grid (1, B).
static __global__ void __launch_bounds__(kThreads)
    sample_greedy_kernel(const Operands o, int tiles) {
  __shared__ Summary partial[kThreads / 32];
  dev::let_next_start();
  dev::wait_for_previous();
  const Work* w = o.work_of(blockIdx.y);
  const int position = threadIdx.x == 0 ? o.position(blockIdx.y) : 0;
  Summary s = Summary::none();
#pragma unroll
  for (int i = 0; i < kMaxTiles; i += kThreads) {
    const int t = i + static_cast<int>(threadIdx.x);
    s.add(t < tiles ? w->summaries[t] : Summary::none());
  }
  s = block_summary(s, partial);
  if (threadIdx.x == 0) {
    o.choose(blockIdx.y, s.choice(), position);
  }
}

}  // namespace ember::k::sampling
