// SPDX-License-Identifier: Apache-2.0
// y[t,:] = table[ids[t],:]                                            limited by: memory
// ids (T) I32; table (V, D) any float dtype; y (T, D) any float dtype, row stride >= D. V >= 1,
// D >= 1, T >= 0 (0 is a no-op). Exact when y is as wide as the table's dtype, else one rounding.
// Throws Error{kShape|kDtype|kAlign|kUnsupported}. An id outside 0..V-1: the CPU throws
// Error{kBadInput} naming index and id before it writes anything; a device, which cannot throw,
// reads nothing and fills the row with NaN.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember::k {

struct EmbedParams {
  TensorView y, ids, table;
};

void validate(const EmbedParams& p);
Cost cost(const EmbedParams& p);
void embed_cpu(const EmbedParams& p);
void embed_cuda(const EmbedParams& p,
                Stream stream);  // asynchronous; built without CUDA: kUnsupported

}  // namespace ember::k
