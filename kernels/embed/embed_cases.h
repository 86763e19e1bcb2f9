// SPDX-License-Identifier: Apache-2.0
// Cases of embed for tests and benches on every device.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/impl.h"
#include "kernels/base/model_shape.h"
#include "kernels/embed/embed.h"

namespace ember::k {

struct EmbedCase {
  std::string name;
  int64_t T, V, D;
  DType table = DType::kF32, y = DType::kF32;
  uint64_t seed = 1;
};

inline const std::vector<Impl<EmbedParams>>& embed_impls() {
  static const std::vector<Impl<EmbedParams>> impls = {
      {"cpu", DeviceKind::kCpu, [](const EmbedParams& p, Stream) { embed_cpu(p); }},
  };
  return impls;
}

inline std::vector<EmbedCase> embed_cases() {
  std::vector<EmbedCase> cases;
  const DType types[] = {DType::kF32, DType::kF16, DType::kBF16};
  const auto add = [&](const std::string& name, int64_t T, int64_t V, int64_t D) {
    for (DType table : types) {
      for (DType y : types) {
        cases.push_back({name, T, V, D, table, y, cases.size()});
      }
    }
  };
  for (const ModelPreset& m : model_presets()) {
    add(m.name, 3, 500, m.shape.D);  // rows are independent: a full vocabulary shows nothing more
  }
  for (int64_t T : {0, 1, 2, 65, 200}) {
    add("edge", T, 1, 1);
    add("edge", T, 7, 33);
  }
  return cases;
}

}  // namespace ember::k
