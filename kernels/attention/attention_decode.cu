// SPDX-License-Identifier: Apache-2.0
// Few rows over a long cache: limited by the bandwidth of reading keys and values once.
//
// The H/K query heads of a kv head (times T tokens, up to 16 rows in all) are one tile of the
// tensor cores, so the cache is read once for all of them. The cache of a kv head is cut into
// chunks, one a block; inside a block each of four warps streams every fourth group of 16 positions
// through a ring of its own in shared memory (cp.async, no barriers) with an online softmax. Warps
// are merged in order; with more than one chunk, the block that finishes last merges all of them in
// order. Which block that is changes nothing in the result. Chunks follow from the length alone.
//
// H100 80GB HBM3, bf16, 8 kv heads of 128, share of a read-only kernel: 86 % at 32768 positions, 68
// % at 8192, 52 % at 4096; below that a launch and the merge are most of 3 to 7 us. Lost: two
// blocks an SM at every length, and part weights staged in shared memory before the merge (12.7
// against 10.3 us at 4096).
#include <cmath>

#include "kernels/attention/attention_plan.h"
#include "kernels/base/cuda_scratch.cuh"
#include "kernels/common/launch.cuh"
#include "kernels/common/mma.cuh"

namespace ember::k {
namespace {

constexpr int kWarps = kDecodeWarps;
constexpr int kThreads = 32 * kWarps;
constexpr int kKeys = kDecodeKeys;
constexpr int kStages = 3;
constexpr int kChunkStep = kDecodeChunkStep;

struct Args {
  dev::Rows o, q;
  const void *k_cache, *v_cache;
  int T, group;
  int64_t S;
  int64_t pos;
  const int32_t* pos_device;
  float scale_log2;
  float* partials;    // (K, splits) parts
  unsigned* tickets;  // (K), zero before and after
  int splits;  // blocks a kv head at most; the grid may be smaller where the rest has no work
};

template <int E>
constexpr int kStageBytes = 2 * kKeys* E * 2;
template <int E>
constexpr int kSharedBytes = kWarps* kStages* kStageBytes<E>;

// What a warp, a block or a chunk knows of the 16 rows: a lane holds rows g and g + 8.
template <int E>
struct State {
  float o[E / 8][4];
  float max[2], total[2];
};

// Positions [first, first + 16) of K and V into one stage of the warp's ring; zeros from `end`.
template <class T, int E>
__device__ __forceinline__ void copy_stage(uint32_t stage, const T* k, const T* v, int first,
                                           int end) {
  constexpr int kChunks = E / 8, kStep = 32 / kChunks;
  const int lane = threadIdx.x % 32, chunk = lane % kChunks;
#pragma unroll
  for (int i = 0; i < kKeys / kStep; ++i) {
    const int row = i * kStep + lane / kChunks;
    const bool valid = first + row < end;
    const int64_t from = valid ? int64_t{first + row} * E + chunk * 8 : 0;
    const uint32_t to = stage + dev::swizzled<E * 2>(row, chunk);
    dev::copy16_async(to, k + from, valid);
    dev::copy16_async(to + kKeys * E * 2, v + from, valid);
  }
}

// The rows as A fragments; rows past the last are zeros.
template <class T, int E>
__device__ __forceinline__ void load_queries(uint32_t (&q)[E / 16][4], const Args& a, int head) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = lane / 4 + 8 * half;
    const int t = row / a.group, g = row % a.group;
    const T* at = static_cast<const T*>(a.q.data) + (t < a.T ? t * a.q.stride : 0) +
                  (head * a.group + g) * E + lane % 4 * 2;
#pragma unroll
    for (int k = 0; k < E / 16; ++k) {
      q[k][half] = t < a.T ? *reinterpret_cast<const uint32_t*>(at + 16 * k) : 0;
      q[k][2 + half] = t < a.T ? *reinterpret_cast<const uint32_t*>(at + 16 * k + 8) : 0;
    }
  }
}

