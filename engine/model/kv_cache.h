// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/base/model_shape.h"
#include "kernels/base/tensor.h"

namespace ember {

// Device memory that frees itself when the last owner goes.
using Memory = std::shared_ptr<void>;

// Keys and values of one session for the layers of one stage: for each layer K and V as
// (K, S, E), so that one head's positions are contiguous. S is the capacity; rows at and beyond the
// session's length hold nothing and must never influence a result.
class KvCache {
 public:
  KvCache(int64_t layers, const ModelShape& shape, int64_t capacity, DType dtype, DeviceId device,
          const std::function<Memory(int64_t bytes)>& allocate);

  // What the constructor allocates.
  static int64_t bytes(int64_t layers, const ModelShape& shape, int64_t capacity, DType dtype);

  // `layer` counts from the stage's first layer.
  TensorView k(int64_t layer) const { return view(2 * layer); }
  TensorView v(int64_t layer) const { return view(2 * layer + 1); }
  int64_t capacity() const { return capacity_; }

 private:
  TensorView view(int64_t index) const;

  Shape plane_;
  int64_t layers_;
  int64_t capacity_;
  DType dtype_;
  DeviceId device_;
  Memory memory_;
};

}  // namespace ember
