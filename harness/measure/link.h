// SPDX-License-Identifier: Apache-2.0
// Copies between two places in memory, of the host or of CUDA devices, over whatever joins them:
// verified first, then timed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/measure/meter.h"
#include "kernels/base/buffer.h"
#include "kernels/base/stream.h"

namespace ember {

struct Place {
  DeviceId device;
  bool pinned = false;  // host memory that devices reach by themselves
};

enum class CopyEngine {
  kCopy,  // the device's copy engines: cudaMemcpyAsync and its form for peers
  kPush,  // a kernel on the source's device, which writes to the target
  kPull,  // a kernel on the target's device, which reads from the source
  kHost,  // all threads of the CPU
};
const char* name(CopyEngine engine);  // "ce", "push", "pull", "host"

struct LinkWay {
  Place from, to;
  CopyEngine engine = CopyEngine::kCopy;
  bool both = false;  // the way back at the same time, between memory of its own
};

// The device whose stream copies from `from` to `to`.
DeviceId copying_device(const Place& from, const Place& to, CopyEngine engine);

class Link {
 public:
  // Sources of up to max_bytes with a pattern of their own, and targets. `meter` is of
  // copying_device(from, to). Between different CUDA devices peer access must be on. Throws
  // Error{kOutOfMemory} as Buffer does.
  Link(Meter& meter, const LinkWay& way, int64_t max_bytes);

  // Copies once into a target of other bytes and looks at what came: every byte, in its place, from
  // this source, and nothing beyond. Empty when it did, else what is wrong and where. `bytes` is a
  // multiple of 64 up to max_bytes.
  std::string verify(int64_t bytes);
  // Seconds of one copy; of both directions where both copy, until the later one has ended.
  Measurement measure(int64_t bytes, const MeasureOptions& options);

  // For tests: what lies at the source of a direction, and where its copy goes.
  Buffer& source(int direction) { return lanes_.at(static_cast<size_t>(direction)).source; }
  Buffer& target(int direction) { return lanes_.at(static_cast<size_t>(direction)).target; }

 private:
  struct Lane {
    Place from, to;
    uint64_t seed;
    Buffer source, target;
  };

  void copy(const Lane& lane, int64_t bytes, Stream stream) const;
  Stream second_stream(Stream first) const;
  Work work(int64_t bytes);

  Meter& meter_;
  LinkWay way_;
  std::vector<Lane> lanes_;  // there, and back
  std::unique_ptr<Event> begun_, done_;
  std::unique_ptr<OwnedStream> second_;  // of the way back; its end waits for the copies
};

}  // namespace ember
