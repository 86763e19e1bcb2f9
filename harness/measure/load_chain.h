// SPDX-License-Identifier: Apache-2.0
// How long one load takes: a chain of addresses, each known only when the one before it has come.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/measure/link.h"
#include "harness/measure/meter.h"
#include "kernels/base/buffer.h"

namespace ember {

// A ring through all lines of `bytes` of memory, in an order that no prefetcher knows.
class LoadChain {
 public:
  static constexpr int64_t kLine = 128;    // bytes between two links at least
  static constexpr int64_t kSteps = 1024;  // loads a run

  // In memory of `where`, for loads by the meter's device, which must reach it: the host's memory
  // pinned, another device's with peer access on. Throws Error{kOutOfMemory} as Buffer does.
  LoadChain(Meter& meter, const Place& where, int64_t bytes);

  // Follows the ring from its start and compares with where the host comes to. Empty when it is the
  // same place, else what is wrong.
  std::string verify();
  // Seconds of one load.
  Measurement measure(const MeasureOptions& options);

 private:
  void run(Stream stream) const;

  Meter& meter_;
  Place where_;
  std::vector<uint32_t> next_;  // of each line
  Buffer ring_, at_;            // at_: where the last run ended, by the loading device
};

// One thread follows `steps` links of a ring from line *at, and leaves the last one's number there.
// The first word of a line is the number of the next. kCuda; asynchronous on the stream.
void follow_chain(const void* ring, int64_t steps, void* at, DeviceId device, Stream stream);

}  // namespace ember
