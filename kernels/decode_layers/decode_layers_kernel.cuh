// SPDX-License-Identifier: Apache-2.0
// All layers of a stage for one new token, in one launch that fills the device: a block an SM, all
// of them resident. Large models are limited by the bandwidth of reading weights and cache once,
// small ones by latency: what five launches a layer cost beside it is what this kernel saves.
//
// A layer has five phases: qkv, attention, o, gate and up, down. Between them blocks exchange a
// vector of a few KB through the L2 cache: see decode_layers_exchange.cuh. What is read once comes
// through the ring of decode_layers_ring.cuh, and its copies do not wait: at the start of a phase
// the next 190 KB of a block lie in shared memory.
//
// A product is left to the tensor cores. The 16 bytes that a lane reads of its row are all of its
// part of a tile of 16 x 16: elements 0, 1, 4, 5 of the eight stand in rows 0-7, elements 2, 3, 6,
// 7 in rows 8-15. Columns 0-3 of the other operand hold x for the first, columns 4-7 for the
// second; half of the results are right and the others left. fp32 x are the sum of three 16-bit
// numbers, a column each: as exact as fp32 arithmetic would be (fp16: 22 bits or more of normal
// numbers).
#pragma once

#include <type_traits>

#include "kernels/decode_layers/decode_layers_attention.cuh"

namespace ember::k::layers {

// ---- x in planes ----

// Where a pair of elements stands in a plane, in words: what a lane needs for 64 columns lies side
// by side.
constexpr int kSecond = 16;  // from an even pair to the odd one behind it
__device__ __forceinline__ int plane_word(int pair) {
  const int chunk = pair / 16 % 2, t = pair / 4 % 4, half = pair / 2 % 2;
  return pair / 32 * 32 + pair % 2 * kSecond + t * 4 + chunk * 2 + half;
}

// v, v', ... whose sum is nearly the fp32 x, to the same word of each plane.
template <class T>
__device__ __forceinline__ void store_planes(uint32_t* at, int plane_words, float2 v) {
#pragma unroll
  for (int i = 0; i < kLayersPlanes; ++i) {
    const uint32_t word = dev::pack2<T>(v.x, v.y);
    at[i * plane_words] = word;
    const float2 kept = dev::unpack2<T>(word);
    v.x -= kept.x, v.y -= kept.y;
  }
}

// Stages of weights have up to kColumns columns.
template <class T, int kColumns>
class Block {
 public:
  __device__ __forceinline__ explicit Block(const Args& args)
      : a(args), ring(args), ahead(warp() / 2) {
    ring.next(ahead);
  }

  // One loop for the four products of a layer, so that their code is there once: a layer runs most
  // of its code once, and what does not fit the instruction cache has to be fetched each time.
  __device__ __forceinline__ void run() {
    const Facts& f = facts(a);
#pragma unroll 1
    for (int i = threadIdx.x; i < f.x.count; i += kThreads) {
      residual()[i] = a.x[f.x.first + i];
    }
    tag = f.tag + 1;
#pragma unroll 1
    for (int i = 0; i < a.count; ++i) {
      const Layer& layer = a.layer[i];
#pragma unroll 1
      for (int m = 0; m < 4; ++m) {
        const bool normed = m % 2 == 0;
        const Product& product = a.product[m];
        if (normed) {
          const void* gain = m == 0 ? layer.input_norm : layer.post_norm;
          const uint32_t x_tag = m == 0 ? tag - 1 : tag;
          if (a.D / 2 <= kShort * kThreads) {
            stage_normed<kShort>(gain, x_tag, m + i == 0);
          } else {
            stage_normed<2 * kShort>(gain, x_tag, m + i == 0);
          }
        } else {
          const char* from = a.exchange + (m == 1 ? a.at.attn : a.at.act);
          if (product.columns / 4 <= kShort * kThreads) {
            stage_plain<kShort>(from, product.columns);
          } else {
            stage_plain<2 * kShort>(from, product.columns);
          }
        }
        multiply(product, f.groups[m] * product.stages);
        warps_sync();
        // Nested, or these become a table of jumps, whose targets nobody fetches ahead.
        if (normed) {
          if (m == 0) {
            send_qkv();
            if (f.share.any()) {
              attention(layer);
            }
          } else {
            send_act(layer.act_scale);
          }
        } else {
          tag += m == 3 ? 1 : 0;
          add_to_x(m == 1 ? 1.0f : layer.down_scale);
        }
      }
      ++tag;
    }
    warps_sync();
#pragma unroll 1
    for (int i = threadIdx.x; i < f.x.count; i += kThreads) {
      a.x[f.x.first + i] = residual()[i];
    }
    leave();
  }

