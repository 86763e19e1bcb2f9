// SPDX-License-Identifier: Apache-2.0
// dst = src, converted to dst's dtype                                 limited by: memory
// Equal shapes of rank 1 to 4, row strides at least the last dimension (rows are what the last
// dimension holds); each F32|F16|BF16, or both I32. Rounds to nearest even; NaN stays NaN, and
// what is too large for F16 becomes infinity. src and dst must not overlap. Empty is a no-op.
// Throws Error{kShape|kDtype|kAlign|kUnsupported}.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember::k {

struct CopyParams {
  TensorView dst, src;
};

void validate(const CopyParams& p);
Cost cost(const CopyParams& p);
void copy_cpu(const CopyParams& p);
void copy_cuda(const CopyParams& p,
               Stream stream);  // asynchronous; built without CUDA: kUnsupported

}  // namespace ember::k
