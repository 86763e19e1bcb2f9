// SPDX-License-Identifier: Apache-2.0
// Many rows: attention in one pass over the keys with an online softmax (FlashAttention-2,
// arXiv:2307.08691) on mma.sync. Limited by arithmetic.
//
// The H/K query heads that share a kv head stand side by side as rows, row r = token r / group, so
// that keys and values are read once for all of them and few blocks meet the diagonal. A block has
// 128 rows on 4 warps: 32 rows a warp, because each fragment of K and V then feeds two products
// (with 16 rows, reading shared memory would take longer than the arithmetic). K and V have one
// buffer each: V(j) arrives while S = Q K(j)^T is computed, K(j + 1) while P V(j) is. Blocks of
// keys are taken from position 0 upwards on a fixed grid, so a row's bits depend on neither the
// rows beside it nor the chunk it came in.
//
// H100 80GB HBM3, bf16, causal, 32 heads of 128 over 8: 204 TFLOP/s at 2048 tokens, 285 at 4096,
// 362 at 8192.
#include <cmath>

#include "kernels/attention/attention_plan.h"
#include "kernels/common/launch.cuh"
#include "kernels/common/mma.cuh"

namespace ember::k {
namespace {

constexpr int kWarps = 4;
constexpr int kWarpRows = 32;  // two 16-row tiles
constexpr int kRows = kWarps * kWarpRows;
constexpr int kKeys = kPrefillKeys;
static_assert(kRows == kPrefillRows, "warps share out the rows of a block");
constexpr int kThreads = 32 * kWarps;

struct Args {
  dev::Rows o, q;
  const void *k_cache, *v_cache;
  int T, group;
  int64_t S;
  int64_t pos;
  const int32_t* pos_device;
  float scale_log2;  // scale * log2(e): the softmax works with powers of two
};

template <int E>
constexpr int shared_bytes() {
  return (kRows + 2 * kKeys) * E * 2;
}

// threadIdx.x, read anew: what follows from it is then computed where it is needed and takes no
// registers across a step, which would spill.
__device__ __forceinline__ int thread_anew() {
  int thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
}

// A condition that is known to be the same over a warp. From compute capability 9.0 on a vote tells
// the compiler, which otherwise keeps the shuffles behind a branch twice, and spills; before, the
// vote takes more registers than it saves.
__device__ __forceinline__ bool same_in_warp(bool condition) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  return __any_sync(0xffffffffu, condition);
#else
  return condition;
#endif
}

// Keys [first, first + kKeys) of a dense (S, E) matrix into a swizzled tile; zeros from `end`. A
// thread keeps its chunk and takes every kStep-th row: a multiple of 8, so that the swizzle is the
// same for all and addresses differ by constants. `from` is the same for all threads: what is a
// thread's own fits in 32 bits, and registers are short here.
template <class T, int E>
__device__ __forceinline__ void copy_keys(uint32_t tile, const T* from, int first, int end) {
  constexpr int kChunks = E / 8, kStep = kThreads / kChunks;
  const uint32_t thread = static_cast<uint32_t>(thread_anew());
  const uint32_t row = thread / kChunks, chunk = thread % kChunks;
  const uint32_t to = tile + dev::swizzled<E * 2>(static_cast<int>(row), static_cast<int>(chunk));
  const T* at = from + int64_t{first} * E + (row * E + chunk * 8);
  const int left = end - first - static_cast<int>(row);
#pragma unroll
  for (int i = 0; i < kKeys / kStep; ++i) {
    dev::copy16_async(to + i * kStep * E * 2, at + i * kStep * E, i * kStep < left);
  }
}

template <class T, int E>
__device__ __forceinline__ void copy_queries(uint32_t tile, const Args& a, int head, int first) {
  constexpr int kChunks = E / 8;
#pragma unroll
  for (int i = 0; i < kRows * kChunks / kThreads; ++i) {
    const int at = i * kThreads + threadIdx.x;
    const int row = at / kChunks, chunk = at % kChunks;
    const int t = (first + row) / a.group, g = (first + row) % a.group;
    const bool valid = t < a.T;
    const T* from = static_cast<const T*>(a.q.data) + (valid ? t * a.q.stride : 0) +
                    (head * a.group + g) * E + chunk * 8;
    dev::copy16_async(tile + dev::swizzled<E * 2>(row, chunk), from, valid);
  }
}

// What a warp carries from step to step: 32 rows as two 16-row tiles; a lane holds rows g and g + 8
// of each.
template <int E>
struct State {
  float o[2][E / 8][4];
  float max[2][2], total[2][2];  // total: this lane's columns only, until the end
};

template <class T, int E>
__device__ __forceinline__ void scores(float (&s)[2][kKeys / 8][4], dev::ChunkWalk<E * 2>& q_walk,
                                       dev::ChunkWalk<E * 2>& k_walk) {
  q_walk.forget();
  k_walk.forget();
#pragma unroll
  for (int m = 0; m < 2; ++m) {
#pragma unroll
    for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        s[m][n][i] = 0.0f;
      }
    }
  }
