// SPDX-License-Identifier: Apache-2.0
// What launch plans need of a device, read once. No CUDA types.
#pragma once

#include "kernels/base/device.h"
#include "kernels/base/tensor.h"

namespace ember::k {

struct DeviceLimits {
  int sm_count;
  int shared_bytes;  // the most that one block can have
  int cc;            // 90 for compute capability 9.0
};

const DeviceLimits& device_limits(DeviceId device);

// kUnsupported unless the view is on a CUDA device: the first line of every <op>_cuda.
void require_cuda(const char* op, const char* argument, const TensorView& view);

}  // namespace ember::k
