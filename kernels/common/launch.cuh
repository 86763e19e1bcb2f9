// SPDX-License-Identifier: Apache-2.0
// How every kernel is launched, and how it meets its neighbours in the stream.
#pragma once

#include <algorithm>

#include "kernels/base/cuda_check.cuh"
#include "kernels/base/cuda_launch_log.cuh"
#include "kernels/common/device.cuh"
#include "kernels/common/device_info.h"
#include "kernels/common/rows.cuh"

namespace ember::k::dev {

// ---- Overlap with the neighbours in the stream (see Stream::overlap) ----
// Without the launch attribute, and before compute capability 9.0, both do nothing.

// The next kernel of the stream may start; it still waits before it reads what this one writes.
__device__ __forceinline__ void let_next_start() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Until all earlier kernels of the stream are complete. Every kernel calls it before it reads what
// they wrote and before it writes anything: only then does completion carry over a chain.
__device__ __forceinline__ void wait_for_previous() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// ---- Launch ----

// With one launch attribute, or none.
template <class... P, class... A>
void launch_with(const cudaLaunchAttribute* attribute, const char* op, Stream stream,
                 void (*kernel)(P...), dim3 grid, dim3 block, int64_t smem_bytes, A... args) {
  if (smem_bytes > 32 * 1024) {  // more than 48 KB with what the kernel declares itself
    EMBER_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(smem_bytes)));
  }
  if (LaunchLog* log = LaunchLog::active()) {
    cuda::note_launch(log, op, reinterpret_cast<const void*>(kernel), grid, block, smem_bytes);
  }
  cudaLaunchAttribute attributes[1] = {};
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = static_cast<size_t>(smem_bytes);
  config.stream = cuda::raw(stream);
  config.attrs = attributes;
  if (attribute != nullptr) {
    attributes[0] = *attribute;
    config.numAttrs = 1;
  }
  EMBER_CUDA(cudaLaunchKernelEx(&config, kernel, static_cast<P>(args)...));
  EMBER_LAUNCHED(op, stream);
}

template <class... P, class... A>
void launch(const char* op, Stream stream, void (*kernel)(P...), dim3 grid, dim3 block,
            int64_t smem_bytes, A... args) {
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  launch_with(stream.overlap ? &overlap : nullptr, op, stream, kernel, grid, block, smem_bytes,
              args...);
}

// All blocks of the grid at once on the device, so that they may wait for one another; the grid has
// to fit. It starts when all before it is complete, and may let the next one start.
template <class... P, class... A>
void launch_resident(const char* op, Stream stream, void (*kernel)(P...), dim3 grid, dim3 block,
                     int64_t smem_bytes, A... args) {
  cudaLaunchAttribute cooperative{};
  cooperative.id = cudaLaunchAttributeCooperative;
  cooperative.val.cooperative = 1;
  launch_with(&cooperative, op, stream, kernel, grid, block, smem_bytes, args...);
}

// Counts are int64 at the interface and int32 inside kernels.
inline int narrow(const char* op, int64_t n) {
  EMBER_CHECK(n >= 0 && n <= INT32_MAX, op, ": ", n, " does not fit in 32 bits");
  return static_cast<int>(n);
}

inline int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace ember::k::dev
