// SPDX-License-Identifier: Apache-2.0
// Cases of attention for tests and benches on every device.
#pragma once

#include <string>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/base/impl.h"
#include "kernels/base/model_shape.h"

namespace ember::k {

struct AttentionCase {
  std::string name;
  int64_t T, H, K, E, S, pos;
  DType q = DType::kF32, cache = DType::kF32, o = DType::kF32;
  int64_t padding = 0;  // elements between rows of q and o
  uint64_t seed = 1;
};

inline const std::vector<Impl<AttentionParams>>& attention_impls() {
  static const std::vector<Impl<AttentionParams>> impls = {
      {"cpu", DeviceKind::kCpu, [](const AttentionParams& p, Stream) { attention_cpu(p); }},
  };
  return impls;
}

// T new tokens after `pos` cached ones, for every preset model.
inline std::vector<AttentionCase> attention_preset_cases(int64_t T, int64_t pos, DType cache) {
  std::vector<AttentionCase> cases;
  for (const ModelPreset& m : model_presets()) {
    AttentionCase c;
    c.name = m.name;
    c.T = T;
    c.H = m.shape.H;
    c.K = m.shape.K;
    c.E = m.shape.E;
    c.S = pos + T + 3;
    c.pos = pos;
    c.cache = cache;
    cases.push_back(c);
  }
  return cases;
}

// Group sizes 1 to 8, odd head sizes, lengths around the steps and splits of the implementations.
inline std::vector<AttentionCase> attention_edge_cases() {
  std::vector<AttentionCase> cases;
  const DType types[] = {DType::kF32, DType::kF16, DType::kBF16};
  for (int64_t group = 1; group <= 8; ++group) {
    for (int64_t E : {1, 6, 17, 64, 80, 128}) {
      for (int64_t T : {0, 1, 2, 3, 17, 49}) {
        for (int64_t pos : {0, 1, 63, 64, 65, 255, 256, 300}) {
          const uint64_t i = cases.size();
          if (E >= 64 && i % 4 != 0) {
            continue;  // the slow ones are sampled
          }
          AttentionCase c;
          c.name = "edge";
          c.T = T;
          c.K = 1 + static_cast<int64_t>(i % 2);
          c.H = group * c.K;
          c.E = E;
          c.pos = pos;
          c.S = pos + T + static_cast<int64_t>(i % 3);
          c.q = types[i % 3];
          c.cache = types[i / 3 % 3];
          c.o = types[i / 9 % 3];
          c.padding = static_cast<int64_t>(i % 5);
          c.seed = i;
          cases.push_back(c);
        }
      }
    }
  }
  return cases;
}

}  // namespace ember::k
