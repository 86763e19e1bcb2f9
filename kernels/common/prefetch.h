// SPDX-License-Identifier: Apache-2.0
// What a kernel may bring into the L2 cache for those that follow it in the stream. A hint: it
// changes no result, and a device for which it does not pay ignores it.
#pragma once

#include <cstdint>

namespace ember::k {

// `pieces` of device memory, `stride` bytes apart, as the blocks of the kernel that reads them
// share it: of each, `take` bytes from data + piece * stride on; all multiples of 16. The memory
// must be complete before the stream's previous kernel was launched: weights.
struct Prefetch {
  const void* data = nullptr;
  int64_t stride = 0;
  int pieces = 0;
  int take = 0;
};

}  // namespace ember::k
