// SPDX-License-Identifier: Apache-2.0
// Two to eight tokens against 16-bit weights: limited by the bandwidth of reading w once.
//
// Sixteen rows of w are the A operand of mma.sync m16n8k16 and the tokens are its eight columns, so
// more tokens cost no more loads. Lane (g, t) fetches 16 bytes of rows g and g + 8: eight
// neighbouring k, of which a step of the tensor core takes four. That is another order of k than
// the fragments' own, but x, which lies in shared memory, is read in the same order, and a sum does
// not care. The K axis is cut over the warps; each streams its blocks of 32 k, row tile after row
// tile, through a ring of registers with 16 loads in flight a lane. Partial sums of a window of
// tiles meet in shared memory and are added in the order of the warps.
//
// H100 80GB HBM3, bf16, all matrices of one step at two and eight tokens against a read-only kernel
// (3.11 TB/s): 0.6B 53 and 49 %, 1.7B 71 and 66 %, 4B 74 and 72 %, 8B 85 and 80 %, 14B 83 and 82 %.
// Lost: blocks dealt out to the warps in turn, so that none reads a whole line (8B 77 %); tiles of
// 16 rows where few of them meet many SMs (4B down 32 us; the library 22).
#include "kernels/common/launch.cuh"
#include "kernels/common/mma.cuh"
#include "kernels/linear/linear_plan.h"

