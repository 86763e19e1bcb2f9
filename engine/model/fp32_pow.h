// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <vector>

namespace ember {

// base ** exponent[i] in fp32.
inline std::vector<float> fp32_pow(float base, const std::vector<float>& exponents) {
  std::vector<float> out;
  for (const float e : exponents) {
    out.push_back(std::pow(base, e));
  }
  return out;
}

}  // namespace ember
