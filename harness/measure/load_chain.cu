// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/load_chain.h"
#include "kernels/common/launch.cuh"

namespace ember {
namespace {

__global__ void follow(const unsigned char* ring, int64_t steps, uint32_t* at) {
  uint32_t line = *at;
  for (int64_t i = 0; i < steps; ++i) {
    // Volatile: from where the memory is, not from this multiprocessor's cache.
    asm volatile("ld.volatile.global.u32 %0, [%1];"
                 : "=r"(line)
                 : "l"(ring + int64_t{line} * LoadChain::kLine));
  }
  *at = line;
}

}  // namespace

void follow_chain(const void* ring, int64_t steps, void* at, DeviceId device, Stream stream) {
  cuda::DeviceGuard guard(device);
  stream.overlap = false;
  k::dev::launch("follow_chain", stream, follow, dim3(1), dim3(1), 0,
                 static_cast<const unsigned char*>(ring), steps, static_cast<uint32_t*>(at));
}

}  // namespace ember
