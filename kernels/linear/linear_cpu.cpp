// SPDX-License-Identifier: Apache-2.0
// Few tokens: a GEMV that streams the weights once, as they are stored. Many tokens: register
// tiles over packed tokens; weights become fp32 one cache-sized block at a time. The baseline
// instruction set leaves the many-token case to OpenBLAS. Work is split over weight rows alone,
// so every sum is made by one thread in one order.
#include <cblas.h>

#include <algorithm>
#include <mutex>

#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"
#include "kernels/common/isa.h"
#include "kernels/linear/linear.h"
#include "kernels/linear/linear_kernels.h"

extern "C" void openblas_set_num_threads(int n);

namespace ember::k {
namespace {

// Tokens at a time: bounds the packed copy of x at a few tens of MB for the largest K.
constexpr int64_t kMaxTokens = 576;
// Up to here the GEMV form is the quicker one, by measurement.
constexpr int64_t kFewTokens = 8;
// Weight rows a piece of work in the many-token form, and where that would leave threads idle.
constexpr int64_t kGemmRows = 64, kGemmRowsFew = 16;
// The same for OpenBLAS, which packs the tokens anew in every call. Fixed: its sums may depend on
// the size of the block, and results must not depend on the number of threads.
constexpr int64_t kOpenBlasRows = 128;
// A piece of GEMV work reads about this much: long against the cost of taking a piece.
constexpr int64_t kGemvPieceBytes = 128 << 10;

// Writes value(n), n < count, to y[t, first + n].
template <class F>
void store_results(const LinearParams& p, int64_t t, int64_t first, int64_t count, const F& value) {
  if (p.y.dtype == DType::kF32) {
    float* y = reinterpret_cast<float*>(row_ptr(p.y, t)) + first;
    if (p.accumulate) {
      for (int64_t n = 0; n < count; ++n) {
        y[n] += p.alpha * value(n);
      }
    } else {
      for (int64_t n = 0; n < count; ++n) {
        y[n] = p.alpha * value(n);
      }
    }
    return;
  }
  constexpr int64_t kPart = 64;
  float part[kPart];
  for (int64_t n0 = 0; n0 < count; n0 += kPart) {
    const int64_t n1 = std::min(count, n0 + kPart);
    for (int64_t n = n0; n < n1; ++n) {
      part[n - n0] = p.alpha * value(n);
    }
    from_f32(part, p.y.dtype, row_ptr(p.y, t) + (first + n0) * dtype_bytes(p.y.dtype), n1 - n0);
  }
}

// x as fp32 rows.
struct Tokens {
  const float* x;
  int64_t stride, T, K;
};

void run_gemv(const LinearParams& p, const Tokens& x) {
  const LinearKernels& kernels = EMBER_PICK_ISA(linear_kernels);
  const int64_t row_bytes = x.K * dtype_bytes(p.w.dtype);
  const int64_t piece = std::max<int64_t>(8, kGemvPieceBytes / row_bytes / 8 * 8);
  parallel_for(p.w.shape[0], piece, [&](int64_t begin, int64_t end) {
    thread_local Scratch scratch;
    const int64_t count = end - begin;
    GemvArgs a;
    a.w = row_ptr(p.w, begin);
    a.w_dtype = p.w.dtype;
    a.w_stride = p.w.row_stride;
    a.N = count;
    a.K = x.K;
    a.x_stride = x.stride;
    a.out_stride = count;
    float* out = scratch.floats(x.T * count);
    // More tokens than one pass takes: two passes over a piece that is still in the cache.
    const int64_t pass = x.T <= kGemvTokens ? x.T : (x.T + 1) / 2;
    for (int64_t t = 0; t < x.T; t += pass) {
      a.T = std::min(pass, x.T - t);
      a.x = x.x + t * x.stride;
      a.out = out + t * count;
      kernels.gemv(a);
    }
    for (int64_t t = 0; t < x.T; ++t) {
      const float* row = out + t * count;
      store_results(p, t, begin, count, [row](int64_t n) { return row[n]; });
    }
  });
}

void run_gemm(const LinearParams& p, const Tokens& x) {
  const LinearKernels& kernels = EMBER_PICK_ISA(linear_kernels);
  const int64_t panels = (x.T + kernels.panel_tokens - 1) / kernels.panel_tokens;
  const int64_t padded = kernels.padded_tokens(x.T);
  thread_local Scratch packed_scratch;
  float* packed = packed_scratch.floats(padded * x.K);
  parallel_for(panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      kernels.pack(x.x, x.stride, x.T, x.K, i, packed);
    }
  });
  const bool few = p.w.shape[0] < 4 * kGemmRows * thread_count();
  parallel_for(p.w.shape[0], few ? kGemmRowsFew : kGemmRows, [&](int64_t begin, int64_t end) {
    thread_local Scratch scratch;
    const int64_t count = end - begin;
    const int64_t w_floats = kernels.gemm_w_floats(count);
    GemmArgs a;
    a.x = packed;
    a.T = x.T;
    a.K = x.K;
    a.w = row_ptr(p.w, begin);
    a.w_dtype = p.w.dtype;
    a.w_stride = p.w.row_stride;
    a.N = count;
    a.w_scratch = scratch.floats(w_floats + padded * count);
    a.c = a.w_scratch + w_floats;
    kernels.gemm(a);
    for (int64_t i = 0; i < panels; ++i) {
      const int64_t first = i * kernels.panel_tokens, width = kernels.panel_width(x.T, i);
      const float* c = a.c + first * count;
      for (int64_t t = first; t < std::min(x.T, first + width); ++t) {
        store_results(p, t, begin, count,
                      [c, width, t, first](int64_t n) { return c[n * width + (t - first)]; });
      }
    }
  });
}

