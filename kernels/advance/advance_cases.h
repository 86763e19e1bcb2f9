// SPDX-License-Identifier: Apache-2.0
// Cases of advance for tests and benches on every device.
#pragma once

#include <vector>

#include "kernels/advance/advance.h"
#include "kernels/base/impl.h"

namespace ember::k {

struct AdvanceCase {
  int64_t R, pos;  // the other sequences stand 1, 2, … behind the first
  int64_t count = 1;
};

inline const std::vector<Impl<AdvanceParams>>& advance_impls() {
  static const std::vector<Impl<AdvanceParams>> impls = {
      {"cpu", DeviceKind::kCpu, [](const AdvanceParams& p, Stream) { advance_cpu(p); }},
  };
  return impls;
}

inline std::vector<AdvanceCase> advance_cases() {
  return {{1, 0},
          {1, 77},
          {4, 0},
          {4, 3},
          {4, 4},
          {7, 40959},
          {4, INT32_MAX - 1},
          {8, 40, 2},
          {3, 5000, 16},
          {1, 33, 33},
          {5, 2000, 1024}};
}

}  // namespace ember::k
