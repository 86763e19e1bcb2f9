// SPDX-License-Identifier: Apache-2.0
#include <cuda_profiler_api.h>

#include "kernels/base/cuda_check.cuh"
#include "kernels/base/device.h"
#include "kernels/base/profile.h"

namespace ember::profile {

void start_capture() {
  if (!cuda_devices().empty()) {
    EMBER_CUDA(cudaProfilerStart());
  }
}

void stop_capture() {
  if (!cuda_devices().empty()) {
    EMBER_CUDA(cudaProfilerStop());
  }
}

}  // namespace ember::profile
