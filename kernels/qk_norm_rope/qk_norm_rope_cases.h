// SPDX-License-Identifier: Apache-2.0
// Cases of qk_norm_rope for tests and benches on every device.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/impl.h"
#include "kernels/base/model_shape.h"
#include "kernels/qk_norm_rope/qk_norm_rope.h"

namespace ember::k {

struct QkNormRopeCase {
  std::string name;
  int64_t T, H, K, E, S, pos;
  DType in = DType::kF32, gain = DType::kF32, q_out = DType::kF32, cache = DType::kF32;
  bool fused = false;  // q, k, v are column slices of one buffer
  uint64_t seed = 1;
};

inline const std::vector<Impl<QkNormRopeParams>>& qk_norm_rope_impls() {
  static const std::vector<Impl<QkNormRopeParams>> impls = {
      {"cpu", DeviceKind::kCpu, [](const QkNormRopeParams& p, Stream) { qk_norm_rope_cpu(p); }},
      {"oracle", DeviceKind::kCpu,
       [](const QkNormRopeParams& p, Stream) { qk_norm_rope_oracle(p); }},
  };
  return impls;
}

inline std::vector<QkNormRopeCase> qk_norm_rope_cases() {
  std::vector<QkNormRopeCase> cases;
  const DType types[] = {DType::kF32, DType::kF16, DType::kBF16};
  const auto add = [&](const std::string& name, int64_t T, int64_t H, int64_t K, int64_t E,
                       int64_t pos) {
    const uint64_t i = cases.size();
    const int64_t S = pos + T + static_cast<int64_t>(i % 3);
    cases.push_back({name, T, H, K, E, S, pos, types[i % 3], types[i / 3 % 3], types[i / 2 % 3],
                     types[i / 5 % 3], i % 2 == 0, i});
  };
  for (const ModelPreset& m : model_presets()) {
    for (int64_t T : {1, 4, 9}) {
      add(m.name, T, m.shape.H, m.shape.K, m.shape.E, 100);
    }
  }
  for (int64_t group : {1, 2, 3, 5, 8}) {
    for (int64_t E : {2, 6, 64, 80, 128, 512}) {
      for (int64_t T : {0, 1, 2, 5}) {
        add("edge", T, 2 * group, 2, E, group * 7);
      }
    }
  }
  add("far", 3, 2, 1, 128, 40000);
  return cases;
}

}  // namespace ember::k
