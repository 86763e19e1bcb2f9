// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"

namespace ember::k {

void attention_oracle(const AttentionParams& p) {
  validate(p);
  require_cpu({"attention", "o", p.o});
  const int64_t T = p.q.shape[0], K = p.k_cache.shape[0], S = p.k_cache.shape[1],
                E = p.k_cache.shape[2], H = p.q.shape[1] / E;
  const int64_t pos = p.pos_device ? *p.pos_device : p.pos;
  require_range("attention", "pos", pos, 0, S - T);
  const auto cache_row = [&](const TensorView& cache, int64_t j, int64_t s, float* out) {
    const int64_t offset = (j * S + s) * E * dtype_bytes(cache.dtype);
    to_f32(cache.dtype, static_cast<const std::byte*>(cache.data) + offset, out, E);
  };
  parallel_for(T * H, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> q_row(H * E), row(E);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t t = i / H, h = i % H, j = h / (H / K), length = pos + t + 1;
      const float* q = f32_row(p.q, t, q_row.data()) + h * E;
      std::vector<double> weight(length), out(E);
      double top = -std::numeric_limits<double>::infinity();
      for (int64_t s = 0; s < length; ++s) {
        cache_row(p.k_cache, j, s, row.data());
        for (int64_t e = 0; e < E; ++e) {
          weight[s] += static_cast<double>(q[e]) * static_cast<double>(row[e]);
        }
        weight[s] *= p.scale;
        top = std::max(top, weight[s]);
      }
      double total = 0;
      for (double& w : weight) {
        w = std::exp(w - top);
        total += w;
      }
      for (int64_t s = 0; s < length; ++s) {
        cache_row(p.v_cache, j, s, row.data());
        for (int64_t e = 0; e < E; ++e) {
          out[e] += weight[s] / total * static_cast<double>(row[e]);
        }
      }
      for (int64_t e = 0; e < E; ++e) {
        row[e] = static_cast<float>(out[e]);
      }
      from_f32(row.data(), p.o.dtype, row_ptr(p.o, t) + h * E * dtype_bytes(p.o.dtype), E);
    }
  });
}

}  // namespace ember::k
