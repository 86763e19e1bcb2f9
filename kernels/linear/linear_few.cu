// SPDX-License-Identifier: Apache-2.0
// Two to sixteen tokens against 16-bit weights: limited by the bandwidth of reading w once.
//
// A block owns a run of rows of w, so that every SM reads the same number of bytes, and walks them
// in tiles of up to 64. A step brings 256 k of the tile's rows and of all tokens into one slot of a
// ring in shared memory: a warp copies 512 bytes of one row at a time, without registers, and the
// other slots, some 100 KB, are on their way meanwhile. Rows of w are the A operand of mma.sync
// m16n8k16 and tokens the columns of B, so that more tokens cost no more loads of w; the rows that
// pad a tile to 16 and the columns without a token are computed from whatever lies there and
// dropped. Each of eight warps takes two of the sixteen k-steps of a slot for all rows and tokens.
// Their sums meet once a tile and are added in the order of the warps: one owner a row and a fixed
// order, which does not depend on the number of tokens.
//
// A ninth warp copies the tokens alone. Groups of asynchronous copies complete in order a thread,
// and with the tokens apart the ring of weights can be filled before the wait for the previous
// kernel. Blocks start at different k, so that they do not all want the same lines at once.
//
// Lost: weights in a ring of registers, each lane 16 bytes of two rows (64 bytes of a row at once:
// 72 to 82 % of the read bandwidth at eight tokens on an H100); all tokens in shared memory (a
// block of few rows waits for them, and long rows do not fit).
#include "kernels/common/launch.cuh"
#include "kernels/common/mma.cuh"
#include "kernels/common/plan_note.h"
#include "kernels/linear/linear_plan.h"

namespace ember::k {
namespace {

constexpr int kWarps = 8;                  // that compute and copy weights
constexpr int kSlotBytes = 2 * kFewDepth;  // of one row in a slot
constexpr int kOutputs = 4;                // of a thread and tile, at most: 64 x 16 over 288

struct Args {
  const void* w;
  int64_t w_stride;
  dev::Rows x, y;
  int T, N, K;
  int tile_rows;  // of a whole tile
  int slot_rows;  // where the tokens begin in a slot: a multiple of 8
  int stages;     // slots of the ring
  int steps;      // of kFewDepth along K, the last one may be ragged
  float alpha;
  bool accumulate;
};

__device__ __forceinline__ void copy_weights(uint32_t to, const void* from, bool valid) {
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global.L2::256B [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
               "r"(bytes)
               : "memory");
}

// Until at most `pending` of the groups committed last are under way.
__device__ __forceinline__ void wait_for_copies(int pending) {
  static_assert(kFewMaxStages - 2 <= 10, "a case for every ring");
  switch (pending) {
    case 10:
      dev::copies_wait<10>();
      break;
    case 9:
      dev::copies_wait<9>();
      break;
    case 8:
      dev::copies_wait<8>();
      break;
    case 7:
      dev::copies_wait<7>();
      break;
    case 6:
      dev::copies_wait<6>();
      break;
    case 5:
      dev::copies_wait<5>();
      break;
    case 4:
      dev::copies_wait<4>();
      break;
    case 3:
      dev::copies_wait<3>();
      break;
    case 2:
      dev::copies_wait<2>();
      break;
    case 1:
      dev::copies_wait<1>();
      break;
    default:
      dev::copies_wait<0>();
  }
}

// Where a block stands: tile after tile, all of K in each, from a k of the block's own round.
struct Cursor {
  int first;  // row of the tile
  int step, done;

  __device__ __forceinline__ Cursor(const Args& a, int begin)
      : first(begin), step(static_cast<int>(int64_t{blockIdx.x} * a.steps / gridDim.x)), done(0) {}

