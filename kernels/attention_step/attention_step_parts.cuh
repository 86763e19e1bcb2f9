// SPDX-License-Identifier: Apache-2.0
// What the kernel of a step is made of: copies of cache rows, the products of one group of
// positions, and the parts that warps and blocks leave.
//
// The tensor cores see the transposed problem: keys (16 of a group) times queries (up to 8 of a kv
// head) and values times weights, so that a tile is full at eight query heads and the sums of a
// warp take E/4 registers. Fragments are named in kernels/common/mma.cuh.
#pragma once

#include <cmath>

#include "kernels/attention_step/attention_step_plan.h"
#include "kernels/common/launch.cuh"
#include "kernels/common/mma.cuh"

namespace ember::k::step {

constexpr int kPartsAtOnce = 16;  // of other blocks, loaded together

struct Slot {
  void *k, *v;
  int64_t plane;  // elements from one kv head to the next
  const int32_t* pos_device;
  int pos;
  int limit;  // positions from here on are outside
};

struct Args {
  dev::Rows o, q, k, v, q_norm, k_norm, cos, sin;
  int count, group;
  int alone, least;
  float eps, scale_log2;
  bool settled;
  float* partials;    // (K, ranks, 2) parts
  unsigned* tickets;  // (K, kMaxStepSequences), zero before and after
  Slot slots[kMaxStepSequences];
};

// ---- Work ----

// Lane b of every warp knows sequence b: its place in the list of groups.
struct Sequences {
  int length, start, groups;  // cached positions with the new one; first group, how many
  int total, count;           // groups of all; sequences that have any

  __device__ __forceinline__ explicit Sequences(const Args& a) {
    const int lane = threadIdx.x % 32;
    length = 0;
    if (lane < a.count) {
      const Slot& s = a.slots[lane];
      const int pos = s.pos_device != nullptr ? __ldcg(s.pos_device) : s.pos;
      length = pos >= 0 && pos < s.limit ? pos + 1 : 0;
    }
    groups = (length + kStepKeys - 1) / kStepKeys;
    count = __popc(__ballot_sync(0xffffffffu, groups > 0));
    int sum = groups;
    if (a.count > 1) {
#pragma unroll
      for (int d = 1; d < kMaxStepSequences; d *= 2) {
        const int below = __shfl_up_sync(0xffffffffu, sum, d);
        sum += lane >= d ? below : 0;
      }
    }
    start = sum - groups;
    total = __shfl_sync(0xffffffffu, sum, a.count > 1 ? kMaxStepSequences - 1 : 0);
  }
};

// The sequence that a group is in.
struct Place {
  int b, start, end, length;

  __device__ __forceinline__ Place(const Sequences& s, int group) {
    const bool here = group >= s.start && group < s.start + s.groups;
    b = __ffs(__ballot_sync(0xffffffffu, here)) - 1;
    start = __shfl_sync(0xffffffffu, s.start, b);
    end = start + __shfl_sync(0xffffffffu, s.groups, b);
    length = __shfl_sync(0xffffffffu, s.length, b);
  }
};

// ---- Cache rows to shared memory ----

__device__ __forceinline__ uint64_t read_once_policy() {
  uint64_t policy;
  asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}

__device__ __forceinline__ void copy16_once(uint32_t to, const void* from, bool valid,
                                            uint64_t policy) {
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global.L2::cache_hint [%0], [%1], 16, %2, %3;" ::"r"(to),
               "l"(from), "r"(bytes), "l"(policy)
               : "memory");
}

// A warp's way through its groups of a share, ahead of the arithmetic: each call of next() starts
// the copies of one group, across sequences, and commits them; at the end it commits nothings.
template <class T, int E, int kWarps, int kStages>
class Copier {
 public:
  static constexpr int kTile = kStepKeys * E * 2, kStage = 2 * kTile;

  __device__ __forceinline__ Copier(uint32_t ring, int first, int end)
      : ring_(ring), group_(first), last_(end), policy_(read_once_policy()) {}

  __device__ __forceinline__ void next(const Args& a, const Sequences& s, int head) {
    if (group_ < last_) {
      if (group_ >= end_) {
        enter(a, Place(s, group_), head);
      }
      copy((group_ - start_) * kStepKeys);
      group_ += kWarps;
    }
    dev::copies_commit();
    stage_ = stage_ + 1 == kStages ? 0 : stage_ + 1;
  }

