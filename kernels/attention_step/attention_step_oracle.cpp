// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention_step/attention_step.h"
#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"

namespace ember::k {
namespace {

std::vector<double> read(DType dtype, const void* from, int64_t count) {
  std::vector<float> x(count);
  to_f32(dtype, from, x.data(), count);
  return std::vector<double>(x.begin(), x.end());
}

void write(const std::vector<double>& x, DType dtype, void* to) {
  const std::vector<float> narrow(x.begin(), x.end());
  from_f32(narrow.data(), dtype, to, static_cast<int64_t>(narrow.size()));
}

std::vector<double> head_of(const TensorView& rows, int64_t b, int64_t head, int64_t E) {
  return read(rows.dtype, row_ptr(rows, b) + head * E * dtype_bytes(rows.dtype), E);
}

std::byte* cache_row(const TensorView& cache, int64_t j, int64_t s) {
  return static_cast<std::byte*>(cache.data) +
         (j * cache.shape[1] + s) * cache.shape[2] * dtype_bytes(cache.dtype);
}

std::vector<double> norm_and_rotate(const std::vector<double>& x, const TensorView& gain,
                                    const AttentionStepParams& p, int64_t pos) {
  const int64_t E = static_cast<int64_t>(x.size()), half = E / 2;
  const std::vector<double> w = read(gain.dtype, gain.data, E);
  const std::vector<double> cos = read(p.cos.dtype, row_ptr(p.cos, pos), half),
                            sin = read(p.sin.dtype, row_ptr(p.sin, pos), half);
  double squares = 0;
  for (double v : x) {
    squares += v * v;
  }
  const double factor = 1 / std::sqrt(squares / static_cast<double>(E) + p.eps);
  std::vector<double> y(E);
  for (int64_t i = 0; i < half; ++i) {
    const double a = x[i] * factor * w[i], b = x[i + half] * factor * w[i + half];
    y[i] = a * cos[i] - b * sin[i];
    y[i + half] = b * cos[i] + a * sin[i];
  }
  return y;
}

void attend(const AttentionStepParams& p, int64_t b, int64_t h, int64_t pos) {
  const CacheSlot& s = p.slots[b];
  const int64_t K = s.k.shape[0], E = s.k.shape[2], j = h / (p.q.shape[1] / E / K);
  std::vector<double> q = norm_and_rotate(head_of(p.q, b, h, E), p.q_norm, p, pos);
  std::vector<std::byte> rounded(E * dtype_bytes(s.k.dtype));
  write(q, s.k.dtype, rounded.data());
  q = read(s.k.dtype, rounded.data(), E);
  std::vector<double> weight(pos + 1), out(E);
  std::vector<float> row(E);
  double top = -std::numeric_limits<double>::infinity(), total = 0;
  for (int64_t t = 0; t <= pos; ++t) {
    to_f32(s.k.dtype, cache_row(s.k, j, t), row.data(), E);
    for (int64_t e = 0; e < E; ++e) {
      weight[t] += q[e] * static_cast<double>(row[e]);
    }
    weight[t] *= p.scale;
    top = std::max(top, weight[t]);
  }
  for (double& w : weight) {
    w = std::exp(w - top);
    total += w;
  }
  for (int64_t t = 0; t <= pos; ++t) {
    to_f32(s.v.dtype, cache_row(s.v, j, t), row.data(), E);
    for (int64_t e = 0; e < E; ++e) {
      out[e] += weight[t] / total * static_cast<double>(row[e]);
    }
  }
  write(out, p.o.dtype, row_ptr(p.o, b) + h * E * dtype_bytes(p.o.dtype));
}

}  // namespace

void attention_step_oracle(const AttentionStepParams& p) {
  validate(p);
  require_cpu({"attention_step", "o", p.o});
  std::vector<int64_t> position(p.count);
  for (int64_t b = 0; b < p.count; ++b) {
    const CacheSlot& s = p.slots[b];
    position[b] = s.pos_device != nullptr ? *s.pos_device : s.pos;
    require_range("attention_step", "pos", position[b], 0, s.k.shape[1] - 1);
  }
  const int64_t K = p.slots[0].k.shape[0], E = p.slots[0].k.shape[2], H = p.q.shape[1] / E;
  for (int64_t b = 0; b < p.count; ++b) {
    const CacheSlot& s = p.slots[b];
    for (int64_t j = 0; j < K; ++j) {
      write(norm_and_rotate(head_of(p.k, b, j, E), p.k_norm, p, position[b]), s.k.dtype,
            cache_row(s.k, j, position[b]));
      write(head_of(p.v, b, j, E), s.v.dtype, cache_row(s.v, j, position[b]));
    }
  }
  parallel_for(p.count * H, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      attend(p, i / H, i % H, position[i / H]);
    }
  });
}

}  // namespace ember::k
