// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/cuda_check.cuh"
#include "kernels/base/stream.h"

namespace ember {
namespace {

__device__ unsigned long long nanoseconds() {
  unsigned long long now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}

// By two clocks: the SM's may run faster than the rate that the driver gives, and the nanosecond
// counter may tick once a millisecond, so that it is heard only where it has moved.
__global__ void spin(long long cycles, unsigned long long ns) {
  const long long begin = clock64();
  const unsigned long long from = nanoseconds();
  unsigned long long passed = 0;
  while (clock64() - begin < cycles || (passed != 0 && passed < ns)) {
    passed = nanoseconds() - from;
  }
}

}  // namespace

void spin_for(double seconds, DeviceId device, Stream stream) {
  const cuda::DeviceGuard guard(device);
  int khz = 0;
  EMBER_CUDA(cudaDeviceGetAttribute(&khz, cudaDevAttrClockRate, device.index));
  spin<<<1, 1, 0, cuda::raw(stream)>>>(static_cast<long long>(seconds * 1e3 * khz) + 1,
                                       static_cast<unsigned long long>(seconds * 1e9) + 1);
  EMBER_LAUNCHED("planted delay", stream);
}

}  // namespace ember
