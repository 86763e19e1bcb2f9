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

constexpr int kE = kLayersHeadDim;
constexpr int kRowBytes = kLayersKeyBytes;

// A warp's sums: rows of o[j] are elements 8 g + j and 64 + 8 g + j, columns queries 2t and 2t + 1.
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

// The positions of a stage, from `first` on. Rows before pos lie in `stage`, keys before values,
// row pos in `fresh`; later ones count for nothing, and read fresh, which is finite.
template <class T>
__device__ __forceinline__ void attend(Sums& s, uint32_t queries, uint32_t stage, uint32_t fresh,
                                       int first, int pos, int group, float scale_log2) {
  constexpr int kTiles = kLayersKeys / 16;
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const auto row = [&](uint32_t rows, uint32_t mine, int i) {
    return first + i < pos ? rows + i * kRowBytes : mine;
  };
  float score[kTiles][4];
  {
    constexpr int kChunks = kE / 32;
    const uint32_t q = queries + g * kLayersQueryBytes + t * 16;
    uint4 b[kChunks];
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
      b[c] = g < group ? load_shared(q + c * 64) : make_uint4(0, 0, 0, 0);
    }
    uint4 w[kTiles][2][kChunks];  // all under way before the first is used
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const uint32_t from = row(stage, fresh, 16 * i + 8 * half + g) + t * 16;
#pragma unroll
        for (int c = 0; c < kChunks; ++c) {
          w[i][half][c] = load_shared(from + c * 64);
        }
      }
    }
    float odd[kTiles][4] = {};
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      score[i][0] = score[i][1] = score[i][2] = score[i][3] = 0.0f;
    }
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
        const uint4 &k0 = w[i][0][c], &k1 = w[i][1][c];
        const uint32_t even_keys[4] = {k0.x, k1.x, k0.y, k1.y};
        const uint32_t odd_keys[4] = {k0.z, k1.z, k0.w, k1.w};
        dev::mma<T>(score[i], even_keys, b[c].x, b[c].y);
        dev::mma<T>(odd[i], odd_keys, b[c].z, b[c].w);
      }
    }
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        score[i][c] = (score[i][c] + odd[i][c]) * scale_log2;
        if (first + 16 * i + g + c / 2 * 8 > pos) {
          score[i][c] = -INFINITY;
        }
      }
    }
  }
  float shrink[2];
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    float top = fmaxf(score[0][c], score[0][2 + c]);
#pragma unroll
    for (int i = 1; i < kTiles; ++i) {
      top = fmaxf(top, fmaxf(score[i][c], score[i][2 + c]));
    }
    const float max = fmaxf(s.max[c], step::column_max(top));
    // A query whose scores are all -inf keeps that as its maximum and gets zero weights.
    const float base = max == -INFINITY ? 0.0f : max;
    shrink[c] = dev::exp2_fast(s.max[c] - base);
    float total = 0.0f;
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      score[i][c] = dev::exp2_fast(score[i][c] - base);
      score[i][2 + c] = dev::exp2_fast(score[i][2 + c] - base);
      total += score[i][c] + score[i][2 + c];
    }
    s.max[c] = max;
    s.total[c] = fmaf(s.total[c], shrink[c], total);
  }
#pragma unroll
  for (int j = 0; j < 8; ++j) {
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      s.o[j][c] *= shrink[c % 2];
    }
  }
  const uint32_t values = stage + kLayersKeys * kRowBytes, mine = fresh + kRowBytes;
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
    const uint32_t p0 = step::transpose(dev::pack2<T>(score[i][0], score[i][1]));
    const uint32_t p1 = step::transpose(dev::pack2<T>(score[i][2], score[i][3]));
    uint4 low[4], high[4];  // elements 8 g.. and 64 + 8 g.. of four positions
#pragma unroll
    for (int v = 0; v < 4; ++v) {
      const uint32_t at = row(values, mine, 16 * i + 2 * t + v / 2 * 8 + v % 2) + g * 16;
      low[v] = load_shared(at), high[v] = load_shared(at + 2 * (kE / 2));
    }
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
        float4* to =
            reinterpret_cast<float4*>(rows + row * kLayersPartFloats + half * (kE / 2) + 8 * g);
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
