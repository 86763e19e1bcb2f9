// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/base/cuda_memory.h"
#include "kernels/base/env.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

// Above this size pages matter more than lines: huge pages save most of the address translation.
constexpr int64_t kHugePage = int64_t{2} << 20;

std::byte* allocate_pageable(int64_t bytes, const char* what) {
  const int64_t alignment = bytes >= kHugePage ? kHugePage : Buffer::kAlignment;
  int64_t rounded = 0;
  void* p = nullptr;
  if (!__builtin_add_overflow(bytes, alignment - 1, &rounded)) {
    rounded -= rounded % alignment;
    p = std::aligned_alloc(static_cast<size_t>(alignment), static_cast<size_t>(rounded));
  }
  if (p == nullptr) {
    fail(ErrorKind::kOutOfMemory, what, ": the system has no ", bytes, " bytes of memory left");
  }
  if (alignment == kHugePage) {
    madvise(p, static_cast<size_t>(rounded), MADV_HUGEPAGE);  // a hint: failure is harmless
  }
  return static_cast<std::byte*>(p);
}

Buffer::Fill effective(Buffer::Fill fill) {
  return fill == Buffer::Fill::kNone && env_flag(EnvVar::kPoison) ? Buffer::Fill::kPoison : fill;
}

}  // namespace

Buffer::Buffer(int64_t bytes, Fill fill, DeviceId device, const char* what)
    : bytes_(bytes), device_(device) {
  EMBER_CHECK(bytes >= 0, what, ": ", bytes, " bytes");
  if (bytes == 0) {
    return;
  }
  const bool on_device = device.kind == DeviceKind::kCuda;
  data_ =
      on_device ? cuda::allocate_device(bytes, device.index, what) : allocate_pageable(bytes, what);
  fill = effective(fill);
  if (fill != Fill::kNone) {
    const int value = fill == Fill::kZero ? 0 : 0xff;
    if (on_device) {
      cuda::fill_device(data_, value, bytes, device.index);
    } else {
      std::memset(data_, value, static_cast<size_t>(bytes));
    }
  }
}

Buffer Buffer::pinned(int64_t bytes, Fill fill, const char* what) {
  EMBER_CHECK(bytes >= 0, what, ": ", bytes, " bytes");
  Buffer b;
  if (bytes > 0) {
    b.data_ = cuda::allocate_pinned(bytes, what);
    b.bytes_ = bytes;
    b.pinned_ = true;
    fill = effective(fill);
    if (fill != Fill::kNone) {
      std::memset(b.data_, fill == Fill::kZero ? 0 : 0xff, static_cast<size_t>(bytes));
    }
  }
  return b;
}

Buffer::~Buffer() {
  if (data_ == nullptr) {
    return;
  }
  if (pinned_) {
    cuda::free_pinned(data_);
  } else if (device_.kind == DeviceKind::kCuda) {
    cuda::free_device(data_, device_.index);
  } else {
    std::free(data_);
  }
}

Buffer::Buffer(Buffer&& other) noexcept {
  *this = std::move(other);
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(device_, other.device_);
  std::swap(pinned_, other.pinned_);
  return *this;
}

void prefer_small_pages(void* memory, int64_t bytes) {
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(memory) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + bytes) / page * page;
  if (begin < end) {
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_NOHUGEPAGE);
  }
}

TensorView Buffer::view(DType dtype, const Shape& shape, int64_t offset) const {
  const int64_t bytes = shape.numel() * dtype_bytes(dtype);
  EMBER_CHECK(offset >= 0 && offset <= bytes_ && bytes <= bytes_ - offset, "tensor ", shape.str(),
              " ", dtype_name(dtype), " at byte ", offset, " of a buffer of ", bytes_);
  return TensorView(data_ + offset, dtype, shape, device_);
}

}  // namespace ember
