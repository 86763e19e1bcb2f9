// SPDX-License-Identifier: Apache-2.0
// What the kernels of sample.cu share: keys in the order of the tokens, reductions and scans of
// 64-bit integers over a block, and the memory between the kernels.
#pragma once

#include "kernels/base/cuda_scratch.cuh"
#include "kernels/common/launch.cuh"
#include "kernels/sample/sample.h"

namespace ember::k::sampling {

using u64 = unsigned long long;

constexpr int kBins = 2048;
constexpr unsigned kAll = 0xffffffffu;

// Ascending with the value; -0 is +0.
__device__ __forceinline__ unsigned ordered(float x) {
  const unsigned u = __float_as_uint(x == 0.0f ? 0.0f : x);
  return (u & 0x80000000u) ? ~u : u | 0x80000000u;
}

__device__ __forceinline__ float value_of(unsigned key) {
  return __uint_as_float((key & 0x80000000u) ? key ^ 0x80000000u : ~key);
}

// A token as a number: the smaller, the earlier in the order of the definition.
__device__ __forceinline__ u64 token(float x, int id) {
  return static_cast<u64>(~ordered(x)) << 32 | static_cast<unsigned>(id);
}
__device__ __forceinline__ float value_of_token(u64 token) {
  return value_of(~static_cast<unsigned>(token >> 32));
}

__device__ __forceinline__ double drop_of(float top, float x, double scale) {
  return (static_cast<double>(top) - static_cast<double>(x)) * scale;
}
// From here on a weight is 0, and where a token stands makes no difference.
__device__ __forceinline__ bool weighs(double drop) {
  return drop < 45 * kSampleDropUnit;
}

struct Sum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Largest {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};
struct Smallest {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a < b ? a : b;
  }
};

template <class Op, class T>
__device__ __forceinline__ T warp_reduce(T v) {
#pragma unroll
  for (int d = 16; d > 0; d /= 2) {
    v = Op()(v, __shfl_xor_sync(kAll, v, d));
  }
  return v;
}

// To every thread of a block of whole warps. `partial` holds one value a warp; may be used again
// at once.
template <class Op, class T>
__device__ T block_reduce(T v, T* partial) {
  v = warp_reduce<Op>(v);
  if (threadIdx.x % 32 == 0) {
    partial[threadIdx.x / 32] = v;
  }
  __syncthreads();
  v = partial[0];
  for (int w = 1; w < static_cast<int>(blockDim.x) / 32; ++w) {
    v = Op()(v, partial[w]);
  }
  __syncthreads();
  return v;
}

// The sum of v over the threads before this one. As block_reduce.
template <class T>
__device__ T block_sum_before(T v, T* partial) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  T inclusive = v;
#pragma unroll
  for (int d = 1; d < 32; d *= 2) {
    const T below = __shfl_up_sync(kAll, inclusive, d);
    inclusive += lane >= d ? below : T{0};
  }
  if (lane == 31) {
    partial[warp] = inclusive;
  }
  __syncthreads();
  T before = inclusive - v;
  for (int w = 0; w < warp; ++w) {
    before += partial[w];
  }
  __syncthreads();
  return before;
}

// A value that one thread has, to all of the block. May be used again at once.
template <class T>
__device__ __forceinline__ T from_one(bool mine, T value, T* slot) {
  if (mine) {
    *slot = value;
  }
  __syncthreads();
  const T v = *slot;
  __syncthreads();
  return v;
}

// True in all threads of the block that is the last of its grid to come here; it then sees what the
// others wrote before. Leaves the ticket at zero.
__device__ inline bool last_block(unsigned* ticket, unsigned* slot) {
  __threadfence();
  __syncthreads();
  unsigned mine = 0;
  if (threadIdx.x == 0) {
    mine = atomicAdd(ticket, 1u);
  }
  const bool last = from_one(threadIdx.x == 0, mine, slot) == gridDim.x - 1;
  if (last) {
    __threadfence();
    if (threadIdx.x == 0) {
      *ticket = 0;
    }
  }
  return last;
}

// Between the kernels, in device memory. A bin holds the tokens of one interval of values, the
// first bin the largest.
struct Work {
  unsigned statistics_ticket, histogram_ticket;
  int result;  // negative: what the id is, without a draw
  float top;   // the largest logit
  float bins_per_unit;
  int first_bin, last_bin;           // those whose tokens have to be looked at one by one,
  int k_bin;                         // and the one in which top-k ends
  u64 likely_mass;                   // weights of all tokens that min-p alone would keep
  u64 best[64];                      // one a block: the largest logit, the lowest index first
  unsigned lowest[64];               // the smallest above -infinity
  int bad[64];                       // the first NaN or +infinity
  unsigned count[kBins];             // tokens
  u64 mass[kBins];                   // their weights
  unsigned cursor[kBins];            // where the next token of the bin goes
  unsigned count_before[kBins + 1];  // in the bins before
  u64 mass_before[kBins + 1];
  u64 tokens[1];  // (V) by bin, within one in any order
};

__device__ __forceinline__ int bin_of(float top, float bins_per_unit, float x) {
  return static_cast<int>(fminf((top - x) * bins_per_unit, static_cast<float>(kBins - 1)));
}

}  // namespace ember::k::sampling
