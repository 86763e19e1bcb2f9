// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/device_info.h"

#include <map>
#include <mutex>

#include "kernels/base/cuda_check.cuh"

namespace ember::k {

const DeviceLimits& device_limits(DeviceId device) {
  static std::mutex mutex;
  static std::map<int, DeviceLimits> known;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = known.find(device.index);
  if (found != known.end()) {
    return found->second;
  }
  const auto attribute = [&](cudaDeviceAttr a) {
    int value = 0;
    EMBER_CUDA(cudaDeviceGetAttribute(&value, a, device.index));
    return value;
  };
  DeviceLimits limits;
  limits.sm_count = attribute(cudaDevAttrMultiProcessorCount);
  limits.shared_bytes = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
  limits.cc = 10 * attribute(cudaDevAttrComputeCapabilityMajor) +
              attribute(cudaDevAttrComputeCapabilityMinor);
  return known.emplace(device.index, limits).first->second;
}

void require_cuda(const char* op, const char* argument, const TensorView& view) {
  if (view.device.kind != DeviceKind::kCuda) {
    fail(ErrorKind::kUnsupported, op, ": ", argument, ": expected CUDA device memory, got ",
         view.device.str());
  }
}

}  // namespace ember::k
