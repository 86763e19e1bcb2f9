// SPDX-License-Identifier: Apache-2.0
// Cases of attention_step for tests and benches on every device.
#pragma once

#include <string>
#include <vector>

#include "kernels/attention_step/attention_step.h"
#include "kernels/base/impl.h"
#include "kernels/base/model_shape.h"

namespace ember::k {

struct AttentionStepCase {
  std::string name;
  int64_t H, K, E;
  std::vector<int64_t> pos;  // of each sequence
  DType in = DType::kF32, gain = DType::kF32, cache = DType::kF32, o = DType::kF32;
  bool fused = true;  // q, k, v are column slices of one buffer
  uint64_t seed = 1;
};

inline std::string describe(const AttentionStepCase& c) {
  std::string text = c.name + " H " + std::to_string(c.H) + " K " + std::to_string(c.K) + " E " +
                     std::to_string(c.E) + " in " + dtype_name(c.in) + " cache " +
                     dtype_name(c.cache) + " o " + dtype_name(c.o) + " pos";
  for (int64_t pos : c.pos) {
    text += " " + std::to_string(pos);
  }
  return text;
}

inline const std::vector<Impl<AttentionStepParams>>& attention_step_impls() {
  static const std::vector<Impl<AttentionStepParams>> impls = {
      {"cpu", DeviceKind::kCpu,
       [](const AttentionStepParams& p, Stream) { attention_step_cpu(p); }},
  };
  return impls;
}

inline AttentionStepCase attention_step_case(const std::string& name, int64_t H, int64_t K,
                                             int64_t E, const std::vector<int64_t>& pos, DType t) {
  AttentionStepCase c;
  c.name = name, c.H = H, c.K = K, c.E = E, c.pos = pos;
  c.in = c.gain = c.cache = c.o = t;
  return c;
}

// The sequences of every preset model at these positions.
inline std::vector<AttentionStepCase> attention_step_preset_cases(const std::vector<int64_t>& pos,
                                                                  DType t) {
  std::vector<AttentionStepCase> cases;
  for (const ModelPreset& m : model_presets()) {
    cases.push_back(attention_step_case(m.name, m.shape.H, m.shape.K, m.shape.E, pos, t));
  }
  return cases;
}

// Numbers of sequences, group and head sizes and positions around the groups (16), the steps of a
// block (64) and the shares of implementations, in all dtypes.
inline std::vector<AttentionStepCase> attention_step_edge_cases() {
  std::vector<AttentionStepCase> cases;
  const DType types[] = {DType::kBF16, DType::kF16, DType::kF32};
  const int64_t around[] = {0, 1, 7, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129, 143, 144, 300};
  for (int64_t group : {1, 2, 3, 4, 5, 8, 9}) {
    for (int64_t E : {2, 6, 64, 80, 128}) {
      for (int64_t B : {1, 2, 3, 5, 16}) {
        for (int64_t at = 0; at < 16; ++at) {
          const uint64_t i = cases.size() + static_cast<uint64_t>(at) * 7 + group;
          if ((B > 1 || E == 2) && i % 4 != 0) {
            continue;
          }
          AttentionStepCase c;
          c.name = "edge";
          c.K = 1 + static_cast<int64_t>(i % 2);
          c.H = group * c.K;
          c.E = E;
          for (int64_t b = 0; b < B; ++b) {
            c.pos.push_back(around[(at + b * 5) % 16]);
          }
          c.in = types[i % 3], c.gain = types[i / 3 % 3], c.o = types[i / 2 % 3];
          c.cache = i % 8 == 7 ? DType::kF32 : types[i / 5 % 2];
          c.fused = i % 2 == 0;
          c.seed = cases.size();
          cases.push_back(c);
        }
      }
    }
  }
  return cases;
}

}  // namespace ember::k
