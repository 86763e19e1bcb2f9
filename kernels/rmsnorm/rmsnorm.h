// SPDX-License-Identifier: Apache-2.0
// y[t,:] = x[t,:] * rsqrt(mean(x[t,:]^2) + eps) * w                   limited by: memory
// x, y (T, D) F32|F16|BF16 each, row strides >= D; w (D) any float dtype. T >= 0 (0 is a no-op),
// D >= 1. y may be x itself (same pointer, dtype and stride), else they must not overlap.
// The CPU sums squares in fp64, a device in fp32 in a fixed order; scale and gain are applied in
// fp32: x * scale, then * w, then one rounding to y's dtype. (Qwen3RMSNorm of transformers rounds
// to the model's dtype between the two.) eps >= 0.
// Throws Error{kShape|kDtype|kAlign|kUnsupported}.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember::k {

struct RmsNormParams {
  TensorView y, x, w;
  float eps = 1e-6f;
};

void validate(const RmsNormParams& p);
Cost cost(const RmsNormParams& p);
void rmsnorm_cpu(const RmsNormParams& p);
void rmsnorm_cuda(const RmsNormParams& p,
                  Stream stream);  // asynchronous; built without CUDA: kUnsupported
// The plain form: fp64, rounded once. Judges every other implementation.
void rmsnorm_oracle(const RmsNormParams& p);

}  // namespace ember::k
