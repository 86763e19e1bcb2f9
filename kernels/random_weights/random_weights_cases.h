// SPDX-License-Identifier: Apache-2.0
// Cases of random_weights for tests and benches on every device.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/impl.h"
#include "kernels/random_weights/random_weights.h"

namespace ember::k {

struct RandomWeightsCase {
  std::string name;
  int64_t count;  // elements of y
  int64_t first;
  DType y;
  RandomKind kind;
  uint64_t stream;
};

inline const std::vector<Impl<RandomWeightsParams>>& random_weights_impls() {
  static const std::vector<Impl<RandomWeightsParams>> impls = {
      {"cpu", DeviceKind::kCpu,
       [](const RandomWeightsParams& p, Stream) { random_weights_cpu(p); }},
  };
  return impls;
}

inline std::vector<RandomWeightsCase> random_weights_cases() {
  std::vector<RandomWeightsCase> cases;
  for (DType y : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (RandomKind kind : {RandomKind::kMatrix, RandomKind::kGain}) {
      for (int64_t count : {0, 1, 7, 1024, 65537}) {
        cases.push_back({"edge", count, 0, y, kind, cases.size()});
      }
      cases.push_back({"slice", 1000, 123457, y, kind, 7});
      // Past 32 bits: the last rows of a large embedding.
      cases.push_back({"far", 1000, (int64_t{1} << 32) - 500, y, kind, 8});
    }
  }
  return cases;
}

}  // namespace ember::k
