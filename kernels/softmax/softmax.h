// SPDX-License-Identifier: Apache-2.0
// y[t,:] = exp(scale * x[t,:] - lse[t]), lse[t] = log(sum(exp(scale * x[t,:])))
//                                                                     limited by: memory
// x, y (T, V) F32, row strides >= V; lse (T) F32, or a view with null data when not wanted; y
// likewise, when only lse is wanted. y may be x itself. V >= 1, T >= 0 (0 is a no-op); scale is
// finite (1 / temperature). The maximum is subtracted first, sums in fp64. Values of -inf get 0;
// a row of -inf alone, or one with NaN or +inf, gives NaN in all of its results.
// Throws Error{kShape|kDtype|kAlign|kUnsupported}.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/tensor.h"

namespace ember::k {

struct SoftmaxParams {
  TensorView y, x, lse;
  float scale = 1.0f;
};

void validate(const SoftmaxParams& p);
Cost cost(const SoftmaxParams& p);
void softmax_cpu(const SoftmaxParams& p);

}  // namespace ember::k
