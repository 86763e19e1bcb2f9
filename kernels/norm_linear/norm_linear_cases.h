// SPDX-License-Identifier: Apache-2.0
// Cases of norm_linear for tests on every device: the projections of the preset models that follow
// a norm, and edges of the tilings.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/base/impl.h"
#include "kernels/base/model_shape.h"
#include "kernels/norm_linear/norm_linear.h"

namespace ember::k {

struct NormLinearCase {
  std::string name;
  int64_t N, K;  // of y, of x
  bool gated = false;
  DType w = DType::kBF16, norm = DType::kBF16, y = DType::kF32;
  float scale = 1.0f;
  int64_t padding = 0;  // elements between rows of w
  uint64_t seed = 1;
};

inline const std::vector<Impl<NormLinearParams>>& norm_linear_impls() {
  static const std::vector<Impl<NormLinearParams>> impls = {
      {"cpu", DeviceKind::kCpu, [](const NormLinearParams& p, Stream) { norm_linear_cpu(p); }},
  };
  return impls;
}

// `max_rows` cuts N for quick tests; K, which decides the numerics, stays whole.
inline std::vector<NormLinearCase> norm_linear_preset_cases(int64_t max_rows) {
  std::vector<NormLinearCase> cases;
  for (const ModelPreset& preset : model_presets()) {
    const ModelShape& m = preset.shape;
    for (DType t : {DType::kF16, DType::kBF16}) {
      NormLinearCase c;
      c.w = c.norm = c.y = t;
      c.K = m.D;
      c.name = preset.name + "/qkv";
      c.N = std::min(m.q_dim() + 2 * m.kv_dim(), max_rows / 8 * 8);
      c.seed = cases.size();
      cases.push_back(c);
      c.name = preset.name + "/gate_up";
      c.N = std::min(m.F, max_rows / 4 * 4);
      c.gated = true;
      c.seed = cases.size();
      cases.push_back(c);
    }
    NormLinearCase head;
    head.name = preset.name + "/head";
    head.N = std::min(m.V, max_rows / 8 * 8);
    head.K = m.D;
    cases.push_back(head);
  }
  return cases;
}

// Rows that end inside a group of lanes, a tile that is moved up, several windows, every dtype.
inline std::vector<NormLinearCase> norm_linear_edge_cases() {
  std::vector<NormLinearCase> cases;
  const DType types[] = {DType::kF32, DType::kF16, DType::kBF16};
  for (int64_t K : {8, 16, 168, 256, 264, 640, 2568, 5120}) {
    for (int64_t N : {4, 8, 9, 15, 132, 1060, 2200}) {
      for (bool gated : {false, true}) {
        const uint64_t i = cases.size();
        NormLinearCase c;
        c.name = "edge";
        c.K = K;
        c.N = gated ? (N + 3) / 4 * 4 : (N + 7) / 8 * 8;
        c.gated = gated;
        c.w = i % 3 == 0 ? DType::kF16 : DType::kBF16;
        c.norm = types[i % 3];
        c.y = types[i / 2 % 3];
        c.scale = i % 5 == 0 ? 0.25f : 1.0f;
        c.padding = i % 7 == 0 ? 8 : 0;
        c.seed = i;
        cases.push_back(c);
      }
    }
  }
  return cases;
}

}  // namespace ember::k
