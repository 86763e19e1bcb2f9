// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <vector>

#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"
#include "kernels/common/gemv_plan.h"
#include "kernels/norm_linear/norm_linear.h"

namespace ember::k {

void validate(const NormLinearParams& p) {
  const char* op = "norm_linear";
  const Arg y{op, "y", p.y}, x{op, "x", p.x}, norm{op, "norm", p.norm}, w{op, "w", p.w};
  require_float(y);
  require_float(norm);
  require_dtype(x, {DType::kF32});
  require_dtype(w, {DType::kF16, DType::kBF16});
  require_rank(x, 2);
  require_rank(w, 2);
  const int64_t K = p.x.shape[1], M = p.w.shape[0];
  require_range(op, "rows of x", p.x.shape[0], 1, 1);
  require_range(op, "K", K, 1, INT32_MAX);
  require_shape(w, {M, K});
  require_shape(norm, {K});
  if (p.gated && M % 2 != 0) {
    fail(ErrorKind::kShape, op, ": w: expected as many rows of gate as of up, got ", M, " in all");
  }
  require_shape(y, {1, p.gated ? M / 2 : M});
  for (const Arg& input : {x, norm, w}) {
    require_same_device(y, input);
    require_disjoint(y, input);
  }
  if (!(p.eps >= 0)) {
    fail(ErrorKind::kUnsupported, op, ": eps: expected 0 or more, got ", p.eps);
  }
}

Cost cost(const NormLinearParams& p) {
  return {p.x.bytes() + p.norm.bytes() + p.w.bytes(), p.y.bytes(),
          2 * p.w.numel() + 4 * p.x.numel()};
}

bool norm_linear_takes(const NormLinearParams& p) {
  const auto whole_groups = [](const TensorView& v) {
    return reinterpret_cast<uintptr_t>(v.data) % 16 == 0 && v.shape.last() % 8 == 0;
  };
  return p.x.shape[0] == 1 && p.x.dtype == DType::kF32 && p.w.dtype != DType::kF32 &&
         p.x.shape[1] <= kGemvMaxNormK && p.w.shape[0] % kGemvMinN == 0 && whole_groups(p.x) &&
         whole_groups(p.norm) && whole_groups(p.w) && p.w.row_stride % 8 == 0;
}

void norm_linear_cpu(const NormLinearParams& p) {
  validate(p);
  require_cpu({"norm_linear", "y", p.y});
  const int64_t K = p.x.shape[1], N = p.y.shape[1];
  const float* x = p.x.as<float>();
  std::vector<float> gain(static_cast<size_t>(K));
  to_f32(p.norm.dtype, p.norm.data, gain.data(), K);
  double squares = 0;
  for (int64_t k = 0; k < K; ++k) {
    squares += static_cast<double>(x[k]) * x[k];
  }
  const double factor = 1.0 / std::sqrt(squares / static_cast<double>(K) + p.eps);
  std::vector<float> y(static_cast<size_t>(N));
  parallel_for(N, 16, [&](int64_t begin, int64_t end) {
    std::vector<float> row(static_cast<size_t>(K));
    const auto dot = [&](int64_t n) {
      to_f32(p.w.dtype, row_ptr(p.w, n), row.data(), K);
      double sum = 0;
      for (int64_t k = 0; k < K; ++k) {
        sum += static_cast<double>(x[k]) * factor * gain[static_cast<size_t>(k)] *
               row[static_cast<size_t>(k)];
      }
      return sum;
    };
    for (int64_t n = begin; n < end; ++n) {
      double value = dot(n);
      if (p.gated) {
        value = value / (1.0 + std::exp(-value)) * dot(N + n);
      }
      y[static_cast<size_t>(n)] = static_cast<float>(p.scale * value);
    }
  });
  from_f32(y.data(), p.y.dtype, p.y.data, N);
}

}  // namespace ember::k
