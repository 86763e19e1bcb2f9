// SPDX-License-Identifier: Apache-2.0
// Many query rows: one piece of work is a tile of rows of one kv head, over all of the cache, with
// a running softmax; the query heads of a group fill a tile together. Few rows (decode): the cache
// is split at fixed places, and the parts are combined in order.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention/attention.h"
#include "kernels/attention/attention_kernels.h"
#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"
#include "kernels/common/isa.h"

namespace ember::k {
namespace {

constexpr const char* kOp = "attention";
constexpr int64_t kMaxHeadDim = 512;
// Query rows of a kv head up to which the few-rows form is quicker, by measurement.
constexpr int64_t kFewRows = 8;

struct Problem {
  const AttentionParams& p;
  const float* q;  // (T, H*E) fp32
  int64_t q_stride;
  int64_t T, H, K, S, E, G, pos;

  AttentionRows head(int64_t j) const {
    AttentionRows a;
    const int64_t offset = j * S * E * dtype_bytes(p.k_cache.dtype);
    a.q = q + j * G * E;
    a.q_stride = q_stride;
    a.k = static_cast<const std::byte*>(p.k_cache.data) + offset;
    a.v = static_cast<const std::byte*>(p.v_cache.data) + offset;
    a.cache_dtype = p.k_cache.dtype;
    a.G = G;
    a.E = E;
    a.pos = pos;
    a.scale = p.scale;
    a.first = 0;
    a.count = T * G;
    return a;
  }

