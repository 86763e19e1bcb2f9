// SPDX-License-Identifier: Apache-2.0
#include "engine/model/check_weights.h"

#include <atomic>

#include "kernels/base/parallel.h"

namespace ember {
namespace {

constexpr int64_t kGrain = 1 << 20;

// An exponent of all ones is infinity when the fraction is 0, else NaN.
template <class Bits>
NonFinite count(const Bits* x, int64_t n, Bits exponent, Bits fraction) {
  std::atomic<int64_t> nan{0}, infinite{0};
  parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    int64_t nans = 0, infinities = 0;
    for (int64_t i = begin; i < end; ++i) {
      const bool special = (x[i] & exponent) == exponent;
      const bool plain = (x[i] & fraction) == 0;
      nans += special && !plain ? 1 : 0;
      infinities += special && plain ? 1 : 0;
    }
    nan += nans;
    infinite += infinities;
  });
  return {nan, infinite};
}

}  // namespace

NonFinite count_non_finite(const TensorView& view) {
  EMBER_CHECK(view.dense() && view.device.kind == DeviceKind::kCpu, "a dense CPU tensor");
  const int64_t n = view.numel();
  switch (view.dtype) {
    case DType::kF32:
      return count<uint32_t>(static_cast<const uint32_t*>(view.data), n, 0x7f800000u, 0x007fffffu);
    case DType::kF16:
      return count<uint16_t>(static_cast<const uint16_t*>(view.data), n, 0x7c00, 0x03ff);
    case DType::kBF16:
      return count<uint16_t>(static_cast<const uint16_t*>(view.data), n, 0x7f80, 0x007f);
    default:
      fail(ErrorKind::kDtype, "count_non_finite: ", dtype_name(view.dtype),
           ", expected fp32, fp16 or bf16");
  }
}

}  // namespace ember
