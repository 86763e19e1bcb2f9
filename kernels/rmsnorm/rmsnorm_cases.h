// SPDX-License-Identifier: Apache-2.0
// Cases of rmsnorm for tests and benches on every device.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/impl.h"
#include "kernels/base/model_shape.h"
#include "kernels/rmsnorm/rmsnorm.h"

namespace ember::k {

struct RmsNormCase {
  std::string name;
  int64_t T, D;
  DType x = DType::kF32, w = DType::kF32, y = DType::kF32;
  int64_t padding = 0;  // elements between rows
  uint64_t seed = 1;
};

inline const std::vector<Impl<RmsNormParams>>& rmsnorm_impls() {
  static const std::vector<Impl<RmsNormParams>> impls = {
      {"cpu", DeviceKind::kCpu, [](const RmsNormParams& p, Stream) { rmsnorm_cpu(p); }},
      {"oracle", DeviceKind::kCpu, [](const RmsNormParams& p, Stream) { rmsnorm_oracle(p); }},
  };
  return impls;
}

// Every width at which a model of the family normalises, then edges.
inline std::vector<RmsNormCase> rmsnorm_cases() {
  std::vector<RmsNormCase> cases;
  const DType types[] = {DType::kF32, DType::kF16, DType::kBF16};
  const auto add = [&](const std::string& name, int64_t T, int64_t D) {
    for (DType x : types) {
      for (DType y : types) {
        const uint64_t i = cases.size();
        cases.push_back({name, T, D, x, types[i / 2 % 3], y, static_cast<int64_t>(i % 3), i});
      }
    }
  };
  for (const ModelPreset& m : model_presets()) {
    add(m.name, 1, m.shape.D);
    add(m.name, 5, m.shape.D);
  }
  for (int64_t D : {1, 2, 7, 8, 9, 31, 127, 128, 129, 1000, 16384}) {
    for (int64_t T : {0, 1, 2, 3, 17}) {
      add("edge", T, D);
    }
  }
  return cases;
}

}  // namespace ember::k