// One step of 16 positions from `first`. last[half]: the last position that the row may see.
template <class T, int E>
__device__ __forceinline__ void step(State<E>& state, const uint32_t (&q)[E / 16][4],
                                     uint32_t stage, int first, const int (&last)[2],
                                     float scale_log2) {
  const int lane = threadIdx.x % 32;
  float s[2][4] = {};
#pragma unroll
  for (int k = 0; k < E / 16; ++k) {
    uint32_t b[4];
    dev::load_matrices(
        b, stage + dev::swizzled<E * 2>(lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2));
    dev::mma<T>(s[0], q[k], b[0], b[1]);
    dev::mma<T>(s[1], q[k], b[2], b[3]);
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float max = state.max[half];
#pragma unroll
    for (int n = 0; n < 2; ++n) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (first + 8 * n + lane % 4 * 2 + i > last[half]) {
          s[n][2 * half + i] = -INFINITY;
        }
        max = fmaxf(max, s[n][2 * half + i]);
      }
    }
    max = dev::quad_max(max);
    // A row that sees nothing yet keeps -inf as its maximum and gets zero weights.
    const float base = max == -INFINITY ? 0.0f : max;
    const float shrink = dev::exp2_fast((state.max[half] - base) * scale_log2);
    float total = state.total[half] * shrink;
#pragma unroll
    for (int n = 0; n < 2; ++n) {
#pragma unroll
      for (int i = 2 * half; i < 2 * half + 2; ++i) {
        s[n][i] = dev::exp2_fast((s[n][i] - base) * scale_log2);
        total += s[n][i];
      }
    }
    state.max[half] = max;
    state.total[half] = total;
#pragma unroll
    for (int n = 0; n < E / 8; ++n) {
      state.o[n][2 * half] *= shrink;
      state.o[n][2 * half + 1] *= shrink;
    }
  }
  const uint32_t p[4] = {dev::pack2<T>(s[0][0], s[0][1]), dev::pack2<T>(s[0][2], s[0][3]),
                         dev::pack2<T>(s[1][0], s[1][1]), dev::pack2<T>(s[1][2], s[1][3])};
#pragma unroll
  for (int n = 0; n < E / 16; ++n) {
    uint32_t b[4];
    dev::load_matrices_transposed(
        b, stage + kKeys * E * 2 + dev::swizzled<E * 2>(lane % 16, 2 * n + lane / 16));
    dev::mma<T>(state.o[2 * n], p, b[0], b[1]);
    dev::mma<T>(state.o[2 * n + 1], p, b[2], b[3]);
  }
}

// What one part (a warp, a block) knows, in memory: o (16, E), then maximum and sum of each row.
template <int E>
constexpr int kPart = kDecodeRows*(E + 2);

// The rings' memory, once they are empty, holds the warps' parts.
static_assert(kWarps * kPart<64> * 4 <= kSharedBytes<64> &&
                  kWarps * kPart<128> * 4 <= kSharedBytes<128>,
              "the parts need more shared memory than the rings");

template <int E>
__device__ __forceinline__ void store_part(float* part, State<E>& state) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float total = dev::quad_sum(state.total[half]);
    const int row = lane / 4 + 8 * half;
#pragma unroll
    for (int n = 0; n < E / 8; ++n) {
      *reinterpret_cast<float2*>(part + row * E + 8 * n + lane % 4 * 2) =
          make_float2(state.o[n][2 * half], state.o[n][2 * half + 1]);
    }
    if (lane % 4 == 0) {
      *reinterpret_cast<float2*>(part + kDecodeRows * E + 2 * row) =
          make_float2(state.max[half], total);
    }
  }
}

struct FromShared {
  template <class V>
  __device__ __forceinline__ V operator()(const V* p) const {
    return *p;
  }
};
struct FromOtherBlocks {  // past the L1 cache, which is not coherent
  template <class V>
  __device__ __forceinline__ V operator()(const V* p) const {
    return __ldcg(p);
  }
};

