// SPDX-License-Identifier: Apache-2.0
// Element-wise comparison of two float arrays and of two rows of logits, in fp64, NaN-safe: a
// verdict is always "error <= limit" written positively, and anything that is not finite is counted
// before any error is computed from the rest.
#pragma once

#include <cstdint>
#include <vector>

namespace ember::golden {

// e against t, element by element. Elements that are not finite on either side are counted and
// left out of the sums.
struct Diff {
  int64_t count = 0;       // elements compared
  int64_t non_finite = 0;  // elements where e or t is NaN or Inf
  int64_t first_bad = -1;  // index of the first of them
  int64_t worst = -1;      // index of the largest |e - t|
  double max_abs = 0;      // |e - t| there
  double rms = 0;          // sqrt(mean (e - t)^2)
  double mean_signed = 0;  // mean (e - t)
  double rel_l2 = 0;       // ||e - t|| / ||t||; ||e - t|| where t is all zero
  double cosine = 1;       // 1 where both are all zero, 0 where only one is

  // True only for at least one element, all finite, and rel_l2 <= limit.
  bool within(double limit) const;
};
Diff compare(const float* e, const float* t, int64_t n);

// True when error is a finite number, limit too, and error <= limit.
bool within(double error, double limit);

// log softmax of a row of logits, in fp64. Not finite where the row holds NaN or +Inf.
std::vector<double> log_softmax(const float* row, int64_t n);

// Two rows of logits as distributions, t the truth.
struct RowDiff {
  double kl = 0;         // KL(T||E) in nats
  double js = 0;         // Jensen-Shannon divergence in nats
  double dp_max = 0;     // largest |p_t - p_e|
  double dp_square = 0;  // sum of (p_t - p_e)^2
  bool top1 = false;     // both have the same largest logit
  int top5 = 0;          // common entries of the five largest of each
  int64_t rank = 0;      // rank of T's largest within E, 0 when it is also E's largest
};
RowDiff compare_logits(const float* e, const float* t, int64_t n);

// logsumexp, mean, standard deviation and minimum of a row.
struct RowStats {
  double lse = 0, mean = 0, sd = 0, min = 0;
};
RowStats row_stats(const float* row, int64_t n);

// Index of the largest element, the first one of equals; NaN never wins. -1 for an empty row.
int64_t argmax(const float* row, int64_t n);

double median(std::vector<double> values);  // NaN when empty
// Median of the slopes of all pairs (Theil 1950, Sen 1968); 0 when there are none.
double theil_sen(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace ember::golden
