// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/pinned_staging.h"

#include <algorithm>

#include "engine/io/mmap_file.h"
#include "kernels/base/cuda_memory.h"
#include "kernels/base/parallel.h"

namespace ember {
namespace {

// Several threads, because one cannot fill a slot as fast as the device empties it.
void copy_on_host(void* to, const void* from, int64_t bytes) {
  constexpr int64_t kGrain = int64_t{1} << 20;
  parallel_for(bytes, kGrain, [&](int64_t begin, int64_t end) {
    read_mapped(static_cast<std::byte*>(to) + begin, static_cast<const std::byte*>(from) + begin,
                end - begin);
  });
}

}  // namespace

PinnedStaging::PinnedStaging(DeviceId device, int64_t slot_bytes, int slots)
    : slot_bytes_(slot_bytes) {
  for (int i = 0; i < slots; ++i) {
    slots_.push_back({Buffer(), std::make_unique<Event>(device)});
  }
}

PinnedStaging::Slot& PinnedStaging::next(int64_t bytes) {
  Slot& slot = slots_[turn_];
  turn_ = (turn_ + 1) % slots_.size();
  slot.free->synchronize();
  if (slot.memory.bytes() < bytes) {
    // By factors of four: one step to full size once weights come, few steps for anything less.
    int64_t room = int64_t{64} << 10;
    while (room < bytes) {
      room *= 4;
    }
    slot.memory = Buffer();
    slot.memory =
        Buffer::pinned(std::min(room, slot_bytes_), Buffer::Fill::kNone, "pinned staging");
  }
  return slot;
}

void PinnedStaging::upload(void* device_memory, const void* host, int64_t bytes, Stream stream) {
  for (int64_t at = 0; at < bytes; at += slot_bytes_) {
    const int64_t n = std::min(slot_bytes_, bytes - at);
    Slot& slot = next(n);
    copy_on_host(slot.memory.data(), static_cast<const std::byte*>(host) + at, n);
    cuda::copy_async(static_cast<std::byte*>(device_memory) + at, slot.memory.data(), n, stream);
    slot.free->record(stream);
  }
}

void PinnedStaging::upload_pieces(void* device_piece, const void* host, int64_t bytes,
                                  Stream stream,
                                  const std::function<void(int64_t offset, int64_t bytes)>& use) {
  for (int64_t at = 0; at < bytes; at += slot_bytes_) {
    const int64_t n = std::min(slot_bytes_, bytes - at);
    upload(device_piece, static_cast<const std::byte*>(host) + at, n, stream);
    use(at, n);
  }
}

void PinnedStaging::download(void* host, const void* device_memory, int64_t bytes, Stream stream) {
  for (int64_t at = 0; at < bytes; at += slot_bytes_) {
    const int64_t n = std::min(slot_bytes_, bytes - at);
    Slot& slot = next(n);
    cuda::copy_async(slot.memory.data(), static_cast<const std::byte*>(device_memory) + at, n,
                     stream);
    synchronize(stream);
    copy_on_host(static_cast<std::byte*>(host) + at, slot.memory.data(), n);
  }
}

}  // namespace ember
