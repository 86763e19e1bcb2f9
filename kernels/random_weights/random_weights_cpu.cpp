// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/random_weights/random_weights.h"

namespace ember::k {
namespace {

constexpr int64_t kGrain = 1 << 16;

template <class T>
void fill(const RandomWeightsParams& p) {
  T* y = p.y.as<T>();
  const uint64_t first = static_cast<uint64_t>(p.first);
  parallel_for(p.y.numel(), kGrain, [&](int64_t begin, int64_t end) {
    if (p.kind == RandomKind::kGain) {
      for (int64_t i = begin; i < end; ++i) {
        y[i] = from_float<T>(random_weights_gain(random_weights_sum(p.stream, first + i)));
      }
    } else {
      for (int64_t i = begin; i < end; ++i) {
        y[i] = from_float<T>(random_weights_matrix(random_weights_sum(p.stream, first + i)));
      }
    }
  });
}

}  // namespace

void validate(const RandomWeightsParams& p) {
  const Arg y{"random_weights", "y", p.y};
  require_rank(y, p.y.shape.rank());
  require_float(y);
  require_dense(y);
  require_range("random_weights", "first", p.first, 0, INT64_MAX - p.y.numel());
}

Cost cost(const RandomWeightsParams& p) {
  return {0, p.y.bytes(), 0};
}

void random_weights_cpu(const RandomWeightsParams& p) {
  validate(p);
  require_cpu({"random_weights", "y", p.y});
  switch (p.y.dtype) {
    case DType::kF32:
      return fill<float>(p);
    case DType::kF16:
      return fill<F16>(p);
    case DType::kBF16:
      return fill<BF16>(p);
    default:
      return;  // validate() lets no other through
  }
}

}  // namespace ember::k
