// SPDX-License-Identifier: Apache-2.0
#include "kernels/swiglu/swiglu_kernels.h"

#include "kernels/common/vec.h"

namespace ember::k::EMBER_ISA {
namespace {

Vec swiglu(Vec gate, Vec up, float scale) {
  return gate / (exp(-gate) + 1.0f) * up * scale;
}

void run(const float* gate, const float* up, float* y, float scale, int64_t n) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    store(y + i, swiglu(load(gate + i), load(up + i), scale));
  }
  if (i < n) {
    store_part(y + i, swiglu(load_part(gate + i, n - i), load_part(up + i, n - i), scale), n - i);
  }
}

}  // namespace

extern const SwigluKernel swiglu_kernel;
const SwigluKernel swiglu_kernel = run;

}  // namespace ember::k::EMBER_ISA
