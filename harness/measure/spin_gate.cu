// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/spin_gate.h"

#include "kernels/base/cuda_check.cuh"

namespace ember {
namespace {

__global__ void spin(volatile int* word, unsigned long long timeout_ns) {
  unsigned long long begin, now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(begin));
  do {
    if (word[0] != 0) {
      return;
    }
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  } while (now - begin < timeout_ns);
  word[1] = 1;
}

}  // namespace

SpinGate::SpinGate(DeviceId device)
    : word_(Buffer::pinned(2 * sizeof(int), Buffer::Fill::kZero, "spin gate")), device_(device) {}

void SpinGate::close(Stream stream) {
  volatile int* word = reinterpret_cast<int*>(word_.data());
  word[0] = word[1] = 0;
  cuda::DeviceGuard guard(device_);
  spin<<<1, 1, 0, cuda::raw(stream)>>>(reinterpret_cast<int*>(word_.data()),
                                       static_cast<unsigned long long>(kTimeoutSeconds * 1e9));
  EMBER_LAUNCHED("spin gate", stream);
}

void SpinGate::open() {
  *reinterpret_cast<volatile int*>(word_.data()) = 1;
}

bool SpinGate::timed_out() const {
  return reinterpret_cast<const volatile int*>(word_.data())[1] != 0;
}

}  // namespace ember
