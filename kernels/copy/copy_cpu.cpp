// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"
#include "kernels/copy/copy.h"

namespace ember::k {
namespace {

// Rows are what the last dimension holds.
int64_t row_count(const TensorView& v) {
  return v.shape.last() == 0 ? 0 : v.numel() / v.shape.last();
}

}  // namespace

void validate(const CopyParams& p) {
  const Arg dst{"copy", "dst", p.dst}, src{"copy", "src", p.src};
  require_range("copy", "rank", p.src.shape.rank(), 1, Shape::kMaxRank);
  require_rank(src, p.src.shape.rank());
  require_shape(dst, p.src.shape);
  if (p.src.dtype == DType::kI32 || p.dst.dtype == DType::kI32) {
    require_dtype(dst, {p.src.dtype});
  }
  require_same_device(dst, src);
  require_disjoint(dst, src);
}

Cost cost(const CopyParams& p) {
  return {p.src.bytes(), p.dst.bytes(), 0};
}

void copy_cpu(const CopyParams& p) {
  validate(p);
  require_cpu({"copy", "dst", p.dst});
  const int64_t n = p.src.shape.last();
  const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, n));
  parallel_for(row_count(p.src), grain, [&](int64_t begin, int64_t end) {
    thread_local Scratch scratch;
    float* row = scratch.floats(n);
    for (int64_t i = begin; i < end; ++i) {
      if (p.dst.dtype == p.src.dtype) {
        std::memcpy(row_ptr(p.dst, i), row_ptr(p.src, i),
                    static_cast<size_t>(n * dtype_bytes(p.src.dtype)));
      } else {
        from_f32(f32_row(p.src, i, row), p.dst.dtype, row_ptr(p.dst, i), n);
      }
    }
  });
}

}  // namespace ember::k
