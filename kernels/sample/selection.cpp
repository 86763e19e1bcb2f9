// SPDX-License-Identifier: Apache-2.0
#include "kernels/sample/selection.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "kernels/base/error.h"

namespace ember::k {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
constexpr int64_t kHeapLimit = 4096;  // above this many, nth_element beats a heap
constexpr size_t kFirstSorted = 512;  // sorted first; then four times as many each time

bool before(const Selection::Kept& a, const Selection::Kept& b) {
  return a.score != b.score ? a.score > b.score : a.id < b.id;
}

// The k-th largest value, 1 <= k <= n.
double kth_largest(const double* values, int64_t n, int64_t k) {
  if (k > kHeapLimit) {
    std::vector<double> copy(values, values + n);
    std::nth_element(copy.begin(), copy.begin() + (k - 1), copy.end(), std::greater<double>());
    return copy[static_cast<size_t>(k - 1)];
  }
  std::vector<double> heap(values, values + k);  // the smallest kept is in front
  std::make_heap(heap.begin(), heap.end(), std::greater<double>());
  for (int64_t i = k; i < n; ++i) {
    if (values[i] > heap.front()) {
      std::pop_heap(heap.begin(), heap.end(), std::greater<double>());
      heap.back() = values[i];
      std::push_heap(heap.begin(), heap.end(), std::greater<double>());
    }
  }
  return heap.front();
}

uint64_t sum_of_weights(const std::vector<Selection::Kept>& kept) {
  uint64_t sum = 0;
  for (const Selection::Kept& c : kept) {
    sum += c.weight;
  }
  return sum;
}

}  // namespace

void Selection::keep_top_k(const double* scores, int64_t n, int64_t k) {
  const double least = k == 0 || k >= n ? kMinusInfinity : kth_largest(scores, n, k);
  for (int64_t i = 0; i < n; ++i) {
    if (scores[i] >= least && scores[i] != kMinusInfinity) {
      kept_.push_back({scores[i], 0, static_cast<int32_t>(i)});
      largest_ = std::max(largest_, scores[i]);
    }
  }
}

// Puts element i in its place, and some after it.
void Selection::sort_past(size_t i) {
  if (i < sorted_) {
    return;
  }
  const size_t end = std::min(kept_.size(), std::max({kFirstSorted, sorted_ * 4, i + 1}));
  const auto from = kept_.begin() + static_cast<std::ptrdiff_t>(sorted_);
  const auto to = kept_.begin() + static_cast<std::ptrdiff_t>(end);
  if (to != kept_.end()) {
    std::nth_element(from, to, kept_.end(), before);
  }
  std::sort(from, to, before);
  sorted_ = end;
}

void Selection::keep_top_p(double p) {
  if (p >= 1) {
    return;
  }
  const uint64_t limit = sample_top_p_limit(p, total_);
  uint64_t mass = 0;
  size_t count = 0;
  do {
    sort_past(count);
    mass += kept_[count++].weight;
  } while (mass < limit);
  kept_.resize(count);
  sorted_ = std::min(sorted_, count);
  total_ = mass;
}

void Selection::keep_min_p(const SampleSettings& s) {
  const auto unlikely = [&](const Kept& c) {
    return !((largest_ - c.score) * s.scale <= s.max_drop);
  };
  const auto in_order = kept_.begin() + static_cast<std::ptrdiff_t>(sorted_);
  const int64_t stay = std::find_if(kept_.begin(), in_order, unlikely) - kept_.begin();
  kept_.erase(std::remove_if(kept_.begin(), kept_.end(), unlikely), kept_.end());
  sorted_ = static_cast<size_t>(stay);
  total_ = sum_of_weights(kept_);
}

void Selection::filter(const double* scores, int64_t n, const SampleSettings& s) {
  kept_.clear();
  sorted_ = 0;
  largest_ = kMinusInfinity;
  keep_top_k(scores, n, s.top_k);
  EMBER_CHECK(!kept_.empty(), "nothing to select from among ", n, " scores");
  for (Kept& c : kept_) {
    c.weight = sample_weight((largest_ - c.score) * s.scale);
  }
  total_ = sum_of_weights(kept_);
  EMBER_CHECK(total_ > 0, "the largest of ", n, " scores is ", largest_);
  keep_top_p(s.top_p);
  keep_min_p(s);
}

int32_t Selection::draw(uint64_t random) {
  const uint64_t target = high_product(random, total_);
  uint64_t sum = 0;
  for (size_t i = 0;; ++i) {
    sort_past(i);
    sum += kept_[i].weight;
    if (sum > target) {
      return kept_[i].id;
    }
  }
}

}  // namespace ember::k
