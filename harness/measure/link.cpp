// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/link.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "harness/measure/bandwidth.h"
#include "kernels/base/cuda_memory.h"
#include "kernels/base/error.h"
#include "kernels/base/parallel.h"

namespace ember {
namespace {

constexpr int64_t kGuard = 256;  // bytes beyond the end that a copy must leave alone
constexpr int kUntouched = 0xa5;
constexpr int64_t kGrain = int64_t{1} << 18;  // words a thread takes at a time

// The word at an index of a source: another one at every index and for every seed.
uint64_t pattern(uint64_t seed, int64_t index) {
  uint64_t z = (seed << 40) + static_cast<uint64_t>(index) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

bool on_host(const Place& p) {
  return p.device.kind == DeviceKind::kCpu;
}

Buffer make(const Place& p, int64_t bytes, const char* what) {
  return p.pinned ? Buffer::pinned(bytes, Buffer::Fill::kNone, what)
                  : Buffer(bytes, Buffer::Fill::kNone, p.device, what);
}

// Whole copies between the host's memory and a place, on a stream of the place's own device.
void copy_whole(void* to, const void* from, int64_t bytes, const Place& p) {
  if (on_host(p)) {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    return;
  }
  const OwnedStream stream(p.device);
  cuda::copy_async(to, from, bytes, stream.get());
  synchronize(stream.get());
}

void fill_place(std::byte* target, int64_t bytes, const Place& p) {
  if (on_host(p)) {
    std::memset(target, kUntouched, static_cast<size_t>(bytes));
  } else {
    cuda::fill_device(target, kUntouched, bytes, p.device.index);
  }
}

// Index of the first word that is not the pattern's, or `words`.
int64_t first_wrong(const uint64_t* got, int64_t words, uint64_t seed) {
  std::atomic<int64_t> first{words};
  parallel_for(words, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (got[i] != pattern(seed, i)) {
        int64_t known = first.load();
        while (i < known && !first.compare_exchange_weak(known, i)) {
        }
        return;
      }
    }
  });
  return first.load();
}

}  // namespace

const char* name(CopyEngine engine) {
  switch (engine) {
    case CopyEngine::kCopy:
      return "ce";
    case CopyEngine::kPush:
      return "push";
    case CopyEngine::kPull:
      return "pull";
    case CopyEngine::kHost:
      return "host";
  }
  return "";
}

DeviceId copying_device(const Place& from, const Place& to, CopyEngine engine) {
  if (on_host(from) || on_host(to)) {
    return on_host(from) ? to.device : from.device;
  }
  return engine == CopyEngine::kPull ? to.device : from.device;
}

Link::Link(Meter& meter, const LinkWay& way, int64_t max_bytes) : meter_(meter), way_(way) {
  EMBER_CHECK(copying_device(way.from, way.to, way.engine) == meter.device(), "a link of device ",
              meter.device().str());
  std::vector<uint64_t> words(static_cast<size_t>(max_bytes / 8));
  for (int back = 0; back < (way.both ? 2 : 1); ++back) {
    Lane lane{back ? way.to : way.from, back ? way.from : way.to, 0, {}, {}};
    // Of the device and the direction: bytes of another source show.
    lane.seed =
        2 * (static_cast<uint64_t>(lane.from.device.index) + (on_host(lane.from) ? 1000u : 0u)) +
        static_cast<uint64_t>(back) + 1;
    lane.source = make(lane.from, max_bytes, "copy source");
    lane.target = make(lane.to, max_bytes + kGuard, "copy target");
    parallel_for(max_bytes / 8, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        words[static_cast<size_t>(i)] = pattern(lane.seed, i);
      }
    });
    copy_whole(lane.source.data(), words.data(), max_bytes, lane.from);
    lanes_.push_back(std::move(lane));
  }
  if (way.both && meter.device().kind == DeviceKind::kCuda) {
    const DeviceId second = copying_device(way.to, way.from, way.engine);
    begun_ = std::make_unique<Event>(meter.device());
    done_ = std::make_unique<Event>(second);
    second_ = std::make_unique<OwnedStream>(second);
  }
}

void Link::copy(const Lane& lane, int64_t bytes, Stream stream) const {
  std::byte* to = lane.target.data();
  const std::byte* from = lane.source.data();
  if (way_.engine != CopyEngine::kCopy) {
    // Two kernels on one device must find room beside each other.
    const DeviceId device = copying_device(lane.from, lane.to, way_.engine);
    const bool shared = way_.both && copying_device(lane.to, lane.from, way_.engine) == device;
    copy_memory(to, from, bytes, device, stream, shared ? 2 : 4);
  } else if (on_host(lane.from) || on_host(lane.to) || lane.from.device == lane.to.device) {
    cuda::copy_async(to, from, bytes, stream);
  } else {
    cuda::copy_peer_async(to, lane.to.device.index, from, lane.from.device.index, bytes, stream);
  }
}

Stream Link::second_stream(Stream first) const {
  return second_ ? second_->get() : first;
}

std::string Link::verify(int64_t bytes) {
  EMBER_CHECK(bytes % 64 == 0 && bytes <= lanes_[0].source.bytes(), "a copy of ", bytes);
  for (const Lane& lane : lanes_) {
    fill_place(lane.target.data(), bytes + kGuard, lane.to);
  }
  const Work once = work(bytes);
  if (once.fork) {
    once.fork(meter_.stream());
  }
  once.run(0, meter_.stream());
  if (once.join) {
    once.join(meter_.stream());
  }
  if (meter_.device().kind == DeviceKind::kCuda) {
    synchronize(meter_.stream());
  }
  std::vector<uint64_t> got(static_cast<size_t>((bytes + kGuard) / 8));
  for (const Lane& lane : lanes_) {
    copy_whole(got.data(), lane.target.data(), bytes + kGuard, lane.to);
    const std::string where = " of " + std::to_string(bytes) + " from " + lane.from.device.str() +
                              " to " + lane.to.device.str();
    const int64_t wrong = first_wrong(got.data(), bytes / 8, lane.seed);
    if (wrong < bytes / 8) {
      return "byte " + std::to_string(8 * wrong) + where + " is not what was sent";
    }
    const auto* beyond = reinterpret_cast<const unsigned char*>(got.data()) + bytes;
    if (std::any_of(beyond, beyond + kGuard, [](unsigned char b) { return b != kUntouched; })) {
      return "bytes beyond the last" + where + " were written";
    }
  }
  return "";
}

Work Link::work(int64_t bytes) {
  Work w;
  w.graph = false;
  w.bytes = bytes;
  // Such a copy holds its caller until the bytes are on their way, and so would wait for the gate.
  w.host_clock = way_.engine == CopyEngine::kCopy && ((on_host(way_.from) && !way_.from.pinned) ||
                                                      (on_host(way_.to) && !way_.to.pinned));
  w.run = [this, bytes](int64_t, Stream stream) {
    copy(lanes_[0], bytes, stream);
    if (lanes_.size() > 1) {
      copy(lanes_[1], bytes, second_stream(stream));
    }
  };
  if (second_) {
    w.fork = [this](Stream stream) {
      begun_->record(stream);
      begun_->wait(second_->get());
    };
    w.join = [this](Stream stream) {
      done_->record(second_->get());
      done_->wait(stream);
    };
  }
  return w;
}

Measurement Link::measure(int64_t bytes, const MeasureOptions& options) {
  MeasureOptions o = options;
  o.cache = CacheState::kHot;
  return meter_.measure(work(bytes), o);
}

}  // namespace ember
