// SPDX-License-Identifier: Apache-2.0
// The stream of everything that a block reads once: rows of weights and cached keys and values, in
// the order in which they are used, through a ring of stages in shared memory. One warp copies
// (bulk copies of compute capability 9.0), across matrices and layers, as far ahead as the ring has
// room: memory stays busy while the other warps wait for other blocks.
#pragma once

#include "kernels/common/launch.cuh"
#include "kernels/common/mma.cuh"
#include "kernels/common/prefetch.cuh"
#include "kernels/decode_layers/decode_layers_plan.h"

namespace ember::k::layers {

// One layer as the kernel takes it.
struct Layer {
  const void *input_norm, *post_norm, *q_norm, *k_norm;
  const char *qkv, *o, *gate_up, *down;
  void *k, *v;
  float act_scale, down_scale;
};

// One of the four products of a layer.
struct Product {
  int columns, planes;
  int stages;        // of a group of rows
  uint32_t inverse;  // of stages, in units of 2^-20
};

struct Args {
  float* x;
  const float *cos, *sin;
  const int32_t* pos_device;
  int pos, limit;  // positions from `limit` on are outside
  int count, D, H, K, group, F;
  int ranks, columns, stage_bytes, stages, in_flight;
  DType gain;
  float eps, scale_log2, inverse_D;
  char* exchange;      // of `at`
  unsigned* counters;  // launches so far; blocks that have left, zero before and after
  LayersLayout layout;
  LayersExchange at;
  Prefetch prefetch;
  Product product[4];  // qkv, o, gate and up, down
  Layer layer[kLayersMaxCount];
};

// The block's shared memory: see LayersLayout. Aligned so that an exclusive or moves within 128
// bytes.
__device__ __forceinline__ unsigned char* shared_memory() {
  extern __shared__ __align__(1024) unsigned char shared[];
  return shared;
}

// ---- Barriers in shared memory ----

__device__ __forceinline__ void barrier_init(uint32_t barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

__device__ __forceinline__ void barrier_arrive(uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

__device__ __forceinline__ void barrier_expect(uint32_t barrier, int bytes) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
#endif
}

__device__ __forceinline__ void barrier_wait(uint32_t barrier, uint32_t parity) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again;\n"
      "}\n" ::"r"(barrier),
      "r"(parity)
      : "memory");
#endif
}

__device__ __forceinline__ void bulk_copy(uint32_t to, const void* from, int bytes,
                                          uint32_t barrier, uint64_t policy) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], "
      "[%1], %2, [%3], %4;" ::"r"(to),
      "l"(from), "r"(bytes), "r"(barrier), "l"(policy)
      : "memory");
#endif
}

// ---- The ring ----

// A place in the ring that moves on stage by stage. `parity` is that of the round.
struct Ring {
  const Args& a;
  int at = 0;
  uint32_t parity = 0;

  __device__ __forceinline__ explicit Ring(const Args& args) : a(args) {}

  __device__ __forceinline__ uint32_t stage() const {
    return dev::shared_address(shared_memory()) + at * a.stage_bytes;
  }
  __device__ __forceinline__ uint32_t full() const {
    return dev::shared_address(shared_memory()) + a.layout.barriers + 8 * at;
  }
  __device__ __forceinline__ uint32_t empty() const { return full() + 8 * kLayersMaxStages; }
  // At most kLayersMinStages.
  __device__ __forceinline__ void next(int stages = 1) {
    at += stages;
    if (at >= a.stages) {
      at -= a.stages;
      parity ^= 1;
    }
  }
  // Of the warps that compute.
  __device__ __forceinline__ void wait_full() const { barrier_wait(full(), parity); }
  __device__ __forceinline__ void release() const {
    __syncwarp();  // all lanes have read
    if (threadIdx.x % 32 == 0) {
      barrier_arrive(empty());
    }
  }
};

// The block's rows of a matrix, shared out in units of rows; the last of its groups of 8 may have
// fewer.
struct Rows {
  int groups, first, count;
  __device__ __forceinline__ void set(int rows, int unit) {
    first = layers_cut(blockIdx.x, rows / unit, gridDim.x) * unit;
    count = layers_cut(blockIdx.x + 1, rows / unit, gridDim.x) * unit - first;
    groups = (count + kLayersRows - 1) / kLayersRows;
  }
};

// The positions that the block attends to in every layer: stages [first, last) of one kv head.
struct Share {
  int head, rank, shares, first, last;

  __device__ __forceinline__ void set(const Args& a, int pos) {
    const int stages = pos / kLayersKeys + 1;
    shares = layers_shares(stages, a.ranks);
    head = blockIdx.x % a.K;
    rank = blockIdx.x / a.K;
    first = last = 0;
    if (rank < shares) {
      first = layers_share_cut(rank, stages, shares);
      last = layers_share_cut(rank + 1, stages, shares);
    }
  }
  __device__ __forceinline__ bool any() const { return rank < shares; }
};

// What every warp of the block wants to know now and then: in shared memory, so that it takes no
// registers meanwhile.
struct Facts {
  int pos;
  Share share;
  Rows qkv, x, act;
  int groups[4];                             // of rows of a product
  alignas(16) float squares[kLayersWarps];   // each warp's part of a sum
  uint32_t tag;                              // of the launch
  alignas(8) float cos[kLayersHeadDim / 2];  // of the position, read in pairs
  float sin[kLayersHeadDim / 2];
};
static_assert(sizeof(Facts) <= kLayersFactBytes, "LayersLayout has room for them");

