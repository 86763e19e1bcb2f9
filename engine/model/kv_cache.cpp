// SPDX-License-Identifier: Apache-2.0
#include "engine/model/kv_cache.h"

#include "kernels/base/error.h"

namespace ember {

KvCache::KvCache(int64_t layers, const ModelShape& shape, int64_t capacity, DType dtype,
                 DeviceId device, const std::function<Memory(int64_t bytes)>& allocate)
    : plane_{shape.K, capacity, shape.E},
      layers_(layers),
      capacity_(capacity),
      dtype_(dtype),
      device_(device),
      memory_(allocate(bytes(layers, shape, capacity, dtype))) {}

int64_t KvCache::bytes(int64_t layers, const ModelShape& shape, int64_t capacity, DType dtype) {
  return 2 * layers * shape.K * capacity * shape.E * dtype_bytes(dtype);
}

TensorView KvCache::view(int64_t index) const {
  EMBER_CHECK(index >= 0 && index < 2 * layers_, "cache of ", layers_, " layers, plane ", index);
  char* base = static_cast<char*>(memory_.get());
  return {base + index * plane_.numel() * dtype_bytes(dtype_), dtype_, plane_, device_};
}

}  // namespace ember