 private:
  static constexpr int kChunks = E / 8, kRows = 32 / kChunks;

  __device__ __forceinline__ void enter(const Args& a, const Place& place, int head) {
    const Slot& slot = a.slots[place.b];
    const int lane = threadIdx.x % 32;
    const int64_t offset = head * slot.plane + lane / kChunks * E + lane % kChunks * 8;
    k_ = static_cast<const T*>(slot.k) + offset;
    v_ = static_cast<const T*>(slot.v) + offset;
    start_ = place.start;
    end_ = place.end;
    known_ = place.length - 1;
  }

  // Positions [first, first + 16); zeros, and no read, from the new one on.
  __device__ __forceinline__ void copy(int first) {
    const int lane = threadIdx.x % 32, chunk = lane % kChunks;
    // Rows kRows i further down differ by an exclusive or and a constant: one register for all.
    uint32_t start = ring_ + stage_ * kStage + dev::swizzled<E * 2>(lane / kChunks, chunk);
    asm volatile("" : "+r"(start));
#pragma unroll
    for (int i = 0; i < kStepKeys / kRows; ++i) {
      const bool valid = first + i * kRows + lane / kChunks < known_;
      const int64_t from = valid ? int64_t{first + i * kRows} * E : 0;
      const uint32_t to = (start ^ (kRows * i % 8 << 4)) + kRows * i * E * 2;
      copy16_once(to, k_ + from, valid, policy_);
      copy16_once(to + kTile, v_ + from, valid, policy_);
    }
  }

  const T *k_ = nullptr, *v_ = nullptr;  // the lane's place in row 0
  uint32_t ring_;
  int stage_ = 0;
  int group_, last_;
  int start_ = 0, end_ = 0, known_ = 0;  // of the sequence that the last group was in
  uint64_t policy_;
};

// The new rows of K and V, which no copy has brought, to row `row` of a stage.
template <int E>
__device__ __forceinline__ void insert_row(unsigned char* stage, int row,
                                           const unsigned char* fresh) {
  constexpr int kChunks = E / 8;
  const int lane = threadIdx.x % 32, chunk = lane % kChunks, which = lane / kChunks;
  if (which < 2) {
    *reinterpret_cast<uint4*>(stage + which * kStepKeys * E * 2 +
                              dev::swizzled<E * 2>(row, chunk)) =
        *reinterpret_cast<const uint4*>(fresh + which * E * 2 + chunk * 16);
  }
  __syncwarp();
}

// ---- One group of positions ----

// What a warp knows: sums of values o[i] with rows of 16 i.. as elements and columns as queries.
// A lane holds queries 2t and 2t + 1.
template <int E>
struct State {
  float o[E / 16][4];
  float max[2], total[2];  // max is the same in all lanes of a query, total the lane's own

  __device__ __forceinline__ State() {
#pragma unroll
    for (int i = 0; i < E / 16; ++i) {
      o[i][0] = o[i][1] = o[i][2] = o[i][3] = 0.0f;
    }
    max[0] = max[1] = -INFINITY;
    total[0] = total[1] = 0.0f;
  }
};

// Over the lanes that hold one column of C.
__device__ __forceinline__ float column_max(float v) {
#pragma unroll
  for (int d = 4; d < 32; d *= 2) {
    v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, d));
  }
  return v;
}
__device__ __forceinline__ float column_sum(float v) {
#pragma unroll
  for (int d = 4; d < 32; d *= 2) {
    v += __shfl_xor_sync(0xffffffffu, v, d);
  }
  return v;
}

__device__ __forceinline__ uint32_t transpose(uint32_t matrix) {
  uint32_t out;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(out) : "r"(matrix));
  return out;
}

// The queries as B fragments, from rows of shared memory.
template <int E>
__device__ __forceinline__ void load_queries(uint32_t (&q)[E / 16][2], uint32_t rows) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int k = 0; k < E / 32; ++k) {
    uint32_t b[4];
    dev::load_matrices(b, rows + dev::swizzled<E * 2>(lane % 8, 4 * k + lane / 8));
    q[2 * k][0] = b[0], q[2 * k][1] = b[1];
    q[2 * k + 1][0] = b[2], q[2 * k + 1][1] = b[3];
  }
}

