// SPDX-License-Identifier: Apache-2.0
// How faults touch a device's tensors, whatever its memory: they are read into host memory, changed
// there and written back. Slow and plain.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/backend/backend.h"

namespace ember {

inline float load_element(const TensorView& v, int64_t i) {
  return v.dtype == DType::kF32   ? v.as<float>()[i]
         : v.dtype == DType::kF16 ? to_float(v.as<F16>()[i])
                                  : to_float(v.as<BF16>()[i]);
}

inline void store_element(const TensorView& v, int64_t i, float x) {
  if (v.dtype == DType::kF32) {
    v.as<float>()[i] = x;
  } else if (v.dtype == DType::kF16) {
    v.as<F16>()[i] = from_float<F16>(x);
  } else {
    v.as<BF16>()[i] = from_float<BF16>(x);
  }
}

// The values of a device view, strided or not, as dense host memory. Elements are counted from the
// view's first, in the order of its shape.
class HostCopy {
 public:
  // Reads; everything launched on the device before has then been done.
  HostCopy(IBackend& device, const TensorView& of)
      : device_(device), of_(of), bytes_(of.bytes()), host_(bytes_.data(), of.dtype, of.shape) {
    device_.download(of_, bytes_.data());
  }
  HostCopy(const HostCopy&) = delete;  // host_ points into bytes_
  HostCopy& operator=(const HostCopy&) = delete;

  void write_back() { device_.upload(of_, bytes_.data()); }

  const TensorView& view() const { return host_; }
  std::vector<std::byte>& bytes() { return bytes_; }
  float at(int64_t i) const { return load_element(host_, i); }
  float at(int64_t r, int64_t c) const { return at(r * of_.shape.last() + c); }
  float at(int64_t p, int64_t r, int64_t c) const {
    return at((p * of_.shape[1] + r) * of_.shape.last() + c);
  }
  void set(int64_t i, float x) { store_element(host_, i, x); }
  void set(int64_t r, int64_t c, float x) { set(r * of_.shape.last() + c, x); }
  void set(int64_t p, int64_t r, int64_t c, float x) {
    set((p * of_.shape[1] + r) * of_.shape.last() + c, x);
  }

 private:
  IBackend& device_;
  TensorView of_;
  std::vector<std::byte> bytes_;
  TensorView host_;
};

// Device memory for a tensor that a fault makes up: the view holds until the next put().
class DeviceScratch {
 public:
  TensorView put(IBackend& device, const void* host, DType dtype, const Shape& shape) {
    const int64_t bytes = shape.numel() * dtype_bytes(dtype);
    if (bytes > capacity_) {
      device.synchronize();  // nothing may still read what is given back here
      memory_ = device.allocate(bytes);
      capacity_ = bytes;
    }
    const TensorView v(memory_.get(), dtype, shape, device.device());
    device.upload(v, host);
    return v;
  }

 private:
  Memory memory_;
  int64_t capacity_ = 0;
};

}  // namespace ember
