// SPDX-License-Identifier: Apache-2.0
// A thread a sequence. The ring is pinned host memory, which the device writes by itself: no copy
// has to be enqueued for each token.
#include "kernels/advance/advance.h"
#include "kernels/common/launch.cuh"

namespace ember::k {
namespace {

__global__ void advance_kernel(const int32_t* id, int32_t* ring, unsigned slots, int pos,
                               int32_t* pos_device) {
  dev::let_next_start();
  dev::wait_for_previous();
  const unsigned b = threadIdx.x;
  const int position = pos_device != nullptr ? pos_device[b] : pos;
  if (id != nullptr) {
    ring[size_t{b} * slots + static_cast<unsigned>(position) % slots] = id[b];
  }
  if (pos_device != nullptr) {
    pos_device[b] = position + 1;
  }
}

}  // namespace

void advance_cuda(const AdvanceParams& p, Stream stream) {
  validate(p);
  if (p.device.kind != DeviceKind::kCuda) {
    fail(ErrorKind::kUnsupported, "advance: expected a CUDA device, got ", p.device.str());
  }
  if (p.id.data == nullptr && p.pos_device == nullptr) {
    return;
  }
  const cuda::DeviceGuard guard(p.device);
  const unsigned slots = p.id.data != nullptr ? static_cast<unsigned>(p.ring.shape[1]) : 1;
  dev::launch("advance", stream, advance_kernel, dim3(1), dim3(static_cast<unsigned>(p.count)), 0,
              static_cast<const int32_t*>(p.id.data), static_cast<int32_t*>(p.ring.data), slots,
              dev::narrow("advance", p.pos), p.pos_device);
}

}  // namespace ember::k
