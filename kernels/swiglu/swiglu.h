// SPDX-License-Identifier: Apache-2.0
// y = scale * silu(gate) * up, silu(z) = z / (1 + exp(-z))            limited by: memory
// Source: arXiv:2002.05202, Qwen3MLP of transformers. gate, up, y (T, F) F32|F16|BF16 each, row
// strides >= F: gate and up may be the two halves of one buffer. scale is a power of two (fp16
// paths keep the product in range with it). y may be gate or up itself (same pointer, dtype and
// stride), else it must not overlap them. T, F >= 0 (0 is a no-op).
// fp32 throughout, one rounding at the end. Throws Error{kShape|kDtype|kAlign|kUnsupported}.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember::k {

struct SwigluParams {
  TensorView y, gate, up;
  float scale = 1.0f;
};

void validate(const SwigluParams& p);
Cost cost(const SwigluParams& p);
void swiglu_cpu(const SwigluParams& p);
void swiglu_cuda(const SwigluParams& p,
                 Stream stream);  // asynchronous; built without CUDA: kUnsupported
// The plain form: fp64, rounded once. Judges every other implementation.
void swiglu_oracle(const SwigluParams& p);

}  // namespace ember::k
