// SPDX-License-Identifier: Apache-2.0
// What every kernel is made of: conversions, loads and stores by dtype, reductions in a fixed
// order.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "kernels/base/dtype.h"

namespace ember::k::dev {

using f16 = __half;
using bf16 = __nv_bfloat16;

// ---- Conversions ----

template <class T>
__device__ __forceinline__ float to_f32(T x) {
  if constexpr (std::is_same_v<T, f16>) {
    return __half2float(x);
  } else if constexpr (std::is_same_v<T, bf16>) {
    return __bfloat162float(x);
  } else {
    return x;
  }
}

template <class T>
__device__ __forceinline__ T from_f32(float x) {
  if constexpr (std::is_same_v<T, f16>) {
    return __float2half_rn(x);
  } else if constexpr (std::is_same_v<T, bf16>) {
    return __float2bfloat16_rn(x);
  } else {
    return x;
  }
}

// Two 16-bit values packed in 32 bits, the first in the low half.
template <class T>
__device__ __forceinline__ float2 unpack2(uint32_t bits) {
  if constexpr (std::is_same_v<T, f16>) {
    return __half22float2(*reinterpret_cast<const __half2*>(&bits));
  } else {
    return {__uint_as_float(bits << 16), __uint_as_float(bits & 0xffff0000u)};
  }
}

template <class T>
__device__ __forceinline__ uint32_t pack2(float lo, float hi) {
  if constexpr (std::is_same_v<T, f16>) {
    const __half2 h = __floats2half2_rn(lo, hi);
    return *reinterpret_cast<const uint32_t*>(&h);
  } else {
    const __nv_bfloat162 h = __floats2bfloat162_rn(lo, hi);
    return *reinterpret_cast<const uint32_t*>(&h);
  }
}

template <class T>
__device__ __forceinline__ void unpack8(const uint4& raw, float (&v)[8]) {
  const uint32_t words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 f = unpack2<T>(words[i]);
    v[2 * i] = f.x;
    v[2 * i + 1] = f.y;
  }
}

// ---- Access by a dtype known at run time only ----
// The switch is the same for a whole grid, so it costs memory-bound kernels next to nothing, and
// one kernel serves every combination of operand types.

__device__ __forceinline__ float load1(const void* p, DType t, int64_t i) {
  switch (t) {
    case DType::kF16:
      return __half2float(static_cast<const f16*>(p)[i]);
    case DType::kBF16:
      return __bfloat162float(static_cast<const bf16*>(p)[i]);
    default:
      return static_cast<const float*>(p)[i];
  }
}

__device__ __forceinline__ void store1(void* p, DType t, int64_t i, float v) {
  switch (t) {
    case DType::kF16:
      static_cast<f16*>(p)[i] = __float2half_rn(v);
      break;
    case DType::kBF16:
      static_cast<bf16*>(p)[i] = __float2bfloat16_rn(v);
      break;
    default:
      static_cast<float*>(p)[i] = v;
  }
}

// Elements i and i + 1; p + i aligned to both.
__device__ __forceinline__ float2 load2(const void* p, DType t, int64_t i) {
  switch (t) {
    case DType::kF16:
      return unpack2<f16>(*reinterpret_cast<const uint32_t*>(static_cast<const f16*>(p) + i));
    case DType::kBF16:
      return unpack2<bf16>(*reinterpret_cast<const uint32_t*>(static_cast<const bf16*>(p) + i));
    default:
      return *reinterpret_cast<const float2*>(static_cast<const float*>(p) + i);
  }
}

// Elements i and i + 1; i even, p + i aligned to both.
__device__ __forceinline__ void store2(void* p, DType t, int64_t i, float x, float y) {
  switch (t) {
    case DType::kF16:
      *reinterpret_cast<uint32_t*>(static_cast<f16*>(p) + i) = pack2<f16>(x, y);
      break;
    case DType::kBF16:
      *reinterpret_cast<uint32_t*>(static_cast<bf16*>(p) + i) = pack2<bf16>(x, y);
      break;
    default:
      *reinterpret_cast<float2*>(static_cast<float*>(p) + i) = make_float2(x, y);
  }
}

// Elements i to i+7; p + i aligned to 16 bytes.
__device__ __forceinline__ void load8(const void* p, DType t, int64_t i, float (&v)[8]) {
  if (t == DType::kF32) {
    const float4* at = reinterpret_cast<const float4*>(static_cast<const float*>(p) + i);
    const float4 a = at[0], b = at[1];
    v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
    v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
    return;
  }
  const uint4 raw = *reinterpret_cast<const uint4*>(static_cast<const uint16_t*>(p) + i);
  if (t == DType::kF16) {
    unpack8<f16>(raw, v);
  } else {
    unpack8<bf16>(raw, v);
  }
}

__device__ __forceinline__ void store8(void* p, DType t, int64_t i, const float (&v)[8]) {
  if (t == DType::kF32) {
    float4* at = reinterpret_cast<float4*>(static_cast<float*>(p) + i);
    at[0] = make_float4(v[0], v[1], v[2], v[3]);
    at[1] = make_float4(v[4], v[5], v[6], v[7]);
    return;
  }
  uint4 raw;
  if (t == DType::kF16) {
    raw = make_uint4(pack2<f16>(v[0], v[1]), pack2<f16>(v[2], v[3]), pack2<f16>(v[4], v[5]),
                     pack2<f16>(v[6], v[7]));
  } else {
    raw = make_uint4(pack2<bf16>(v[0], v[1]), pack2<bf16>(v[2], v[3]), pack2<bf16>(v[4], v[5]),
                     pack2<bf16>(v[6], v[7]));
  }
  *reinterpret_cast<uint4*>(static_cast<uint16_t*>(p) + i) = raw;
}

// ---- Reductions: the same tree every time ----

__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
  for (int d = 16; d > 0; d /= 2) {
    v += __shfl_xor_sync(0xffffffffu, v, d);
  }
  return v;
}

// The sum over a block of whole warps, to every thread. `partial` holds one float a warp; a second
// call with the same memory needs a __syncthreads() in between.
__device__ __forceinline__ float block_sum(float v, float* partial) {
  v = warp_sum(v);
  const int warp = threadIdx.x / 32, warps = blockDim.x / 32;
  if (threadIdx.x % 32 == 0) {
    partial[warp] = v;
  }
  __syncthreads();
  const int lane = threadIdx.x % 32;
  return warp_sum(lane < warps ? partial[lane] : 0.0f);
}

}  // namespace ember::k::dev