 private:
  static constexpr int kThreads = 32 * kLayersWarps;
  // Pairs of words that a thread asks for at once, and twice as many of a longer vector: each time
  // is a wait for the L2 cache behind the stream.
  static constexpr int kShort = 4;
  static constexpr bool kScaleSums = !std::is_same_v<T, dev::f16>;

  static __device__ __forceinline__ int warp() {
    return threadIdx.x / 32;
  }
  static __device__ __forceinline__ int lane() {
    return threadIdx.x % 32;
  }

  __device__ __forceinline__ float* residual() const {
    return reinterpret_cast<float*>(shared_memory() + a.layout.residual);
  }

  // ---- The vector of a product ----

  // x * gain in planes, and the scale that makes it rmsnorm(x) * gain; the first time x is that of
  // the caller. Sums are scaled when they are there, so that nobody waits for the scale; but fp16
  // could not hold what is not scaled, which stands where its planes will until the scale is known.
  template <int kAtOnce>
  __device__ __forceinline__ void stage_normed(const void* gain, uint32_t x_tag, bool is_first) {
    const int pairs = a.D / 2;
    uint32_t* planes = reinterpret_cast<uint32_t*>(shared_memory() + a.layout.planes);
    const int plane_words = layers_plane_bytes(a.D) / 4;
    uint32_t* mine = planes + plane_word(threadIdx.x);  // of the thread's first pair
    float squares = 0.0f;
#pragma unroll 1
    for (int first = threadIdx.x; first - lane() < pairs; first += kAtOnce * kThreads) {
      Gains g[kAtOnce];
      uint4 x[kAtOnce];
#pragma unroll
      for (int j = 0; j < kAtOnce; ++j) {
        const int pair = first + j * kThreads;
        g[j].load(gain, a.gain, pair < pairs ? pair : 0);
      }
      if (is_first) {
#pragma unroll
        for (int j = 0; j < kAtOnce; ++j) {
          const int pair = first + j * kThreads;
          const uint2 v =
              pair < pairs ? reinterpret_cast<const uint2*>(a.x)[pair] : make_uint2(0, 0);
          x[j] = make_uint4(v.x, 0, v.y, 0);
        }
      } else {
        receive(x, a.exchange + a.at.x, first, kThreads, pairs, x_tag);
      }
#pragma unroll
      for (int j = 0; j < kAtOnce; ++j) {
        const int pair = first + j * kThreads;
        if (pair < pairs) {
          const float lo = __uint_as_float(x[j].x), hi = __uint_as_float(x[j].z);
          const float2 by = g[j].get(a.gain);
          squares = fmaf(lo, lo, fmaf(hi, hi, squares));
          uint32_t* at = mine + (pair - static_cast<int>(threadIdx.x));
          if constexpr (kScaleSums) {
            store_planes<T>(at, plane_words, make_float2(lo * by.x, hi * by.y));
          } else {
            at[0] = __float_as_uint(lo * by.x);
            at[plane_words] = __float_as_uint(hi * by.y);
          }
        }
      }
    }
    squares = dev::warp_sum(squares);
    float* each = facts(a).squares;
    if (lane() == 0) {
      each[warp()] = squares;
    }
    warps_sync();
    const float4 u = reinterpret_cast<const float4*>(each)[0],
                 v = reinterpret_cast<const float4*>(each)[1];
    squares = u.x + u.y + (u.z + u.w) + (v.x + v.y + (v.z + v.w));
    const float scale = rsqrtf(fmaf(squares, a.inverse_D, a.eps));
    if constexpr (kScaleSums) {
      norm = scale;
    } else {
#pragma unroll 2
      for (int pair = threadIdx.x; pair < pairs; pair += kThreads) {
        uint32_t* at = mine + (pair - static_cast<int>(threadIdx.x));
        store_planes<T>(
            at, plane_words,
            make_float2(__uint_as_float(at[0]) * scale, __uint_as_float(at[plane_words]) * scale));
      }
      warps_sync();
    }
  }

