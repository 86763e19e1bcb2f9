// SPDX-License-Identifier: Apache-2.0
// The new token of a sequence: QK-norm and RoPE of its heads, one warp a head, and its rows of the
// cache. The arithmetic is that of kernels/qk_norm_rope.
#pragma once

#include "kernels/attention_step/attention_step_parts.cuh"

namespace ember::k::step {

// What a lane holds of a head: elements i and i + E/2 for its own few i.
template <int E>
struct Pairs {
  static constexpr int kWidth = E / 64;
  float lo[kWidth], hi[kWidth];

  static __device__ __forceinline__ int first() { return threadIdx.x % 32 * kWidth; }

  // Of elements [at, at + E), or for a table (at, other) of two rows of E/2.
  __device__ __forceinline__ void load(const void* p, DType t, int64_t at) {
    load_half(lo, p, t, at + first());
    load_half(hi, p, t, at + E / 2 + first());
  }
  __device__ __forceinline__ void load_angles(const dev::Rows& cos, const dev::Rows& sin,
                                              int64_t pos) {
    load_half(lo, cos.row(pos), DType::kF32, first());
    load_half(hi, sin.row(pos), DType::kF32, first());
  }
  template <class T>
  __device__ __forceinline__ void store(T* head) const {
    store_half(head + first(), lo);
    store_half(head + E / 2 + first(), hi);
  }
  // To a row of a swizzled tile.
  template <class T>
  __device__ __forceinline__ void store(unsigned char* tile, int row) const {
    store_half(reinterpret_cast<T*>(tile + place(row, first())), lo);
    store_half(reinterpret_cast<T*>(tile + place(row, E / 2 + first())), hi);
  }

  // rope(rmsnorm(this) * gain)
  __device__ __forceinline__ void norm_and_rotate(const Pairs& gain, const Pairs& angles,
                                                  float eps) {
    float sum = 0.0f;
#pragma unroll
    for (int c = 0; c < kWidth; ++c) {
      sum += lo[c] * lo[c] + hi[c] * hi[c];
    }
    const float factor = 1.0f / sqrtf(dev::warp_sum(sum) / static_cast<float>(E) + eps);
#pragma unroll
    for (int c = 0; c < kWidth; ++c) {
      const float a = lo[c] * factor * gain.lo[c], b = hi[c] * factor * gain.hi[c];
      lo[c] = a * angles.lo[c] - b * angles.hi[c];
      hi[c] = b * angles.lo[c] + a * angles.hi[c];
    }
  }

 private:
  static __device__ __forceinline__ uint32_t place(int row, int element) {
    return dev::swizzled<E * 2>(row, element / 8) + element % 8 * 2;
  }
  static __device__ __forceinline__ void load_half(float (&v)[kWidth], const void* p, DType t,
                                                   int64_t i) {
    if constexpr (kWidth == 2) {
      const float2 f = dev::load2(p, t, i);
      v[0] = f.x, v[1] = f.y;
    } else {
      v[0] = dev::load1(p, t, i);
    }
  }
  template <class T>
  static __device__ __forceinline__ void store_half(T* to, const float (&v)[kWidth]) {
    if constexpr (kWidth == 2) {
      *reinterpret_cast<uint32_t*>(to) = dev::pack2<T>(v[0], v[1]);
    } else {
      *to = dev::from_f32<T>(v[0]);
    }
  }
};

// Rows of one sequence for one kv head: its query heads, then, where this share holds the newest
// position, the new rows of K and V. The warps take them in turn.
template <class T, int E, int kWarps>
struct NewToken {
  static constexpr int kRounds = (kStepRows + 2 + kWarps - 1) / kWarps;
  Pairs<E> x[kRounds];

  static __device__ __forceinline__ int rows(const Args& a, bool newest) {
    return a.group + (newest ? 2 : 0);
  }

  __device__ __forceinline__ void load(const Args& a, int head, int b, bool newest) {
#pragma unroll
    for (int i = 0; i < kRounds; ++i) {
      const int row = threadIdx.x / 32 + kWarps * i;
      if (row >= rows(a, newest)) {
        break;
      }
      // One load whatever the row is: its code is long, for any dtype.
      const bool is_q = row < a.group, is_k = row == a.group;
      const dev::Rows& from = is_q ? a.q : is_k ? a.k : a.v;
      x[i].load(from.row(b), from.dtype, int64_t{is_q ? head * a.group + row : head} * E);
    }
  }

  // Queries to a tile, new rows to `fresh` and to the cache.
  __device__ __forceinline__ void store(const Args& a, int head, int b, bool newest, int pos,
                                        const Pairs<E>& q_gain, const Pairs<E>& k_gain,
                                        const Pairs<E>& angles, unsigned char* queries,
                                        unsigned char* fresh) {
#pragma unroll
    for (int i = 0; i < kRounds; ++i) {
      const int row = threadIdx.x / 32 + kWarps * i;
      if (row >= rows(a, newest)) {
        break;
      }
      if (row < a.group) {
        x[i].norm_and_rotate(q_gain, angles, a.eps);
        x[i].template store<T>(queries, row);
        continue;
      }
      const bool is_v = row > a.group;
      if (!is_v) {
        x[i].norm_and_rotate(k_gain, angles, a.eps);
      }
      const Slot& slot = a.slots[b];
      x[i].store(reinterpret_cast<T*>(fresh) + (is_v ? E : 0));
      x[i].store(static_cast<T*>(is_v ? slot.v : slot.k) + head * slot.plane + int64_t{pos} * E);
    }
  }
};

}  // namespace ember::k::step
