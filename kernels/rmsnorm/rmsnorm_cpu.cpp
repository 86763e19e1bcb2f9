// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"
#include "kernels/common/sum_squares.h"
#include "kernels/rmsnorm/rmsnorm.h"

namespace ember::k {

void validate(const RmsNormParams& p) {
  const Arg y{"rmsnorm", "y", p.y}, x{"rmsnorm", "x", p.x}, w{"rmsnorm", "w", p.w};
  require_float(x);
  require_float(y);
  require_float(w);
  require_rank(x, 2);
  require_range("rmsnorm", "D", p.x.shape[1], 1, INT32_MAX);
  require_shape(y, p.x.shape);
  require_shape(w, {p.x.shape[1]});
  require_same_device(y, x);
  require_same_device(y, w);
  require_disjoint(y, w);
  const bool in_place =
      p.y.data == p.x.data && p.y.dtype == p.x.dtype && p.y.row_stride == p.x.row_stride;
  if (!in_place) {
    require_disjoint(y, x);
  }
  if (!(p.eps >= 0)) {
    fail(ErrorKind::kUnsupported, "rmsnorm: eps: expected 0 or more, got ", p.eps);
  }
}

Cost cost(const RmsNormParams& p) {
  return {p.x.bytes() + p.w.bytes(), p.y.bytes(), 4 * p.x.numel()};
}

void rmsnorm_cpu(const RmsNormParams& p) {
  validate(p);
  require_cpu({"rmsnorm", "y", p.y});
  const int64_t T = p.x.shape[0], D = p.x.shape[1];
  const int64_t grain = std::max<int64_t>(1, 16384 / D);
  parallel_for(T, grain, [&](int64_t begin, int64_t end) {
    thread_local Scratch scratch;
    float* w_scratch = scratch.floats(3 * D);
    float* x_scratch = w_scratch + D;
    float* y = x_scratch + D;
    const float* w = static_cast<const float*>(p.w.data);
    if (p.w.dtype != DType::kF32) {
      to_f32(p.w.dtype, p.w.data, w_scratch, D);
      w = w_scratch;
    }
    for (int64_t t = begin; t < end; ++t) {
      const float* x = f32_row(p.x, t, x_scratch);
      const double mean = sum_squares(x, D) / static_cast<double>(D);
      const float scale = static_cast<float>(1.0 / std::sqrt(mean + p.eps));
      for (int64_t i = 0; i < D; ++i) {
        y[i] = x[i] * scale * w[i];
      }
      from_f32(y, p.y.dtype, row_ptr(p.y, t), D);
    }
  });
}

}  // namespace ember::k
