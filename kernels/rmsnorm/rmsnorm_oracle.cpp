// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <vector>

#include "kernels/base/contract.h"
#include "kernels/common/convert.h"
#include "kernels/rmsnorm/rmsnorm.h"

namespace ember::k {

void rmsnorm_oracle(const RmsNormParams& p) {
  validate(p);
  require_cpu({"rmsnorm", "y", p.y});
  const int64_t T = p.x.shape[0], D = p.x.shape[1];
  std::vector<float> w(D), x(D);
  to_f32(p.w.dtype, p.w.data, w.data(), D);
  for (int64_t t = 0; t < T; ++t) {
    to_f32(p.x.dtype, row_ptr(p.x, t), x.data(), D);
    double total = 0;
    for (const float v : x) {
      total += static_cast<double>(v) * static_cast<double>(v);
    }
    const double rms = std::sqrt(total / static_cast<double>(D) + static_cast<double>(p.eps));
    for (int64_t i = 0; i < D; ++i) {
      x[i] = static_cast<float>(static_cast<double>(x[i]) / rms * static_cast<double>(w[i]));
    }
    from_f32(x.data(), p.y.dtype, row_ptr(p.y, t), D);
  }
}

}  // namespace ember::k
