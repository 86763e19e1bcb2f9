// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/meter.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "engine/core/clock.h"
#include "engine/core/log.h"
#include "harness/measure/bandwidth.h"
#include "harness/measure/gpu_log.h"
#include "harness/measure/spin_gate.h"
#include "kernels/base/cuda_graph.h"
#include "kernels/base/error.h"
#include "reports/format.h"
#include "reports/stats.h"

namespace ember {
namespace {

// No query of the CPU's cache is portable; shares of larger ones belong to other users.
constexpr int64_t kHostCacheBytes = int64_t{64} << 20;

int64_t cache_size(DeviceId device) {
  if (device.kind == DeviceKind::kCpu) {
    return kHostCacheBytes;
  }
  for (const CudaDeviceInfo& d : cuda_devices()) {
    if (d.index == device.index) {
      return d.l2_bytes;
    }
  }
  fail(ErrorKind::kNoDevice, "CUDA device ", device.index, " cannot be used");
}

bool overlapping(DeviceId device) {
  for (const CudaDeviceInfo& d : cuda_devices()) {
    if (d.index == device.index) {
      return d.cc_major >= 9;
    }
  }
  return false;
}

}  // namespace

const char* name(CacheState state) {
  return state == CacheState::kHot ? "hot" : "cold";
}

// One sample: `batch` launches, seconds for all of them. Negative when the sample is void.
class Meter::Timer {
 public:
  virtual ~Timer() = default;
  virtual double sample() = 0;
  virtual void set_batch(int batch) { batch_ = batch; }
  int batch() const { return batch_; }

 protected:
  int batch_ = 1;
};

class Meter::HostTimer : public Timer {
 public:
  HostTimer(Meter& meter, const Work& work, bool flush, double planted)
      : meter_(meter), work_(work), flush_(flush), planted_(planted) {}

  double sample() override {
    if (flush_) {
      write_memory(meter_.scrub_.data(), meter_.scrub_.bytes(), meter_.device_, meter_.stream());
    }
    const Stream s = meter_.stream();
    wait(s);
    const double begin = now_seconds();
    if (work_.fork) {
      work_.fork(s);
    }
    for (int i = 0; i < batch_; ++i) {
      work_.run(next_++ % work_.copies, s);
    }
    if (work_.join) {
      work_.join(s);
    }
    wait(s);
    const double own = now_seconds() - begin;
    while (planted_ > 0 && now_seconds() - begin < (1 + planted_) * own) {
    }
    return now_seconds() - begin;
  }

 private:
  static void wait(Stream s) {
    if (s.handle != nullptr) {
      synchronize(s);
    }
  }

  Meter& meter_;
  const Work& work_;
  bool flush_;
  double planted_;
  int64_t next_ = 0;
};

class Meter::DeviceTimer : public Timer {
 public:
  DeviceTimer(Meter& meter, const Work& work, bool flush, double planted)
      : meter_(meter),
        work_(work),
        flush_(flush),
        planted_(planted),
        gate_(meter.device_),
        begin_(meter.device_, true),
        end_(meter.device_, true),
        overlap_(work.graph && overlapping(meter.device_)) {
    enqueue(stream(false));  // kernels loaded, scratch allocated
    synchronize(stream(false));
  }

  void set_batch(int batch) override {
    batch_ = batch;
    graph_.reset();
    if (work_.graph) {
      graph_ = std::make_unique<CudaGraph>(stream(false), [&] { enqueue(stream(overlap_)); });
    }
    delay_ = 0;
    if (planted_ > 0) {
      std::vector<double> own;
      for (int i = 0; i < kOwnSamples; ++i) {
        own.push_back(std::fabs(sample()));
      }
      delay_ = planted_ * report::median(own);
    }
  }

  double sample() override {
    const Stream s = stream(false);
    gate_.close(s);
    if (flush_) {
      write_memory(meter_.scrub_.data(), meter_.scrub_.bytes(), meter_.device_, s);
    }
    begin_.record(s);
    if (graph_) {
      graph_->launch(s);
    } else {
      enqueue(s);
    }
    if (delay_ > 0) {
      spin_for(delay_, meter_.device_, s);
    }
    end_.record(s);
    gate_.open();
    end_.synchronize();
    return gate_.timed_out() ? -1 : end_.elapsed_ms(begin_) * 1e-3;
  }

 private:
  Stream stream(bool overlap) const {
    Stream s = meter_.stream_->get();
    s.overlap = overlap;
    return s;
  }
  void enqueue(Stream s) {
    if (work_.fork) {
      work_.fork(s);
    }
    for (int i = 0; i < batch_; ++i) {
      work_.run(i % work_.copies, s);
    }
    if (work_.join) {
      work_.join(s);
    }
  }

