// SPDX-License-Identifier: Apache-2.0
// Cases of argmax for tests and benches on every device.
#pragma once

#include <string>
#include <vector>

#include "kernels/argmax/argmax.h"
#include "kernels/base/impl.h"
#include "kernels/base/model_shape.h"

namespace ember::k {

struct ArgmaxCase {
  std::string name;
  int64_t T, V;
  DType x = DType::kF32;
  uint64_t seed = 1;
};

inline const std::vector<Impl<ArgmaxParams>>& argmax_impls() {
  static const std::vector<Impl<ArgmaxParams>> impls = {
      {"cpu", DeviceKind::kCpu, [](const ArgmaxParams& p, Stream) { argmax_cpu(p); }},
  };
  return impls;
}

inline std::vector<ArgmaxCase> argmax_cases() {
  std::vector<ArgmaxCase> cases;
  for (DType x : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const ModelPreset& m : model_presets()) {
      cases.push_back({m.name, 1, m.shape.V, x, cases.size()});
    }
    for (int64_t V : {1, 2, 31, 32, 33, 1023, 1025}) {
      for (int64_t T : {0, 1, 3}) {
        cases.push_back({"edge", T, V, x, cases.size()});
      }
    }
  }
  return cases;
}

}  // namespace ember::k