  // n 16-bit numbers as they are.
  template <int kAtOnce>
  __device__ __forceinline__ void stage_plain(const char* from, int n) {
    uint32_t* mine = reinterpret_cast<uint32_t*>(shared_memory() + a.layout.planes) +
                     plane_word(2 * threadIdx.x);
#pragma unroll 1
    for (int first = 0; first < n / 4; first += kAtOnce * kThreads) {
      uint4 v[kAtOnce];
      receive(v, from, first + threadIdx.x, kThreads, n / 4, tag);
#pragma unroll
      for (int j = 0; j < kAtOnce; ++j) {
        const int i = first + threadIdx.x + j * kThreads;
        if (i < n / 4) {
          uint32_t* at = mine + 2 * (first + j * kThreads);
          at[0] = v[j].x;
          at[kSecond] = v[j].z;
        }
      }
    }
    warps_sync();
  }

  // ---- Products ----

  // A stage is the work of two warps, which take its tiles of 128 columns in turn; the four pairs
  // of warps take the stages in turn. All eight on each stage would be a wait and an arrival more
  // for every 2 KB.
  static constexpr int kPairs = kLayersWarps / 2;
  static constexpr int kTile = 128;
  static constexpr int kTiles = kColumns / kTile / 2;  // of a stage, a warp

  // Moves on by the stages of the other pairs too. `k` is the number of the stage in its phase.
  __device__ __forceinline__ void next_stage(int& k) {
    ring.release();
    ring.next(kPairs);
    k += kPairs;
  }

