// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention_kernels.h"

#include "kernels/common/gemv.h"
#include "kernels/common/tile.h"

namespace ember::k::EMBER_ISA {
namespace {

constexpr int64_t kTileRowsMax = kTileVecs * kWidth;
// Cache rows a step. Steps begin at multiples of it whatever the tile, so that a row's result
// does not depend on the rows computed beside it.
constexpr int64_t kStep = 64;

const float kInfinity = __builtin_inff();

// Address of row s of a (S, E) cache.
const void* cache_row(const void* cache, DType dtype, int64_t s, int64_t E) {
  return static_cast<const char*>(cache) + s * E * dtype_bytes(dtype);
}

template <class W>
void widen(const W* src, float* dst, int64_t n) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    store(dst + i, load(src + i));
  }
  if (i < n) {
    store_part(dst + i, load_part(src + i, n - i), n - i);
  }
}

// n numbers as fp32: in place when they are, else in scratch.
const float* as_f32(const void* src, DType dtype, int64_t n, float* scratch) {
  switch (dtype) {
    case DType::kF16:
      widen(static_cast<const F16*>(src), scratch, n);
      return scratch;
    case DType::kBF16:
      widen(static_cast<const BF16*>(src), scratch, n);
      return scratch;
    default:
      return static_cast<const float*>(src);
  }
}

// ---- Many rows: lanes are query rows ----------------------------------------------------------

struct TileScratch {
  float* q;        // (E, width)
  float* out;      // (E, width)
  float* weight;   // (kStep, width)
  float* cache;    // (kStep, E)
  float* top;      // (width)
  float* total;    // (width)
  int32_t* limit;  // (width)
};

int64_t tile_scratch_floats(int64_t E) {
  return (2 * E + kStep + 3) * kTileRowsMax + kStep * E;
}

TileScratch lay_out(float* scratch, int64_t E, int64_t width) {
  TileScratch s;
  s.q = scratch;
  s.out = s.q + E * width;
  s.weight = s.out + E * width;
  s.top = s.weight + kStep * width;
  s.total = s.top + width;
  s.limit = reinterpret_cast<int32_t*>(s.total + width);
  s.cache = s.total + 2 * width;
  return s;
}

void begin_tile(const AttentionRows& a, const TileScratch& s, int64_t width) {
  for (int64_t i = 0; i < width; ++i) {
    const bool real = i < a.count;
    const float* q = a.query(a.first + (real ? i : 0));
    for (int64_t e = 0; e < a.E; ++e) {
      s.q[e * width + i] = real ? q[e] : 0.0f;
    }
    s.limit[i] = static_cast<int32_t>(a.limit(a.first + (real ? i : a.count - 1)));
    s.top[i] = -kInfinity;
    s.total[i] = 0;
  }
  std::memset(s.out, 0, static_cast<size_t>(a.E * width) * sizeof(float));
}

// Scores of cache rows [begin, begin + n) become weights relative to the new maximum; what was
// summed so far is rescaled to it.
void softmax_step(const AttentionRows& a, const TileScratch& s, int64_t width, int64_t begin,
                  int64_t n) {
  const bool masked = begin + n > a.limit(a.first);
  for (int64_t i = 0; i < width; i += kWidth) {
    VecI limit;
    std::memcpy(&limit, s.limit + i, sizeof limit);
    const Vec old_top = load(s.top + i);
    Vec top = old_top;
    for (int64_t r = 0; r < n; ++r) {
      float* w = s.weight + r * width + i;
      Vec score = load(w) * splat(a.scale);
      if (masked) {
        score = limit > static_cast<int32_t>(begin + r) ? score : splat(-kInfinity);
      }
      store(w, score);
      top = max(top, score);
    }
    Vec total = {};
    for (int64_t r = 0; r < n; ++r) {
      float* w = s.weight + r * width + i;
      const Vec weight = exp(load(w) - top);
      store(w, weight);
      total += weight;
    }
    const Vec shrink = exp(old_top - top);
    store(s.top + i, top);
    store(s.total + i, load(s.total + i) * shrink + total);
    for (int64_t e = 0; e < a.E; ++e) {
      float* out = s.out + e * width + i;
      store(out, load(out) * shrink);
    }
  }
}

void attention_tile(const AttentionRows& a, float* scratch, float* out) {
  const int vecs = static_cast<int>((a.count + kWidth - 1) / kWidth);
  const int64_t width = vecs * kWidth;
  const TileScratch s = lay_out(scratch, a.E, width);
  begin_tile(a, s, width);
  const int64_t end = a.limit(a.first + a.count - 1);
  for (int64_t begin = 0; begin < end; begin += kStep) {
    const int64_t n = end - begin < kStep ? end - begin : kStep;
    TileArgs t;
    t.x = s.q;
    t.x_k = width;
    t.w = as_f32(cache_row(a.k, a.cache_dtype, begin, a.E), a.cache_dtype, n * a.E, s.cache);
    t.w_row = a.E;
    t.w_k = 1;
    t.depth = a.E;
    t.c = s.weight;
    t.accumulate = false;
    tile_rows(vecs, t, n);
    softmax_step(a, s, width, begin, n);
    t.x = s.weight;
    t.w = as_f32(cache_row(a.v, a.cache_dtype, begin, a.E), a.cache_dtype, n * a.E, s.cache);
    t.w_row = 1;
    t.w_k = a.E;
    t.depth = n;
    t.c = s.out;
    t.accumulate = true;
    tile_rows(vecs, t, a.E);
  }
  for (int64_t i = 0; i < a.count; ++i) {
    for (int64_t e = 0; e < a.E; ++e) {
      out[i * a.E + e] = s.out[e * width + i] / s.total[i];
    }
  }
}

