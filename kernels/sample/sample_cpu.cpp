// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/base/contract.h"
#include "kernels/sample/sample.h"
#include "kernels/sample/selection.h"

namespace ember::k {
namespace {

constexpr double kLog2E = 1.4426950408889634;

void check(bool good, const char* what, double value, const char* expected) {
  if (!good) {
    fail(ErrorKind::kUnsupported, "sample: ", what, ": expected ", expected, ", got ", value);
  }
}

// Dense rows of so many columns; one row may be a vector.
void require_rows(const Arg& a, int64_t rows, int64_t cols) {
  require_shape(a, rows == 1 && a.view.shape.rank() == 1 ? Shape{cols} : Shape{rows, cols});
  require_dense(a);
}

// Index of the first NaN or +infinity; n where there is none.
int64_t first_bad(const float* x, int64_t n) {
  int64_t i = 0;
  while (i < n && x[i] <= std::numeric_limits<float>::max()) {
    ++i;
  }
  return i;
}

int32_t choose(const SampleParams& p, int64_t row, int64_t pos) {
  const int64_t n = p.x.shape[1];
  const float* x = p.x.as<float>() + row * p.x.row_stride;
  if (const int64_t bad = first_bad(x, n); bad < n) {
    return static_cast<int32_t>(-1 - bad);
  }
  int64_t best = 0;
  for (int64_t i = 1; i < n; ++i) {
    best = x[i] > x[best] ? i : best;
  }
  if (std::isinf(x[best])) {
    return kNothingToSample;
  }
  if (p.greedy >> row & 1) {
    return static_cast<int32_t>(best);
  }
  SampleSettings settings;
  std::memcpy(&settings, static_cast<const SampleSettings*>(p.settings.data) + row,
              sizeof settings);
  thread_local Selection selection;
  thread_local std::vector<double> scores;
  scores.assign(x, x + n);
  selection.filter(scores.data(), n, settings);
  return selection.draw(
      sample_random(settings.seed, settings.counter + static_cast<uint64_t>(pos)));
}

}  // namespace

SampleSettings make_sample_settings(double temperature, int64_t top_k, double top_p, double min_p,
                                    uint64_t seed, uint64_t counter) {
  check(temperature > 0 && std::isfinite(temperature), "temperature", temperature,
        "a finite number above 0");
  check(top_k >= 0, "top_k", static_cast<double>(top_k), "0 (off) or more");
  check(top_p >= 0 && top_p <= 1, "top_p", top_p, "from 0 to 1 (off)");
  check(min_p >= 0 && min_p <= 1, "min_p", min_p, "from 0 (off) to 1");
  SampleSettings s;
  s.scale = kSampleDropUnit * kLog2E / temperature;
  s.top_k = top_k;
  s.top_p = top_p;
  s.max_drop =
      min_p > 0 ? -std::log2(min_p) * kSampleDropUnit : std::numeric_limits<double>::infinity();
  s.seed = seed;
  s.counter = counter;
  return s;
}

void validate(const SampleParams& p) {
  const Arg id{"sample", "id", p.id}, x{"sample", "x", p.x},
      settings{"sample", "settings", p.settings}, ring{"sample", "ring", p.ring};
  require_dtype(id, {DType::kI32});
  require_dtype(x, {DType::kF32});
  require_rank(x, 2);
  const int64_t rows = p.x.shape[0];
  require_range("sample", "rows of x", rows, 1, kSampleMaxRows);
  require_range("sample", "V", p.x.shape[1], 1, kSampleMaxVocab);
  require_range("sample", "pos", p.pos, 0, INT32_MAX);
  require_shape(id, {rows});
  require_same_device(id, x);
  require_disjoint(id, x);
  if (p.advance && p.ring.data != nullptr) {
    require_dtype(ring, {DType::kI32});
    require_rows(ring, rows, p.ring.shape.last());
    require_range("sample", "R", p.ring.shape.last(), 1, INT32_MAX);
    require_cpu(ring);
  }
  if (p.all_greedy() && p.settings.data == nullptr) {
    return;
  }
  require_dtype(settings, {DType::kI32});
  require_rows(settings, rows, kSampleSettingsWords);
  require_same_device(settings, x);
  require_disjoint(settings, id);
  if (reinterpret_cast<uintptr_t>(p.settings.data) % alignof(SampleSettings) != 0) {
    fail(ErrorKind::kAlign, "sample: settings: expected an address that is a multiple of ",
         alignof(SampleSettings));
  }
}

Cost cost(const SampleParams& p) {
  int64_t drawn = 0;
  for (int64_t row = 0; row < p.rows(); ++row) {
    drawn += p.greedy >> row & 1 ? 0 : 1;
  }
  const int64_t V = p.x.shape[1], settings = static_cast<int64_t>(sizeof(SampleSettings));
  return {p.x.bytes() + drawn * settings, p.id.bytes(), (p.rows() + 11 * drawn) * V};
}

void sample_cpu(const SampleParams& p) {
  validate(p);
  require_cpu({"sample", "id", p.id});
  for (int64_t row = 0; row < p.rows(); ++row) {
    const int64_t pos = p.pos_device != nullptr ? p.pos_device[row] : p.pos;
    const int32_t id = choose(p, row, pos);
    p.id.as<int32_t>()[row] = id;
    if (p.advance && p.ring.data != nullptr) {
      const int64_t slots = p.ring.shape.last();
      p.ring.as<int32_t>()[row * slots + pos % slots] = id;
    }
    if (p.advance && p.pos_device != nullptr) {
      p.pos_device[row] += 1;
    }
  }
}

}  // namespace ember::k
