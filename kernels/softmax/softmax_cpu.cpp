// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"
#include "kernels/softmax/softmax.h"

namespace ember::k {
namespace {

// Log of the sum of exponentials; NaN for a row without a finite maximum.
double log_sum_exp(const float* x, int64_t n, double scale) {
  double top = -std::numeric_limits<double>::infinity();
  bool nan = false;
  for (int64_t i = 0; i < n; ++i) {
    const double v = scale * static_cast<double>(x[i]);
    nan = nan || std::isnan(v);
    top = std::max(top, v);
  }
  if (nan || !std::isfinite(top)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  double total = 0;
  for (int64_t i = 0; i < n; ++i) {
    total += std::exp(scale * static_cast<double>(x[i]) - top);
  }
  return top + std::log(total);
}

}  // namespace

void validate(const SoftmaxParams& p) {
  const Arg x{"softmax", "x", p.x}, y{"softmax", "y", p.y}, lse{"softmax", "lse", p.lse};
  require_dtype(x, {DType::kF32});
  require_rank(x, 2);
  require_range("softmax", "V", p.x.shape[1], 1, INT32_MAX);
  if (p.y.data != nullptr) {
    require_dtype(y, {DType::kF32});
    require_shape(y, p.x.shape);
    require_same_device(x, y);
    if (p.y.data != p.x.data || p.y.row_stride != p.x.row_stride) {
      require_disjoint(y, x);
    }
  }
  if (p.lse.data != nullptr) {
    require_dtype(lse, {DType::kF32});
    require_shape(lse, {p.x.shape[0]});
    require_same_device(x, lse);
    require_disjoint(lse, x);
  }
  if (!std::isfinite(p.scale)) {
    fail(ErrorKind::kUnsupported, "softmax: scale: expected a finite number, got ", p.scale);
  }
}

Cost cost(const SoftmaxParams& p) {
  const int64_t written = (p.y.data ? p.y.bytes() : 0) + (p.lse.data ? p.lse.bytes() : 0);
  return {p.x.bytes(), written, 5 * p.x.numel()};
}

void softmax_cpu(const SoftmaxParams& p) {
  validate(p);
  require_cpu({"softmax", "x", p.x});
  const int64_t V = p.x.shape[1];
  const double scale = p.scale;
  parallel_for(p.x.shape[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* x = reinterpret_cast<const float*>(row_ptr(p.x, t));
      const double lse = log_sum_exp(x, V, scale);
      if (p.lse.data != nullptr) {
        p.lse.as<float>()[t] = static_cast<float>(lse);
      }
      if (p.y.data != nullptr) {
        float* y = reinterpret_cast<float*>(row_ptr(p.y, t));
        for (int64_t i = 0; i < V; ++i) {
          y[i] = static_cast<float>(std::exp(scale * static_cast<double>(x[i]) - lse));
        }
      }
    }
  });
}

}  // namespace ember::k