// Merges `count` parts in order and calls put(row, e, four values, max, sum) for each four
// elements, the values not yet divided by the sum. Parts are fetched kAtOnce at a time with their
// maxima, so that a group costs one latency.
template <int E, int kAtOnce, class Load, class Put>
__device__ __forceinline__ void merge(const float* parts, int count, int rows, float scale_log2,
                                      const Load& load, const Put& put) {
  for (int i = threadIdx.x; i < rows * (E / 4); i += kThreads) {
    const int row = i / (E / 4), e = i % (E / 4) * 4;
    const float* values = parts + row * E + e;
    const float* tails = parts + kDecodeRows * E + 2 * row;
    float4 value = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    float max = -INFINITY, sum = 0.0f;
    for (int first = 0; first < count; first += kAtOnce) {
      float4 v[kAtOnce];
      float2 tail[kAtOnce];
#pragma unroll
      for (int c = 0; c < kAtOnce; ++c) {
        tail[c] = make_float2(-INFINITY, 0.0f);
        v[c] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (first + c < count) {
          tail[c] = load(reinterpret_cast<const float2*>(tails + (first + c) * kPart<E>));
          v[c] = load(reinterpret_cast<const float4*>(values + (first + c) * kPart<E>));
        }
      }
      const float old_max = max;
#pragma unroll
      for (int c = 0; c < kAtOnce; ++c) {
        max = fmaxf(max, tail[c].x);
      }
      const float base = max == -INFINITY ? 0.0f : max;
      const float shrink = dev::exp2_fast((old_max - base) * scale_log2);
      sum *= shrink;
      value.x *= shrink, value.y *= shrink, value.z *= shrink, value.w *= shrink;
#pragma unroll
      for (int c = 0; c < kAtOnce; ++c) {
        const float weight = dev::exp2_fast((tail[c].x - base) * scale_log2);
        sum = fmaf(weight, tail[c].y, sum);
        value.x = fmaf(weight, v[c].x, value.x);
        value.y = fmaf(weight, v[c].y, value.y);
        value.z = fmaf(weight, v[c].z, value.z);
        value.w = fmaf(weight, v[c].w, value.w);
      }
    }
    put(row, e, value, max, sum);
  }
}

// Grid (splits, K).
template <class T, int E>
__global__ void __launch_bounds__(kThreads, 2) attention_decode_kernel(Args a) {
  extern __shared__ __align__(128) unsigned char shared[];
  __shared__ bool is_last;
  dev::let_next_start();
  dev::wait_for_previous();
  const int64_t pos = a.pos_device ? *a.pos_device : a.pos;
  if (pos < 0 || pos + a.T > a.S) {
    return;
  }
  const int head = blockIdx.y, splits = a.splits, split = blockIdx.x;
  const int length = static_cast<int>(pos) + a.T;
  const int chunk = decode_chunk(length, splits);
  const int used = (length + chunk - 1) / chunk;
  if (split >= used) {
    return;
  }
  const int end = min((split + 1) * chunk, length);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, rows = a.T * a.group;
  const T* k = static_cast<const T*>(a.k_cache) + head * a.S * E;
  const T* v = static_cast<const T*>(a.v_cache) + head * a.S * E;
  const uint32_t ring = dev::shared_address(shared) + warp * kStages * kStageBytes<E>;

  int next = split * chunk + warp * kKeys;  // of the copies, ahead of `first`
  int first = next;
#pragma unroll
  for (int i = 0; i < kStages - 1; ++i, next += kChunkStep) {
    if (next < end) {
      copy_stage<T, E>(ring + i * kStageBytes<E>, k, v, next, end);
    }
    dev::copies_commit();
  }
  uint32_t q[E / 16][4];
  load_queries<T, E>(q, a, head);
  State<E> state;
  int last[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    last[half] = static_cast<int>(pos) + (lane / 4 + 8 * half) / a.group;
    state.max[half] = -INFINITY;
    state.total[half] = 0.0f;
  }
#pragma unroll
  for (int n = 0; n < E / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      state.o[n][i] = 0.0f;
    }
  }
  int stage = 0;
  for (; first < end; first += kChunkStep, next += kChunkStep) {
    dev::copies_wait<kStages - 2>();
    __syncwarp();  // the copies of all lanes are there, and all lanes are done with the stage
                   // before
    const int ahead = (stage + kStages - 1) % kStages;
    if (next < end) {
      copy_stage<T, E>(ring + ahead * kStageBytes<E>, k, v, next, end);
    }
    dev::copies_commit();
    step<T, E>(state, q, ring + stage * kStageBytes<E>, first, last, a.scale_log2);
    stage = (stage + 1) % kStages;
  }
  dev::copies_wait<0>();
  __syncthreads();  // the rings become the memory of the warps' parts
  float* parts = reinterpret_cast<float*>(shared);
  store_part<E>(parts + warp * kPart<E>, state);
  __syncthreads();

  const auto store = [&](int row, int e, const float4& value, float, float sum) {
    const int t = row / a.group, g = row % a.group;
    const int64_t at = int64_t{head * a.group + g} * E + e;
    const float inverse = 1.0f / sum;
    void* o = a.o.row(t);
    dev::store2(o, a.o.dtype, at, value.x * inverse, value.y * inverse);
    dev::store2(o, a.o.dtype, at + 2, value.z * inverse, value.w * inverse);
  };
  if (used == 1) {
    merge<E, kWarps>(parts, kWarps, rows, a.scale_log2, FromShared(), store);
    return;
  }
  float* all = a.partials + int64_t{head} * splits * kPart<E>;
  float* mine = all + split * kPart<E>;
  merge<E, kWarps>(parts, kWarps, rows, a.scale_log2, FromShared(),
                   [&](int row, int e, const float4& value, float max, float sum) {
                     __stcg(reinterpret_cast<float4*>(mine + row * E + e), value);
                     if (e == 0) {
                       __stcg(reinterpret_cast<float2*>(mine + kDecodeRows * E + 2 * row),
                              make_float2(max, sum));
                     }
                   });
  __threadfence();  // this block's part, before its ticket
  __syncthreads();
  if (threadIdx.x == 0) {
    is_last = atomicAdd(&a.tickets[head], 1u) == static_cast<unsigned>(used) - 1;
  }
  __syncthreads();
  if (!is_last) {
    return;
  }
  __threadfence();
  if (threadIdx.x == 0) {
    a.tickets[head] = 0;
  }
  merge<E, 16>(all, used, rows, a.scale_log2, FromOtherBlocks(), store);
}

