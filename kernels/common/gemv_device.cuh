// SPDX-License-Identifier: Apache-2.0
// One token against 16-bit weights: limited by the bandwidth of reading w once.
//
// x stays put: the K axis is cut over the lanes of k_warps warps, and each lane keeps its own few
// values of x in registers for the kernel's life, so that the loop touches no shared memory. A
// block owns a run of rows; a tile is `rows` rows of 16-byte loads, and the next tile is loaded
// before this one is used, which keeps about 100 KB in flight on each SM. Row sums are reduced by a
// transposing shuffle, then over warps through shared memory once a window of tiles. One owner a
// row and a fixed order of summation: results repeat bit by bit, and accumulate needs no atomics.
// The first tile is fetched before the wait for the previous kernel.
//
// With a norm in front, x is multiplied by the gain as it arrives, and a row's sum by the scale of
// the norm as it leaves: the weights do not wait for the statistic. Gated, a tile is half rows of
// gate and half the rows of up at the same columns, which meet at the end.
//
// H100 80GB HBM3, bf16, all matrices of one step against a read-only kernel (3.11 TB/s): 0.6B 70 %,
// 1.7B 89 %, 4B 93 %, 8B and 14B 98 % where kernels of the stream overlap; 53, 77, 85, 91, 95 %
// where they do not. The head alone 99 %. Lost: eight loads a tile with long rows (spills), x
// packed in 16 bits (the compiler unpacks it ahead of the loop, and spills); blocks of half an SM
// beside those of the next kernel (docs/performance.md).
#pragma once

#include <string>

#include "kernels/common/gemv_plan.h"
#include "kernels/common/launch.cuh"
#include "kernels/common/plan_note.h"
#include "kernels/common/prefetch.cuh"

namespace ember::k::dev {

enum class GemvForm { kPlain, kNorm, kNormGated };

struct GemvArgs {
  const void* w;  // (N, K), or with gated (2N, K): gate rows, then up rows
  const void* x;
  const void* gain;  // (K), of the norm
  void* y;
  DType x_dtype, gain_dtype, y_dtype;
  int64_t w_stride;
  int N, K;  // N values of y
  int k_warps, groups, window;
  float alpha;
  float eps, inverse_k;
  bool accumulate;
  Prefetch prefetch = {};
};

__device__ __forceinline__ uint4 load_weights(const void* p) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p));
  return v;
}

// Sums each of kRows values over the warp. Afterwards the lane holds the total of row
// lane / (32 / kRows): halves of the values change places while they are summed.
template <int kRows>
__device__ __forceinline__ float transpose_reduce(float (&v)[kRows]) {
  const int lane = threadIdx.x % 32;
  int distance = 16;
#pragma unroll
  for (int n = kRows / 2; n > 0; n /= 2, distance /= 2) {
    const bool upper = lane & distance;
#pragma unroll
    for (int i = 0; i < n; ++i) {
      const float send = upper ? v[i] : v[i + n];
      const float keep = upper ? v[i + n] : v[i];
      v[i] = keep + __shfl_xor_sync(0xffffffffu, send, distance);
    }
  }
#pragma unroll
  for (int d = 16 / kRows; d > 0; d /= 2) {
    v[0] += __shfl_xor_sync(0xffffffffu, v[0], d);
  }
  return v[0];
}

template <class W, int kVectors, int kRows>
struct Tile {
  uint4 w[kRows][kVectors];

  __device__ __forceinline__ float dot(const float (&x)[kVectors][8]) const {
    // Enough sums side by side to hide the latency of one.
    constexpr int kSums = kRows >= 4 ? 1 : 2;
    float sums[kSums][kRows];
#pragma unroll
    for (int s = 0; s < kSums; ++s) {
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        sums[s][r] = 0.0f;
      }
    }
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          const uint32_t words[4] = {w[r][v].x, w[r][v].y, w[r][v].z, w[r][v].w};
          const float2 fw = unpack2<W>(words[i]);
          sums[0][r] = fmaf(fw.x, x[v][2 * i], sums[0][r]);
          sums[kSums - 1][r] = fmaf(fw.y, x[v][2 * i + 1], sums[kSums - 1][r]);
        }
      }
    }