__device__ __forceinline__ Facts& facts(const Args& a) {
  return *reinterpret_cast<Facts*>(shared_memory() + a.layout.facts);
}

// Asks for the line of `at`, which may lie in memory until now.
__device__ __forceinline__ void fetch_to_l2(const char* at) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(at));
}

// The warp that copies.
class Copier {
 public:
  __device__ __forceinline__ explicit Copier(const Args& args)
      : a(args), ring(args), arriving_(args), lane(threadIdx.x % 32) {
    asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(once_));
    asm volatile("createpolicy.fractional.L2::evict_normal.b64 %0, 1.0;" : "=l"(normal_));
  }

  // One loop for all matrices: code that is run once a layer has to be fetched once a layer.
  __device__ __forceinline__ void run() {
    const Facts& f = facts(a);
    fetch_gains(a.layer[0]);
#pragma unroll 1
    for (int i = 0; i < a.count; ++i) {
      const Layer& layer = a.layer[i];
      if (i + 1 < a.count) {
        fetch_gains(a.layer[i + 1]);
      }
#pragma unroll 1
      for (int m = 0; m < 4; ++m) {
        const char* w = m == 0 ? layer.qkv : m == 1 ? layer.o : m == 2 ? layer.gate_up : layer.down;
        const int columns = m == 1 ? a.H * kLayersHeadDim : m == 3 ? a.F : a.D;
        if (m == 1) {
          cache(f.share, f.pos, static_cast<const char*>(layer.k),
                static_cast<const char*>(layer.v));
        }
        rows(w,
             m == 0   ? f.qkv
             : m == 2 ? f.act
                      : f.x,
             columns, m == 2 ? int64_t{a.F} * a.D * 2 : 0);
      }
    }
    // All is asked for, and what the ring holds keeps the other warps busy: the memory's next work.
    if (lane == 0) {
      dev::fetch_share_to_l2(a.prefetch);
      dev::let_next_start();
    }
  }

 private:
  // The blocks' share of the norms' gains: every block wants them at once, while it waits for x,
  // and from memory they would come after x.
  __device__ __forceinline__ void fetch_gains(const Layer& layer) const {
    constexpr int kLine = 128;
    const int size = a.gain == DType::kF32 ? 4 : 2;
    const int norm = a.D * size / kLine, head = (kLayersHeadDim * size + kLine - 1) / kLine;
    for (int i = blockIdx.x + lane * gridDim.x; i < 2 * (norm + head); i += 32 * gridDim.x) {
      const int of_norms = i - 2 * norm;
      const void* from = i < norm          ? layer.input_norm
                         : of_norms < 0    ? layer.post_norm
                         : of_norms < head ? layer.q_norm
                                           : layer.k_norm;
      const int line = i < norm ? i : of_norms < 0 ? i - norm : of_norms % head;
      fetch_to_l2(static_cast<const char*>(from) + line * kLine);
    }
  }

  // Until the stage is free, and not too many are under way: see the plan.
  __device__ __forceinline__ void acquire(int bytes) {
    if (asked_ == a.in_flight) {
      barrier_wait(arriving_.full(), arriving_.parity);
      arriving_.next();
    } else {
      ++asked_;
    }
    barrier_wait(ring.empty(), ring.parity ^ 1);
    if (lane == 0) {
      barrier_expect(ring.full(), bytes);
    }
    __syncwarp();
  }

  // The block's rows of a matrix with so many columns; with a twin, the group so many bytes further
  // follows each group of rows.
  __device__ __forceinline__ void rows(const char* w, const Rows& mine, int columns, int64_t twin) {
    const int64_t row_bytes = int64_t{columns} * 2;
    const char* row = w + (mine.first + lane % kLayersRows) * row_bytes;
#pragma unroll 1
    for (int left = mine.count; left > 0; left -= kLayersRows, row += kLayersRows * row_bytes) {
      const int n = min(kLayersRows, left);
#pragma unroll 1
      for (int side = 0; side <= (twin != 0 ? 1 : 0); ++side) {
#pragma unroll 1
        for (int column = 0; column < columns; column += a.columns) {
          const int bytes = 2 * min(a.columns, columns - column);
          acquire(n * bytes);
          const bool whole = columns == a.columns;  // rows without gaps, in one copy
          if (lane < (whole ? 1 : n)) {
            bulk_copy(ring.stage() + lane * a.columns * 2, row + side * twin + int64_t{column} * 2,
                      whole ? n * bytes : bytes, ring.full(), once_);
          }
          ring.next();
        }
      }
    }
  }

  // Positions of the share before the new one.
  __device__ __forceinline__ void cache(const Share& share, int pos, const char* k, const char* v) {
    const int64_t plane = int64_t{share.head} * a.limit * kLayersKeyBytes;
#pragma unroll 1
    for (int s = share.first; s < share.last; ++s) {
      const int bytes = min(kLayersKeys, pos - s * kLayersKeys) * kLayersKeyBytes;
      acquire(2 * bytes);
      if (lane < 2 && bytes > 0) {
        bulk_copy(ring.stage() + lane * kLayersKeys * kLayersKeyBytes,
                  (lane == 0 ? k : v) + plane + int64_t{s} * kLayersKeys * kLayersKeyBytes, bytes,
                  ring.full(), normal_);
      }
      ring.next();
    }
  }

  const Args& a;
  Ring ring, arriving_;  // where the next stage goes; the oldest that may not be there yet
  int asked_ = 0;
  int lane;
  uint64_t once_, normal_;
};

}  // namespace ember::k::layers
