// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/env.h"
#include "kernels/decode_layers/decode_layers.h"

namespace ember::k {
namespace {

// Asks with operands that have shapes and no memory: a layer, and a cache of one row.
bool takes(const ModelShape& m, DType dtype, DeviceId device) {
  const auto view = [&](const Shape& shape) { return TensorView(nullptr, dtype, shape, device); };
  DecodeLayer l;
  l.input_norm = l.post_norm = view({m.D});
  l.q_norm = l.k_norm = view({m.E});
  l.qkv = view({m.q_dim() + 2 * m.kv_dim(), m.D});
  l.o = view({m.D, m.q_dim()});
  l.gate_up = view({2 * m.F, m.D});
  l.down = view({m.D, m.F});
  l.k_cache = l.v_cache = view({m.K, 1, m.E});
  DecodeLayersParams p;
  p.x = TensorView(nullptr, DType::kF32, {1, m.D}, device);
  p.cos = p.sin = TensorView(nullptr, DType::kF32, {1, m.E / 2}, device);
  p.layers = &l;
  p.count = 1;
  return decode_layers_takes(p);
}

}  // namespace

bool decode_layers_chosen(const ModelShape& m, DType dtype, DeviceId device) {
  return env_int(EnvVar::kDecodeLayers, 0, 1).value_or(1) == 1 &&
         (dtype == DType::kF16 || dtype == DType::kBF16) && takes(m, dtype, device);
}

}  // namespace ember::k
