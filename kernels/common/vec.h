// SPDX-License-Identifier: Apache-2.0
// fp32 vectors of the widest register of the level being compiled. For *_isa.cpp files only.
#pragma once

#ifndef EMBER_ISA
#error "vec.h belongs in sources built by ember_isa_sources()"
#endif

#include <cstdint>
#include <cstring>

#include "kernels/base/half.h"

// Where AVX-512 intrinsics are used, it is in the zero-masking form: g++ 12 takes the plain one for
// a read of an uninitialised variable of its own header.
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace ember::k::EMBER_ISA {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif

typedef float Vec __attribute__((vector_size(kWidth * 4)));
typedef int32_t VecI __attribute__((vector_size(kWidth * 4)));
typedef uint32_t VecU __attribute__((vector_size(kWidth * 4)));
typedef uint16_t VecH __attribute__((vector_size(kWidth * 2)));

inline Vec splat(float x) {
  return x - Vec{};
}
inline VecU splat_bits(uint32_t x) {
  return x - VecU{};
}

inline Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

inline void store(float* p, Vec v) {
  std::memcpy(p, &v, sizeof v);
}

inline Vec load(const BF16* p) {
#if defined(__AVX512F__)
  const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return (Vec)_mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, raw), 16);
#elif defined(__AVX2__)
  const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return (Vec)_mm256_slli_epi32(_mm256_cvtepu16_epi32(raw), 16);
#else
  VecH h;
  std::memcpy(&h, p, sizeof h);
  return (Vec)(__builtin_convertvector(h, VecU) << 16);
#endif
}

inline Vec load(const F16* p) {
#if defined(__AVX512F__)
  return (Vec)_mm512_maskz_cvtph_ps(0xffff,
                                    _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__AVX2__)
  return (Vec)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#else
  VecH h;
  std::memcpy(&h, p, sizeof h);
  const VecU u = __builtin_convertvector(h, VecU);
  const VecU magnitude = u & 0x7fffu;
  // As in to_float(F16): move the fields into place, let a multiplication mend the exponent.
  const Vec scaled = (Vec)(magnitude << 13) * splat(bits_to_float(0x77800000u));
  const VecU special = (VecU)(magnitude >= 0x7c00u);
  const VecU bits =
      (special & (0x7f800000u | ((magnitude & 0x3ffu) << 13))) | (~special & (VecU)scaled);
  return (Vec)(bits | ((u & 0x8000u) << 16));
#endif
}

// The first n < kWidth elements, zeros behind them; reads nothing past them.
template <class T>
inline Vec load_part(const T* p, int64_t n) {
  T padded[kWidth] = {};
  std::memcpy(padded, p, static_cast<size_t>(n) * sizeof(T));
  return load(padded);
}

inline void store_part(float* p, Vec v, int64_t n) {
  std::memcpy(p, &v, static_cast<size_t>(n) * sizeof(float));
}

// Lane by lane. A NaN in b is kept, one in a only when b is not smaller.
inline Vec max(Vec a, Vec b) {
  return a > b ? a : b;
}

// The sum of the lanes, halves first.
inline float sum(Vec v) {
#if defined(__AVX512F__)
  const auto v8 = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                  __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
  const Vec v8 = v;
#endif
#if defined(__AVX2__)
  const auto v4 =
      __builtin_shufflevector(v8, v8, 0, 1, 2, 3) + __builtin_shufflevector(v8, v8, 4, 5, 6, 7);
#else
  const Vec v4 = v8;
#endif
  return (v4[0] + v4[2]) + (v4[1] + v4[3]);
}

// e^x within 2 units in the last place; overflows to infinity, underflows gradually to 0, keeps
// NaN. x = n ln2 + r with |r| <= ln2/2 (ln2 in two parts), a polynomial in r, then 2^n in two
// factors so that neither leaves the range.
inline Vec exp(Vec x) {
  const float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  x = x > splat(89.0f) ? splat(89.0f) : x;
  x = x < splat(-104.0f) ? splat(-104.0f) : x;
  const Vec shifted = x * splat(1.44269504f) + kMagic;
  const Vec n = shifted - kMagic;
  Vec r = x - n * splat(0.693145751953125f);
  r = r - n * splat(1.42860682e-6f);
  Vec p = splat(1.0f / 5040);
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = (r * r) * p + r + 1.0f;
  const VecI e = (VecI)shifted - 0x4b400000;
  const VecI half = e >> 1;
  const Vec scale_a = (Vec)((half + 127) << 23);
  const Vec scale_b = (Vec)((e - half + 127) << 23);
  return p * scale_a * scale_b;
}

}  // namespace ember::k::EMBER_ISA
