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
// H100 80GB HBM3, bf16, all matrices of one step against a read-only kernel (3.11 TB/s): 0.6B 70 %,
// 1.7B 89 %, 4B 93 %, 8B and 14B 98 % where kernels of the stream overlap; 53, 77, 85, 91, 95 %
// where they do not. The head alone 99 %. Lost: eight loads a tile with long rows (spills), x
// packed in 16 bits (the compiler unpacks it ahead of the loop, and spills).
#include "kernels/common/launch.cuh"
#include "kernels/linear/linear_plan.h"

namespace ember::k {
namespace {

struct Args {
  const void* w;
  const void* x;
  void* y;
  DType x_dtype, y_dtype;
  int64_t w_stride;
  int N, K;
  int k_warps, groups, window;
  float alpha;
  bool accumulate;
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
    float even[kRows], odd[kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      even[r] = odd[r] = 0.0f;
    }
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          const uint32_t words[4] = {w[r][v].x, w[r][v].y, w[r][v].z, w[r][v].w};
          const float2 fw = dev::unpack2<W>(words[i]);
          even[r] = fmaf(fw.x, x[v][2 * i], even[r]);
          odd[r] = fmaf(fw.y, x[v][2 * i + 1], odd[r]);
        }
      }
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      even[r] += odd[r];
    }
    return transpose_reduce<kRows>(even);
  }
};

// Rows [first, first + count) of y from partial (k_warps, capacity).
__device__ void finish_rows(const Args& a, const float* partial, int capacity, int first,
                            int count) {
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    float sum = 0.0f;
    for (int k = 0; k < a.k_warps; ++k) {
      sum += partial[k * capacity + i];
    }
    sum *= a.alpha;
    if (a.accumulate) {
      sum += static_cast<const float*>(a.y)[first + i];
    }
    dev::store1(a.y, a.y_dtype, first + i, sum);
  }
}

template <class W, int kVectors, int kRows>
__global__ void __launch_bounds__(gemv_max_threads(kVectors), 1) gemv_kernel(Args a) {
  extern __shared__ float partial[];
  dev::let_next_start();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int group = warp / a.k_warps, k_warp = warp % a.k_warps;
  const int tiles = (a.N + kRows - 1) / kRows;
  const int begin = static_cast<int>(int64_t{blockIdx.x} * tiles / gridDim.x);
  const int end = static_cast<int>((int64_t{blockIdx.x} + 1) * tiles / gridDim.x);

  // Lanes past the end of a row hold zeros.
  const int k_step = a.k_warps * 256, k0 = k_warp * 256 + lane * 8;
  const W* w0 = static_cast<const W*>(a.w) + k0;
  // The last tile is moved up to end with the last row; it stores only the rows that are its own.
  const auto first_row = [&](int t) { return min(t * kRows, a.N - kRows); };
  const auto load = [&](Tile<W, kVectors, kRows>& tile, int t) {
    const W* at = w0 + first_row(t) * a.w_stride;
#pragma unroll
    for (int r = 0; r < kRows; ++r, at += a.w_stride) {
#pragma unroll
      for (int v = 0; v < kVectors; ++v) {
        tile.w[r][v] =
            k0 + v * k_step < a.K ? load_weights(at + v * k_step) : make_uint4(0, 0, 0, 0);
      }
    }
  };

  Tile<W, kVectors, kRows> even, odd;
  int t = begin + group;
  if (t < end) {
    load(even, t);
  }
  dev::wait_for_previous();
  float x[kVectors][8];
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      x[v][i] = 0.0f;
    }
    if (k0 + v * k_step < a.K) {
      dev::load8(a.x, a.x_dtype, k0 + v * k_step, x[v]);
    }
  }

  // After a dot product, lane l holds the sum of row l / kLanesARow of the tile.
  constexpr int kLanesARow = 32 / kRows;
  const int lane_row = lane / kLanesARow;
  const int capacity = a.window * a.groups * kRows;
  const int window_tiles = a.window * a.groups;
  int slot = k_warp * capacity - begin * kRows;  // of row 0, were it in this window
  for (int first = begin; first < end; first += window_tiles, slot -= capacity) {
    const auto keep = [&](int t, float sum) {
      const int row = first_row(t) + lane_row;
      if (lane % kLanesARow == 0 && row >= t * kRows) {
        partial[slot + row] = sum;
      }
    };
    const int last = min(first + window_tiles, end);
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
    __syncthreads();
    finish_rows(a, partial, capacity, first * kRows, min(last * kRows, a.N) - first * kRows);
    __syncthreads();
  }
}

using Kernel = void (*)(Args);

// The tiles of a weight type; plan_gemv chooses among them.
template <class W>
Kernel kernel_for(int vectors) {
  return vectors == 1   ? gemv_kernel<W, 1, gemv_rows(1)>
         : vectors == 2 ? gemv_kernel<W, 2, gemv_rows(2)>
         : vectors == 3 ? gemv_kernel<W, 3, gemv_rows(3)>
                        : gemv_kernel<W, 5, gemv_rows(5)>;
}

}  // namespace

void linear_gemv_cuda(const LinearParams& p, Stream stream) {
  const GemvPlan plan = plan_gemv(p.w.shape[0], p.w.shape[1], device_limits(p.y.device).sm_count);
  Args a{};
  a.w = p.w.data, a.x = p.x.data, a.y = p.y.data;
  a.x_dtype = p.x.dtype, a.y_dtype = p.y.dtype;
  a.w_stride = p.w.row_stride;
  a.N = dev::narrow("linear", p.w.shape[0]), a.K = dev::narrow("linear", p.w.shape[1]);
  a.k_warps = plan.k_warps, a.groups = plan.groups, a.window = plan.window;
  a.alpha = p.alpha, a.accumulate = p.accumulate;
  const auto kernel = p.w.dtype == DType::kF16 ? kernel_for<dev::f16>(plan.vectors)
                                               : kernel_for<dev::bf16>(plan.vectors);
  dev::launch("linear", stream, kernel, dim3(plan.blocks), dim3(plan.threads()), plan.shared_bytes,
              a);
}

}  // namespace ember::k