void run_openblas(const LinearParams& p, const Tokens& x) {
  static std::once_flag once;
  std::call_once(once, [] { openblas_set_num_threads(1); });  // the pool makes the threads
  parallel_for(p.w.shape[0], kOpenBlasRows, [&](int64_t begin, int64_t end) {
    thread_local Scratch scratch;
    const int64_t count = end - begin;
    float* c = scratch.floats(count * (x.T + x.K));
    const float* w = reinterpret_cast<const float*>(row_ptr(p.w, begin));
    int64_t w_stride = p.w.row_stride;
    if (p.w.dtype != DType::kF32) {
      float* converted = c + count * x.T;
      for (int64_t n = 0; n < count; ++n) {
        to_f32(p.w.dtype, row_ptr(p.w, begin + n), converted + n * x.K, x.K);
      }
      w = converted;
      w_stride = x.K;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(x.T),
                static_cast<int>(count), static_cast<int>(x.K), 1.0f, x.x,
                static_cast<int>(x.stride), w, static_cast<int>(w_stride), 0.0f, c,
                static_cast<int>(count));
    for (int64_t t = 0; t < x.T; ++t) {
      const float* row = c + t * count;
      store_results(p, t, begin, count, [row](int64_t n) { return row[n]; });
    }
  });
}

// Rows [first, first + count) of x and y.
void run_tokens(const LinearParams& whole, int64_t first, int64_t count) {
  LinearParams p = whole;
  p.x = whole.x.rows(first, count);
  p.y = whole.y.rows(first, count);
  Tokens x{static_cast<const float*>(p.x.data), p.x.row_stride, count, p.x.shape[1]};
  thread_local Scratch converted;
  if (p.x.dtype != DType::kF32) {
    float* rows = converted.floats(count * x.K);
    for (int64_t t = 0; t < count; ++t) {
      to_f32(p.x.dtype, row_ptr(p.x, t), rows + t * x.K, x.K);
    }
    x.x = rows;
    x.stride = x.K;
  }
  if (count <= kFewTokens) {
    run_gemv(p, x);
  } else if (cpu_isa() == CpuIsa::kPlain) {
    run_openblas(p, x);
  } else {
    run_gemm(p, x);
  }
}

}  // namespace

void validate(const LinearParams& p) {
  const Arg y{"linear", "y", p.y}, x{"linear", "x", p.x}, w{"linear", "w", p.w};
  for (const Arg& a : {y, x, w}) {
    require_float(a);
    require_same_device(y, a);
    require_rank(a, 2);
  }
  require_range("linear", "T", p.x.shape[0], 0, INT32_MAX);
  require_range("linear", "K", p.x.shape[1], 1, INT32_MAX);
  require_range("linear", "N", p.w.shape[0], 0, INT32_MAX);
  require_shape(w, {p.w.shape[0], p.x.shape[1]});
  require_shape(y, {p.x.shape[0], p.w.shape[0]});
  if (p.accumulate) {
    require_dtype(y, {DType::kF32});
  }
  require_disjoint(y, x);
  require_disjoint(y, w);
}

Cost cost(const LinearParams& p) {
  const int64_t read = p.x.bytes() + p.w.bytes() + (p.accumulate ? p.y.bytes() : 0);
  return {read, p.y.bytes(), 2 * p.x.shape[0] * p.w.shape[0] * p.x.shape[1]};
}

void linear_cpu(const LinearParams& p) {
  validate(p);
  require_cpu({"linear", "y", p.y});
  const int64_t T = p.x.shape[0];
  const int64_t blocks = (T + kMaxTokens - 1) / kMaxTokens;
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t begin = T * b / blocks, end = T * (b + 1) / blocks;
    run_tokens(p, begin, end - begin);
  }
}

}  // namespace ember::k