namespace ember::k {
namespace {

constexpr int kRows = 16;   // of a tile
constexpr int kBlock = 32;  // k of one block
constexpr int kRing = 8;    // blocks in flight
constexpr int kTokens = 8;  // columns of the tensor core
constexpr int kTile = kRows * kTokens;

struct Args {
  const void* w;
  int64_t w_stride;
  dev::Rows x, y;
  int T, N, K;
  int blocks;    // of kBlock along K, the last one may be ragged
  int slice;     // blocks of a warp, the last warp may have fewer
  int x_stride;  // elements between the tokens in shared memory
  int window;    // tiles between two sums over the warps
  float alpha;
  bool accumulate;
};

__device__ __forceinline__ uint4 load_weights(const void* p, bool valid) {
  uint4 v = make_uint4(0, 0, 0, 0);
  if (valid) {
    asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(p));
  }
  return v;
}

// Where a warp stands in its sequence of blocks: tile after tile, its slice of the K axis in each.
// Neighbouring blocks follow one another, so that a warp reads whole lines of memory.
struct Cursor {
  int tile, block;
  __device__ __forceinline__ void advance(int slice_begin, int slice_end) {
    if (++block == slice_end) {
      block = slice_begin;
      ++tile;
    }
  }
};

// The last tile is moved up to end with the last row; it stores only the rows that are its own.
__device__ __forceinline__ int first_row(int tile, int N) {
  return min(tile * kRows, N - kRows);
}

// x (T, K) into shared memory, zeros behind K up to the last block.
template <class W>
__device__ void copy_tokens(const Args& a, W* to) {
  const int groups = a.blocks * kBlock / 8;
  for (int i = threadIdx.x; i < a.T * groups; i += blockDim.x) {
    const int t = i / groups, k = i % groups * 8;
    uint4 v = make_uint4(0, 0, 0, 0);
    if (k < a.K) {
      v = *reinterpret_cast<const uint4*>(static_cast<const W*>(a.x.row(t)) + k);
    }
    *reinterpret_cast<uint4*>(to + t * a.x_stride + k) = v;
  }
}

// Rows of y of tiles [first, last) from partial (window, warps, 16, 8).
__device__ void finish_tiles(const Args& a, const float* partial, int first, int last) {
  const int warps = blockDim.x / 32;
  for (int i = threadIdx.x; i < (last - first) * kTile; i += blockDim.x) {
    const int tile = first + i / kTile, token = i % kTokens;
    const int row = first_row(tile, a.N) + i % kTile / kTokens;
    if (row < tile * kRows || token >= a.T) {
      continue;
    }
    const float* at = partial + i / kTile * warps * kTile + i % kTile;
    float sum = 0.0f;
    for (int w = 0; w < warps; ++w) {
      sum += at[w * kTile];
    }
    void* y = a.y.row(token);
    sum *= a.alpha;
    dev::store1(y, a.y.dtype, row, a.accumulate ? dev::load1(y, a.y.dtype, row) + sum : sum);
  }
}

template <class W>
__global__ void __launch_bounds__(kFewMaxThreads, 1) linear_few_kernel(Args a) {
  extern __shared__ __align__(128) unsigned char shared[];
  W* tokens = reinterpret_cast<W*>(shared);
  float* partial = reinterpret_cast<float*>(shared + int64_t{a.T} * a.x_stride * 2);
  dev::let_next_start();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
  const int g = lane / 4, t = lane % 4;
  const int tiles = (a.N + kRows - 1) / kRows;
  const int begin = static_cast<int>(int64_t{blockIdx.x} * tiles / gridDim.x);
  const int end = static_cast<int>((int64_t{blockIdx.x} + 1) * tiles / gridDim.x);

  uint4 low[kRing], high[kRing];  // rows g and g + 8
  const auto fetch = [&](uint4& lo, uint4& hi, const Cursor& c) {
    const int k = c.block * kBlock + t * 8;
    const bool valid = c.tile < end && k < a.K;
    const W* at =
        static_cast<const W*>(a.w) + (valid ? (first_row(c.tile, a.N) + g) * a.w_stride + k : 0);
    lo = load_weights(at, valid);
    hi = load_weights(at + 8 * a.w_stride, valid);
  };
  const int slice_begin = warp * a.slice, slice_end = min(slice_begin + a.slice, a.blocks);
  Cursor ahead{begin, slice_begin}, now{begin, slice_begin};
#pragma unroll
  for (int i = 0; i < kRing; ++i) {
    fetch(low[i], high[i], ahead);
    ahead.advance(slice_begin, slice_end);
  }
  dev::wait_for_previous();
  copy_tokens(a, tokens);
  __syncthreads();

  // Lanes of tokens that do not exist read token 0: their columns are never stored.
  const W* x = tokens + (g < a.T ? g : 0) * a.x_stride + t * 8;
  float c[4] = {};
  int window_first = begin;
  while (now.tile < end) {
#pragma unroll
    for (int i = 0; i < kRing; ++i) {
      if (now.tile < end) {
        const uint4 b = *reinterpret_cast<const uint4*>(x + now.block * kBlock);
        const uint32_t a0[4] = {low[i].x, high[i].x, low[i].y, high[i].y};
        const uint32_t a1[4] = {low[i].z, high[i].z, low[i].w, high[i].w};
        dev::mma<W>(c, a0, b.x, b.y);
        dev::mma<W>(c, a1, b.z, b.w);
        fetch(low[i], high[i], ahead);
        ahead.advance(slice_begin, slice_end);
        const int tile = now.tile;
        now.advance(slice_begin, slice_end);
        if (now.tile != tile) {  // that was the warp's last block of the tile
          float* at = partial + ((tile - window_first) * warps + warp) * kTile;
          *reinterpret_cast<float2*>(at + g * kTokens + 2 * t) = make_float2(c[0], c[1]);
          *reinterpret_cast<float2*>(at + (g + 8) * kTokens + 2 * t) = make_float2(c[2], c[3]);
          c[0] = c[1] = c[2] = c[3] = 0.0f;
          if (now.tile == end || now.tile - window_first == a.window) {
            __syncthreads();
            finish_tiles(a, partial, window_first, now.tile);
            __syncthreads();
            window_first = now.tile;
          }
        }
      }
    }
  }
}

}  // namespace

void linear_few_cuda(const LinearParams& p, Stream stream) {
  const DeviceLimits& limits = device_limits(p.y.device);
  const FewPlan plan =
      plan_few(p.x.shape[0], p.w.shape[0], p.w.shape[1], limits.sm_count, limits.shared_bytes);
  Args a{};
  a.w = p.w.data, a.w_stride = p.w.row_stride;
  a.x = dev::rows(p.x), a.y = dev::rows(p.y);
  a.T = dev::narrow("linear", p.x.shape[0]);
  a.N = dev::narrow("linear", p.w.shape[0]), a.K = dev::narrow("linear", p.w.shape[1]);
  a.blocks = plan.blocks_along_k, a.slice = plan.slice, a.x_stride = plan.x_stride,
  a.window = plan.window;
  a.alpha = p.alpha, a.accumulate = p.accumulate;
  const auto kernel =
      p.w.dtype == DType::kF16 ? linear_few_kernel<dev::f16> : linear_few_kernel<dev::bf16>;
  dev::launch("linear", stream, kernel, dim3(plan.blocks), dim3(32 * plan.warps), plan.shared_bytes,
              a);
}

}  // namespace ember::k