  // Sums of all rows of `total` stages to partial, one a warp.
  __device__ __forceinline__ void multiply(const Product& product, int total) {
    const int stages = product.stages, columns = product.columns;
    const int g = here(lane()) / 4, t = here(lane()) % 4, side = warp() & 1;
    // Odd rows read the second 64 bytes first: a quarter of a warp reads 128 bytes of all banks.
    const uint32_t at = g * kColumns * 2 + side * kTile * 2 + (g & 1) * 64 + t * 16;
    const bool has_plane = (g & 3) < product.planes, swap = g & 1;
    const uint32_t x0 = dev::shared_address(shared_memory() + a.layout.planes) +
                        (g & 3) * layers_plane_bytes(columns) + side * kTile * 2 + (g >> 2) * 64 +
                        t * 16;
    float* to = reinterpret_cast<float*>(shared_memory() + a.layout.partial) +
                g * kLayersPartialFloats + side;
    float sum = 0.0f;
    int k = ahead;
#pragma unroll 1
    while (k < total) {
      const int group = static_cast<uint32_t>(k) * product.inverse >> 20;
      const int stage = k - group * stages;
      const int tiles = (min(kColumns, columns - stage * kColumns) / kTile + 1 - side) / 2;
      uint4 x[kTiles][2], w[kTiles][4];
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
        x[i][0] = x[i][1] = make_uint4(0, 0, 0, 0);
        if (i < tiles && has_plane) {
          const uint32_t from = x0 + stage * kColumns * 2 + i * 4 * kTile;
          x[i][0] = load_shared(from), x[i][1] = load_shared(from + 128);
        }
      }
      ring.wait_full();
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          w[i][j] =
              load_shared((ring.stage() + at + i * 4 * kTile + 128 * (j / 2)) ^ (64 * (j % 2)));
        }
      }
      next_stage(k);
      float c[4][4] = {};
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const uint4 &same = w[i][j], &other = w[i][j ^ 1], &xs = x[i][j / 2];
          const uint32_t tile[4] = {swap ? other.x : same.x, swap ? other.y : same.y,
                                    swap ? other.z : same.z, swap ? other.w : same.w};
          dev::mma<T>(c[j], tile, j % 2 == 0 ? xs.x : xs.z, j % 2 == 0 ? xs.y : xs.w);
        }
      }
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        sum += t < 2 ? c[j][0] + c[j][1] : c[j][2] + c[j][3];
      }
      if (stage + kPairs >= stages) {  // the pair's last of this group
        const int slot = stage % kPairs;
        sum = dev::quad_sum(sum);
        // Where a group has fewer stages than there are pairs, lanes 1 to 3 clear the others'
        // slots.
        if (slot + t * stages < kPairs) {
          to[group * kLayersRows * kLayersPartialFloats + 2 * (slot + t * stages)] =
              t == 0 ? sum : 0.0f;
        }
        sum = 0.0f;
      }
    }
    ahead = k - total;
  }

  // Of a row of partial.
  __device__ __forceinline__ float row_sum(int row) const {
    const float4* from = reinterpret_cast<const float4*>(
        reinterpret_cast<const float*>(shared_memory() + a.layout.partial) +
        row * kLayersPartialFloats);
    const float4 u = from[0], v = from[1];
    return u.x + u.y + (u.z + u.w) + (v.x + v.y + (v.z + v.w));
  }

  __device__ __forceinline__ void send_qkv() const {
    const Rows& rows = facts(a).qkv;
#pragma unroll 1
    for (int r = threadIdx.x; r < rows.count; r += kThreads) {
      send(a.exchange + a.at.qkv, rows.first + r, __float_as_uint(row_sum(r) * norm), tag);
    }
  }

  __device__ __forceinline__ void send_act(float scale) const {
    const Rows& rows = facts(a).act;
#pragma unroll 1
    for (int pair = threadIdx.x; pair < rows.count / 2; pair += kThreads) {
      send(a.exchange + a.at.act, rows.first / 2 + pair,
           dev::pack2<T>(activation(2 * pair, scale), activation(2 * pair + 1, scale)), tag);
    }
  }

  // What a row of gate and up becomes.
  __device__ __forceinline__ float activation(int r, float scale) const {
    const int slot = r / kLayersRows * 2 * kLayersRows + r % kLayersRows;
    const float gate = row_sum(slot) * norm, up = row_sum(slot + kLayersRows) * norm;
    return __fdividef(gate, 1.0f + __expf(-gate)) * up * scale;
  }

  __device__ __forceinline__ void add_to_x(float scale) {
    const Rows& rows = facts(a).x;
#pragma unroll 1
    for (int r = threadIdx.x; r < rows.count; r += kThreads) {
      const float x = residual()[r] + scale * row_sum(r);
      residual()[r] = x;
      send(a.exchange + a.at.x, rows.first + r, __float_as_uint(x), tag);
    }
  }

  // ---- Attention ----

  __device__ __forceinline__ float* part_rows(int w) const {
    return reinterpret_cast<float*>(shared_memory() + a.layout.parts) +
           w * a.group * kLayersPartFloats;
  }
  __device__ __forceinline__ float2* part_tails(int w) const {
    return reinterpret_cast<float2*>(shared_memory() + a.layout.tails) + w * kLayersMaxGroup;
  }
  __device__ __forceinline__ char* part_of(int rank, int row) const {
    const int part = (facts(a).share.head * a.ranks + rank) * a.group + row;
    return a.exchange + a.at.parts + int64_t{part} * kLayersPartUnits * 16;
  }

  // The new token's queries, K and V of the share's kv head, a warp a row; K and V also go to the
  // caches where the share has the newest position.
  __device__ __forceinline__ void make_rows(const Layer& layer) {
    const Share& share = facts(a).share;
    step::Pairs<kE> angles;
    angles.load_angles(dev::Rows{facts(a).cos, 0, DType::kF32},
                       dev::Rows{facts(a).sin, 0, DType::kF32}, 0);
#pragma unroll 1
    for (int row = warp(); row < a.group + 2; row += kLayersWarps) {
      const bool is_q = row<a.group, is_v = row> a.group;
      step::Pairs<kE> x, gain;
      const void* norm = is_q ? layer.q_norm : layer.k_norm;
      Gains lo, hi;
      lo.load(norm, a.gain, lane()), hi.load(norm, a.gain, 32 + lane());
      const int from = is_q ? share.head * a.group + row : a.H + share.head + (row - a.group) * a.K;
      uint4 v[2];
      receive(v, a.exchange + a.at.qkv + int64_t{from} * kE * 8, lane(), 32, kE / 2, tag);
      x.lo[0] = __uint_as_float(v[0].x), x.lo[1] = __uint_as_float(v[0].z);
      x.hi[0] = __uint_as_float(v[1].x), x.hi[1] = __uint_as_float(v[1].z);
      if (!is_v) {
        const float2 by_lo = lo.get(a.gain), by_hi = hi.get(a.gain);
        gain.lo[0] = by_lo.x, gain.lo[1] = by_lo.y;
        gain.hi[0] = by_hi.x, gain.hi[1] = by_hi.y;
        x.norm_and_rotate(gain, angles, a.eps);
      }
      unsigned char* to = is_q ? shared_memory() + a.layout.queries + row * kLayersQueryBytes
                               : shared_memory() + a.layout.fresh + (is_v ? kRowBytes : 0);
      x.store(reinterpret_cast<T*>(to));
      if (!is_q && share.rank == share.shares - 1) {
        x.store(static_cast<T*>(is_v ? layer.v : layer.k) +
                (int64_t{share.head} * a.limit + facts(a).pos) * kE);
      }
    }
    warps_sync();
  }

  __device__ __forceinline__ void attention(const Layer& layer) {
    const Share& share = facts(a).share;
    const int pos = facts(a).pos;
    make_rows(layer);
    const uint32_t queries = dev::shared_address(shared_memory() + a.layout.queries);
    const uint32_t fresh = dev::shared_address(shared_memory() + a.layout.fresh);
    Sums own;
    // A stage is one warp's while each has at most one; of fewer stages the warps of a pair take
    // half of the positions each.
    const int stages = share.last - share.first, side = warp() & 1;
    const bool whole = stages > kPairs;
    const int mine = whole ? ahead + kPairs * side : 2 * ahead + side;
    int k = ahead;
#pragma unroll 1
    while (k < stages) {
      ring.wait_full();
      if (!whole || (k & kPairs) == kPairs * side) {
        const int end = whole ? 2 : side + 1;
#pragma unroll 1
        for (int half = whole ? 0 : side; half < end; ++half) {
          attend<T>(own, queries, ring.stage() + half * kKeys * kRowBytes, fresh,
                    (share.first + k) * kLayersKeys + half * kKeys, pos, a.group, a.scale_log2);
        }
      }
      next_stage(k);
    }
    ahead = k - stages;
    store_part(part_rows(mine), part_tails(mine), own, a.group);
    warps_sync();
    const int warps = whole ? min(kLayersWarps, stages) : 2 * stages;
#pragma unroll 1
    for (int i = threadIdx.x; i < a.group * (kE / 2); i += kThreads) {
      const int row = i / (kE / 2), pair = i % (kE / 2);
      const step::Merged m = step::merge<kLayersWarps>(
          warps, [&](int w) { return part_tails(w)[row]; },
          [&](int w) {
            return reinterpret_cast<const float2*>(part_rows(w) + row * kLayersPartFloats)[pair];
          });
      if (share.shares == 1) {
        send_output(row, pair, m);
        continue;
      }
      char* part = part_of(share.rank, row);
      send_pair(part, pair, __float_as_uint(m.value.x), __float_as_uint(m.value.y), tag);
      if (pair == 0) {
        send_pair(part, kE / 2, __float_as_uint(m.max), __float_as_uint(m.sum), tag);
      }
    }
    if (share.shares > 1) {
      merge_shares();
    }
    warps_sync();  // what follows takes this memory
  }

  __device__ __forceinline__ void send_output(int row, int pair, const step::Merged& m) const {
    const int head = facts(a).share.head * a.group + row;
    const float inverse = 1.0f / m.sum;
    send(a.exchange + a.at.attn, head * (kE / 2) + pair,
         dev::pack2<T>(m.value.x * inverse, m.value.y * inverse), tag);
  }

  // The shares' blocks take the query heads in turn and put each together from all parts.
  __device__ __forceinline__ void merge_shares() const {
    const Share& share = facts(a).share;
    const int rows = (a.group - share.rank + share.shares - 1) / share.shares;  // or less than one
    const int units = share.shares * kLayersPartUnits;
    warps_sync();  // parts of warps have been read
    float* gathered = reinterpret_cast<float*>(shared_memory() + a.layout.parts);
#pragma unroll 1
    for (int n = 0; n < rows; ++n) {
      const int row = share.rank + n * share.shares;
#pragma unroll 1
      for (int first = 0; first < units; first += kThreads) {
        const int i = first + threadIdx.x, rank = i / kLayersPartUnits;
        uint4 v[1];
        // Of a lane past the end nothing is asked: its pair is number 1 of 1.
        receive(v, part_of(i < units ? rank : 0, row), i < units ? i % kLayersPartUnits : 1, 1,
                i < units ? kLayersPartUnits : 1, tag);
        if (i < units) {
          reinterpret_cast<float2*>(gathered + (n * share.shares + rank) *
                                                   kLayersPartFloats)[i % kLayersPartUnits] =
              make_float2(__uint_as_float(v[0].x), __uint_as_float(v[0].z));
        }
      }
    }
    warps_sync();
#pragma unroll 1
    for (int i = threadIdx.x; i < rows * (kE / 2); i += kThreads) {
      const int n = i / (kE / 2), pair = i % (kE / 2);
      const auto part = [&](int p) {
        return reinterpret_cast<const float2*>(gathered +
                                               (n * share.shares + p) * kLayersPartFloats);
      };
      send_output(share.rank + n * share.shares, pair,
                  step::merge<kLayersWarps>(
                      share.shares, [&](int p) { return part(p)[kE / 2]; },
                      [&](int p) { return part(p)[pair]; }));
    }
  }

  // The block that comes last makes the tags of this launch old ones.
  __device__ __forceinline__ void leave() const {
    if (threadIdx.x == 0 && atomicAdd(a.counters + 1, 1u) == gridDim.x - 1) {
      a.counters[0] += 1;
      a.counters[1] = 0;
    }
  }

  const Args& a;
  Ring ring;          // where the next stage of the warp's pair comes
  int ahead;          // stages from the first of this phase to that one
  float norm = 1.0f;  // of the sums of qkv, gate and up
  uint32_t tag = 0;   // of what is exchanged now
};

