// SPDX-License-Identifier: Apache-2.0
// The way of the residual stream from one pipeline stage to the next, one object a boundary.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "kernels/base/tensor.h"

namespace ember {

class IBackend;

// How rows get from one CUDA device to another.
enum class HopPath {
  kAuto,    // peer where the devices can, else staged
  kPeer,    // the same, asked for by name
  kStaged,  // through pinned host memory, even where the devices could do without
};

inline constexpr int kHopRing = 2;  // messages that may be under way

class Hop {
 public:
  explicit Hop(int64_t bytes) : bytes_(bytes) {}
  virtual ~Hop() = default;

  // Sends `from`, on the sender: dense, at most the bytes that the hop was made for. The rows are
  // read when the sender has done what it was given before, and what it is given afterwards may
  // overwrite them; between CUDA devices it does not wait for the link. Not more than kHopRing
  // messages may be under way.
  void send(const TensorView& from);
  // Ends the way of the message sent first: `to`, on the receiver, of its shape and dtype, is
  // written when the receiver has done what it was given before, and what it is given afterwards
  // finds it there. The host waits where a side is the CPU, and between CUDA devices never.
  void receive(const TensorView& to);
  // Forgets the messages under way.
  void drop() { received_ = sent_; }

  // How long the message received last took by the host's clock, the time left out in which it lay
  // there unread; nothing where a side is a CUDA device.
  virtual std::optional<double> seconds() const { return {}; }
  virtual std::string str() const = 0;  // "peer copies", for a verbose line

 protected:
  int64_t bytes() const { return bytes_; }  // of a slot

 private:
  // Slots are of the receiver, and taken in turn.
  virtual void put(int slot, const TensorView& from) = 0;
  virtual void take(int slot, const TensorView& to) = 0;

  struct Message {
    Shape shape;
    DType dtype = DType::kF32;
  };

  int64_t bytes_;
  int64_t sent_ = 0, received_ = 0;
  Message messages_[kHopRing];
};

// A hop of up to `bytes`, over a slow link where one is planted (slow_link.h). Where a CUDA pair
// cannot copy between peers, `note` (when given) gets a sentence that says why, and the hop is
// staged; else it is left alone. Both backends must outlive the hop.
std::unique_ptr<Hop> make_hop(IBackend& sender, IBackend& receiver, int64_t bytes, HopPath path,
                              std::string* note = nullptr);

// What make_hop takes on the devices of either side.
struct HopBytes {
  int64_t sender, receiver;
};
HopBytes hop_bytes(DeviceId sender, DeviceId receiver, int64_t bytes);

// "auto", "peer", "staged"; throws Error{kUsage} for anything else.
HopPath parse_hop_path(const std::string& text);

}  // namespace ember
