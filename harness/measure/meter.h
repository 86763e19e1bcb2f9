// SPDX-License-Identifier: Apache-2.0
// How long a piece of work takes on a device: repeated until the median is known well enough or the
// time is up, with what the clocks did meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/measure/gpu_health.h"
#include "kernels/base/buffer.h"
#include "kernels/base/stream.h"

namespace ember {

enum class CacheState {
  kHot,   // the same operands again and again
  kCold,  // operands that are not in the cache: other copies of them in turn, or a flush before
          // each
};
const char* name(CacheState state);

struct MeasureOptions {
  CacheState cache = CacheState::kCold;
  double target = 0.005;  // stop when the median's 95 % interval is within +- this share of it
  double time_cap = 2;    // seconds; then the result is noisy unless the target is met
  int min_samples = 11;
  int max_samples = 1000;
  int warmup = 3;  // samples that are run and not kept
  // Launches are put together until a sample lasts about this long: an event takes half a
  // microsecond.
  double min_sample_seconds = 200e-6;
  int max_batch = 256;
  // Share of its own time that each sample is made longer by, to test the gate (planted_delay.h).
  double planted_delay = 0;
};

// Enqueues one launch on copy `i` of the operands, 0 <= i < copies.
struct Work {
  std::function<void(int64_t copy, Stream stream)> run;
  int64_t copies = 1;
  int64_t bytes = 0;  // operands of one copy; 0 or little: they always fit the cache
  // As the engine runs it: recorded into a CUDA graph, kernels overlapping where the device can.
  // Off for work that a graph cannot hold (it waits, or copies from pageable memory).
  bool graph = true;
  // Work on several streams: `fork` enqueues what makes the others begin after the given one, and
  // `join` what makes the given one go on after the others. Both are within a sample's time, around
  // all of its launches, and need graph = false.
  std::function<void(Stream)> fork, join;
  // For work that keeps its caller waiting, which a gate would keep for ever: on a CUDA device too
  // a sample is the time on the host's clock until its launches are done.
  bool host_clock = false;
};

struct Measurement {
  std::vector<double> seconds;  // of one launch, by sample in order of execution
  int batch = 1;                // launches a sample
  int warmup = 0, throttled = 0, gate_timeouts = 0;     // samples left out
  bool noisy = false;                                   // the target was not met
  std::string doubt;                                    // how far it was missed; empty unless noisy
  const char* stop = "";                                // "interval", "samples" or "time"
  double median = 0, deviation = 0, low = 0, high = 0;  // seconds; 95 % interval of the median
  double sm_mhz = 0;                                    // median over the samples; 0: unknown

  double spread() const { return median > 0 ? (high - low) / 2 / median : 0; }
};

// Measures on one device, one piece of work at a time. On a CUDA device events around the work are
// enqueued behind a closed gate, so that launch costs of the host are not part of it.
class Meter {
 public:
  explicit Meter(DeviceId device);
  ~Meter();
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  Measurement measure(const Work& work, const MeasureOptions& options);

  DeviceId device() const { return device_; }
  Stream stream() const;  // on which the work runs; for preparing operands
  const GpuHealth& health() const { return health_; }
  // Bytes of the cache that cold operands must exceed.
  int64_t cache_bytes() const { return cache_bytes_; }

 private:
  class Timer;
  class HostTimer;
  class DeviceTimer;
  std::unique_ptr<Timer> timer(const Work& work, const MeasureOptions& options);

  DeviceId device_;
  GpuHealth health_;
  int64_t cache_bytes_;
  std::unique_ptr<OwnedStream> stream_;
  Buffer scrub_;  // overwritten to flush the cache
};

// Median, interval and verdict from the samples; for measurements that time themselves.
void summarise(const MeasureOptions& options, Measurement* m);

}  // namespace ember
