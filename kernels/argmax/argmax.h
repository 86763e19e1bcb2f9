// SPDX-License-Identifier: Apache-2.0
// ids[t] = the lowest index of the largest value of x[t,:]            limited by: memory
// x (T, V) F32|F16|BF16, row stride >= V; ids (T) I32. V from 1 to 2^31-1; T >= 0 (0 is a no-op).
// A row that holds a NaN gives -1, so that no caller mistakes it for a token; -0 and +0 are equal.
// Throws Error{kShape|kDtype|kAlign|kUnsupported}.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember::k {

struct ArgmaxParams {
  TensorView ids, x;
};

void validate(const ArgmaxParams& p);
Cost cost(const ArgmaxParams& p);
void argmax_cpu(const ArgmaxParams& p);
void argmax_cuda(const ArgmaxParams& p,
                 Stream stream);  // asynchronous; built without CUDA: kUnsupported

}  // namespace ember::k