  // True when that was the tile's last step.
  __device__ __forceinline__ bool advance(const Args& a) {
    step = step + 1 == a.steps ? 0 : step + 1;
    if (++done < a.steps) {
      return false;
    }
    done = 0;
    first += a.tile_rows;
    return true;
  }
};

// This thread's part of the copies into one slot: 16 bytes of every eighth row of w, or for the
// ninth warp of every token. Zeros behind K.
template <class W>
__device__ __forceinline__ void fill_slot(const Args& a, uint32_t slot, const Cursor& at, int end) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int k = at.step * kFewDepth + lane * 8;
  const bool valid = k < a.K;
  if (warp < kWarps) {
    const int rows = min(a.tile_rows, end - at.first);
    const W* from = static_cast<const W*>(a.w) + (at.first + warp) * a.w_stride + k;
    uint32_t to = slot + dev::swizzled<kSlotBytes>(warp, lane);
#pragma unroll 4
    for (int r = warp; r < rows; r += kWarps, to += kWarps * kSlotBytes) {
      copy_weights(to, valid ? from : a.w, valid);
      from += kWarps * a.w_stride;
    }
  } else {
    slot += a.slot_rows * kSlotBytes;
#pragma unroll 4
    for (int t = 0; t < a.T; ++t) {
      const W* from = static_cast<const W*>(a.x.row(t)) + k;
      dev::copy16_async(slot + dev::swizzled<kSlotBytes>(t, lane), valid ? from : a.x.data, valid);
    }
  }
}

// What one lane holds of the sums of its warp: kM tiles of 16 rows, kN of 8 tokens.
template <class W, int kM, int kN>
struct Sums {
  float c[kM][kN][4];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int m = 0; m < kM; ++m) {
#pragma unroll
      for (int n = 0; n < kN; ++n) {
        c[m][n][0] = c[m][n][1] = c[m][n][2] = c[m][n][3] = 0.0f;
      }
    }
  }

  // Both k-steps of the warp in the slot; offsets of rows and tokens for the first one, a step is
  // two chunks of 16 bytes.
  __device__ __forceinline__ void add(uint32_t slot, const uint32_t (&rows)[kM], uint32_t tokens) {
    uint32_t b[2][4];
    dev::load_matrices(b[0], slot + tokens);
    if constexpr (kN == 2) {
      dev::load_matrices(b[1], slot + (tokens ^ 32u));
    } else {  // that was both steps of eight tokens
      b[1][0] = b[0][2], b[1][1] = b[0][3];
    }
#pragma unroll
    for (int s = 0; s < 2; ++s) {
#pragma unroll
      for (int m = 0; m < kM; ++m) {
        uint32_t r[4];
        dev::load_matrices(r, slot + (rows[m] ^ (32u * s)));
#pragma unroll
        for (int n = 0; n < kN; ++n) {
          dev::mma<W>(c[m][n], r, b[s][2 * n], b[s][2 * n + 1]);
        }
      }
    }
  }

  // To partial (kWarps, kN, 16 kM, 8).
  __device__ __forceinline__ void store(float* partial) const {
    const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int n = 0; n < kN; ++n) {
#pragma unroll
      for (int m = 0; m < kM; ++m) {
        float* at = partial + (((warp * kN + n) * kM + m) * 16 + g) * 8 + 2 * t;
        *reinterpret_cast<float2*>(at) = make_float2(c[m][n][0], c[m][n][1]);
        *reinterpret_cast<float2*>(at + 64) = make_float2(c[m][n][2], c[m][n][3]);
      }
    }
  }
};

// The results of one tile that a thread finishes: row after row, the tokens of a row side by side.
template <int kM, int kN>
struct Outputs {
  float old[kOutputs];  // what is added to

  template <class F>
  __device__ __forceinline__ static void each(const Args& a, int rows, F f) {
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) {
      const int index = threadIdx.x + i * kFewThreads;
      const int row = index / (8 * kN), token = index % (8 * kN);
      if (row < rows && token < a.T) {
        f(i, row, token);
      }
    }
  }

  __device__ __forceinline__ void load(const Args& a, int first, int rows) {
    each(a, rows, [&](int i, int row, int token) {
      old[i] = a.accumulate ? static_cast<const float*>(a.y.row(token))[first + row] : 0.0f;
    });
  }

  __device__ __forceinline__ void finish(const Args& a, const float* partial, int first,
                                         int rows) const {
    each(a, rows, [&](int i, int row, int token) {
      const float* at = partial + (token / 8 * kM * 16 + row) * 8 + token % 8;
      float sum = 0.0f;
#pragma unroll
      for (int w = 0; w < kWarps; ++w) {
        sum += at[w * kN * kM * 128];
      }
      dev::store1(a.y.row(token), a.y.dtype, first + row, old[i] + a.alpha * sum);
    });
  }
};

