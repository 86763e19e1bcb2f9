// SPDX-License-Identifier: Apache-2.0
// Checks that every op's validate() is made of. Each throws an Error whose message reads
// "op: argument: expected …, got …".
#pragma once

#include <initializer_list>

#include "kernels/base/tensor.h"

namespace ember {

// An argument of an op, by name.
struct Arg {
  const char* op;
  const char* name;
  const TensorView& view;
};

// kShape unless the view has this rank and, from rank 2 on, a row stride of at least its last
// dimension; kAlign when it has elements and its pointer is null or not aligned to one element.
void require_rank(const Arg& a, int rank);
// require_rank, then kShape unless the shapes are equal.
void require_shape(const Arg& a, const Shape& expected);
// kShape unless rows follow one another without a gap.
void require_dense(const Arg& a);
void require_dtype(const Arg& a, std::initializer_list<DType> allowed);
// F32, F16 or BF16.
void require_float(const Arg& a);
// kUnsupported unless both views are on one device.
void require_same_device(const Arg& a, const Arg& b);
// kUnsupported unless the view is in host memory: the first line of every <op>_cpu.
void require_cpu(const Arg& a);
// kUnsupported when the memory ranges of the two views meet. Views that interleave as columns of
// one buffer count as meeting, so use it only where no such pair is allowed.
void require_disjoint(const Arg& a, const Arg& b);
// kShape unless lo <= value <= hi.
void require_range(const char* op, const char* name, int64_t value, int64_t lo, int64_t hi);

}  // namespace ember