// Positions [first, first + 16), of which those before `length` count: at least one.
template <class T, int E>
__device__ __forceinline__ void attend(State<E>& state, const uint32_t (&q)[E / 16][2],
                                       uint32_t stage, int first, int length, float scale_log2) {
  const int lane = threadIdx.x % 32;
  dev::ChunkWalk<E * 2> key_rows(stage, lane % 16, lane / 16);
  dev::ChunkWalk<E * 2> value_rows(stage + kStepKeys * E * 2, lane % 8 + lane / 16 * 8,
                                   lane / 8 % 2);
  key_rows.forget();
  value_rows.forget();
  float s[4] = {}, odd[4] = {};
#pragma unroll
  for (int k = 0; k < E / 16; k += 2) {
    uint32_t keys[4];
    dev::load_matrices(keys, key_rows.at(k, 0));
    dev::mma<T>(s, keys, q[k][0], q[k][1]);
    dev::load_matrices(keys, key_rows.at(k + 1, 0));
    dev::mma<T>(odd, keys, q[k + 1][0], q[k + 1][1]);
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    s[i] = (s[i] + odd[i]) * scale_log2;
    if (first + lane / 4 + i / 2 * 8 >= length) {
      s[i] = -INFINITY;
    }
  }
  float shrink[2];
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const float max = fmaxf(state.max[c], column_max(fmaxf(s[c], s[2 + c])));
    // A query whose scores are all -inf keeps that as its maximum and gets zero weights.
    const float base = max == -INFINITY ? 0.0f : max;
    shrink[c] = dev::exp2_fast(state.max[c] - base);
    s[c] = dev::exp2_fast(s[c] - base);
    s[2 + c] = dev::exp2_fast(s[2 + c] - base);
    state.max[c] = max;
    state.total[c] = fmaf(state.total[c], shrink[c], s[c] + s[2 + c]);
  }
  const uint32_t p0 = transpose(dev::pack2<T>(s[0], s[1]));
  const uint32_t p1 = transpose(dev::pack2<T>(s[2], s[3]));
#pragma unroll
  for (int i = 0; i < E / 16; ++i) {
    uint32_t values[4];
    dev::load_matrices_transposed(values, value_rows.at(i, 0));
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      state.o[i][c] *= shrink[c % 2];
    }
    dev::mma<T>(state.o[i], values, p0, p1);
  }
}

// ---- Parts ----

// A warp's sums to shared memory: rows of its queries, then maximum and sum of each.
template <int E>
__device__ __forceinline__ void store_part(float* rows, float2* tails, State<E>& state, int group) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const float total = column_sum(state.total[c]);
    const int row = lane % 4 * 2 + c;
    if (row < group) {
      float* to = rows + row * step_row_floats(E) + lane / 4;
#pragma unroll
      for (int i = 0; i < E / 16; ++i) {
        to[16 * i] = state.o[i][c];
        to[16 * i + 8] = state.o[i][2 + c];
      }
      if (lane / 4 == 0) {
        tails[row] = make_float2(state.max[c], total);
      }
    }
  }
}

struct Merged {
  float2 value;  // not yet divided by the sum
  float max, sum;
};

// Merges `count` parts in order, up to kAtOnce of which are loaded together. tail(i) and value(i)
// load what part i has.
template <int kAtOnce, class Tail, class Value>
__device__ __forceinline__ Merged merge(int count, const Tail& tail, const Value& value) {
  Merged m{make_float2(0.0f, 0.0f), -INFINITY, 0.0f};
  for (int first = 0; first < count; first += kAtOnce) {
    float2 t[kAtOnce], v[kAtOnce];
    float max = m.max;
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      t[i] = make_float2(-INFINITY, 0.0f);
      v[i] = make_float2(0.0f, 0.0f);
      if (first + i < count) {
        t[i] = tail(first + i);
        v[i] = value(first + i);
      }
      max = fmaxf(max, t[i].x);
    }
    const float base = max == -INFINITY ? 0.0f : max;
    const float shrink = dev::exp2_fast(m.max - base);
    m.max = max;
    m.sum *= shrink;
    m.value.x *= shrink;
    m.value.y *= shrink;
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const float weight = dev::exp2_fast(t[i].x - base);
      m.sum = fmaf(weight, t[i].y, m.sum);
      m.value.x = fmaf(weight, v[i].x, m.value.x);
      m.value.y = fmaf(weight, v[i].y, m.value.y);
    }
  }
  return m;
}

}  // namespace ember::k::step
