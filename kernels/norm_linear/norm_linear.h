// SPDX-License-Identifier: Apache-2.0
// RMSNorm, a linear map, and for the feed-forward its gate, of one token in one pass over w:
//   z = (x * rsqrt(mean(x^2) + eps) * norm) w^T;   y = scale * z, or gated:
//   y[n] = scale * silu(z[n]) * z[N + n]                                limited by: memory
// x (1, K) F32, the residual stream; norm (K) any float dtype; w (M, K) F16|BF16 row-major, rows of
// whole 16-byte groups; y (1, N) F32|F16|BF16 with N = M, or gated N = M/2: the gate's rows stand
// before those of up. scale is a power of two (the fp16 guard of activations). eps >= 0. y must not
// overlap the inputs. What rmsnorm, linear and swiglu compute one after another, without their
// roundings in between: all in fp32 (the CPU in fp64), one rounding at the end.
// A device takes K <= 5120 and M a multiple of 8: norm_linear_takes(); everything else is left to
// the three ops. Reproducible bit by bit.
// Throws Error{kShape|kDtype|kAlign|kUnsupported}.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"
#include "kernels/common/prefetch.h"

namespace ember::k {

struct NormLinearParams {
  TensorView y, x, norm, w;
  float eps = 1e-6f;
  bool gated = false;
  float scale = 1.0f;
  Prefetch prefetch = {};
};

void validate(const NormLinearParams& p);
Cost cost(const NormLinearParams& p);
// Whether norm_linear_cuda has a kernel for operands that are valid.
bool norm_linear_takes(const NormLinearParams& p);
void norm_linear_cpu(const NormLinearParams& p);  // plain; judges the device
void norm_linear_cuda(const NormLinearParams& p,
                      Stream stream);  // asynchronous; built without CUDA: kUnsupported

}  // namespace ember::k