// Whether the last stage of some product's rows has fewer columns.
__device__ __forceinline__ bool has_tails(const Args& a) {
  return (a.D | a.H * kE | a.F) % a.columns != 0;
}

template <class T, int kColumns>
__global__ void __launch_bounds__(32 * (kLayersWarps + 1), 1)
    decode_layers_kernel(const __grid_constant__ Args a) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  const int pos = a.pos_device != nullptr ? __ldcg(a.pos_device) : a.pos;
  if (pos < 0 || pos >= a.limit) {
    return;
  }
  if (threadIdx.x == 0) {
    const Ring ring(a);
    for (int i = 0; i < a.stages; ++i) {
      barrier_init(ring.full() + 8 * i, 1);
      barrier_init(ring.empty() + 8 * i, 2);  // a pair of warps
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    Facts& f = facts(a);
    f.pos = pos;
    f.tag = __ldcg(a.counters) * (2 * kLayersMaxCount);
    f.share.set(a, pos);
    f.qkv.set((a.H + 2 * a.K) * kE, 1), f.x.set(a.D, 1), f.act.set(a.F, 2);
    f.groups[0] = f.qkv.groups, f.groups[2] = 2 * f.act.groups;
    f.groups[1] = f.groups[3] = f.x.groups;
  }
  if (has_tails(a)) {
    // What a short stage leaves as it was is multiplied by zeros, so it must be numbers.
    for (int i = threadIdx.x; i < a.stages * a.stage_bytes / 16; i += blockDim.x) {
      reinterpret_cast<uint4*>(shared_memory())[i] = make_uint4(0, 0, 0, 0);
    }
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  }
  for (int i = threadIdx.x; i < kE / 2; i += blockDim.x) {
    facts(a).cos[i] = a.cos[int64_t{pos} * (kE / 2) + i];
    facts(a).sin[i] = a.sin[int64_t{pos} * (kE / 2) + i];
  }
  __syncthreads();
  if (threadIdx.x / 32 == kLayersWarps) {
    Copier(a).run();
  } else {
    Block<T, kColumns>(a).run();
  }
#endif
}

}  // namespace ember::k::layers
