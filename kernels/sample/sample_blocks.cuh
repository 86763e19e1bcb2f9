// SPDX-License-Identifier: Apache-2.0
// What the kernels of sample.cu share: keys in the order of the tokens, reductions and scans over a
// block, the operands, and the memory between the kernels.
#pragma once

#include <cfloat>
#include <climits>

#include "kernels/base/cuda_scratch.cuh"
#include "kernels/common/launch.cuh"
#include "kernels/sample/sample.h"

namespace ember::k::sampling {

using u64 = unsigned long long;

constexpr int kThreads = 256;  // of the kernels that go over the logits
constexpr int kEach = 4;       // logits a thread
constexpr int kTile = kThreads * kEach;
constexpr int kMaxTiles = static_cast<int>(kSampleMaxVocab / kTile);
constexpr int kBins = 2048;
constexpr int kFinishThreads = 512;
constexpr int kFewTokens = 1024;  // that the finish takes without looking at bins
constexpr unsigned kAll = 0xffffffffu;

// ---- Keys ----

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
__device__ __forceinline__ unsigned value_bits(u64 token) {
  return static_cast<unsigned>(token >> 32);
}
__device__ __forceinline__ float value_of_token(u64 token) {
  return value_of(~value_bits(token));
}

__device__ __forceinline__ double drop_of(float top, float x, double scale) {
  return (static_cast<double>(top) - static_cast<double>(x)) * scale;
}
// From here on a weight is 0, and where a token stands makes no difference.
__device__ __forceinline__ bool weighs(double drop) {
  return drop < 45 * kSampleDropUnit;
}

__device__ __forceinline__ int bin_of(float top, float bins_per_unit, float x) {
  return static_cast<int>(fminf((top - x) * bins_per_unit, static_cast<float>(kBins - 1)));
}

// ---- Sums over a block ----

template <class T>
struct Running {
  T before, total;  // over the threads before this one, and over all
};

// Over the first kLanes lanes of a warp; kLanes a power of two. The sum up to a lane, itself
// included.
template <int kLanes, class T>
__device__ __forceinline__ T warp_running_sum(T v) {
  const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
  for (int d = 1; d < kLanes; d *= 2) {
    const T below = __shfl_up_sync(kAll, v, d);
    v += lane >= d ? below : T{0};
  }
  return v;
}

// Over a block of kBlock threads. `partial` holds one value a warp and is free again after the next
// __syncthreads().
template <int kBlock, class T>
__device__ __forceinline__ Running<T> block_running_sum(T v, T* partial) {
  constexpr int kWarps = kBlock / 32;
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const T upto = warp_running_sum<32>(v);
  if (lane == 31) {
    partial[warp] = upto;
  }
  __syncthreads();
  const T warps = warp_running_sum<kWarps>(partial[lane % kWarps]);
  const T before = __shfl_sync(kAll, warps, warp > 0 ? warp - 1 : 0);
  return {(warp > 0 ? before : T{0}) + upto - v, __shfl_sync(kAll, warps, kWarps - 1)};
}

// What was loaded before stays before: loads that do not depend on each other then take one trip to
// memory, also where a branch leaves some of them unused.
__device__ __forceinline__ void loads_stay_above() {
  asm volatile("" ::: "memory");
}

// ---- Memory between the kernels ----

// Of one tile of logits, or of several.
struct alignas(16) Summary {
  unsigned key, index;  // the largest logit, and the lowest index that has it
  unsigned lowest;      // key of the smallest finite logit; kAll: there is none
  int bad;              // index of the first NaN or +infinity; INT_MAX: there is none

  __device__ static Summary none() { return {0, kAll, kAll, INT_MAX}; }
  __device__ void add(float x, int i) {
    const unsigned k = ordered(x);
    if (k > key) {  // i grows
      key = k;
      index = static_cast<unsigned>(i);
    }
    lowest = x >= -FLT_MAX ? min(lowest, k) : lowest;
    bad = x <= FLT_MAX ? bad : min(bad, i);
  }
  __device__ void add(const Summary& o) {
    const bool wins = o.key > key || (o.key == key && o.index < index);
    key = wins ? o.key : key;
    index = wins ? o.index : index;
    lowest = min(lowest, o.lowest);
    bad = min(bad, o.bad);
  }
  // The greedy choice, or what a row without one gives instead.
  __device__ int choice() const {
    return bad != INT_MAX ? -1 - bad : lowest == kAll ? kNothingToSample : static_cast<int>(index);
  }
};

// What is known once all summaries are: how tokens are weighed and filed.
struct alignas(16) Filing {
  int decided;  // the choice is `id` already
  int id;
  float top;            // the largest logit
  float least;          // what is smaller is neither weighed nor filed: top-k leaves none of it
  float bins_per_unit;  // a bin holds the tokens of one interval of values, the first the largest
  int few;              // tokens are listed as well, as long as they are few
};

// Which tokens the finish looks at one by one: those of up to three runs of bins in which a filter
// or the draw may end.
struct alignas(16) Runs {
  unsigned count;      // tokens in all runs
  unsigned all;        // tokens in all bins
  u64 mass;            // of all bins
  unsigned start[3];   // where a run begins among the listed tokens, in order; kAll: there is none
  unsigned passed[3];  // plus the place among those listed: how many tokens come before, of all
  u64 passed_mass[3];  // plus the sum over those listed before: the mass before, of all
};

struct alignas(16) Work {
  Summary summaries[kMaxTiles];
  unsigned count[kBins];  // tokens
  u64 mass[kBins];        // their weights
  Filing filing;
  Runs runs;
  u64 likely_mass;            // of the tokens that min-p alone would keep
  unsigned listed, gathered;  // tokens, by the two kernels that list some
  u64 tokens[2];              // (V rounded up) in any order
};
static_assert(sizeof(Work) <= sample_scratch_bytes(1), "scratch holds no Work");

// ---- Operands ----

struct Operands {
  const float* x;
  int64_t stride;
  int V;
  int pos;
  int32_t* pos_device;
  const SampleSettings* settings;
  uint32_t greedy;
  int32_t *id, *ring;
  unsigned slots;
  bool advance;
  std::byte* work;
  int64_t work_bytes;  // of a row

  __device__ Work* work_of(unsigned row) const {
    return reinterpret_cast<Work*>(work + row * work_bytes);
  }
  __device__ int position(unsigned row) const {
    return pos_device != nullptr ? pos_device[row] : pos;
  }
  // The logits of this thread: those of its block's tile, a block's threads side by side.
  __device__ static int index(int e) {
    return (static_cast<int>(blockIdx.x) * kEach + e) * kThreads + static_cast<int>(threadIdx.x);
  }
  __device__ void load(float (&v)[kEach]) const {
    const float* row = x + blockIdx.y * stride;
#pragma unroll
    for (int e = 0; e < kEach; ++e) {
      v[e] = index(e) < V ? row[index(e)] : -INFINITY;
    }
  }
  // By one thread, at the very end.
  __device__ void choose(unsigned row, int chosen, int position) const {
    id[row] = chosen;
    if (advance && ring != nullptr) {
      ring[row * static_cast<size_t>(slots) + static_cast<unsigned>(position) % slots] = chosen;
    }
    if (advance && pos_device != nullptr) {
      pos_device[row] = position + 1;
    }
  }
};

}  // namespace ember::k::sampling
