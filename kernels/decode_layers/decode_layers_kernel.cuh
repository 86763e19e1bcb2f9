// SPDX-License-Identifier: Apache-2.0
// All layers of a stage for one new token, in one launch that fills the device: a block an SM, all
// of them resident. Large models are limited by the bandwidth of reading weights and cache once,
// small ones by latency: what five launches a layer cost beside it is what this kernel saves.
//
// A layer has five phases: qkv, attention, o, gate and up, down. Between them blocks exchange a
// vector of a few KB through the L2 cache, and wait for one another at counters. What is read once
// comes through the ring of decode_layers_ring.cuh, and its copies do not wait: at the start of a
// phase the weights of the next 190 KB a block lie in shared memory.
//
// A product is left to the tensor cores, which take a stage in a few instructions: 8 rows times 64
// columns a warp. A lane reads 16 bytes of its row at a time; in even rows the first 64 bytes of
// the warp's 128 make rows 0-7 of the tile and the others rows 8-15, in odd rows the other way
// round, so that a quarter of a warp reads 128 different bytes of banks. Columns 0-3 of the other
// operand hold x for the first 64 bytes, columns 4-7 for the second; half the tile's results are
// right and the others left. fp32 x are the sum of three 16-bit numbers, a column each: as exact as
// fp32 arithmetic would be (fp16: two and an end, 22 bits or more of normal numbers).
#pragma once

#include "kernels/decode_layers/decode_layers_attention.cuh"

namespace ember::k::layers {

// ---- Counters: what has been done since the kernel began ----
enum Counter {
  kQkvDone,        // warps that have written their rows of q, k and v
  kAttentionDone,  // kv heads whose outputs are there
  kXDone,          // warps that have written their rows of x, twice a layer
  kActDone,        // warps that have written their rows of act
  kExits,          // blocks that need no counter any more
};

__device__ __forceinline__ unsigned* counter(const Args& a, int which) {
  return a.counters + which * kLayersCounterStride;
}

// Everything that the calling thread wrote, or saw written, comes before.
__device__ __forceinline__ void add_release(unsigned* to) {
  asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(to) : "memory");
}

__device__ __forceinline__ unsigned load_acquire(const unsigned* from) {
  unsigned v;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(v) : "l"(from) : "memory");
  return v;
}

// Until a counter has reached `target`; all computing warps. Some seconds without an end are a bug,
// and better reported than waited for.
__device__ __forceinline__ void wait_for(const unsigned* which, unsigned target) {
  if (threadIdx.x == 0) {
    for (unsigned polls = 0; load_acquire(which) < target;) {
      if (++polls == 1u << 24) {
        __trap();
      }
    }
  }
  warps_sync();
}

// ---- x in planes ----

// v, v', ... whose sum is nearly the fp32 x, to the planes' words of the pair.
template <class T>
__device__ __forceinline__ void store_planes(unsigned char* planes, int plane_bytes, int pair,
                                             float2 v) {
#pragma unroll
  for (int i = 0; i < kLayersPlanes; ++i) {
    const uint32_t word = dev::pack2<T>(v.x, v.y);
    reinterpret_cast<uint32_t*>(planes + i * plane_bytes)[pair] = word;
    const float2 kept = dev::unpack2<T>(word);
    v.x -= kept.x, v.y -= kept.y;
  }
}

template <class T>
class Block {
 public:
  __device__ __forceinline__ explicit Block(const Args& args) : a(args), ring(args) {}

