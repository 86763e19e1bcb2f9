// SPDX-License-Identifier: Apache-2.0
// Cases of linear for tests and benches on every device: the projections of the preset models, and
// edges of the tilings.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/base/impl.h"
#include "kernels/base/model_shape.h"
#include "kernels/linear/linear.h"

namespace ember::k {

struct LinearCase {
  std::string name;
  int64_t T, N, K;
  DType x = DType::kF32, w = DType::kF32, y = DType::kF32;
  bool accumulate = false;
  float alpha = 1.0f;
  int64_t padding = 0;  // elements between rows of x, w and y
  uint64_t seed = 1;
};

inline const std::vector<Impl<LinearParams>>& linear_impls() {
  static const std::vector<Impl<LinearParams>> impls = {
      {"cpu", DeviceKind::kCpu, [](const LinearParams& p, Stream) { linear_cpu(p); }},
  };
  return impls;
}

struct MatrixShape {
  std::string name;
  int64_t N, K;
};

// The matrices of one decoder layer as they are multiplied, q|k|v and gate|up fused, and the head.
inline std::vector<MatrixShape> linear_shapes(const ModelShape& m) {
  return {{"qkv", m.q_dim() + 2 * m.kv_dim(), m.D},
          {"o", m.D, m.q_dim()},
          {"gate_up", 2 * m.F, m.D},
          {"down", m.D, m.F},
          {"head", m.V, m.D}};
}

// All preset matrices at T tokens with weights of one dtype. `max_rows` cuts N for quick tests; K,
// which decides the numerics, stays whole.
inline std::vector<LinearCase> linear_preset_cases(int64_t T, DType w, int64_t max_rows) {
  std::vector<LinearCase> cases;
  for (const ModelPreset& preset : model_presets()) {
    for (const MatrixShape& s : linear_shapes(preset.shape)) {
      LinearCase c;
      c.name = preset.name + "/" + s.name;
      c.T = T;
      c.N = std::min(s.N, max_rows);
      c.K = s.K;
      c.w = w;
      c.accumulate = s.name == "o" || s.name == "down";
      cases.push_back(c);
    }
  }
  return cases;
}

inline std::vector<LinearCase> linear_edge_cases() {
  std::vector<LinearCase> cases;
  for (int64_t T : {0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 23, 24, 25, 47, 48, 49, 97}) {
    for (int64_t N : {0, 1, 3, 31, 33, 67}) {
      for (int64_t K : {1, 7, 16, 31, 255, 256, 257, 530}) {
        LinearCase c;
        c.name = "edge";
        c.T = T;
        c.N = N;
        c.K = K;
        const uint64_t i = cases.size();
        const DType types[] = {DType::kF32, DType::kF16, DType::kBF16};
        c.x = types[i % 3];
        c.w = types[i / 3 % 3];
        c.y = types[i / 9 % 3];
        c.accumulate = c.y == DType::kF32 && i % 2 == 0;
        c.alpha = i % 5 == 0 ? 8.0f : 1.0f;
        c.padding = i % 4;
        c.seed = i;
        cases.push_back(c);
      }
    }
  }
  return cases;
}

}  // namespace ember::k
