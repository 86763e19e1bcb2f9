// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/cuda_check.cuh"
#include "kernels/base/stream.h"

namespace ember {
namespace {

// In cycles of the SM: the device's nanosecond counter may tick once a millisecond.
__global__ void spin(long long cycles) {
  const long long begin = clock64();
  while (clock64() - begin < cycles) {
  }
}

}  // namespace

// At least so long: the clock may be slower than the highest, never faster.
void spin_for(double seconds, DeviceId device, Stream stream) {
  const cuda::DeviceGuard guard(device);
  int khz = 0;
  EMBER_CUDA(cudaDeviceGetAttribute(&khz, cudaDevAttrClockRate, device.index));
  spin<<<1, 1, 0, cuda::raw(stream)>>>(static_cast<long long>(seconds * 1e3 * khz) + 1);
  EMBER_LAUNCHED("planted delay", stream);
}

}  // namespace ember