  __device__ __forceinline__ void run() {
    const int q_rows = (a.H + 2 * a.K) * kE, width = a.H * kE;
    const Facts& f = facts(a);
#pragma unroll 1
    for (int i = threadIdx.x; i < f.x.count; i += kThreads) {
      residual()[i] = a.x[f.x.first + i];
    }
#pragma unroll 1
    for (int i = 0; i < a.count; ++i) {
      const Layer& layer = a.layer[i];
      const unsigned done = static_cast<unsigned>(i);

      stage_normed(layer.input_norm, 2 * done);
      multiply<kLayersPlanes>(f.qkv.groups, a.D, layers_plane_bytes(a.D));
      warps_sync();
#pragma unroll 1
      for (int r = threadIdx.x; r < f.qkv.count; r += kThreads) {
        reinterpret_cast<float*>(a.exchange + a.at.qkv)[f.qkv.first + r] = row_sum(r);
      }
      arrive(kQkvDone, q_rows);

      if (f.share.any()) {
        attention(layer, done);
      }

      wait_for(counter(a, kAttentionDone), (done + 1) * a.K);
      stage_plain(a.exchange + a.at.attn, width);
      multiply<1>(f.x.groups, width, 0);
      warps_sync();
      add_to_x(f.x, 1.0f);

      stage_normed(layer.post_norm, 2 * done + 1);
      multiply<kLayersPlanes>(2 * f.act.groups, a.D, layers_plane_bytes(a.D));
      warps_sync();
#pragma unroll 1
      for (int r = threadIdx.x; r < f.act.count; r += kThreads) {
        const int slot = r / kLayersRows * 2 * kLayersRows + r % kLayersRows;
        const float gate = row_sum(slot), up = row_sum(slot + kLayersRows);
        const float value = __fdividef(gate, 1.0f + __expf(-gate)) * up * layer.act_scale;
        reinterpret_cast<T*>(a.exchange + a.at.act)[f.act.first + r] = dev::from_f32<T>(value);
      }
      arrive(kActDone, a.F);

      wait_for(counter(a, kActDone), (done + 1) * arrivals(a.F));
      stage_plain(a.exchange + a.at.act, a.F);
      multiply<1>(f.x.groups, a.F, 0);
      warps_sync();
      add_to_x(f.x, layer.down_scale);
    }
    leave();
  }

 private:
  static constexpr int kThreads = 32 * kLayersWarps;
  static constexpr int kPairs = kLayersMaxD / 2 / kThreads;  // of x, a thread

  static __device__ __forceinline__ int warp() {
    return threadIdx.x / 32;
  }
  static __device__ __forceinline__ int lane() {
    return threadIdx.x % 32;
  }

  __device__ __forceinline__ float* residual() const {
    return reinterpret_cast<float*>(shared_memory() + a.layout.residual);
  }

  // ---- Arrivals: each warp that may have rows of its own says when they are written ----

  __device__ __forceinline__ unsigned warps_with(int rows) const {
    return min(kLayersWarps, (layers_most_rows(rows, gridDim.x) + 31) / 32);
  }
  __device__ __forceinline__ unsigned arrivals(int rows) const {
    return gridDim.x * warps_with(rows);
  }
  __device__ __forceinline__ void arrive(Counter which, int rows) const {
    __syncwarp();
    if (lane() == 0 && warp() < static_cast<int>(warps_with(rows))) {
      add_release(counter(a, which));
    }
  }

  // ---- The vector of a product ----

