// SPDX-License-Identifier: Apache-2.0
// Linked instead of the .cu files of kernels/base in a build without CUDA.
#include "kernels/base/device.h"

namespace ember {

std::vector<CudaDeviceInfo> cuda_devices(std::string* why) {
  if (why) {
    *why = "this build has no CUDA support";
  }
  return {};
}

bool built_with_cuda() {
  return false;
}

}  // namespace ember
