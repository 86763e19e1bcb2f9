// SPDX-License-Identifier: Apache-2.0
// vec.h's functions behind plain pointers, so that a test can call every level's.
#pragma once

#include <cstdint>

namespace ember::k {

struct VecTestKernels {
  int width;
  void (*exp)(const float* x, float* y, int64_t n);
  float (*sum)(const float* x);
};

namespace plain {
extern const VecTestKernels vec_test_kernels;
}
namespace avx2 {
extern const VecTestKernels vec_test_kernels;
}
namespace avx512 {
extern const VecTestKernels vec_test_kernels;
}

}  // namespace ember::k
