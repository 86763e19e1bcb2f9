// SPDX-License-Identifier: Apache-2.0
// The plain form, for head sizes and dtypes without a tensor core kernel: one block a token and
// head; each warp walks every fourth position with an online softmax of its own, and the warps are
// merged in order at the end. No product path runs it on a large model.
#include <cmath>

#include "kernels/attention/attention_plan.h"
#include "kernels/common/launch.cuh"

namespace ember::k {
namespace {

constexpr int kWarps = kRowsWarps;
constexpr int kMaxE = 512;

struct Args {
  dev::Rows o, q;
  const void *k_cache, *v_cache;
  DType cache_dtype;
  int T, E, group;
  int64_t S;
  int64_t pos;
  const int32_t* pos_device;
  float scale;
};

// kElements: elements of a head a lane holds. Grid (T, H).
template <int kElements>
__global__ void attention_rows_kernel(Args a) {
  __shared__ float warp_max[kWarps], warp_total[kWarps], warp_o[kWarps][kMaxE];
  dev::let_next_start();
  dev::wait_for_previous();
  const int64_t pos = a.pos_device ? *a.pos_device : a.pos;
  if (pos < 0 || pos + a.T > a.S) {
    return;
  }
  const int t = blockIdx.x, h = blockIdx.y, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t plane = (h / a.group) * a.S * a.E, q0 = int64_t{h} * a.E;
  float q[kElements], o[kElements];
#pragma unroll
  for (int c = 0; c < kElements; ++c) {
    const int e = lane + 32 * c;
    q[c] = e < a.E ? dev::load1(a.q.row(t), a.q.dtype, q0 + e) * a.scale : 0.0f;
    o[c] = 0.0f;
  }
  float max = -INFINITY, total = 0.0f;
  for (int64_t s = warp; s <= pos + t; s += kWarps) {
    const int64_t row = plane + s * a.E;
    float score = 0.0f;
#pragma unroll
    for (int c = 0; c < kElements; ++c) {
      const int e = lane + 32 * c;
      if (e < a.E) {
        score = fmaf(q[c], dev::load1(a.k_cache, a.cache_dtype, row + e), score);
      }
    }
    score = dev::warp_sum(score);
    // A NaN score must reach the result: fmaxf would drop it, the weight keeps it.
    const float new_max = fmaxf(max, score);
    const float shrink = expf(max - new_max), weight = expf(score - new_max);
    max = new_max;
    total = total * shrink + weight;
#pragma unroll
    for (int c = 0; c < kElements; ++c) {
      const int e = lane + 32 * c;
      if (e < a.E) {
        o[c] = o[c] * shrink + weight * dev::load1(a.v_cache, a.cache_dtype, row + e);
      }
    }
  }
  if (lane == 0) {
    warp_max[warp] = max;
    warp_total[warp] = total;
  }
#pragma unroll
  for (int c = 0; c < kElements; ++c) {
    if (lane + 32 * c < a.E) {
      warp_o[warp][lane + 32 * c] = o[c];
    }
  }
  __syncthreads();
  float block_max = warp_max[0];
  for (int w = 1; w < kWarps; ++w) {
    block_max = fmaxf(block_max, warp_max[w]);
  }
  float factor[kWarps], sum = 0.0f;
  for (int w = 0; w < kWarps; ++w) {
    factor[w] = expf(warp_max[w] - block_max);
    sum += factor[w] * warp_total[w];
  }
  for (int e = threadIdx.x; e < a.E; e += blockDim.x) {
    float value = 0.0f;
    for (int w = 0; w < kWarps; ++w) {
      value += factor[w] * warp_o[w][e];
    }
    dev::store1(a.o.row(t), a.o.dtype, q0 + e, value / sum);
  }
}

}  // namespace

void attention_rows_cuda(const AttentionParams& p, Stream stream) {
  Args a{};
  a.o = dev::rows(p.o), a.q = dev::rows(p.q);
  a.k_cache = p.k_cache.data, a.v_cache = p.v_cache.data, a.cache_dtype = p.k_cache.dtype;
  a.T = dev::narrow("attention", p.q.shape[0]);
  a.E = dev::narrow("attention", p.k_cache.shape[2]);
  const int H = dev::narrow("attention", p.q.shape[1] / a.E);
  a.group = H / dev::narrow("attention", p.k_cache.shape[0]);
  a.S = p.k_cache.shape[1];
  a.pos = p.pos, a.pos_device = p.pos_device, a.scale = p.scale;
  const auto kernel = a.E <= kRowsNarrowE ? attention_rows_kernel<kRowsNarrowE / 32>
                                          : attention_rows_kernel<kMaxE / 32>;
  dev::launch("attention", stream, kernel, dim3(a.T, H), dim3(32 * kWarps), 0, a);
}

}  // namespace ember::k
