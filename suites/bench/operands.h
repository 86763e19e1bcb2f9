// SPDX-License-Identifier: Apache-2.0
// Operands of one op in a device's memory, and what the oracle needs of them on the host.
#pragma once

#include <algorithm>
#include <deque>
#include <initializer_list>
#include <string>
#include <vector>

#include "kernels/base/buffer.h"
#include "kernels/base/cuda_memory.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"
#include "kernels/random_weights/random_weights.h"

namespace ember {

// Views of it stay valid as long as it lives.
class Operands {
 public:
  Operands(DeviceId device, Stream stream) : device_(device), stream_(stream) {}

  TensorView empty(const Shape& shape, DType dtype);  // zeros
  // Each tensor from a stream of random weights of its own.
  TensorView random(const Shape& shape, DType dtype, k::RandomKind kind = k::RandomKind::kMatrix);
  template <class T>
  TensorView values(const std::vector<T>& v) {
    const TensorView out = empty({static_cast<int64_t>(v.size())}, DTypeOf<T>::value);
    if (cuda()) {
      cuda::upload(out, v.data(), stream_);
    } else {
      std::copy(v.begin(), v.end(), out.template as<T>());
    }
    return out;
  }
  bool cuda() const { return device_.kind == DeviceKind::kCuda; }

 private:
  DeviceId device_;
  Stream stream_;
  std::deque<Buffer> memory_;
};

// Dense host copies of views, which wait for the stream.
class HostCopies {
 public:
  explicit HostCopies(Stream stream) : stream_(stream) {}

  TensorView operator()(const TensorView& from);
  void replace(std::initializer_list<TensorView*> views);  // each by its copy
  TensorView like(const TensorView& v, const Shape& shape);
  TensorView like(const TensorView& v) { return like(v, v.shape); }  // zeros

 private:
  Stream stream_;
  std::deque<Buffer> memory_;
};

// Empty when two dense host tensors of one shape agree within a few roundings of the dtype of
// `got`, or of the one that `got` was computed from, by their relative L2; else a sentence.
std::string judge(const TensorView& got, const TensorView& want, DType rounded);
inline std::string judge(const TensorView& got, const TensorView& want) {
  return judge(got, want, got.dtype);
}

}  // namespace ember
