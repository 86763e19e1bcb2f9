// SPDX-License-Identifier: Apache-2.0
#include "harness/step_cost.h"

namespace ember {
namespace {

double layer_weights(const ModelShape& m) {
  return static_cast<double>(m.D * (m.q_dim() + 2 * m.kv_dim()) + m.q_dim() * m.D + 3 * m.D * m.F);
}

}  // namespace

double decode_step_bytes(const ModelConfig& config, DType weights, DType cache, int64_t cached,
                         int64_t sequences) {
  const ModelShape& m = config.shape;
  const auto w = static_cast<double>(dtype_bytes(weights));
  const auto layers = static_cast<double>(m.L), hidden = static_cast<double>(m.D);
  const double gains = 2 * (layers * 2 * static_cast<double>(m.D + m.E) + hidden);
  const double token = 2 * layers * static_cast<double>(m.kv_dim() * dtype_bytes(cache));
  return w * (layers * layer_weights(m) + static_cast<double>(m.V * m.D)) + gains +
         static_cast<double>(sequences) * (hidden * w + token * static_cast<double>(cached + 1));
}

double prefill_flops(const ModelConfig& config, int64_t tokens, int64_t cached) {
  const ModelShape& m = config.shape;
  const auto t = static_cast<double>(tokens), c = static_cast<double>(cached);
  const auto layers = static_cast<double>(m.L);
  const double pairs = t * c + t * (t + 1) / 2;
  return 2 * t * layers * layer_weights(m) + 2 * static_cast<double>(m.V * m.D) +
         4 * layers * static_cast<double>(m.q_dim()) * pairs;
}

}  // namespace ember
