// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace ember::k {

// Sum of x[i]^2 in fp64. Eight running sums, added pairwise at the end, let the compiler use vector
// registers without licence to reorder.
inline double sum_squares(const float* x, int64_t n) {
  double lane[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int j = 0; j < 8; ++j) {
      lane[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
    }
  }
  for (; i < n; ++i) {
    lane[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

}  // namespace ember::k
