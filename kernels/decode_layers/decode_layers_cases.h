// SPDX-License-Identifier: Apache-2.0
// Cases of decode_layers for tests and benches on every device.
#pragma once

#include <string>

#include "kernels/base/model_shape.h"
#include "kernels/decode_layers/decode_layers.h"

namespace ember::k {

struct DecodeLayersCase {
  std::string name;
  int64_t L, D, H, K, E, F, pos;
  DType dtype = DType::kBF16, gain = DType::kF32;
  int64_t room = 3;  // rows of the caches after pos
  uint64_t seed = 1;

  std::string str() const {
    return name + " L " + std::to_string(L) + " D " + std::to_string(D) + " H " +
           std::to_string(H) + " K " + std::to_string(K) + " E " + std::to_string(E) + " F " +
           std::to_string(F) + " pos " + std::to_string(pos) + " " + dtype_name(dtype) + " gain " +
           dtype_name(gain);
  }
};

inline DecodeLayersCase decode_layers_case(const ModelPreset& m, int64_t L, int64_t pos, DType t) {
  DecodeLayersCase c{m.name, L, m.shape.D, m.shape.H, m.shape.K, m.shape.E, m.shape.F, pos};
  c.dtype = t;
  c.gain = t;  // as checkpoints have them
  return c;
}

}  // namespace ember::k