// ---- Few rows: lanes are elements of a head ---------------------------------------------------

int64_t split_scratch_floats(int64_t E, int64_t count) {
  return count * (E + kAttentionSplit) + kAttentionSplit * E;
}

// Turns n scores, of which the first `seen` count, into weights.
void softmax_row(float* w, int64_t n, int64_t seen, float scale, float* top_out, float* total_out) {
  float top = -kInfinity;
  for (int64_t i = 0; i < seen; ++i) {
    w[i] *= scale;
    top = top > w[i] ? top : w[i];
  }
  Vec total = {};
  int64_t i = 0;
  for (; i + kWidth <= seen; i += kWidth) {
    const Vec weight = exp(load(w + i) - top);
    store(w + i, weight);
    total += weight;
  }
  float rest = 0;
  if (i < seen) {
    const int64_t left = seen - i;
    float part[kWidth];
    store(part, exp(load_part(w + i, left) - top));
    for (int64_t r = 0; r < left; ++r) {
      w[i + r] = part[r];
      rest += part[r];
    }
  }
  for (i = seen; i < n; ++i) {
    w[i] = 0;
  }
  *top_out = top;
  *total_out = sum(total) + rest;
}

// out[i] = sum over r of weight[i][r] * values[r], i < count.
void add_values(const float* weight, const float* values, int64_t count, int64_t n, int64_t E,
                float* out, int64_t out_stride) {
  float part[kTileRows * kTileVecs * kWidth];
  for (int64_t i = 0; i < count; i += kTileRows) {
    const int64_t rows = count - i < kTileRows ? count - i : kTileRows;
    int64_t e = 0;
    while (e + kWidth <= E) {
      const int64_t fit = (E - e) / kWidth;
      const int vecs = fit < kTileVecs ? static_cast<int>(fit) : kTileVecs;
      const int64_t width = vecs * kWidth;
      TileArgs t;
      t.x = values + e;
      t.x_k = E;
      t.w = weight + i * kAttentionSplit;
      t.w_row = kAttentionSplit;
      t.w_k = 1;
      t.depth = n;
      t.c = part;
      t.accumulate = false;
      tile_rows(vecs, t, rows);
      for (int64_t r = 0; r < rows; ++r) {
        std::memcpy(out + (i + r) * out_stride + e, part + r * width,
                    static_cast<size_t>(width) * sizeof(float));
      }
      e += width;
    }
    for (; e < E; ++e) {
      for (int64_t r = 0; r < rows; ++r) {
        float total = 0;
        for (int64_t k = 0; k < n; ++k) {
          total += weight[(i + r) * kAttentionSplit + k] * values[k * E + e];
        }
        out[(i + r) * out_stride + e] = total;
      }
    }
  }
}

void attention_split(const AttentionRows& a, int64_t begin, int64_t end, float* scratch,
                     float* partial) {
  const int64_t n = end - begin, E = a.E, stride = attention_partial_floats(E);
  float* q = scratch;
  float* weight = q + a.count * E;
  float* values = weight + a.count * kAttentionSplit;
  for (int64_t i = 0; i < a.count; ++i) {
    std::memcpy(q + i * E, a.query(a.first + i), static_cast<size_t>(E) * sizeof(float));
  }
  GemvArgs g;
  g.w = cache_row(a.k, a.cache_dtype, begin, E);
  g.w_dtype = a.cache_dtype;
  g.w_stride = E;
  g.N = n;
  g.K = E;
  g.x_stride = E;
  g.out_stride = kAttentionSplit;
  for (int64_t i = 0; i < a.count; i += kGemvTokens) {
    g.x = q + i * E;
    g.T = a.count - i < kGemvTokens ? a.count - i : kGemvTokens;
    g.out = weight + i * kAttentionSplit;
    gemv(g);
  }
  for (int64_t i = 0; i < a.count; ++i) {
    const int64_t left = a.limit(a.first + i) - begin;
    const int64_t seen = left < 0 ? 0 : left < n ? left : n;
    float* row = partial + i * stride;
    softmax_row(weight + i * kAttentionSplit, n, seen, a.scale, row + E, row + E + 1);
  }
  const float* v = as_f32(cache_row(a.v, a.cache_dtype, begin, E), a.cache_dtype, n * E, values);
  add_values(weight, v, a.count, n, E, partial, stride);
}

}  // namespace

extern const AttentionKernels attention_kernels;
const AttentionKernels attention_kernels = {kTileRowsMax, tile_scratch_floats, attention_tile,
                                            split_scratch_floats, attention_split};

}  // namespace ember::k::EMBER_ISA
