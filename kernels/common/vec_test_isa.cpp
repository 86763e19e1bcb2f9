// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/vec.h"
#include "kernels/common/vec_test_kernels.h"

namespace ember::k::EMBER_ISA {
namespace {

void exp_all(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i += kWidth) {
    const int64_t count = n - i < kWidth ? n - i : kWidth;
    store_part(y + i, exp(load_part(x + i, count)), count);
  }
}

float sum_one(const float* x) {
  return sum(load(x));
}

}  // namespace

extern const VecTestKernels vec_test_kernels;
const VecTestKernels vec_test_kernels = {kWidth, exp_all, sum_one};

}  // namespace ember::k::EMBER_ISA
