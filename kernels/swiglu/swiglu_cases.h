// SPDX-License-Identifier: Apache-2.0
// Cases of swiglu for tests and benches on every device.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/impl.h"
#include "kernels/base/model_shape.h"
#include "kernels/swiglu/swiglu.h"

namespace ember::k {

struct SwigluCase {
  std::string name;
  int64_t T, F;
  DType in = DType::kF32, y = DType::kF32;
  bool fused = false;  // gate and up are the halves of one (T, 2F) buffer
  float scale = 1.0f;
  uint64_t seed = 1;
};

inline const std::vector<Impl<SwigluParams>>& swiglu_impls() {
  static const std::vector<Impl<SwigluParams>> impls = {
      {"cpu", DeviceKind::kCpu, [](const SwigluParams& p, Stream) { swiglu_cpu(p); }},
      {"oracle", DeviceKind::kCpu, [](const SwigluParams& p, Stream) { swiglu_oracle(p); }},
  };
  return impls;
}

inline std::vector<SwigluCase> swiglu_cases() {
  std::vector<SwigluCase> cases;
  const DType types[] = {DType::kF32, DType::kF16, DType::kBF16};
  const auto add = [&](const std::string& name, int64_t T, int64_t F) {
    for (DType in : types) {
      for (DType y : types) {
        const uint64_t i = cases.size();
        cases.push_back({name, T, F, in, y, i % 2 == 0, i % 4 == 0 ? 0.125f : 1.0f, i});
      }
    }
  };
  for (const ModelPreset& m : model_presets()) {
    add(m.name, 2, m.shape.F);
  }
  for (int64_t F : {0, 1, 3, 7, 15, 16, 17, 33, 1000}) {
    for (int64_t T : {0, 1, 3, 17}) {
      add("edge", T, F);
    }
  }
  return cases;
}

}  // namespace ember::k
