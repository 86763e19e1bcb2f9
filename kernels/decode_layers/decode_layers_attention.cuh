// SPDX-License-Identifier: Apache-2.0
// Attention of one kv head over the positions of a block's share, whose keys and values come
// through the ring. The tensor cores see the transposed problem, as in attention_step: keys (16
// positions) times queries (up to 8), and values times weights. Fragments are loaded without
// ldmatrix: a lane's 16 bytes of a row are eight elements of K dimensions (for keys and queries in
// the same order, so that any order serves), or of eight output rows (for values).
#pragma once

#include <cmath>

#include "kernels/attention_step/attention_step_queries.cuh"
#include "kernels/decode_layers/decode_layers_exchange.cuh"

namespace ember::k::layers {

__device__ __forceinline__ uint4 load_shared(uint32_t at) {
  uint4 v;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "r"(at)
               : "memory");
  return v;
}

// Two values of the other half of a word each: the pairs of k that a fragment wants.
__device__ __forceinline__ uint32_t low_halves(uint32_t a, uint32_t b) {
  return __byte_perm(a, b, 0x5410);
}
__device__ __forceinline__ uint32_t high_halves(uint32_t a, uint32_t b) {
  return __byte_perm(a, b, 0x7632);
}

__device__ __forceinline__ uint4 choose(bool first, const uint4& a, const uint4& b) {
  return make_uint4(first ? a.x : b.x, first ? a.y : b.y, first ? a.z : b.z, first ? a.w : b.w);
}

constexpr int kE = kLayersHeadDim;
constexpr int kKeys = kLayersKeys / 2;  // positions of a stage that are one warp's
constexpr int kRowBytes = kLayersKeyBytes;

// A warp's sums: rows of o[j] are elements 16 g + j and 16 g + 8 + j, columns queries 2t and 2t
// + 1.
struct Sums {
  float o[8][4];
  float max[2], total[2];

  __device__ __forceinline__ Sums() {
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      o[j][0] = o[j][1] = o[j][2] = o[j][3] = 0.0f;
    }
    max[0] = max[1] = -INFINITY;
    total[0] = total[1] = 0.0f;
  }
};

// Half of the positions of a stage, from `first` on. Their keys lie at `keys`, their values a
// stage's keys behind; rows from pos on count for nothing but pos itself, which lies in `fresh`:
// they read that, which is finite.
template <class T>
__device__ __forceinline__ void attend(Sums& s, uint32_t queries, uint32_t keys, uint32_t fresh,
                                       int first, int pos, int group, float scale_log2) {
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const auto row = [&](uint32_t rows, uint32_t mine, int i) {
    return first + i < pos ? rows + i * kRowBytes : mine;
  };
  float score[4] = {};
  uint4 low[4], high[4];
  {
    constexpr int kChunks = kE / 32;
    const uint32_t q = queries + g * kLayersQueryBytes + t * 16;
    uint4 b[kChunks];
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
      b[c] = g < group ? load_shared(q + c * 64) : make_uint4(0, 0, 0, 0);
    }
    // All under way before the first is used; odd rows, which begin in the banks of even ones, with
    // the chunks of a pair exchanged.
    const int odd_row = g & 1;
    uint4 w[2][kChunks];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint32_t from = row(keys, fresh, 8 * half + g) + t * 16;
#pragma unroll
      for (int c = 0; c < kChunks; ++c) {
        w[half][c] = load_shared(from + (c ^ odd_row) * 64);
      }
    }
    const uint32_t values = keys + kLayersKeys * kRowBytes, mine = fresh + kRowBytes;
    // Elements 16 g.. and 16 g + 8.. of four positions. All rows begin in the same banks, so half
    // of the lanes read the second first.
    const int odd = t & 1;
#pragma unroll
    for (int v = 0; v < 4; ++v) {
      const uint32_t at = row(values, mine, 2 * t + v / 2 * 8 + v % 2) + g * 32;
      const uint4 one = load_shared(at + 16 * odd), other = load_shared(at + 16 - 16 * odd);
      low[v] = choose(odd, other, one), high[v] = choose(odd, one, other);
    }
    float part[4][4] = {};  // short chains
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
      const uint4 k0 = choose(odd_row, w[0][c ^ 1], w[0][c]);
      const uint4 k1 = choose(odd_row, w[1][c ^ 1], w[1][c]);
      const uint32_t even_keys[4] = {k0.x, k1.x, k0.y, k1.y};
      const uint32_t odd_keys[4] = {k0.z, k1.z, k0.w, k1.w};
      dev::mma<T>(part[c % 2 * 2], even_keys, b[c].x, b[c].y);
      dev::mma<T>(part[c % 2 * 2 + 1], odd_keys, b[c].z, b[c].w);
    }
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      score[c] = (part[0][c] + part[1][c] + (part[2][c] + part[3][c])) * scale_log2;
      if (first + g + c / 2 * 8 > pos) {
        score[c] = -INFINITY;
      }
    }
  }
  float shrink[2];
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const float max = fmaxf(s.max[c], step::column_max(fmaxf(score[c], score[2 + c])));
    // A query whose scores are all -inf keeps that as its maximum and gets zero weights.
    const float base = max == -INFINITY ? 0.0f : max;
    shrink[c] = dev::exp2_fast(s.max[c] - base);
    score[c] = dev::exp2_fast(score[c] - base);
    score[2 + c] = dev::exp2_fast(score[2 + c] - base);
    s.max[c] = max;
    s.total[c] = fmaf(s.total[c], shrink[c], score[c] + score[2 + c]);
  }
#pragma unroll
  for (int j = 0; j < 8; ++j) {
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      s.o[j][c] *= shrink[c % 2];
    }
  }
  const uint32_t p0 = step::transpose(dev::pack2<T>(score[0], score[1]));
  const uint32_t p1 = step::transpose(dev::pack2<T>(score[2], score[3]));
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    const auto pair = [&](const uint4& a, const uint4& b) {
      const uint32_t x = j < 2 ? a.x : j < 4 ? a.y : j < 6 ? a.z : a.w;
      const uint32_t y = j < 2 ? b.x : j < 4 ? b.y : j < 6 ? b.z : b.w;
      return j % 2 == 0 ? low_halves(x, y) : high_halves(x, y);
    };
    const uint32_t tile[4] = {pair(low[0], low[1]), pair(high[0], high[1]), pair(low[2], low[3]),
                              pair(high[2], high[3])};
    dev::mma<T>(s.o[j], tile, p0, p1);
  }
}

// A warp's part to shared memory: rows of its queries, then maximum and sum of each.
__device__ __forceinline__ void store_part(float* rows, float2* tails, const Sums& s, int group) {
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const float total = step::column_sum(s.total[c]);
    const int row = 2 * t + c;
    if (row < group) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float4* to = reinterpret_cast<float4*>(rows + row * kLayersPartFloats + 16 * g + 8 * half);
        const int i = 2 * half + c;
        to[0] = make_float4(s.o[0][i], s.o[1][i], s.o[2][i], s.o[3][i]);
        to[1] = make_float4(s.o[4][i], s.o[5][i], s.o[6][i], s.o[7][i]);
      }
      if (g == 0) {
        tails[row] = make_float2(s.max[c], total);
      }
    }
  }
}

}  // namespace ember::k::layers
