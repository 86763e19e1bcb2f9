// SPDX-License-Identifier: Apache-2.0
// How blocks give each other the vectors of a layer: in words of 8 bytes that carry their payload
// and a tag of launch, layer and phase. A word is written at once, so whoever finds the tag has the
// payload: no fence, no counter, and the wait is the load. A fence would wait for everything that
// the SM has under way, behind the stream of weights: with counters and release and acquire an
// H200 took 21 us a layer of 0.6B where it takes 15 now.
// A vector is written again only when all blocks have read it, which the data flow sees to: nobody
// writes q, k and v of the next layer before x is complete, to which every block adds its rows when
// it has read act; and so on around the layer.
#pragma once

#include "kernels/decode_layers/decode_layers_ring.cuh"

namespace ember::k::layers {

// The warps that compute, alone.
__device__ __forceinline__ void warps_sync() {
  asm volatile("bar.sync 1, %0;" ::"n"(32 * kLayersWarps) : "memory");
}

// Keeps what is computed from i where it stands: the compiler would hold dozens of addresses in
// registers through all layers.
__device__ __forceinline__ int here(int i) {
  asm volatile("" : "+r"(i));
  return i;
}

__device__ __forceinline__ void send(char* words, int index, uint32_t payload, uint32_t tag) {
  const uint64_t word = payload | static_cast<uint64_t>(tag) << 32;
  asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(words + int64_t{index} * 8), "l"(word)
               : "memory");
}
// Two words at once; each of them is whole.
__device__ __forceinline__ void send_pair(char* words, int index, uint32_t first, uint32_t second,
                                          uint32_t tag) {
  const uint64_t a = first | static_cast<uint64_t>(tag) << 32,
                 b = second | static_cast<uint64_t>(tag) << 32;
  asm volatile("st.relaxed.gpu.global.v2.u64 [%0], {%1, %2};" ::"l"(words + int64_t{index} * 16),
               "l"(a), "l"(b)
               : "memory");
}

// A pair of words: payload, tag, payload, tag.
__device__ __forceinline__ uint4 load_pair(const char* at) {
  uint64_t a, b;
  asm volatile("ld.relaxed.gpu.global.v2.u64 {%0, %1}, [%2];"
               : "=l"(a), "=l"(b)
               : "l"(at)
               : "memory");
  return make_uint4(static_cast<uint32_t>(a), static_cast<uint32_t>(a >> 32),
                    static_cast<uint32_t>(b), static_cast<uint32_t>(b >> 32));
}

// Pairs first, first + stride, ... before `count`, up to N of them, as soon as all are there;
// called by whole warps. Ten seconds without an end are a bug, and better reported than waited for.
template <int N>
__device__ __forceinline__ void receive(uint4 (&v)[N], const char* words, int first, int stride,
                                        int count, uint32_t tag) {
  constexpr unsigned kTooOften = 1u << 25;
  first = here(first);
  words += int64_t{first} * 16;
#pragma unroll
  for (int j = 0; j < N; ++j) {
    v[j] = make_uint4(0, tag, 0, tag);
    if (first + j * stride < count) {
      v[j] = load_pair(words + j * stride * 16);
    }
  }
  for (unsigned polls = 0;; ++polls) {
    bool missing = false;
#pragma unroll
    for (int j = 0; j < N; ++j) {
      missing = missing || v[j].y != tag || v[j].w != tag;
    }
    if (!__any_sync(0xffffffffu, missing)) {
      return;
    }
    if (polls > kTooOften) {
      __trap();
    }
#pragma unroll
    for (int j = 0; j < N; ++j) {
      if (v[j].y != tag || v[j].w != tag) {
        v[j] = load_pair(words + j * stride * 16);
      }
    }
  }
}

// Two neighbours of a norm's gain as they lie in memory, so that they are under way while x is.
struct Gains {
  uint32_t first, second;  // the second is for fp32 alone

  __device__ __forceinline__ void load(const void* gain, DType dtype, int pair) {
    const bool wide = dtype == DType::kF32;
    const auto* at =
        reinterpret_cast<const uint32_t*>(static_cast<const char*>(gain) + pair * (wide ? 8 : 4));
    first = __ldg(at);
    second = 0;
    if (wide) {
      second = __ldg(at + 1);
    }
  }
  __device__ __forceinline__ float2 get(DType dtype) const {
    const float2 bf16 = dev::unpack2<dev::bf16>(first), f16 = dev::unpack2<dev::f16>(first);
    return dtype == DType::kF32   ? make_float2(__uint_as_float(first), __uint_as_float(second))
           : dtype == DType::kF16 ? f16
                                  : bf16;
  }
};

}  // namespace ember::k::layers