  static constexpr int kOwnSamples = 7;

  Meter& meter_;
  const Work& work_;
  bool flush_;
  double planted_, delay_ = 0;  // a share; seconds a sample
  SpinGate gate_;
  Event begin_, end_;
  bool overlap_;
  std::unique_ptr<CudaGraph> graph_;
};

Meter::Meter(DeviceId device) : device_(device), health_(device), cache_bytes_(cache_size(device)) {
  if (device.kind == DeviceKind::kCuda) {
    stream_ = std::make_unique<OwnedStream>(device);
  }
}

Meter::~Meter() = default;

Stream Meter::stream() const {
  return stream_ ? stream_->get() : Stream{};
}

std::unique_ptr<Meter::Timer> Meter::timer(const Work& work, const MeasureOptions& options) {
  // Copies in turn keep the cache cold by themselves once they are several times its size.
  const bool rotates = work.copies > 1 && work.copies * work.bytes >= 2 * cache_bytes_;
  const bool flush = options.cache == CacheState::kCold && !rotates;
  if (flush && scrub_.bytes() == 0) {
    scrub_ = Buffer(2 * cache_bytes_, Buffer::Fill::kZero, device_, "cache flush");
  }
  if (device_.kind == DeviceKind::kCpu || work.host_clock) {
    return std::make_unique<HostTimer>(*this, work, flush, options.planted_delay);
  }
  return std::make_unique<DeviceTimer>(*this, work, flush, options.planted_delay);
}

Measurement Meter::measure(const Work& work, const MeasureOptions& options) {
  EMBER_CHECK(work.copies >= 1 && options.min_samples >= 2, "measure ", work.copies, " copies");
  EMBER_CHECK(!work.graph || (!work.fork && !work.join), "a graph of several streams");
  const double start = now_seconds();
  Measurement m;
  const std::unique_ptr<Timer> timer = this->timer(work, options);
  timer->set_batch(1);
  double once = timer->sample();
  for (int i = 1; i < std::max(2, options.warmup); ++i) {
    once = std::min(std::fabs(once), std::fabs(timer->sample()));
  }
  m.warmup = std::max(2, options.warmup);
  const bool flushed = options.cache == CacheState::kCold && work.copies == 1;
  if (!flushed) {  // a second launch would find the operands in the cache
    const double wanted = std::ceil(options.min_sample_seconds / std::max(once, 1e-7));
    m.batch = static_cast<int>(std::clamp(wanted, 1.0, static_cast<double>(options.max_batch)));
    // A whole round over the copies, so that no copy is met twice within the size of the cache.
    if (m.batch > 1 || work.copies > 1) {
      const int rounds = static_cast<int>((m.batch + work.copies - 1) / work.copies);
      m.batch = static_cast<int>(std::max<int64_t>(rounds, 1) * work.copies);
    }
  }
  timer->set_batch(m.batch);
  timer->sample();
  ++m.warmup;
  std::vector<double> clocks;
  while (true) {
    const double seconds = timer->sample();
    const GpuState state = health_.state();
    gpu_log().add(device_, state);
    if (seconds < 0) {
      ++m.gate_timeouts;
    } else if (state.throttle.value_or(0) & Throttle::kTainting) {
      ++m.throttled;
    } else {
      m.seconds.push_back(seconds / m.batch);
      if (state.sm_mhz) {
        clocks.push_back(*state.sm_mhz);
      }
    }
    const int kept = static_cast<int>(m.seconds.size());
    const bool late = now_seconds() - start > options.time_cap;
    // The interval costs a sort: look at it now and then.
    if (kept >= options.min_samples && (kept % 4 == 0 || late)) {
      summarise(options, &m);
      if (!m.noisy) {
        m.stop = "interval";
        break;
      }
    }
    if (kept >= options.max_samples || late) {
      m.stop = late ? "time" : "samples";
      break;
    }
  }
  summarise(options, &m);
  m.sm_mhz = clocks.empty() ? 0 : report::median(clocks);
  return m;
}

void summarise(const MeasureOptions& options, Measurement* m) {
  const auto kept = static_cast<int>(m->seconds.size());
  m->noisy = kept < options.min_samples;
  m->doubt =
      m->noisy ? concat(kept, " samples, ", options.min_samples, " at least are needed") : "";
  if (m->seconds.empty()) {
    return;
  }
  std::tie(m->low, m->high) = report::median_interval(m->seconds);
  m->median = report::median(m->seconds);
  m->deviation = report::mad(m->seconds);
  if (!m->noisy && !(m->spread() <= options.target)) {
    m->noisy = true;
    m->doubt = "the median is known to +- " + report::percent(m->spread()) + ", " +
               report::percent(options.target) + " was asked for";
  }
}

}  // namespace ember
