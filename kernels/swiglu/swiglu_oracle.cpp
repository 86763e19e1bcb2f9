// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <vector>

#include "kernels/base/contract.h"
#include "kernels/common/convert.h"
#include "kernels/swiglu/swiglu.h"

namespace ember::k {

void swiglu_oracle(const SwigluParams& p) {
  validate(p);
  require_cpu({"swiglu", "y", p.y});
  const int64_t T = p.gate.shape[0], F = p.gate.shape[1];
  std::vector<float> gate(F), up(F);
  for (int64_t t = 0; t < T; ++t) {
    to_f32(p.gate.dtype, row_ptr(p.gate, t), gate.data(), F);
    to_f32(p.up.dtype, row_ptr(p.up, t), up.data(), F);
    for (int64_t i = 0; i < F; ++i) {
      const double z = gate[i];
      up[i] = static_cast<float>(static_cast<double>(p.scale) * z / (1 + std::exp(-z)) *
                                 static_cast<double>(up[i]));
    }
    from_f32(up.data(), p.y.dtype, row_ptr(p.y, t), F);
  }
}

}  // namespace ember::k