  // Row i of kv head j, E floats, to where it belongs in o.
  void store_row(int64_t j, int64_t i, const float* row) const {
    const int64_t column = (j * G + i % G) * E;
    from_f32(row, p.o.dtype, row_ptr(p.o, i / G) + column * dtype_bytes(p.o.dtype), E);
  }
};

void run_tiles(const Problem& w) {
  const AttentionKernels& kernels = EMBER_PICK_ISA(attention_kernels);
  const int64_t rows = w.T * w.G, tiles = (rows + kernels.tile_rows - 1) / kernels.tile_rows;
  parallel_for(tiles * w.K, 1, [&](int64_t begin, int64_t end) {
    thread_local Scratch scratch;
    float* out = scratch.floats(kernels.tile_rows * w.E + kernels.tile_scratch_floats(w.E));
    for (int64_t n = begin; n < end; ++n) {
      // The last tiles see most of the cache: they go first, so that the short ones fill the gaps.
      const int64_t j = n % w.K, index = tiles - 1 - n / w.K;
      AttentionRows a = w.head(j);
      a.first = index * kernels.tile_rows;
      a.count = std::min(rows - a.first, kernels.tile_rows);
      kernels.tile(a, out + kernels.tile_rows * w.E, out);
      for (int64_t i = 0; i < a.count; ++i) {
        w.store_row(j, a.first + i, out + i * w.E);
      }
    }
  });
}

// The parts of row i over all splits, weighted by their share of the whole sum.
void combine(const Problem& w, int64_t j, int64_t i, int64_t splits, const float* partial) {
  const int64_t rows = w.T * w.G, size = attention_partial_floats(w.E);
  const auto part = [&](int64_t s) { return partial + ((j * splits + s) * rows + i) * size; };
  float top = -std::numeric_limits<float>::infinity();
  for (int64_t s = 0; s < splits; ++s) {
    const float m = part(s)[w.E];
    top = top > m ? top : m;  // keeps a NaN: it must show in the result
  }
  float out[kMaxHeadDim] = {};
  float total = 0;
  for (int64_t s = 0; s < splits; ++s) {
    const float share = std::exp(part(s)[w.E] - top);
    total += share * part(s)[w.E + 1];
    for (int64_t e = 0; e < w.E; ++e) {
      out[e] += share * part(s)[e];
    }
  }
  for (int64_t e = 0; e < w.E; ++e) {
    out[e] /= total;
  }
  w.store_row(j, i, out);
}

void run_splits(const Problem& w) {
  const AttentionKernels& kernels = EMBER_PICK_ISA(attention_kernels);
  const int64_t rows = w.T * w.G, length = w.pos + w.T;
  const int64_t splits = (length + kAttentionSplit - 1) / kAttentionSplit;
  const int64_t size = attention_partial_floats(w.E);
  thread_local Scratch partial_scratch;
  float* partial = partial_scratch.floats(w.K * splits * rows * size);
  parallel_for(w.K * splits, 1, [&](int64_t begin, int64_t end) {
    thread_local Scratch scratch;
    float* memory = scratch.floats(kernels.split_scratch_floats(w.E, rows));
    for (int64_t n = begin; n < end; ++n) {
      const int64_t s = n % splits * kAttentionSplit;
      kernels.split(w.head(n / splits), s, std::min(length, s + kAttentionSplit), memory,
                    partial + n * rows * size);
    }
  });
  for (int64_t j = 0; j < w.K; ++j) {
    for (int64_t i = 0; i < rows; ++i) {
      combine(w, j, i, splits, partial);
    }
  }
}

}  // namespace

void validate(const AttentionParams& p) {
  const Arg o{kOp, "o", p.o}, q{kOp, "q", p.q}, k_cache{kOp, "k_cache", p.k_cache},
      v_cache{kOp, "v_cache", p.v_cache};
  for (const Arg& a : {o, q, k_cache, v_cache}) {
    require_float(a);
    require_same_device(o, a);
  }
  require_dtype(v_cache, {p.k_cache.dtype});
  require_rank(k_cache, 3);
  require_shape(v_cache, p.k_cache.shape);
  require_dense(k_cache);
  require_dense(v_cache);
  const int64_t K = p.k_cache.shape[0], S = p.k_cache.shape[1], E = p.k_cache.shape[2];
  require_range(kOp, "K", K, 1, INT32_MAX);
  require_range(kOp, "S", S, 0, INT32_MAX);
  require_range(kOp, "E", E, 1, kMaxHeadDim);
  require_rank(q, 2);
  const int64_t T = p.q.shape[0], H = p.q.shape[1] / E;
  if (H < 1 || p.q.shape[1] != H * E || H % K != 0) {
    fail(ErrorKind::kShape, kOp, ": q: expected (T, H*E) with E = ", E, " and H a multiple of ", K,
         " kv heads, got ", p.q.shape.str());
  }
  require_shape(o, p.q.shape);
  for (const Arg& a : {q, k_cache, v_cache}) {
    require_disjoint(o, a);
  }
  require_range(kOp, "T", T, 0, S);
  if (p.pos_device == nullptr) {
    require_range(kOp, "pos", p.pos, 0, S - T);
  }
}

Cost cost(const AttentionParams& p) {
  const int64_t K = p.k_cache.shape[0], S = p.k_cache.shape[1], E = p.k_cache.shape[2];
  const int64_t T = p.q.shape[0], H = p.q.shape[1] / E;
  const int64_t pos = p.pos_device ? S - T : p.pos;
  const int64_t cached = T == 0 ? 0 : 2 * K * (pos + T) * E * dtype_bytes(p.k_cache.dtype);
  const int64_t pairs = T * pos + T * (T + 1) / 2;  // (query, key) pairs a head
  return {p.q.bytes() + cached, p.o.bytes(), H * pairs * 4 * E};
}

void attention_cpu(const AttentionParams& p) {
  validate(p);
  require_cpu({kOp, "o", p.o});
  const int64_t K = p.k_cache.shape[0], S = p.k_cache.shape[1], E = p.k_cache.shape[2];
  const int64_t T = p.q.shape[0], H = p.q.shape[1] / E;
  if (T == 0) {
    return;
  }
  const int64_t pos = p.pos_device ? *p.pos_device : p.pos;
  require_range(kOp, "pos", pos, 0, S - T);
  Problem w{p, static_cast<const float*>(p.q.data), p.q.row_stride, T, H, K, S, E, H / K, pos};
  thread_local Scratch converted;
  if (p.q.dtype != DType::kF32) {
    float* q = converted.floats(T * H * E);
    for (int64_t t = 0; t < T; ++t) {
      to_f32(p.q.dtype, row_ptr(p.q, t), q + t * H * E, H * E);
    }
    w.q = q;
    w.q_stride = H * E;
  }
  if (T * w.G <= kFewRows) {
    run_splits(w);
  } else {
    run_tiles(w);
  }
}

}  // namespace ember::k
