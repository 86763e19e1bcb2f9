// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device.h"

namespace ember {

// A CUDA stream without CUDA's headers: CUstream_st* behind an opaque pointer. The CPU ignores it.
struct Stream {
  void* handle = nullptr;
  // Lets a kernel start before its predecessor in the stream has ended (programmatic dependent
  // launch, compute capability 9.0). It then reads weights early, so the weights must have been
  // complete before the stream's previous kernel was launched. Everything else waits.
  bool overlap = false;
};

// Waits until all work of the stream is done; throws what it failed with.
void synchronize(Stream stream);

// Keeps the stream busy for so long, by one thread of its device: a delay planted for a test, which
// the host does not wait for. kCuda only.
void spin_for(double seconds, DeviceId device, Stream stream);

// Owns a stream of one device that does not synchronise with the default stream.
class OwnedStream {
 public:
  explicit OwnedStream(DeviceId device);  // throws Error{kUnsupported} for the CPU
  ~OwnedStream();
  OwnedStream(const OwnedStream&) = delete;
  OwnedStream& operator=(const OwnedStream&) = delete;

  Stream get() const { return stream_; }
  DeviceId device() const { return device_; }

 private:
  Stream stream_;
  DeviceId device_;
};

// A point in a stream that other streams, also of other devices, or the host can wait for.
class Event {
 public:
  explicit Event(DeviceId device, bool timing = false);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(Stream stream);
  void wait(Stream stream) const;  // work that follows in `stream` waits for the recorded point
  void synchronize() const;        // the host waits
  float elapsed_ms(const Event& earlier) const;  // both with timing, both reached

 private:
  [[maybe_unused]] void* handle_ = nullptr;  // without CUDA no code reads it
  DeviceId device_;
};

}  // namespace ember
