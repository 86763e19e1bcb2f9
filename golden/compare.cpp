// SPDX-License-Identifier: Apache-2.0
#include "golden/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ember::golden {
namespace {

// Summand of KL(p||q) with d = log p - log q, in a form that sums to it and is never negative.
// Close distributions take a series: p * d alone loses all digits when summed.
double kl_term(double p, double q, double d) {
  if (std::fabs(d) < 1e-2) {
    return p * d * d * (0.5 - d * (1.0 / 6 - d * (1.0 / 24 - d / 120)));
  }
  return (p > 0 ? p * d : 0.0) + q - p;
}

// log((1 + exp(-d)) / 2) without cancellation near 0 or overflow far from it.
double log_half_sum(double d) {
  if (std::fabs(d) < 1) {
    return std::log1p(std::expm1(-d) / 2);
  }
  const double sum = d > 0 ? std::log1p(std::exp(-d)) : -d + std::log1p(std::exp(d));
  return sum - std::log(2.0);
}

std::vector<int64_t> largest(const float* row, int64_t n, int64_t k) {
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  k = std::min(k, n);
  std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
    const bool nan_a = std::isnan(row[a]), nan_b = std::isnan(row[b]);
    if (nan_a != nan_b) {
      return nan_b;
    }
    return !nan_a && row[a] != row[b] ? row[a] > row[b] : a < b;
  });
  order.resize(k);
  return order;
}

}  // namespace

bool within(double error, double limit) {
  return std::isfinite(error) && std::isfinite(limit) && error <= limit;
}

bool Diff::within(double limit) const {
  return count > 0 && non_finite == 0 && golden::within(rel_l2, limit);
}

Diff compare(const float* e, const float* t, int64_t n) {
  Diff d;
  d.count = n;
  double err2 = 0, signed_sum = 0, t2 = 0, e2 = 0, dot = 0;
  int64_t finite = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double a = e[i], b = t[i];
    if (!std::isfinite(a) || !std::isfinite(b)) {
      d.first_bad = d.non_finite++ == 0 ? i : d.first_bad;
      continue;
    }
    ++finite;
    const double err = a - b;
    err2 += err * err;
    signed_sum += err;
    t2 += b * b;
    e2 += a * a;
    dot += a * b;
    if (d.worst < 0 || std::fabs(err) > d.max_abs) {
      d.worst = i;
      d.max_abs = std::fabs(err);
    }
  }
  if (finite > 0) {
    d.rms = std::sqrt(err2 / finite);
    d.mean_signed = signed_sum / finite;
  }
  d.rel_l2 = t2 > 0 ? std::sqrt(err2 / t2) : std::sqrt(err2);
  if (t2 > 0 && e2 > 0) {
    d.cosine = dot / std::sqrt(t2 * e2);
  } else {
    d.cosine = t2 == e2 ? 1 : 0;
  }
  return d;
}

std::vector<double> log_softmax(const float* row, int64_t n) {
  std::vector<double> out(row, row + n);
  double top = -std::numeric_limits<double>::infinity();
  for (double x : out) {
    top = std::max(top, x);
  }
  double sum = 0;
  for (double x : out) {
    sum += std::exp(x - top);
  }
  const double lse = std::log(sum);
  for (double& x : out) {
    x = x - top - lse;
  }
  return out;
}

RowDiff compare_logits(const float* e, const float* t, int64_t n) {
  RowDiff d;
  if (n == 0) {
    return d;
  }
  const std::vector<double> lp = log_softmax(t, n), lq = log_softmax(e, n);
  for (int64_t i = 0; i < n; ++i) {
    const double p = std::exp(lp[i]), q = std::exp(lq[i]), gap = lp[i] - lq[i];
    const double mid = (p + q) / 2;
    d.kl += kl_term(p, q, gap);
    d.js += (kl_term(p, mid, -log_half_sum(gap)) + kl_term(q, mid, -log_half_sum(-gap))) / 2;
    // Written so that a NaN stays: max() would drop it.
    d.dp_max = std::fabs(p - q) <= d.dp_max ? d.dp_max : std::fabs(p - q);
    d.dp_square += (p - q) * (p - q);
  }
  const std::vector<int64_t> top_t = largest(t, n, 5), top_e = largest(e, n, 5);
  d.top1 = top_t[0] == top_e[0];
  for (int64_t i : top_t) {
    d.top5 += std::count(top_e.begin(), top_e.end(), i) > 0;
  }
  for (int64_t i = 0; i < n; ++i) {
    d.rank += e[i] > e[top_t[0]];
  }
  return d;
}

RowStats row_stats(const float* row, int64_t n) {
  RowStats s;
  if (n == 0) {
    return s;
  }
  double top = row[0];
  s.min = row[0];
  for (int64_t i = 0; i < n; ++i) {
    top = std::max<double>(top, row[i]);
    s.min = std::min<double>(s.min, row[i]);
    s.mean += row[i];
  }
  s.mean /= n;
  double sum = 0, square = 0;
  for (int64_t i = 0; i < n; ++i) {
    sum += std::exp(row[i] - top);
    square += (row[i] - s.mean) * (row[i] - s.mean);
  }
  s.lse = top + std::log(sum);
  s.sd = std::sqrt(square / n);
  return s;
}

int64_t argmax(const float* row, int64_t n) {
  int64_t best = -1;
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isnan(row[i]) && (best < 0 || row[i] > row[best])) {
      best = i;
    }
  }
  return best;
}

double median(std::vector<double> values) {
  if (values.empty()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const size_t mid = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 ? values[mid] : (values[mid - 1] + values[mid]) / 2;
}

double theil_sen(const std::vector<double>& x, const std::vector<double>& y) {
  std::vector<double> slopes;
  for (size_t i = 0; i < x.size(); ++i) {
    for (size_t j = i + 1; j < x.size(); ++j) {
      if (x[j] != x[i]) {
        slopes.push_back((y[j] - y[i]) / (x[j] - x[i]));
      }
    }
  }
  return slopes.empty() ? 0.0 : median(std::move(slopes));
}

}  // namespace ember::golden
