// SPDX-License-Identifier: Apache-2.0
#include "golden/figures.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "golden/compare.h"

namespace ember::golden {
namespace {

constexpr int64_t kSlopePositions = 63;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Keeps a NaN: a row that is not finite must never lower a maximum.
void raise(double& top, double x) {
  top = x <= top ? top : x;
}

int64_t index_of(const std::vector<int32_t>& sorted, int64_t pos) {
  const auto it = std::lower_bound(sorted.begin(), sorted.end(), pos);
  return it != sorted.end() && *it == pos ? it - sorted.begin() : -1;
}

bool all_finite(const float* row, int64_t n) {
  return std::all_of(row, row + n, [](float x) { return std::isfinite(x); });
}

}  // namespace

const char* name(Figure f) {
  static const char* const kNames[] = {
#define X(id, name, mean, what) name,
      EMBER_FIGURES(X)
#undef X
  };
  return kNames[static_cast<int>(f)];
}

bool mean_type(Figure f) {
  static const bool kMean[] = {
#define X(id, name, mean, what) mean,
      EMBER_FIGURES(X)
#undef X
  };
  return kMean[static_cast<int>(f)];
}

double Reference::margin(int64_t i) const {
  return k < 2
             ? kInfinity
             : static_cast<double>(top_values[i * k]) - static_cast<double>(top_values[i * k + 1]);
}

Meter::Meter(const Reference& ref, bool with_residual)
    : ref_(ref),
      with_residual_(with_residual),
      full_seen_(ref.full_pos.size()),
      top_seen_(ref.top_pos.size()),
      res_seen_(with_residual ? (ref.L + 1) * ref.res_pos.size() : 0),
      top_square_(ref.top_pos.size()),
      res_err2_(ref.L + 1),
      res_t2_(ref.L + 1) {}

void Meter::logits(int64_t pos, const float* row) {
  if (!all_finite(row, ref_.V)) {
    first_non_finite_ = first_non_finite_ < 0 ? pos : std::min(first_non_finite_, pos);
    return;
  }
  const int64_t full = index_of(ref_.full_pos, pos), top = index_of(ref_.top_pos, pos);
  if (full >= 0 && !full_seen_[full]) {
    full_row(full, row);
  }
  if (top >= 0 && !top_seen_[top]) {
    top_row(top, row);
  }
}

void Meter::full_row(int64_t i, const float* row) {
  full_seen_[i] = 1;
  const int64_t v = ref_.V;
  const float* truth = ref_.full_logits.data() + i * v;
  const double mean_e = row_stats(row, v).mean, mean_t = row_stats(truth, v).mean;
  for (int64_t j = 0; j < v; ++j) {
    const double e = row[j], t = truth[j];
    const double err = (e - mean_e) - (t - mean_t);
    err2_ += err * err;
    t2_ += (t - mean_t) * (t - mean_t);
    raw_err_ += e - t;
    raise(max_abs_, std::fabs(e - t));
  }
  const RowDiff d = compare_logits(row, truth, v);
  kl_ += d.kl;
  js_ += d.js;
  dp2_ += d.dp_square;
  raise(dp_max_, d.dp_max);
}

void Meter::top_row(int64_t i, const float* row) {
  top_seen_[i] = 1;
  double square = 0;
  for (int64_t j = 0; j < ref_.k; ++j) {
    const double err = static_cast<double>(row[ref_.top_ids[i * ref_.k + j]]) -
                       static_cast<double>(ref_.top_values[i * ref_.k + j]);
    square += err * err;
    raise(top_max_, std::fabs(err));
  }
  top_square_[i] = square / ref_.k;
  const RowStats s = row_stats(row, ref_.V);
  const float* truth = ref_.stats.data() + i * 4;
  const double got[4] = {s.lse, s.mean, s.sd, s.min};
  lse2_ += (got[0] - truth[0]) * (got[0] - truth[0]);
  for (int j = 0; j < 4; ++j) {
    raise(stat_max_, std::fabs(got[j] - truth[j]));
  }
  if (argmax(row, ref_.V) != ref_.top_ids[i * ref_.k]) {
    flips_.push_back(i);
  }
}

void Meter::residual(int64_t layer, int64_t pos, const float* row) {
  const int64_t r = static_cast<int64_t>(ref_.res_pos.size());
  const int64_t i = index_of(ref_.res_pos, pos);
  if (!with_residual_ || i < 0 || layer < 0 || layer > ref_.L || res_seen_[layer * r + i]) {
    return;
  }
  res_seen_[layer * r + i] = 1;
  const float* truth = ref_.residual.data() + (layer * r + i) * ref_.D;
  for (int64_t j = 0; j < ref_.D; ++j) {
    const double err = static_cast<double>(row[j]) - truth[j];
    res_err2_[layer] += err * err;
    res_t2_[layer] += static_cast<double>(truth[j]) * truth[j];
  }
}

int64_t Meter::missing_rows() const {
  return std::count(full_seen_.begin(), full_seen_.end(), 0) +
         std::count(top_seen_.begin(), top_seen_.end(), 0) +
         std::count(res_seen_.begin(), res_seen_.end(), 0);
}

Figures Meter::finish() const {
  Figures f;
  if (missing_rows() > 0 || !ref_.judged()) {
    std::fill(f.value, f.value + kFigures, kInfinity);
    f.bias = kInfinity;
    f.residual.assign(with_residual_ ? ref_.L + 1 : 0, kInfinity);
    f.flips = static_cast<int64_t>(ref_.top_pos.size());
    return f;
  }
  const double n = static_cast<double>(ref_.full_pos.size()), v = static_cast<double>(ref_.V);
  const double m = static_cast<double>(ref_.top_pos.size());
  f[Figure::kRelL2] = t2_ > 0 ? std::sqrt(err2_ / t2_) : std::sqrt(err2_);
  f[Figure::kKl] = kl_ / n;
  f[Figure::kJs] = js_ / n;
  f[Figure::kDpRms] = std::sqrt(dp2_ / (n * v));
  double top2 = 0;
  for (double x : top_square_) {
    top2 += x;
  }
  f[Figure::kTopRms] = std::sqrt(top2 / m);
  f[Figure::kLseRms] = std::sqrt(lse2_ / m);
  f[Figure::kMaxAbs] = max_abs_;
  f[Figure::kDpMax] = dp_max_;
  f[Figure::kTopMax] = top_max_;
  f[Figure::kStatMax] = stat_max_;
  f.bias = t2_ > 0 ? (raw_err_ / (n * v)) / std::sqrt(t2_ / (n * v)) : raw_err_ / (n * v);
  f.flips = static_cast<int64_t>(flips_.size());
  for (int64_t layer = 0; with_residual_ && layer <= ref_.L; ++layer) {
    const double err = std::sqrt(res_err2_[layer]), t = std::sqrt(res_t2_[layer]);
    f.residual.push_back(t > 0 ? err / t : err);
  }
  if (static_cast<int64_t>(ref_.top_pos.size()) >= kSlopePositions) {
    std::vector<double> x, y;
    for (size_t i = 0; i < top_square_.size(); ++i) {
      if (top_square_[i] > 0) {
        x.push_back(std::log(1.0 + ref_.top_pos[i]));
        y.push_back(0.5 * std::log(top_square_[i]));
      }
    }
    f.slope = theil_sen(x, y);
  }
  return f;
}

std::vector<int64_t> Meter::wide_flips(double margin) const {
  std::vector<int64_t> out;
  for (int64_t i : flips_) {
    if (ref_.margin(i) > margin) {
      out.push_back(ref_.top_pos[i]);
    }
  }
  return out;
}

}  // namespace ember::golden
