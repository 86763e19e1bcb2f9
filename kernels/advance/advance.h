// SPDX-License-Identifier: Apache-2.0
// What ends a step of decoding on the device:                         limited by: latency
//   ring[position mod R] = id       where the host reads it
//   position += 1                   where the position lies in device memory
// id (1) I32 in the device's memory; ring (R) I32, R >= 1, in host memory, pinned for a CUDA
// device; both may be views with null data, and nothing is then written. Position: *pos_device when
// not null (memory of the op's device), which then grows by one; else pos, which is a value. The
// host sees the ring's entry when the work of the stream up to here is known to be complete. Throws
// Error{kShape|kDtype|kAlign|kUnsupported}.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember::k {

struct AdvanceParams {
  TensorView id, ring;
  int64_t pos = 0;
  int32_t* pos_device = nullptr;
  DeviceId device;  // of the op
};

void validate(const AdvanceParams& p);
Cost cost(const AdvanceParams& p);
void advance_cpu(const AdvanceParams& p);
void advance_cuda(const AdvanceParams& p,
                  Stream stream);  // asynchronous; built without CUDA: kUnsupported

}  // namespace ember::k
