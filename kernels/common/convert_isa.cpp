// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/convert_kernels.h"
#include "kernels/common/vec.h"

namespace ember::k::EMBER_ISA {
namespace {

template <class T>
void widen(const T* src, float* dst, int64_t n) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    store(dst + i, load(src + i));
  }
  if (i < n) {
    store_part(dst + i, load_part(src + i, n - i), n - i);
  }
}

VecH narrow_bf16(Vec x) {
  const VecU u = (VecU)x;
  const VecU rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  const VecU nan = (VecU)((u & 0x7fffffffu) > splat_bits(0x7f800000u));
  return __builtin_convertvector((nan & ((u >> 16) | 0x40u)) | (~nan & rounded), VecH);
}

void f32_to_bf16(const float* src, BF16* dst, int64_t n) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    const VecH h = narrow_bf16(load(src + i));
    std::memcpy(dst + i, &h, sizeof h);
  }
  if (i < n) {
    const VecH h = narrow_bf16(load_part(src + i, n - i));
    std::memcpy(dst + i, &h, static_cast<size_t>(n - i) * sizeof(BF16));
  }
}

// Scalar helpers of half.h stay out of the newer levels: were one not inlined, the linker could
// take this file's copy of it for everybody.
#if defined(__AVX2__)
void f32_to_f16(const float* src, F16* dst, int64_t n) {
  for (int64_t i = 0; i < n; i += 8) {
    const int64_t count = n - i < 8 ? n - i : 8;
    float part[8] = {};
    std::memcpy(part, src + i, static_cast<size_t>(count) * sizeof(float));
    const __m128i h = _mm256_cvtps_ph(_mm256_loadu_ps(part), _MM_FROUND_TO_NEAREST_INT);
    std::memcpy(dst + i, &h, static_cast<size_t>(count) * sizeof(F16));
  }
}
#else
void f32_to_f16(const float* src, F16* dst, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    dst[i] = from_float<F16>(src[i]);
  }
}
#endif

}  // namespace

extern const ConvertKernels convert_kernels;
const ConvertKernels convert_kernels = {widen<F16>, widen<BF16>, f32_to_f16, f32_to_bf16};

}  // namespace ember::k::EMBER_ISA