#pragma unroll
  for (int k = 0; k < E / 16; ++k) {
    uint32_t q[2][4];
#pragma unroll
    for (int m = 0; m < 2; ++m) {
      dev::load_matrices(q[m], q_walk.at(k, 16 * m));
    }
#pragma unroll
    for (int n = 0; n < kKeys / 16; ++n) {
      uint32_t b[4];
      dev::load_matrices(b, k_walk.at(k, kRows + 16 * n));
#pragma unroll
      for (int m = 0; m < 2; ++m) {
        dev::mma<T>(s[m][2 * n], q[m], b[0], b[1]);
        dev::mma<T>(s[m][2 * n + 1], q[m], b[2], b[3]);
      }
    }
  }
}

// Scores of keys that a row must not see become -inf. at: first key of the step; first: first row
// of the block.
__device__ __forceinline__ void mask(float (&s)[2][kKeys / 8][4], int at, int first, int start,
                                     int group) {
  const int thread = thread_anew(), lane = thread % 32;
  const int key = at + lane % 4 * 2, row = first + thread / 32 * kWarpRows + lane / 4;
#pragma unroll
  for (int m = 0; m < 2; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int last = start + (row + 16 * m + 8 * half) / group;  // that the row may see
#pragma unroll
      for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          if (key + 8 * n + i > last) {
            s[m][n][2 * half + i] = -INFINITY;
          }
        }
      }
    }
  }
}

// Scores to weights p, which are A fragments of the product with V: the layout of C, taken in pairs
// of columns, is that of A. Rescales what was summed under an older maximum. Position 0 is visible
// to every row and comes first, so the maximum is finite from the first step on.
template <class T, int E>
__device__ __forceinline__ void soften(uint32_t (&p)[2][kKeys / 16][4],
                                       const float (&s)[2][kKeys / 8][4], State<E>& state,
                                       float scale_log2) {
#pragma unroll
  for (int m = 0; m < 2; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float max = state.max[m][half];
#pragma unroll
      for (int n = 0; n < kKeys / 8; ++n) {
        max = fmaxf(max, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
      }
      max = dev::quad_max(max);
      const float shrink = dev::exp2_fast((state.max[m][half] - max) * scale_log2);
      const float offset = max * scale_log2;
      state.max[m][half] = max;
      float total = state.total[m][half] * shrink;
#pragma unroll
      for (int n = 0; n < kKeys / 8; ++n) {
        const float x = dev::exp2_fast(fmaf(s[m][n][2 * half], scale_log2, -offset));
        const float y = dev::exp2_fast(fmaf(s[m][n][2 * half + 1], scale_log2, -offset));
        total += x;
        total += y;
        p[m][n / 2][n % 2 * 2 + half] = dev::pack2<T>(x, y);
      }
      state.total[m][half] = total;
#pragma unroll
      for (int n = 0; n < E / 8; ++n) {
        state.o[m][n][2 * half] *= shrink;
        state.o[m][n][2 * half + 1] *= shrink;
      }
    }
  }
}

template <class T, int E>
__device__ __forceinline__ void add_values(State<E>& state, const uint32_t (&p)[2][kKeys / 16][4],
                                           dev::ChunkWalk<E * 2>& v_walk) {
  v_walk.forget();
#pragma unroll
  for (int k = 0; k < kKeys / 16; ++k) {
#pragma unroll
    for (int n = 0; n < E / 16; ++n) {
      uint32_t b[4];
      dev::load_matrices_transposed(b, v_walk.at(n, kRows + kKeys + 16 * k));
#pragma unroll
      for (int m = 0; m < 2; ++m) {
        dev::mma<T>(state.o[m][2 * n], p[m][k], b[0], b[1]);
        dev::mma<T>(state.o[m][2 * n + 1], p[m][k], b[2], b[3]);
      }
    }
  }
}

template <class T, int E>
__device__ __forceinline__ void store_rows(const Args& a, State<E>& state, int head, int first) {
  const int thread = thread_anew(), lane = thread % 32;
#pragma unroll
  for (int m = 0; m < 2; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = first + thread / 32 * kWarpRows + 16 * m + 8 * half + lane / 4;
      const float inverse = 1.0f / dev::quad_sum(state.total[m][half]);
      const int t = row / a.group, g = row % a.group;
      if (t >= a.T) {
        continue;
      }
      const int64_t column = int64_t{head * a.group + g} * E + 2 * (lane % 4);
#pragma unroll
      for (int n = 0; n < E / 8; ++n) {
        const float x = state.o[m][n][2 * half] * inverse;
        const float y = state.o[m][n][2 * half + 1] * inverse;
        dev::store2(a.o.row(t), a.o.dtype, column + 8 * n, x, y);
      }
    }
  }
}

