// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/load_chain.h"

#include <cstring>
#include <numeric>
#include <utility>

#include "kernels/base/cuda_memory.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

// Every line follows another, in one ring (Sattolo's shuffle).
std::vector<uint32_t> one_ring(int64_t lines) {
  std::vector<uint32_t> next(static_cast<size_t>(lines));
  std::iota(next.begin(), next.end(), 0u);
  uint64_t state = 0x9e3779b97f4a7c15u;
  for (size_t i = next.size(); i-- > 1;) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::swap(next[i], next[(state >> 33) % i]);
  }
  return next;
}

void copy_and_wait(void* to, const void* from, int64_t bytes, DeviceId device) {
  if (device.kind == DeviceKind::kCpu) {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    return;
  }
  const OwnedStream stream(device);
  cuda::copy_async(to, from, bytes, stream.get());
  synchronize(stream.get());
}

// A load that waits for the one before it, and that no compiler leaves out.
uint32_t follow_on_host(const std::byte* ring, int64_t steps, uint32_t at) {
  for (int64_t i = 0; i < steps; ++i) {
    at = *reinterpret_cast<const volatile uint32_t*>(ring + int64_t{at} * LoadChain::kLine);
  }
  return at;
}

}  // namespace

LoadChain::LoadChain(Meter& meter, const Place& where, int64_t bytes)
    : meter_(meter),
      where_(where),
      next_(one_ring(bytes / kLine)),
      ring_(where.pinned ? Buffer::pinned(bytes, Buffer::Fill::kNone, "load chain")
                         : Buffer(bytes, Buffer::Fill::kNone, where.device, "load chain")),
      at_(64, Buffer::Fill::kZero, meter.device(), "place in a load chain") {
  EMBER_CHECK(bytes >= kLine && bytes % kLine == 0, "a load chain of ", bytes, " bytes");
  std::vector<uint32_t> words(static_cast<size_t>(bytes / 4));
  for (size_t i = 0; i < next_.size(); ++i) {
    words[i * (kLine / 4)] = next_[i];
  }
  copy_and_wait(ring_.data(), words.data(), bytes, where.device);
}

void LoadChain::run(Stream stream) const {
  if (meter_.device().kind == DeviceKind::kCuda) {
    follow_chain(ring_.data(), kSteps, at_.data(), meter_.device(), stream);
    return;
  }
  auto* at = reinterpret_cast<uint32_t*>(at_.data());
  *at = follow_on_host(ring_.data(), kSteps, *at);
}

std::string LoadChain::verify() {
  uint32_t wanted = 0, got = 0;
  copy_and_wait(at_.data(), &wanted, sizeof wanted, meter_.device());
  for (int turn = 0; turn < 2; ++turn) {
    run(meter_.stream());
    for (int64_t i = 0; i < kSteps; ++i) {
      wanted = next_[wanted];
    }
  }
  if (meter_.device().kind == DeviceKind::kCuda) {
    synchronize(meter_.stream());
  }
  copy_and_wait(&got, at_.data(), sizeof got, meter_.device());
  return got == wanted ? ""
                       : "loads from " + where_.device.str() + " by " + meter_.device().str() +
                             " came to line " + std::to_string(got) + " of " +
                             std::to_string(next_.size()) + ", expected " + std::to_string(wanted);
}

Measurement LoadChain::measure(const MeasureOptions& options) {
  Work w;
  w.graph = false;
  w.run = [this](int64_t, Stream stream) { run(stream); };
  MeasureOptions o = options;
  o.cache = CacheState::kHot;  // the ring goes on where the last run ended: lines not met lately
  Measurement m = meter_.measure(w, o);
  for (double& s : m.seconds) {
    s /= kSteps;
  }
  summarise(options, &m);
  return m;
}

}  // namespace ember
