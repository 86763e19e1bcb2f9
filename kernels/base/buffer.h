// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/base/tensor.h"

namespace ember {

// Owning memory on the host (pageable or pinned) or on a CUDA device, aligned to 64 bytes or more.
// Movable, not copyable.
class Buffer {
 public:
  enum class Fill {
    kNone,    // as the system gives it, unless EMBER_POISON=1 asks for kPoison
    kZero,    // all bits zero
    kPoison,  // all bits one: NaN in every float dtype, -1 in I32
  };
  static constexpr int64_t kAlignment = 64;

  Buffer() = default;
  // Throws Error{kOutOfMemory} naming `what` and the bytes when the system refuses, and
  // Error{kUnsupported} for a device this build cannot allocate on. bytes may be 0.
  explicit Buffer(int64_t bytes, Fill fill = Fill::kNone, DeviceId device = {},
                  const char* what = "buffer");
  // Host memory that devices copy from and to at full speed, asynchronously. Same errors.
  static Buffer pinned(int64_t bytes, Fill fill = Fill::kNone, const char* what = "pinned buffer");
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  DeviceId device() const { return device_; }

  // A dense tensor `offset` bytes into the buffer; throws when it would reach past the end.
  TensorView view(DType dtype, const Shape& shape, int64_t offset = 0) const;

 private:
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
  DeviceId device_;
  bool pinned_ = false;
};

// For host memory that is written bit by bit in many places, as a key-value cache is: pages as
// small as the system has, so that only what is written takes memory and time. A hint.
void prefer_small_pages(void* memory, int64_t bytes);

}  // namespace ember