// Grid (blocks of rows, K). The blocks with most keys come first.
template <class T, int E>
__global__ void __launch_bounds__(kThreads, 2) attention_prefill_kernel(Args a) {
  extern __shared__ __align__(256) unsigned char shared[];
  dev::let_next_start();
  dev::wait_for_previous();
  const int64_t pos = a.pos_device ? *a.pos_device : a.pos;
  if (pos < 0 || pos + a.T > a.S) {
    return;
  }
  const int head = blockIdx.y;
  const int first = static_cast<int>(gridDim.x - 1 - blockIdx.x) * kRows;
  const int start = static_cast<int>(pos);
  const int keys = start + min((first + kRows - 1) / a.group, a.T - 1) + 1;
  const T* k = static_cast<const T*>(a.k_cache) + head * a.S * E;
  const T* v = static_cast<const T*>(a.v_cache) + head * a.S * E;
  const uint32_t q_tile = dev::shared_address(shared);
  const uint32_t k_tile = q_tile + kRows * E * 2, v_tile = k_tile + kKeys * E * 2;

  copy_queries<T, E>(q_tile, a, head, first);
  copy_keys<T, E>(k_tile, k, 0, keys);
  dev::copies_commit();

  const int warp_first = first + static_cast<int>(threadIdx.x) / 32 * kWarpRows;
  State<E> state;
#pragma unroll
  for (int m = 0; m < 2; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      state.max[m][half] = -INFINITY;
      state.total[m][half] = 0.0f;
    }
#pragma unroll
    for (int n = 0; n < E / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        state.o[m][n][i] = 0.0f;
      }
    }
  }
  const int lane = threadIdx.x % 32;
  dev::ChunkWalk<E * 2> q_walk(q_tile, warp_first - first + lane % 16, lane / 16);
  dev::ChunkWalk<E * 2> k_walk(q_tile, lane % 8 + lane / 16 * 8, lane / 8 % 2);
  dev::ChunkWalk<E * 2> v_walk(q_tile, lane % 16, lane / 16);

  for (int at = 0; at < keys; at += kKeys) {
    float s[2][kKeys / 8][4];
    // Row r sees key start + r / group last; the division is multiplied out.
    const int warp_row = first + thread_anew() / 32 * kWarpRows;
    const bool visible = same_in_warp((at - start) * a.group <= warp_row + kWarpRows - 1);
    dev::copies_wait<0>();
    __syncthreads();  // K is there for all, and all are done with V
    copy_keys<T, E>(v_tile, v, at, keys);
    dev::copies_commit();
    if (visible) {
      scores<T, E>(s, q_walk, k_walk);
    }
    dev::copies_wait<0>();
    __syncthreads();  // V is there for all, and all are done with K
    if (at + kKeys < keys) {
      copy_keys<T, E>(k_tile, k, at + kKeys, keys);
      dev::copies_commit();
    }
    if (visible) {
      if ((at + kKeys - 1 - start) * a.group > warp_row) {
        mask(s, at, first, start, a.group);
      }
      uint32_t p[2][kKeys / 16][4];
      soften<T, E>(p, s, state, a.scale_log2);
      add_values<T, E>(state, p, v_walk);
    }
  }
  store_rows<T, E>(a, state, head, first);
}

using Kernel = void (*)(Args);

template <class T>
Kernel kernel_for(int64_t E) {
  return E == 64 ? attention_prefill_kernel<T, 64> : attention_prefill_kernel<T, 128>;
}

}  // namespace

void attention_prefill_cuda(const AttentionParams& p, Stream stream) {
  const int64_t E = p.k_cache.shape[2], K = p.k_cache.shape[0];
  Args a{};
  a.o = dev::rows(p.o), a.q = dev::rows(p.q);
  a.k_cache = p.k_cache.data, a.v_cache = p.v_cache.data;
  a.T = dev::narrow("attention", p.q.shape[0]);
  a.group = dev::narrow("attention", p.q.shape[1] / E / K);
  a.S = p.k_cache.shape[1];
  a.pos = p.pos, a.pos_device = p.pos_device;
  a.scale_log2 = p.scale * 1.4426950408889634f;
  const int64_t blocks = dev::ceil_div(int64_t{a.T} * a.group, kRows);
  const auto kernel = p.q.dtype == DType::kF16 ? kernel_for<dev::f16>(E) : kernel_for<dev::bf16>(E);
  dev::launch(
      "attention", stream, kernel,
      dim3(static_cast<unsigned>(dev::narrow("attention", blocks)), static_cast<unsigned>(K)),
      dim3(kThreads), E == 64 ? shared_bytes<64>() : shared_bytes<128>(), a);
}

}  // namespace ember::k
