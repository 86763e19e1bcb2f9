// SPDX-License-Identifier: Apache-2.0
// Cases of softmax for tests and benches on every device.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/impl.h"
#include "kernels/base/model_shape.h"
#include "kernels/softmax/softmax.h"

namespace ember::k {

struct SoftmaxCase {
  std::string name;
  int64_t T, V;
  float scale = 1.0f;
  uint64_t seed = 1;
};

inline const std::vector<Impl<SoftmaxParams>>& softmax_impls() {
  static const std::vector<Impl<SoftmaxParams>> impls = {
      {"cpu", DeviceKind::kCpu, [](const SoftmaxParams& p, Stream) { softmax_cpu(p); }},
  };
  return impls;
}

inline std::vector<SoftmaxCase> softmax_cases() {
  std::vector<SoftmaxCase> cases;
  for (float scale : {1.0f, 1.0f / 0.7f, 100.0f, 0.0f}) {
    cases.push_back({"vocabulary", 1, 151936, scale, cases.size()});
    for (int64_t V : {1, 2, 33, 1000}) {
      for (int64_t T : {0, 1, 3}) {
        cases.push_back({"edge", T, V, scale, cases.size()});
      }
    }
  }
  return cases;
}

}  // namespace ember::k
