// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/base/buffer.h"
#include "kernels/base/stream.h"

namespace ember {

// Pinned memory between pageable host memory and a device, a few slots in turn: while one slot is
// on its way to the device, the next is filled. A slot takes the memory that its largest piece so
// far needed.
class PinnedStaging {
 public:
  PinnedStaging(DeviceId device, int64_t slot_bytes, int slots);

  // Copies `bytes` from the host to the device in pieces of a slot; returns when the source may be
  // changed, with the last copies still under way on the stream.
  void upload(void* device_memory, const void* host, int64_t bytes, Stream stream);
  // As upload, but each piece goes to `device_piece` (a slot in size), and after each `use`
  // enqueues what becomes of it there.
  void upload_pieces(void* device_piece, const void* host, int64_t bytes, Stream stream,
                     const std::function<void(int64_t offset, int64_t bytes)>& use);
  // Complete when it returns.
  void download(void* host, const void* device_memory, int64_t bytes, Stream stream);

  int64_t slot_bytes() const { return slot_bytes_; }

 private:
  struct Slot {
    Buffer memory;
    std::unique_ptr<Event> free;
  };
  Slot& next(int64_t bytes);

  int64_t slot_bytes_;
  size_t turn_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace ember
