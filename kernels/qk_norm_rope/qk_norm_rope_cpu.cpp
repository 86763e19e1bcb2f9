// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"
#include "kernels/common/sum_squares.h"
#include "kernels/qk_norm_rope/qk_norm_rope.h"

namespace ember::k {
namespace {

constexpr const char* kOp = "qk_norm_rope";
constexpr int64_t kMaxHeadDim = 512;

// One head in place: rmsnorm with gain w, then the rotation by the angles of one position.
void norm_and_rotate(float* x, const float* w, const float* cos, const float* sin, int64_t E,
                     float eps) {
  const double mean = sum_squares(x, E) / static_cast<double>(E);
  const float scale = static_cast<float>(1.0 / std::sqrt(mean + eps));
  const int64_t half = E / 2;
  for (int64_t i = 0; i < half; ++i) {
    const float a = x[i] * scale * w[i];
    const float b = x[i + half] * scale * w[i + half];
    x[i] = a * cos[i] - b * sin[i];
    x[i + half] = b * cos[i] + a * sin[i];
  }
}

// Head h of row t of a (T, heads*E) view.
std::byte* head_ptr(const TensorView& v, int64_t t, int64_t h, int64_t E) {
  return row_ptr(v, t) + h * E * dtype_bytes(v.dtype);
}

// Row s of head j of a (K, S, E) cache.
std::byte* cache_ptr(const TensorView& v, int64_t j, int64_t s) {
  return static_cast<std::byte*>(v.data) + (j * v.shape[1] + s) * v.shape[2] * dtype_bytes(v.dtype);
}

void run_row(const QkNormRopeParams& p, int64_t t, int64_t pos, const float* q_norm,
             const float* k_norm) {
  const int64_t K = p.k_cache.shape[0], E = p.k_cache.shape[2], H = p.q.shape[1] / E;
  const float* cos = reinterpret_cast<const float*>(row_ptr(p.cos, pos + t));
  const float* sin = reinterpret_cast<const float*>(row_ptr(p.sin, pos + t));
  float head[kMaxHeadDim];
  for (int64_t h = 0; h < H; ++h) {
    to_f32(p.q.dtype, head_ptr(p.q, t, h, E), head, E);
    norm_and_rotate(head, q_norm, cos, sin, E, p.eps);
    from_f32(head, p.q_out.dtype, head_ptr(p.q_out, t, h, E), E);
  }
  for (int64_t j = 0; j < K; ++j) {
    to_f32(p.k.dtype, head_ptr(p.k, t, j, E), head, E);
    norm_and_rotate(head, k_norm, cos, sin, E, p.eps);
    from_f32(head, p.k_cache.dtype, cache_ptr(p.k_cache, j, pos + t), E);
    to_f32(p.v.dtype, head_ptr(p.v, t, j, E), head, E);
    from_f32(head, p.v_cache.dtype, cache_ptr(p.v_cache, j, pos + t), E);
  }
}

void check_position(const QkNormRopeParams& p, int64_t pos) {
  const int64_t T = p.q.shape[0];
  require_range(kOp, "pos", pos, 0, INT32_MAX);
  require_range(kOp, "pos + T", pos + T, 0, std::min(p.k_cache.shape[1], p.cos.shape[0]));
}

}  // namespace

void validate(const QkNormRopeParams& p) {
  const Arg q_out{kOp, "q_out", p.q_out}, k_cache{kOp, "k_cache", p.k_cache},
      v_cache{kOp, "v_cache", p.v_cache}, q{kOp, "q", p.q}, k{kOp, "k", p.k}, v{kOp, "v", p.v},
      q_norm{kOp, "q_norm", p.q_norm}, k_norm{kOp, "k_norm", p.k_norm}, cos{kOp, "cos", p.cos},
      sin{kOp, "sin", p.sin};
  for (const Arg& a : {q_out, k_cache, v_cache, q, k, v, q_norm, k_norm, cos, sin}) {
    require_float(a);
    require_same_device(q_out, a);
  }
  require_dtype(cos, {DType::kF32});
  require_dtype(sin, {DType::kF32});
  require_dtype(v_cache, {p.k_cache.dtype});
  require_rank(k_cache, 3);
  require_shape(v_cache, p.k_cache.shape);
  require_dense(k_cache);
  require_dense(v_cache);
  const int64_t K = p.k_cache.shape[0], E = p.k_cache.shape[2];
  require_range(kOp, "K", K, 1, INT32_MAX);
  require_range(kOp, "E", E, 2, kMaxHeadDim);
  require_rank(q, 2);
  const int64_t T = p.q.shape[0], H = p.q.shape[1] / E;
  if (E % 2 != 0 || H < 1 || p.q.shape[1] != H * E || H % K != 0) {
    fail(ErrorKind::kShape, kOp, ": q: expected (T, H*E) with E = ", E,
         " even and H a multiple of ", K, " kv heads, got ", p.q.shape.str());
  }
  require_shape(q_out, p.q.shape);
  require_shape(k, {T, K * E});
  require_shape(v, {T, K * E});
  require_shape(q_norm, {E});
  require_shape(k_norm, {E});
  require_rank(cos, 2);
  require_shape(cos, {p.cos.shape[0], E / 2});
  require_shape(sin, p.cos.shape);
  const bool in_place = p.q_out.data == p.q.data && p.q_out.dtype == p.q.dtype &&
                        p.q_out.row_stride == p.q.row_stride;
  if (!in_place) {
    require_disjoint(q_out, q);
  }
  for (const Arg& cache : {k_cache, v_cache}) {
    for (const Arg& a : {q, k, v, q_out, q_norm, k_norm, cos, sin}) {
      require_disjoint(cache, a);
    }
  }
  require_disjoint(k_cache, v_cache);
  if (!(p.eps >= 0)) {
    fail(ErrorKind::kUnsupported, kOp, ": eps: expected 0 or more, got ", p.eps);
  }
  if (p.pos_device == nullptr) {
    check_position(p, p.pos);
  }
}

Cost cost(const QkNormRopeParams& p) {
  const int64_t T = p.q.shape[0], E = p.k_cache.shape[2];
  const int64_t cached =
      p.k.numel() * dtype_bytes(p.k_cache.dtype) + p.v.numel() * dtype_bytes(p.v_cache.dtype);
  const int64_t tables = T * E * 4 + p.q_norm.bytes() + p.k_norm.bytes();
  // Per element of q and k: square and add, two scalings, and half of a rotation's six.
  return {p.q.bytes() + p.k.bytes() + p.v.bytes() + tables, p.q_out.bytes() + cached,
          7 * (p.q.numel() + p.k.numel())};
}

void qk_norm_rope_cpu(const QkNormRopeParams& p) {
  validate(p);
  require_cpu({kOp, "q_out", p.q_out});
  int64_t pos = p.pos;
  if (p.pos_device != nullptr) {
    pos = *p.pos_device;
    check_position(p, pos);
  }
  const int64_t E = p.k_cache.shape[2];
  float q_norm[kMaxHeadDim], k_norm[kMaxHeadDim];
  to_f32(p.q_norm.dtype, p.q_norm.data, q_norm, E);
  to_f32(p.k_norm.dtype, p.k_norm.data, k_norm, E);
  parallel_for(p.q.shape[0], 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      run_row(p, t, pos, q_norm, k_norm);
    }
  });
}

}  // namespace ember::k