using Kernel = void (*)(Args);

template <class T>
Kernel kernel_for(int64_t E) {
  return E == 64 ? attention_decode_kernel<T, 64> : attention_decode_kernel<T, 128>;
}

}  // namespace

void attention_decode_cuda(const AttentionParams& p, Stream stream) {
  const int64_t E = p.k_cache.shape[2], K = p.k_cache.shape[0];
  const int device = p.o.device.index;
  const int splits = decode_splits(K, device_limits(p.o.device).sm_count);
  Args a{};
  a.o = dev::rows(p.o), a.q = dev::rows(p.q);
  a.k_cache = p.k_cache.data, a.v_cache = p.v_cache.data;
  a.T = dev::narrow("attention", p.q.shape[0]);
  a.group = dev::narrow("attention", p.q.shape[1] / E / K);
  a.S = p.k_cache.shape[1];
  a.pos = p.pos, a.pos_device = p.pos_device;
  a.scale_log2 = p.scale * 1.4426950408889634f;
  a.splits = splits;
  a.partials = reinterpret_cast<float*>(
      cuda::scratch(device, stream, cuda::ScratchUser::kAttentionPartials,
                    decode_partial_bytes(K, E, device_limits(p.o.device).sm_count)));
  a.tickets = reinterpret_cast<unsigned*>(
      cuda::scratch(device, stream, cuda::ScratchUser::kAttentionTickets, decode_ticket_bytes(K)));
  // With the position known here, blocks that would find nothing to do are left out.
  int blocks = splits;
  if (p.pos_device == nullptr) {
    const int length = dev::narrow("attention", p.pos + a.T);
    blocks = static_cast<int>(dev::ceil_div(length, decode_chunk(length, splits)));
  }
  const auto kernel = p.q.dtype == DType::kF16 ? kernel_for<dev::f16>(E) : kernel_for<dev::bf16>(E);
  dev::launch("attention", stream, kernel, dim3(blocks, static_cast<unsigned>(K)), dim3(kThreads),
              E == 64 ? kSharedBytes<64> : kSharedBytes<128>, a);
}

}  // namespace ember::k
