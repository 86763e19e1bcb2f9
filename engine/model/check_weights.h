// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/base/tensor.h"

namespace ember {

struct NonFinite {
  int64_t nan = 0;
  int64_t infinite = 0;
  int64_t count() const { return nan + infinite; }
};

// Counts what is not a number in a dense CPU tensor of F32, F16 or BF16, on all cores.
NonFinite count_non_finite(const TensorView& view);

}  // namespace ember
