// SPDX-License-Identifier: Apache-2.0
// One warp a head of one token: a lane holds both members of each of its pairs, so the rotation
// needs no exchange and the norm is one warp reduction. Heads are numbered q, then k, then v of a
// token. Limited by memory for many tokens, by latency for one (1.7 us on an
// H100).
#include "kernels/common/launch.cuh"
#include "kernels/qk_norm_rope/qk_norm_rope.h"

namespace ember::k {
namespace {

constexpr int kWarps = 4;  // a block

struct Args {
  dev::Rows q_out, q, k, v, q_norm, k_norm, cos, sin;
  void *k_cache, *v_cache;
  DType cache_dtype;
  int T, H, K, E;
  int64_t S;      // rows of a cache plane
  int64_t limit;  // positions from here on are not written: the smaller of S and the table's rows
  int64_t pos;
  const int32_t* pos_device;
  float eps;
};

template <int kWidth>
__device__ __forceinline__ void load(const void* p, DType t, int64_t i, float* v) {
  if constexpr (kWidth == 2) {
    const float2 f = dev::load2(p, t, i);
    v[0] = f.x, v[1] = f.y;
  } else {
    v[0] = dev::load1(p, t, i);
  }
}

template <int kWidth>
__device__ __forceinline__ void store(void* p, DType t, int64_t i, const float* v) {
  if constexpr (kWidth == 2) {
    dev::store2(p, t, i, v[0], v[1]);
  } else {
    dev::store1(p, t, i, v[0]);
  }
}

// A lane holds kGroups groups of kWidth neighbouring pairs: E <= 64 kGroups kWidth.
template <int kWidth, int kGroups>
__global__ void qk_norm_rope_kernel(Args a) {
  constexpr int kPairs = kWidth * kGroups;
  dev::let_next_start();
  const int lane = threadIdx.x % 32, half = a.E / 2;
  const unsigned heads = a.H + 2 * a.K;
  const unsigned index = blockIdx.x * kWarps + threadIdx.x / 32;  // below 2^31, the host checked
  const int t = static_cast<int>(index / heads);
  const int head = static_cast<int>(index % heads);
  if (t >= a.T) {
    return;
  }
  const bool is_q = head < a.H, is_v = head >= a.H + a.K;
  const int j = is_q ? head : is_v ? head - a.H - a.K : head - a.H;
  const dev::Rows gain = is_q ? a.q_norm : a.k_norm;
  float w_lo[kPairs], w_hi[kPairs];
#pragma unroll
  for (int c = 0; c < kGroups; ++c) {
    const int i = (lane + 32 * c) * kWidth;
    if (i < half && !is_v) {
      load<kWidth>(gain.data, gain.dtype, i, w_lo + c * kWidth);
      load<kWidth>(gain.data, gain.dtype, i + half, w_hi + c * kWidth);
    }
  }
  dev::wait_for_previous();
  const int64_t pos = (a.pos_device ? *a.pos_device : a.pos) + t;
  if (pos < 0 || pos >= a.limit) {
    return;
  }
  const dev::Rows from = is_q ? a.q : is_v ? a.v : a.k;
  const void* x = from.row(t);
  const int64_t x0 = int64_t{j} * a.E;
  float lo[kPairs] = {}, hi[kPairs] = {}, cosine[kPairs], sine[kPairs];
#pragma unroll
  for (int c = 0; c < kGroups; ++c) {
    const int i = (lane + 32 * c) * kWidth;
    if (i < half) {
      load<kWidth>(x, from.dtype, x0 + i, lo + c * kWidth);
      load<kWidth>(x, from.dtype, x0 + i + half, hi + c * kWidth);
      if (!is_v) {
        load<kWidth>(a.cos.row(pos), DType::kF32, i, cosine + c * kWidth);
        load<kWidth>(a.sin.row(pos), DType::kF32, i, sine + c * kWidth);
      }
    }
  }
  if (!is_v) {
    float sum = 0.0f;
#pragma unroll
    for (int c = 0; c < kPairs; ++c) {
      sum += lo[c] * lo[c] + hi[c] * hi[c];
    }
    const float factor = 1.0f / sqrtf(dev::warp_sum(sum) / static_cast<float>(a.E) + a.eps);
#pragma unroll
    for (int c = 0; c < kPairs; ++c) {
      const float x_lo = lo[c] * factor * w_lo[c], x_hi = hi[c] * factor * w_hi[c];
      lo[c] = x_lo * cosine[c] - x_hi * sine[c];
      hi[c] = x_hi * cosine[c] + x_lo * sine[c];
    }
  }
  void* to = is_q ? a.q_out.row(t) : is_v ? a.v_cache : a.k_cache;
  const DType to_dtype = is_q ? a.q_out.dtype : a.cache_dtype;
  const int64_t y0 = is_q ? x0 : (int64_t{j} * a.S + pos) * a.E;
#pragma unroll
  for (int c = 0; c < kGroups; ++c) {
    const int i = (lane + 32 * c) * kWidth;
    if (i < half) {
      store<kWidth>(to, to_dtype, y0 + i, lo + c * kWidth);
      store<kWidth>(to, to_dtype, y0 + i + half, hi + c * kWidth);
    }
  }
}

}  // namespace

void qk_norm_rope_cuda(const QkNormRopeParams& p, Stream stream) {
  validate(p);
  require_cuda("qk_norm_rope", "q_out", p.q_out);
  const int64_t T = p.q.shape[0];
  if (T == 0) {
    return;
  }
  const cuda::DeviceGuard guard(p.q_out.device);
  Args a{};
  a.q_out = dev::rows(p.q_out), a.q = dev::rows(p.q), a.k = dev::rows(p.k), a.v = dev::rows(p.v);
  a.q_norm = dev::rows(p.q_norm), a.k_norm = dev::rows(p.k_norm);
  a.cos = dev::rows(p.cos), a.sin = dev::rows(p.sin);
  a.k_cache = p.k_cache.data, a.v_cache = p.v_cache.data, a.cache_dtype = p.k_cache.dtype;
  a.T = dev::narrow("qk_norm_rope", T);
  a.E = dev::narrow("qk_norm_rope", p.k_cache.shape[2]);
  a.K = dev::narrow("qk_norm_rope", p.k_cache.shape[0]);
  a.H = dev::narrow("qk_norm_rope", p.q.shape[1] / a.E);
  a.S = p.k_cache.shape[1];
  a.limit = std::min(a.S, p.cos.shape[0]);
  a.pos = p.pos, a.pos_device = p.pos_device, a.eps = p.eps;
  const int64_t warps = dev::ceil_div(T * (a.H + 2 * a.K), kWarps) * kWarps;
  const dim3 grid(static_cast<unsigned>(dev::narrow("qk_norm_rope", warps) / kWarps));
  bool pairs = a.E % 4 == 0;
  for (const TensorView* v :
       {&p.q, &p.k, &p.v, &p.q_norm, &p.k_norm, &p.cos, &p.sin, &p.q_out, &p.k_cache, &p.v_cache}) {
    pairs = pairs && dev::fits2(*v);
  }
  const auto kernel = a.E > 128 ? qk_norm_rope_kernel<1, 8>
                      : pairs   ? qk_norm_rope_kernel<2, 1>
                                : qk_norm_rope_kernel<1, 2>;
  dev::launch("qk_norm_rope", stream, kernel, grid, dim3(32 * kWarps), 0, a);
}

}  // namespace ember::k
