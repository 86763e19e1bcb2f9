// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"
#include "kernels/linear/linear.h"

namespace ember::k {

void linear_oracle(const LinearParams& p) {
  validate(p);
  require_cpu({"linear", "y", p.y});
  const int64_t T = p.x.shape[0], K = p.x.shape[1], N = p.w.shape[0];
  parallel_for(N, 16, [&](int64_t begin, int64_t end) {
    thread_local Scratch scratch;
    float* w_row = scratch.floats(2 * K);
    float* x_row = w_row + K;
    for (int64_t n = begin; n < end; ++n) {
      const float* w = f32_row(p.w, n, w_row);
      for (int64_t t = 0; t < T; ++t) {
        const float* x = f32_row(p.x, t, x_row);
        double total = 0;
        for (int64_t k = 0; k < K; ++k) {
          total += static_cast<double>(x[k]) * static_cast<double>(w[k]);
        }
        total *= p.alpha;
        std::byte* y = row_ptr(p.y, t) + n * dtype_bytes(p.y.dtype);
        if (p.accumulate) {
          total += *reinterpret_cast<const float*>(y);
        }
        const float rounded = static_cast<float>(total);
        from_f32(&rounded, p.y.dtype, y, 1);
      }
    }
  });
}

}  // namespace ember::k
