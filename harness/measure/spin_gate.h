// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/buffer.h"
#include "kernels/base/stream.h"

namespace ember {

// Holds a stream back until the host has enqueued everything that is to be timed, so that the cost
// of enqueuing is not. A kernel of one thread spins on a word of pinned memory; it gives up after
// kTimeoutSeconds, because work that blocks its enqueuing thread until it has run would wait for
// ever.
class SpinGate {
 public:
  static constexpr double kTimeoutSeconds = 2;

  explicit SpinGate(DeviceId device);
  void close(Stream stream);  // what is enqueued after this waits
  void open();
  // True when the kernel gave up: the sample then contains enqueuing. Call after the stream has
  // passed the gate.
  bool timed_out() const;

 private:
  Buffer word_;  // pinned: [0] open, [1] timed out
  DeviceId device_;
};

}  // namespace ember
