// SPDX-License-Identifier: Apache-2.0
// Cases of copy for tests and benches on every device.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/impl.h"
#include "kernels/base/model_shape.h"
#include "kernels/copy/copy.h"

namespace ember::k {

struct CopyCase {
  std::string name;
  int64_t rows, n;
  DType src = DType::kF32, dst = DType::kF32;
  int64_t padding = 0;  // elements between rows of dst; src has one more
  uint64_t seed = 1;
};

inline const std::vector<Impl<CopyParams>>& copy_impls() {
  static const std::vector<Impl<CopyParams>> impls = {
      {"cpu", DeviceKind::kCpu, [](const CopyParams& p, Stream) { copy_cpu(p); }},
  };
  return impls;
}

inline std::vector<CopyCase> copy_cases() {
  std::vector<CopyCase> cases;
  const DType types[] = {DType::kF32, DType::kF16, DType::kBF16};
  for (int64_t rows : {0, 1, 3, 70}) {
    for (int64_t n : {0, 1, 7, 8, 9, 15, 16, 17, 1000}) {
      for (DType src : types) {
        for (DType dst : types) {
          cases.push_back(
              {"edge", rows, n, src, dst, static_cast<int64_t>(cases.size() % 3), cases.size()});
        }
      }
    }
  }
  return cases;
}

}  // namespace ember::k
