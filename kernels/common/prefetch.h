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

// What one kernel fetches for the next: the memory's work while one ends and the next begins.
inline constexpr int64_t kAheadBytes = int64_t{4} << 20;
// What decode_layers does: its blocks have all that they need a ring's time before they end.
inline constexpr int64_t kLayersAheadBytes = int64_t{16} << 20;

}  // namespace ember::k
