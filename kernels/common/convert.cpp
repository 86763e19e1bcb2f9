// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/convert.h"

#include <cstring>

#include "kernels/common/convert_kernels.h"
#include "kernels/common/isa.h"

namespace ember::k {
namespace {

// Bytes, aligned or not; of an empty tensor there are none, and no memory either.
void copy_floats(void* dst, const void* src, int64_t n) {
  if (n > 0) {
    std::memcpy(dst, src, static_cast<size_t>(n) * sizeof(float));
  }
}

}  // namespace

void to_f32(DType src_dtype, const void* src, float* dst, int64_t n) {
  switch (src_dtype) {
    case DType::kF32:
      copy_floats(dst, src, n);
      return;
    case DType::kF16:
      EMBER_PICK_ISA(convert_kernels).f16_to_f32(static_cast<const F16*>(src), dst, n);
      return;
    case DType::kBF16:
      EMBER_PICK_ISA(convert_kernels).bf16_to_f32(static_cast<const BF16*>(src), dst, n);
      return;
    case DType::kI32:
      break;
  }
  fail(ErrorKind::kDtype, "to_f32: no conversion from ", dtype_name(src_dtype));
}

void from_f32(const float* src, DType dst_dtype, void* dst, int64_t n) {
  switch (dst_dtype) {
    case DType::kF32:
      copy_floats(dst, src, n);
      return;
    case DType::kF16:
      EMBER_PICK_ISA(convert_kernels).f32_to_f16(src, static_cast<F16*>(dst), n);
      return;
    case DType::kBF16:
      EMBER_PICK_ISA(convert_kernels).f32_to_bf16(src, static_cast<BF16*>(dst), n);
      return;
    case DType::kI32:
      break;
  }
  fail(ErrorKind::kDtype, "from_f32: no conversion to ", dtype_name(dst_dtype));
}

}  // namespace ember::k