#pragma unroll
    for (int r = 0; r < kRows && kSums == 2; ++r) {
      sums[0][r] += sums[1][r];
    }
    return transpose_reduce<kRows>(sums[0]);
  }
};

// What a block's rows have in common at the end: the sums of squares of the slices of x.
__device__ __forceinline__ float norm_scale(const GemvArgs& a, const float* squares) {
  float sum = 0.0f;
  for (int k = 0; k < a.k_warps; ++k) {
    sum += squares[k];
  }
  return rsqrtf(sum * a.inverse_k + a.eps);
}

// Values [first, first + count) of y from partial (k_warps, capacity), whose slots are rows of
// tiles of the window.
template <GemvForm kForm, int kRows>
__device__ void finish_rows(const GemvArgs& a, const float* partial, const float* squares,
                            int capacity, int first, int count) {
  constexpr int kHalf = kRows / 2;
  float scale = 1.0f;
  if constexpr (kForm != GemvForm::kPlain) {
    scale = norm_scale(a, squares);
  }
  const auto row_sum = [&](int slot) {
    float sum = 0.0f;
#pragma unroll 4
    for (int k = 0; k < a.k_warps; ++k) {
      sum += partial[k * capacity + slot];
    }
    return sum * scale;
  };
#pragma unroll 1  // else the loop below is taken apart, at the cost of spilled registers
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    float value;
    if constexpr (kForm == GemvForm::kNormGated) {
      const int slot = i / kHalf * kRows + i % kHalf;
      const float gate = row_sum(slot), up = row_sum(slot + kHalf);
      value = __fdividef(gate, 1.0f + __expf(-gate)) * up;
    } else {
      value = row_sum(i);
    }
    value *= a.alpha;
    if (kForm == GemvForm::kPlain && a.accumulate) {
      value += static_cast<const float*>(a.y)[first + i];
    }
    store1(a.y, a.y_dtype, first + i, value);
  }
}

template <class W, int kVectors, int kRows, GemvForm kForm>
__global__ void __launch_bounds__(gemv_max_threads(kVectors), 1) gemv_kernel(GemvArgs a) {
  constexpr bool kNorm = kForm != GemvForm::kPlain, kGated = kForm == GemvForm::kNormGated;
  constexpr int kOut = kGated ? kRows / 2 : kRows;  // values of y of a tile
  extern __shared__ float partial[];
  let_next_start();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int group = warp / a.k_warps, k_warp = warp % a.k_warps;
  const int tiles = (a.N + kOut - 1) / kOut;
  // In 32 bits, the host checked: a 64-bit division costs registers.
  const int begin = static_cast<int>(blockIdx.x * static_cast<unsigned>(tiles) / gridDim.x);
  const int end = static_cast<int>((blockIdx.x + 1) * static_cast<unsigned>(tiles) / gridDim.x);

  // Lanes past the end of a row hold zeros.
  const int k_step = a.k_warps * 256, k0 = k_warp * 256 + lane * 8;
  const W* w0 = static_cast<const W*>(a.w) + k0;
  // The last tile is moved up to end with the last row; it stores only the rows that are its own.
  // With a norm, rows are whole tiles.
  const auto first_row = [&](int t) { return kNorm ? t * kOut : min(t * kRows, a.N - kRows); };
  const auto load = [&](Tile<W, kVectors, kRows>& tile, int t) {
    const W* at = w0 + first_row(t) * a.w_stride;
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
#pragma unroll
      for (int v = 0; v < kVectors; ++v) {
        tile.w[r][v] =
            k0 + v * k_step < a.K ? load_weights(at + v * k_step) : make_uint4(0, 0, 0, 0);
      }
      at += kGated && r == kOut - 1 ? (a.N - kOut + 1) * a.w_stride : a.w_stride;
    }
  };

  Tile<W, kVectors, kRows> even, odd;
  int t = begin + group;
  if (t < end) {
    load(even, t);
  }
  float x[kVectors][8];
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      x[v][i] = 0.0f;
    }
    if (kNorm && k0 + v * k_step < a.K) {
      load8(a.gain, a.gain_dtype, k0 + v * k_step, x[v]);
    }
  }
  wait_for_previous();
  float squares = 0.0f;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if (k0 + v * k_step < a.K) {
      if constexpr (kNorm) {
        float raw[8];
        load8(a.x, DType::kF32, k0 + v * k_step, raw);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          squares = fmaf(raw[i], raw[i], squares);
          x[v][i] *= raw[i];
        }
      } else {
        load8(a.x, a.x_dtype, k0 + v * k_step, x[v]);
      }
    }
  }

  // After a dot product, lane l holds the sum of row l / kLanesARow of the tile.
  constexpr int kLanesARow = 32 / kRows;
  const int lane_row = lane / kLanesARow;
  const int capacity = a.window * a.groups * kRows;
  const int window_tiles = a.window * a.groups;
  float* all_squares = partial + a.k_warps * capacity;
  if constexpr (kNorm) {
    squares = warp_sum(squares);
    if (group == 0 && lane == 0) {
      all_squares[k_warp] = squares;
    }
  }
  int slot = k_warp * capacity - begin * kRows;  // of tile 0, were it in this window
