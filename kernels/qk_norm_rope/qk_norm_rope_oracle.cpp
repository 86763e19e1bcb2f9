// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <vector>

#include "kernels/base/contract.h"
#include "kernels/common/convert.h"
#include "kernels/qk_norm_rope/qk_norm_rope.h"

namespace ember::k {
namespace {

// One head as transformers writes it: normed * cos + rotate_half(normed) * sin.
void head(const std::vector<float>& x, const std::vector<float>& gain, double eps, const float* cos,
          const float* sin, std::vector<float>* y) {
  const size_t E = x.size(), half = E / 2;
  double total = 0;
  for (const float v : x) {
    total += static_cast<double>(v) * static_cast<double>(v);
  }
  const double rms = std::sqrt(total / static_cast<double>(E) + eps);
  std::vector<double> normed(E);
  for (size_t i = 0; i < E; ++i) {
    normed[i] = static_cast<double>(x[i]) / rms * static_cast<double>(gain[i]);
  }
  for (size_t i = 0; i < E; ++i) {
    const double rotated = i < half ? -normed[i + half] : normed[i - half];
    (*y)[i] = static_cast<float>(normed[i] * static_cast<double>(cos[i % half]) +
                                 rotated * static_cast<double>(sin[i % half]));
  }
}

}  // namespace

void qk_norm_rope_oracle(const QkNormRopeParams& p) {
  validate(p);
  require_cpu({"qk_norm_rope", "q_out", p.q_out});
  const int64_t T = p.q.shape[0], K = p.k_cache.shape[0], S = p.k_cache.shape[1],
                E = p.k_cache.shape[2], H = p.q.shape[1] / E;
  const int64_t pos = p.pos_device != nullptr ? *p.pos_device : p.pos;
  require_range("qk_norm_rope", "pos", pos, 0, S - T);
  std::vector<float> q_norm(E), k_norm(E), x(E), y(E);
  to_f32(p.q_norm.dtype, p.q_norm.data, q_norm.data(), E);
  to_f32(p.k_norm.dtype, p.k_norm.data, k_norm.data(), E);
  const auto element = [](const TensorView& v, int64_t t, int64_t i) {
    return row_ptr(v, t) + i * dtype_bytes(v.dtype);
  };
  for (int64_t t = 0; t < T; ++t) {
    const auto* cos = reinterpret_cast<const float*>(row_ptr(p.cos, pos + t));
    const auto* sin = reinterpret_cast<const float*>(row_ptr(p.sin, pos + t));
    for (int64_t h = 0; h < H; ++h) {
      to_f32(p.q.dtype, element(p.q, t, h * E), x.data(), E);
      head(x, q_norm, p.eps, cos, sin, &y);
      from_f32(y.data(), p.q_out.dtype, element(p.q_out, t, h * E), E);
    }
    for (int64_t j = 0; j < K; ++j) {
      to_f32(p.k.dtype, element(p.k, t, j * E), x.data(), E);
      head(x, k_norm, p.eps, cos, sin, &y);
      from_f32(y.data(), p.k_cache.dtype, element(p.k_cache, j * S + pos + t, 0), E);
      to_f32(p.v.dtype, element(p.v, t, j * E), x.data(), E);
      from_f32(x.data(), p.v_cache.dtype, element(p.v_cache, j * S + pos + t, 0), E);
    }
  }
}

}  // namespace ember::k
