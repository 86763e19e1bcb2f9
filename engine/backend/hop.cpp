// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/hop.h"

#include "engine/backend/backend.h"
#include "engine/backend/cuda_hop.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

bool on_cuda(const DeviceId& device) {
  return device.kind == DeviceKind::kCuda;
}

// One side, or both, is the CPU: its work is done when a call returns, and the other side's copies
// to and from the host keep their place in its work.
class HostHop : public Hop {
 public:
  HostHop(IBackend& sender, IBackend& receiver) : sender_(sender), receiver_(receiver) {}

  void move(const TensorView& to, const TensorView& from) override {
    EMBER_CHECK(to.shape == from.shape && to.dtype == from.dtype && to.dense() && from.dense(),
                "hop from ", from.shape.str(), " to ", to.shape.str());
    if (on_cuda(receiver_.device())) {
      receiver_.upload(to, from.data);
    } else {
      sender_.download(from, to.data);
    }
  }

  std::string str() const override { return "host memory"; }

 private:
  IBackend& sender_;
  IBackend& receiver_;
};

}  // namespace

void IBackend::receive(const TensorView& to, const TensorView& from, Hop& hop) {
  hop.move(to, from);
}

std::unique_ptr<Hop> make_hop(IBackend& sender, IBackend& receiver, int64_t bytes, HopPath path,
                              std::string* note) {
  // Events order the work of two queues; the CPU, also as an emulated device, has none.
  if (sender.queue().handle == nullptr || receiver.queue().handle == nullptr) {
    return std::make_unique<HostHop>(sender, receiver);
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

int64_t hop_bytes(DeviceId sender, DeviceId receiver, int64_t bytes) {
  return on_cuda(sender) && on_cuda(receiver) ? kHopRing * bytes : 0;
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
