// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/cuda_check.cuh"
#include "kernels/base/stream.h"

namespace ember {
namespace {

__global__ void spin(unsigned long long ns) {
  unsigned long long begin, now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(begin));
  do {
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  } while (now - begin < ns);
}

}  // namespace

void spin_for(double seconds, DeviceId device, Stream stream) {
  const cuda::DeviceGuard guard(device);
  spin<<<1, 1, 0, cuda::raw(stream)>>>(static_cast<unsigned long long>(seconds * 1e9));
  EMBER_LAUNCHED("planted delay", stream);
}

}  // namespace ember