  // rmsnorm(x) * gain, once all of x has been updated `rounds` times.
  __device__ __forceinline__ void stage_normed(const void* gain, unsigned rounds) {
    const int pairs = a.D / 2;
    float2 x[kPairs], g[kPairs];
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const int pair = threadIdx.x + j * kThreads;
      x[j] = g[j] = make_float2(0.0f, 0.0f);
      if (pair < pairs) {
        g[j] = dev::load2(gain, a.gain, 2 * pair);
      }
    }
    wait_for(counter(a, kXDone), rounds * arrivals(a.D));
    float squares = 0.0f;
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const int pair = threadIdx.x + j * kThreads;
      if (pair < pairs) {
        x[j] = __ldcg(reinterpret_cast<const float2*>(a.x) + pair);
      }
    }
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      squares = fmaf(x[j].x, x[j].x, fmaf(x[j].y, x[j].y, squares));
    }
    squares = dev::warp_sum(squares);
    float* each = facts(a).squares;
    if (lane() == 0) {
      each[warp()] = squares;
    }
    warps_sync();
    squares = lane() < kLayersWarps ? each[lane()] : 0.0f;
    const float scale = rsqrtf(dev::warp_sum(squares) / static_cast<float>(a.D) + a.eps);
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const int pair = threadIdx.x + j * kThreads;
      if (pair < pairs) {
        store_planes<T>(shared_memory() + a.layout.planes, layers_plane_bytes(a.D), pair,
                        make_float2(x[j].x * scale * g[j].x, x[j].y * scale * g[j].y));
      }
    }
    warps_sync();
  }

  // n 16-bit numbers as they are.
  __device__ __forceinline__ void stage_plain(const char* from, int n) {
    for (int i = threadIdx.x; i < n / 8; i += kThreads) {
      reinterpret_cast<uint4*>(shared_memory() + a.layout.planes)[i] =
          __ldcg(reinterpret_cast<const uint4*>(from) + i);
    }
    warps_sync();
  }

  // ---- Products ----

  // Sums of the warp's columns of `groups` groups of rows to partial.
  template <int kPlanes>
  __device__ __forceinline__ void multiply(int groups, int columns, int plane_bytes) {
    constexpr int kTiles = kLayersColumns / 64 / kLayersWarps, kColumns = kTiles * 64;
    const int g = lane() / 4, t = lane() % 4;
    const uint32_t near = g * kLayersColumns * 2 + warp() * kColumns * 2 + (g & 1) * 64 + t * 16;
    const bool has_plane = (g & 3) < kPlanes;
    const uint32_t x0 = dev::shared_address(shared_memory() + a.layout.planes) +
                        (g & 3) * plane_bytes + warp() * kColumns * 2 + (g >> 2) * 64 + t * 16;
    float* to = reinterpret_cast<float*>(shared_memory() + a.layout.partial) +
                g * kLayersPartialFloats + warp();
#pragma unroll 1
    for (int group = 0; group < groups; ++group, to += kLayersRows * kLayersPartialFloats) {
      float even[4] = {}, odd[4] = {};
#pragma unroll 1
      for (int column = 0; column < columns; column += kLayersColumns) {
        const int mine =
            columns - column - warp() * kColumns;  // columns left from the warp's first
        uint4 b[kTiles];
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
          b[i] = 64 * i < mine && has_plane ? load_shared(x0 + (column + 64 * i) * 2)
                                            : make_uint4(0, 0, 0, 0);
        }
        ring.wait_full();
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
          if (64 * i < mine) {
            const uint32_t at = ring.stage() + near + 128 * i;
            const uint4 w0 = load_shared(at), w1 = load_shared(at ^ 64);
            const uint32_t even_tile[4] = {w0.x, w1.x, w0.y, w1.y};
            const uint32_t odd_tile[4] = {w0.z, w1.z, w0.w, w1.w};
            dev::mma<T>(even, even_tile, b[i].x, b[i].y);
            dev::mma<T>(odd, odd_tile, b[i].z, b[i].w);
          }
        }
        ring.release();
      }
      const bool same = (t >> 1) == (g & 1);
      const float sum = dev::quad_sum(same ? even[0] + even[1] + (odd[0] + odd[1])
                                           : even[2] + even[3] + (odd[2] + odd[3]));
      if (t == 0) {
        *to = sum;
      }
    }
  }

  // Of a row of partial, over the warps.
  __device__ __forceinline__ float row_sum(int row) const {
    const float4* from = reinterpret_cast<const float4*>(
        reinterpret_cast<const float*>(shared_memory() + a.layout.partial) +
        row * kLayersPartialFloats);
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < kLayersWarps / 4; ++i) {
      const float4 v = from[i];
      sum += v.x + v.y + (v.z + v.w);
    }
    return sum;
  }

  __device__ __forceinline__ void add_to_x(const Rows& rows, float scale) {
#pragma unroll 1
    for (int r = threadIdx.x; r < rows.count; r += kThreads) {
      const float x = residual()[r] + scale * row_sum(r);
      residual()[r] = x;
      a.x[rows.first + r] = x;
    }
    arrive(kXDone, a.D);
  }

  // ---- Attention ----

  __device__ __forceinline__ float* part_rows(int w) const {
    return reinterpret_cast<float*>(shared_memory() + a.layout.parts) +
           w * a.group * kLayersPartFloats;
  }
  __device__ __forceinline__ float2* part_tails(int w) const {
    return reinterpret_cast<float2*>(shared_memory() + a.layout.tails) + w * kLayersMaxGroup;
  }
  __device__ __forceinline__ float2* part_of(int rank) const {
    return reinterpret_cast<float2*>(a.exchange + a.at.parts) +
           (facts(a).share.head * a.ranks + rank) * (layers_part_floats(a.group) / 2);
  }

  // The new token's queries, K and V of the share's kv head, a warp a row; K and V also go to the
  // caches where the share has the newest position.
  __device__ __forceinline__ void make_rows(const Layer& layer, unsigned done) {
    constexpr int kRounds = (kLayersMaxGroup + 2 + kLayersWarps - 1) / kLayersWarps;
    const Share& share = facts(a).share;
    step::Pairs<kE> q_gain, k_gain, angles, x[kRounds];
    q_gain.load(layer.q_norm, a.gain, 0);
    k_gain.load(layer.k_norm, a.gain, 0);
    angles.load_angles(dev::Rows{facts(a).cos, 0, DType::kF32},
                       dev::Rows{facts(a).sin, 0, DType::kF32}, 0);
    wait_for(counter(a, kQkvDone), (done + 1) * arrivals((a.H + 2 * a.K) * kE));
#pragma unroll
    for (int i = 0; i < kRounds; ++i) {
      const int row = warp() + i * kLayersWarps;
      if (row < a.group + 2) {
        const int from =
            row < a.group ? share.head * a.group + row : a.H + share.head + (row - a.group) * a.K;
        const float2* at =
            reinterpret_cast<const float2*>(a.exchange + a.at.qkv) + from * (kE / 2) + lane();
        const float2 lo = __ldcg(at), hi = __ldcg(at + kE / 4);
        x[i].lo[0] = lo.x, x[i].lo[1] = lo.y, x[i].hi[0] = hi.x, x[i].hi[1] = hi.y;
      }
    }
#pragma unroll
    for (int i = 0; i < kRounds; ++i) {
      const int row = warp() + i * kLayersWarps;
      if (row < a.group) {
        x[i].norm_and_rotate(q_gain, angles, a.eps);
        x[i].store(
            reinterpret_cast<T*>(shared_memory() + a.layout.queries + row * kLayersQueryBytes));
      } else if (row < a.group + 2) {
        const bool is_v = row > a.group;
        if (!is_v) {
          x[i].norm_and_rotate(k_gain, angles, a.eps);
        }
        x[i].store(reinterpret_cast<T*>(shared_memory() + a.layout.fresh) + (is_v ? kE : 0));
        if (share.rank == share.shares - 1) {
          x[i].store(static_cast<T*>(is_v ? layer.v : layer.k) +
                     (int64_t{share.head} * a.limit + facts(a).pos) * kE);
        }
      }
    }
    warps_sync();
  }

  __device__ __forceinline__ void attention(const Layer& layer, unsigned done) {
    const Share& share = facts(a).share;
    const int pos = facts(a).pos;
    make_rows(layer, done);
    const uint32_t queries = dev::shared_address(shared_memory() + a.layout.queries);
    const uint32_t fresh = dev::shared_address(shared_memory() + a.layout.fresh);
    Sums sums;
    const int stages = share.last - share.first;
#pragma unroll 1
    for (int s = 0; s < stages; ++s) {
      ring.wait_full();
      const int half = warp() & 1, first = (share.first + s) * kLayersKeys + 16 * half;
      if ((2 * s + half) % kLayersWarps == warp() && first <= pos) {
        const uint32_t keys = ring.stage() + 16 * half * kRowBytes;
        attend<T>(sums, queries, keys, keys + kLayersKeys * kRowBytes, fresh, first, pos, a.group,
                  a.scale_log2);
      }
      ring.release();
    }
    store_part(part_rows(warp()), part_tails(warp()), sums, a.group);
    warps_sync();
    const int warps = min(kLayersWarps, 2 * stages);
    const auto merged = [&](int row, int element) {
      return step::merge<kLayersWarps>(
          warps, [&](int w) { return part_tails(w)[row]; },
          [&](int w) {
            return *reinterpret_cast<const float2*>(part_rows(w) + row * kLayersPartFloats +
                                                    element);
          });
    };
    if (share.shares == 1) {
      for_each_pair(
          [&](int, int row, int element) { store_output(row, element, merged(row, element)); });
    } else {
      float2* mine = part_of(share.rank);
      for_each_pair([&](int i, int row, int element) {
        const step::Merged m = merged(row, element);
        __stcg(mine + i, m.value);
        if (element == 0) {
          __stcg(mine + a.group * (kE / 2) + row, make_float2(m.max, m.sum));
        }
      });
      if (!draw_last_ticket()) {
        return;
      }
      for_each_pair([&](int i, int row, int element) {
        store_output(
            row, element,
            step::merge<kLayersWarps>(
                share.shares, [&](int p) { return __ldcg(part_of(p) + a.group * (kE / 2) + row); },
                [&](int p) { return __ldcg(part_of(p) + i); }));
      });
    }
    warps_sync();
    if (threadIdx.x == 0) {
      add_release(counter(a, kAttentionDone));
    }
  }

  // f(pair, query head, element) for the pairs of elements of the kv head's outputs.
  template <class F>
  __device__ __forceinline__ void for_each_pair(const F& f) const {
#pragma unroll 1
    for (int i = threadIdx.x; i < a.group * (kE / 2); i += kThreads) {
      f(i, i / (kE / 2), i % (kE / 2) * 2);
    }
  }

  __device__ __forceinline__ void store_output(int row, int element, const step::Merged& m) const {
    const int at = (facts(a).share.head * a.group + row) * kE + element;
    const float inverse = 1.0f / m.sum;
    *reinterpret_cast<uint32_t*>(a.exchange + a.at.attn + 2 * at) =
        dev::pack2<T>(m.value.x * inverse, m.value.y * inverse);
  }

  // True in one block of a kv head: the one whose part came last, which merges them all. Which one
  // that is changes nothing in the result.
  __device__ __forceinline__ bool draw_last_ticket() const {
    Facts& f = facts(a);
    warps_sync();
    if (threadIdx.x == 0) {
      unsigned drawn;  // wraps to zero with the last
      asm volatile("atom.acq_rel.gpu.global.inc.u32 %0, [%1], %2;"
                   : "=r"(drawn)
                   : "l"(a.counters + kLayersCounters * kLayersCounterStride + f.share.head),
                     "r"(f.share.shares - 1)
                   : "memory");
      f.last = drawn == static_cast<unsigned>(f.share.shares) - 1;
    }
    warps_sync();
    return f.last;
  }

  // The block that comes last leaves the counters as it found them.
  __device__ __forceinline__ void leave() const {
    warps_sync();  // nobody of the block waits any more
    if (threadIdx.x == 0) {
      unsigned before;
      asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], 1;"
                   : "=r"(before)
                   : "l"(counter(a, kExits))
                   : "memory");
      if (before == gridDim.x - 1) {
        for (int i = 0; i < kLayersCounters; ++i) {
          *counter(a, i) = 0;
        }
      }
    }
  }

  const Args& a;
  Ring ring;
};

template <class T>
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
      barrier_init(ring.empty() + 8 * i, kLayersWarps);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    Facts& f = facts(a);
    f.pos = pos;
    f.share.set(a, pos);
    f.qkv.set((a.H + 2 * a.K) * kE), f.x.set(a.D), f.act.set(a.F);
  }
  for (int i = threadIdx.x; i < kE / 2; i += blockDim.x) {
    facts(a).cos[i] = a.cos[int64_t{pos} * (kE / 2) + i];
    facts(a).sin[i] = a.sin[int64_t{pos} * (kE / 2) + i];
  }
  __syncthreads();
  if (threadIdx.x / 32 == kLayersWarps) {
    Copier(a).run();
  } else {
    Block<T>(a).run();
  }
#endif
}

}  // namespace ember::k::layers
