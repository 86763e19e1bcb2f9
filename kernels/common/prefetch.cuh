// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/prefetch.h"

namespace ember::k::dev {

// The share of this block, of a one-dimensional grid; called by one thread.
__device__ __forceinline__ void fetch_share_to_l2([[maybe_unused]] const Prefetch& p) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  for (int piece = blockIdx.x; piece < p.pieces; piece += gridDim.x) {
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(
                     static_cast<const char*>(p.data) + piece * p.stride),
                 "r"(p.take)
                 : "memory");
  }
#endif
}

// The same; one thread asks, the rest goes on.
__device__ __forceinline__ void prefetch_to_l2(const Prefetch& p) {
  if (threadIdx.x == 0) {
    fetch_share_to_l2(p);
  }
}

}  // namespace ember::k::dev
