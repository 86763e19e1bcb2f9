// SPDX-License-Identifier: Apache-2.0
// What ends a step of decoding on the device:                         limited by: latency
//   ring[b, position[b] mod R] = id[b]   where the host reads it
//   position[b] += 1                     where the positions lie in device memory
// for B sequences, 1 <= B <= 1024. id (B) I32 in the device's memory; ring (B, R) I32, dense,
// R >= 1, in host memory, pinned for a CUDA device; both may be views with null data, and nothing
// is then written. Positions: pos_device (B) when not null (memory of the op's device), each of
// which then grows by one; else all are pos, which is a value. The host sees the ring's entries
// when the work of the stream up to here is known to be complete. Throws
// Error{kShape|kDtype|kAlign|kUnsupported}.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember::k {

inline constexpr int64_t kAdvanceMaxCount = 1024;

struct AdvanceParams {
  TensorView id, ring;
  int64_t pos = 0;
  int32_t* pos_device = nullptr;
  DeviceId device;    // of the op
  int64_t count = 1;  // B
};

void validate(const AdvanceParams& p);
Cost cost(const AdvanceParams& p);
void advance_cpu(const AdvanceParams& p);
void advance_cuda(const AdvanceParams& p,
                  Stream stream);  // asynchronous; built without CUDA: kUnsupported

}  // namespace ember::k