template <class W, int kM, int kN>
__global__ void __launch_bounds__(kFewThreads, 1) linear_few_kernel(Args a) {
  extern __shared__ __align__(128) unsigned char shared[];
  dev::let_next_start();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int begin = static_cast<int>(int64_t{blockIdx.x} * a.N / gridDim.x);
  const int end = static_cast<int>((int64_t{blockIdx.x} + 1) * a.N / gridDim.x);
  const uint32_t ring = dev::shared_address(shared);
  const uint32_t slot_bytes = (a.slot_rows + a.T) * kSlotBytes;
  const uint32_t ring_end = ring + a.stages * slot_bytes;
  float* partial = reinterpret_cast<float*>(shared + a.stages * slot_bytes);

  // Fills the ring but for one slot: the weights at once, the tokens when they are known.
  Cursor ahead(a, begin);
  uint32_t fill = ring;
  const bool copies_tokens = warp == kWarps;
  if (copies_tokens) {
    dev::wait_for_previous();
  }
  for (int s = 1; s < a.stages; ++s, fill += slot_bytes) {
    if (ahead.first < end) {
      fill_slot<W>(a, fill, ahead, end);
      ahead.advance(a);
    }
    dev::copies_commit();
  }
  dev::wait_for_previous();

  // Where ldmatrix finds this lane's rows: a warp's first k-step is at chunks 4 warp and
  // 4 warp + 1. Rows and tokens that do not exist are others' again.
  uint32_t rows[kM];
#pragma unroll
  for (int m = 0; m < kM; ++m) {
    rows[m] =
        dev::swizzled<kSlotBytes>(min(m * 16 + lane % 16, a.slot_rows - 1), 4 * warp + lane / 16);
  }
  const int token = min(kN == 2 ? lane / 16 * 8 + lane % 8 : lane % 8, a.T - 1);
  const int chunk = 4 * warp + (kN == 2 ? lane / 8 % 2 : lane / 8);
  const uint32_t tokens = a.slot_rows * kSlotBytes + dev::swizzled<kSlotBytes>(token, chunk);

  Sums<W, kM, kN> sums;
  Outputs<kM, kN> outputs;
  sums.clear();
  uint32_t slot = ring;
  for (Cursor now(a, begin); now.first < end;) {
    wait_for_copies(a.stages - 2);
    __syncthreads();  // the slot is full, and the one before it has been used by all
    if (ahead.first < end) {
      fill_slot<W>(a, fill, ahead, end);
      ahead.advance(a);
    }
    dev::copies_commit();
    fill = fill + slot_bytes == ring_end ? ring : fill + slot_bytes;

    const int first = now.first, count = min(a.tile_rows, end - first);
    const bool last = now.advance(a);
    if (last) {
      outputs.load(a, first, count);
    }
    if (!copies_tokens) {
      sums.add(slot, rows, tokens);
    }
    slot = slot + slot_bytes == ring_end ? ring : slot + slot_bytes;
    if (last) {
      if (!copies_tokens) {
        sums.store(partial);
        sums.clear();
      }
      __syncthreads();
      outputs.finish(a, partial, first, count);  // read by all before the next tile is stored
    }
  }
}

using Kernel = void (*)(Args);

template <class W, int kN>
Kernel kernel_for(int tiles_of_16) {
  return tiles_of_16 == 1   ? linear_few_kernel<W, 1, kN>
         : tiles_of_16 == 2 ? linear_few_kernel<W, 2, kN>
         : tiles_of_16 == 3 ? linear_few_kernel<W, 3, kN>
                            : linear_few_kernel<W, 4, kN>;
}

template <class W>
Kernel kernel_for(int tiles_of_16, int64_t T) {
  return T <= 8 ? kernel_for<W, 1>(tiles_of_16) : kernel_for<W, 2>(tiles_of_16);
}

}  // namespace

void linear_few_cuda(const LinearParams& p, Stream stream) {
  const DeviceLimits& limits = device_limits(p.y.device);
  const int64_t T = p.x.shape[0];
  const FewPlan plan =
      plan_few(T, p.w.shape[0], p.w.shape[1], limits.sm_count, limits.shared_bytes);
  if (plans_wanted()) {
    note_plan("linear", std::to_string(T) + " tokens, " + p.w.shape.str(), plan.str());
  }
  Args a{};
  a.w = p.w.data, a.w_stride = p.w.row_stride;
  a.x = dev::rows(p.x), a.y = dev::rows(p.y);
  a.T = dev::narrow("linear", T);
  a.N = dev::narrow("linear", p.w.shape[0]), a.K = dev::narrow("linear", p.w.shape[1]);
  a.tile_rows = plan.tile_rows, a.slot_rows = plan.slot_rows(), a.stages = plan.stages;
  a.steps = dev::narrow("linear", dev::ceil_div(a.K, kFewDepth));
  a.alpha = p.alpha, a.accumulate = p.accumulate;
  const auto kernel = p.w.dtype == DType::kF16 ? kernel_for<dev::f16>(plan.tiles_of_16(), T)
                                               : kernel_for<dev::bf16>(plan.tiles_of_16(), T);
  dev::launch("linear", stream, kernel, dim3(plan.blocks), dim3(kFewThreads), plan.shared_bytes, a);
}

}  // namespace ember::k
