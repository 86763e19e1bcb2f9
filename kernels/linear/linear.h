// SPDX-License-Identifier: Apache-2.0
// y = alpha * x w^T, or with accumulate: y += alpha * x w^T
//                                 limited by: memory (few tokens), arithmetic (many)
// x (T, K), w (N, K) row-major as checkpoints hold it, y (T, N); each F32|F16|BF16, row strides at
// least the last dimension: y may be a column slice of a wider buffer, w a row slice. Products and
// sums in fp32. alpha is a power of two, so that it is exact: fp16 paths scale activations down
// and undo it here. accumulate is the residual add and needs y F32. T >= 0, N >= 0 (0 is a no-op);
// K >= 1. y must not overlap x or w. Values between the last column and the row stride stay.
// Results do not depend on the number of threads; for one dtype and T they are reproducible bit
// by bit, but the order of summation differs between few and many tokens.
// Throws Error{kShape|kDtype|kAlign|kUnsupported}.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"
#include "kernels/common/prefetch.h"

namespace ember::k {

struct LinearParams {
  TensorView y, x, w;
  float alpha = 1.0f;
  bool accumulate = false;
  Prefetch prefetch = {};  // a hint, which the kernel of one token alone heeds
};

void validate(const LinearParams& p);
Cost cost(const LinearParams& p);
void linear_cpu(const LinearParams& p);
void linear_cuda(const LinearParams& p,
                 Stream stream);  // asynchronous; built without CUDA: kUnsupported
// Device memory that linear_cuda keeps for each stream it has run on: the library's workspace.
inline constexpr int64_t kLinearScratchBytes = int64_t{32} << 20;
// The plain form: one fp64 sum per element, rounded once. Judges every other implementation.
void linear_oracle(const LinearParams& p);

}  // namespace ember::k