#pragma unroll 1
  for (int first = begin; first < end; first += window_tiles, slot -= capacity) {
    const auto keep = [&](int t, float sum) {
      const int row = kNorm ? t * kRows + lane_row : first_row(t) + lane_row;
      if (lane % kLanesARow == 0 && (kNorm || row >= t * kRows)) {
        partial[slot + row] = sum;
      }
    };
    const int last = min(first + window_tiles, end);
#pragma unroll 1
    for (; t < last; t += 2 * a.groups) {
      const int t_odd = t + a.groups, t_next = t + 2 * a.groups;
      if (t_odd < end) {
        load(odd, t_odd);
      }
      keep(t, even.dot(x));
      if (t_next < end) {
        load(even, t_next);
      }
      if (t_odd < end) {
        keep(t_odd, odd.dot(x));
      }
    }
    if (last == end) {
      prefetch_to_l2(a.prefetch);
    }
    __syncthreads();
    finish_rows<kForm, kRows>(a, partial, all_squares, capacity, first * kOut,
                              min(last * kOut, a.N) - first * kOut);
    __syncthreads();
  }
}

template <class W, GemvForm kForm>
auto gemv_kernel_for(const GemvPlan& plan) -> void (*)(GemvArgs) {
  if constexpr (kForm == GemvForm::kPlain) {
    switch (plan.vectors) {
      case 2:
        return gemv_kernel<W, 2, gemv_rows(2), kForm>;
      case 3:
        return gemv_kernel<W, 3, gemv_rows(3), kForm>;
      case 5:
        return gemv_kernel<W, 5, gemv_rows(5), kForm>;
      default:
        break;
    }
  }
  return gemv_kernel<W, 1, gemv_rows(1), kForm>;  // with a norm, the only one: kGemvMaxNormK
}

template <GemvForm kForm>
void launch_gemv(const char* op, Stream stream, const GemvPlan& plan, DType w_dtype, GemvArgs a) {
  if (plans_wanted()) {
    note_plan(op, std::to_string(a.N) + " x " + std::to_string(a.K), plan.str());
  }
  narrow(op, int64_t{plan.blocks} * ceil_div(2 * int64_t{a.N}, plan.rows));
  a.k_warps = plan.k_warps, a.groups = plan.groups, a.window = plan.window;
  const auto kernel = w_dtype == DType::kF16 ? gemv_kernel_for<f16, kForm>(plan)
                                             : gemv_kernel_for<bf16, kForm>(plan);
  launch(op, stream, kernel, dim3(plan.blocks), dim3(plan.threads()), plan.shared_bytes, a);
}

}  // namespace ember::k::dev
