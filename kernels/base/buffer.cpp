// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/base/env.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

// Above this size pages matter more than lines: huge pages save most of the address translation.
constexpr int64_t kHugePage = int64_t{2} << 20;

}  // namespace

Buffer::Buffer(int64_t bytes, Fill fill, DeviceId device, const char* what)
    : bytes_(bytes), device_(device) {
  EMBER_CHECK(bytes >= 0, what, ": ", bytes, " bytes");
  if (device.kind != DeviceKind::kCpu) {
    fail(ErrorKind::kUnsupported, what, ": no allocator for device ", device.str());
  }
  if (bytes == 0) {
    return;
  }
  const int64_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
  int64_t rounded = 0;
  if (!__builtin_add_overflow(bytes, alignment - 1, &rounded)) {
    rounded -= rounded % alignment;
    data_ = static_cast<std::byte*>(
        std::aligned_alloc(static_cast<size_t>(alignment), static_cast<size_t>(rounded)));
  }
  if (data_ == nullptr) {
    fail(ErrorKind::kOutOfMemory, what, ": the system has no ", bytes, " bytes of memory left");
  }
  if (alignment == kHugePage) {
    madvise(data_, static_cast<size_t>(rounded), MADV_HUGEPAGE);  // a hint: failure is harmless
  }
  if (fill == Fill::kNone && env_flag(EnvVar::kPoison)) {
    fill = Fill::kPoison;
  }
  if (fill != Fill::kNone) {
    std::memset(data_, fill == Fill::kZero ? 0 : 0xff, static_cast<size_t>(bytes));
  }
}

Buffer::~Buffer() {
  std::free(data_);
}

Buffer::Buffer(Buffer&& other) noexcept {
  *this = std::move(other);
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(device_, other.device_);
  return *this;
}

TensorView Buffer::view(DType dtype, const Shape& shape, int64_t offset) const {
  const int64_t bytes = shape.numel() * dtype_bytes(dtype);
  EMBER_CHECK(offset >= 0 && offset <= bytes_ && bytes <= bytes_ - offset, "tensor ", shape.str(),
              " ", dtype_name(dtype), " at byte ", offset, " of a buffer of ", bytes_);
  return TensorView(data_ + offset, dtype, shape, device_);
}

}  // namespace ember
