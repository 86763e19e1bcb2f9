// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/hop.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>

#include "engine/backend/backend.h"
#include "engine/backend/cuda_hop.h"
#include "engine/backend/slow_link.h"
#include "engine/core/clock.h"
#include "kernels/base/buffer.h"
#include "kernels/base/cuda_memory.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

bool on_cuda(const DeviceId& device) {
  return device.kind == DeviceKind::kCuda;
}

// The last bit by the clock alone, as a sleep ends late.
void wait_until(double time) {
  constexpr double kAwake = 200e-6;
  const double left = time - now_seconds();
  if (left > kAwake) {
    std::this_thread::sleep_for(std::chrono::duration<double>(left - kAwake));
  }
  while (now_seconds() < time) {
  }
}

// One side, or both, is the CPU: messages lie in host memory.
class HostHop : public Hop {
 public:
  HostHop(IBackend& sender, IBackend& receiver, int64_t bytes)
      : Hop(bytes), sender_(sender), receiver_(receiver), link_(slow_link()) {
    if (sender.queue().handle != nullptr) {
      pinned_ = Buffer::pinned(kHopRing * bytes, Buffer::Fill::kNone, "hop");
      for (int i = 0; i < kHopRing; ++i) {
        copied_.emplace_back(sender.device());
      }
    } else if (on_cuda(receiver.device())) {
      pageable_ = Buffer(kHopRing * bytes);
    } else {
      memory_ = receiver.allocate(kHopRing * bytes);
    }
  }
  ~HostHop() override {
    try {
      sender_.synchronize();  // a message that nobody has received
    } catch (const Error&) {
      // The device has failed, and the work that failed has reported it.
    }
  }

  std::optional<double> seconds() const override { return seconds_; }
  std::string str() const override { return "host memory"; }

 private:
  void put(int slot, const TensorView& from) override {
    const double start = now_seconds();
    if (copied_.empty()) {
      sender_.download(from, at(slot));
    } else {
      cuda::copy_async(at(slot), from.data, from.bytes(), sender_.queue());
      copied_[slot].record(sender_.queue());
    }
    const double sent = now_seconds();
    copying_[slot] = sent - start;
    link_free_ = std::max(sent, link_free_) + (link_ ? link_->seconds(from.bytes()) : 0);
    due_[slot] = link_free_;
    waiting_[slot] = due_[slot] - sent;
  }

  void take(int slot, const TensorView& to) override {
    if (!copied_.empty()) {
      copied_[slot].synchronize();
    }
    wait_until(due_[slot]);
    const double start = now_seconds();
    receiver_.upload(to, at(slot));
    if (!on_cuda(sender_.device()) && !on_cuda(receiver_.device())) {
      seconds_ = copying_[slot] + waiting_[slot] + now_seconds() - start;
    }
  }

  std::byte* at(int slot) {
    std::byte* base = pinned_.bytes() > 0     ? pinned_.data()
                      : pageable_.bytes() > 0 ? pageable_.data()
                                              : static_cast<std::byte*>(memory_.get());
    return base + slot * bytes();
  }

  IBackend& sender_;
  IBackend& receiver_;
  std::optional<SlowLink> link_;
  Buffer pinned_, pageable_;
  Memory memory_;
  std::deque<Event> copied_;  // to pinned memory, by a CUDA sender's queue
  double link_free_ = 0;      // from then on
  double copying_[kHopRing] = {}, waiting_[kHopRing] = {}, due_[kHopRing] = {};
  std::optional<double> seconds_;
};

}  // namespace

void Hop::send(const TensorView& from) {
  EMBER_CHECK(from.dense() && from.bytes() <= bytes_, "hop of ", bytes_, " bytes from ",
              from.shape.str());
  EMBER_CHECK(sent_ - received_ < kHopRing, "a message after ", sent_ - received_, " under way");
  const int slot = static_cast<int>(sent_ % kHopRing);
  put(slot, from);
  messages_[slot] = {from.shape, from.dtype};
  ++sent_;
}

void Hop::receive(const TensorView& to) {
  EMBER_CHECK(received_ < sent_, "no message is under way");
  const int slot = static_cast<int>(received_ % kHopRing);
  EMBER_CHECK(to.dense() && to.shape == messages_[slot].shape && to.dtype == messages_[slot].dtype,
              "hop from ", messages_[slot].shape.str(), " to ", to.shape.str());
  take(slot, to);
  ++received_;
}

void IBackend::receive(const TensorView& to, Hop& hop) {
  hop.receive(to);
}

std::unique_ptr<Hop> make_hop(IBackend& sender, IBackend& receiver, int64_t bytes, HopPath path,
                              std::string* note) {
  // Events order the work of two queues; the CPU, also as an emulated device, has none.
  if (sender.queue().handle == nullptr || receiver.queue().handle == nullptr) {
    return std::make_unique<HostHop>(sender, receiver, bytes);
  }
  bool staged = path == HopPath::kStaged;
  if (!staged) {
    const std::string why = why_no_peer_copy(sender, receiver);
    staged = !why.empty();
    if (staged && note) {
      *note = "no peer copies from device " + sender.device().str() + " to device " +
              receiver.device().str() + " (" + why + "): activations go through pinned host memory";
    }
  }
  return make_cuda_hop(sender, receiver, bytes, staged);
}

HopBytes hop_bytes(DeviceId sender, DeviceId receiver, int64_t bytes) {
  if (!on_cuda(receiver)) {
    return {0, kHopRing * bytes};
  }
  return on_cuda(sender) ? cuda_hop_bytes(bytes) : HopBytes{0, 0};
}

HopPath parse_hop_path(const std::string& text) {
  if (text == "auto") {
    return HopPath::kAuto;
  }
  if (text == "peer") {
    return HopPath::kPeer;
  }
  if (text == "staged") {
    return HopPath::kStaged;
  }
  fail(ErrorKind::kUsage, "--hop: expected auto, peer or staged, got '", text, "'");
}

}  // namespace ember
