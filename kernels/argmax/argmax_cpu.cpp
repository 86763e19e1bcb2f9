// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "kernels/argmax/argmax.h"
#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"

namespace ember::k {
namespace {

int32_t argmax_row(const float* x, int64_t n) {
  int64_t best = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (std::isnan(x[i])) {
      return -1;
    }
    if (x[i] > x[best]) {
      best = i;
    }
  }
  return static_cast<int32_t>(best);
}

}  // namespace

void validate(const ArgmaxParams& p) {
  const Arg ids{"argmax", "ids", p.ids}, x{"argmax", "x", p.x};
  require_dtype(ids, {DType::kI32});
  require_float(x);
  require_rank(x, 2);
  require_range("argmax", "V", p.x.shape[1], 1, INT32_MAX);
  require_shape(ids, {p.x.shape[0]});
  require_same_device(ids, x);
  require_disjoint(ids, x);
}

Cost cost(const ArgmaxParams& p) {
  return {p.x.bytes(), p.ids.bytes(), p.x.numel()};
}

void argmax_cpu(const ArgmaxParams& p) {
  validate(p);
  require_cpu({"argmax", "ids", p.ids});
  int32_t* ids = p.ids.as<int32_t>();
  parallel_for(p.x.shape[0], 1, [&](int64_t begin, int64_t end) {
    thread_local Scratch scratch;
    for (int64_t t = begin; t < end; ++t) {
      ids[t] = argmax_row(f32_row(p.x, t, scratch.floats(p.x.shape[1])), p.x.shape[1]);
    }
  });
}

}  // namespace ember::k
