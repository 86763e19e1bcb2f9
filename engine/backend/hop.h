// SPDX-License-Identifier: Apache-2.0
// The way of the residual stream from one pipeline stage to the next, one object a boundary.
#pragma once

#include <cstdint>
#include <memory>
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

class Hop {
 public:
  virtual ~Hop() = default;

  // Copies `from`, on the sender, to `to`, on the receiver: dense, of one shape and dtype, at most
  // the bytes that the hop was made for. It takes its place in the work of both: the rows are read
  // when the sender has done what it was given before, and `to` is written when the receiver has.
  // What either is given afterwards finds the copy done. Between CUDA devices nothing waits but the
  // devices: the sender may be a ring of buffers ahead of the receiver.
  virtual void move(const TensorView& to, const TensorView& from) = 0;

  virtual std::string str() const = 0;  // "peer copies", for a verbose line
};

// A hop of up to `bytes`. Where a CUDA pair cannot copy between peers, `note` (when given) gets a
// sentence that says why, and the hop is staged; else it is left alone. Both backends must outlive
// the hop.
std::unique_ptr<Hop> make_hop(IBackend& sender, IBackend& receiver, int64_t bytes, HopPath path,
                              std::string* note = nullptr);

// What make_hop takes through the receiver's allocate().
int64_t hop_bytes(DeviceId sender, DeviceId receiver, int64_t bytes);

// "auto", "peer", "staged"; throws Error{kUsage} for anything else.
HopPath parse_hop_path(const std::string& text);

}  // namespace ember
