// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/rng.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

constexpr double kMinTemperature = 1e-6;
constexpr int64_t kHeapLimit = 4096;  // above this many, nth_element beats a heap
constexpr size_t kFirstSorted = 512;  // top-p sorts this many first, then four times as many
constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

void check_range(bool good, const char* what, double value, const char* expected) {
  if (!good) {
    fail(ErrorKind::kUsage, what, " must be ", expected, ", got ", value);
  }
}

// The k-th largest value, 1 <= k <= n.
double kth_largest(const std::vector<double>& values, int64_t k) {
  if (k > kHeapLimit) {
    std::vector<double> copy = values;
    std::nth_element(copy.begin(), copy.begin() + (k - 1), copy.end(), std::greater<double>());
    return copy[static_cast<size_t>(k - 1)];
  }
  std::vector<double> heap(values.begin(), values.begin() + k);  // the smallest kept is in front
  std::make_heap(heap.begin(), heap.end(), std::greater<double>());
  for (size_t i = static_cast<size_t>(k); i < values.size(); ++i) {
    if (values[i] > heap.front()) {
      std::pop_heap(heap.begin(), heap.end(), std::greater<double>());
      heap.back() = values[i];
      std::push_heap(heap.begin(), heap.end(), std::greater<double>());
    }
  }
  return heap.front();
}

}  // namespace

void validate(const SamplingParams& p) {
  check_range(p.temperature == 0 || (p.temperature >= kMinTemperature && p.temperature <= 1e6),
              "temperature", p.temperature, "0 (greedy) or from 1e-6 to 1e6");
  check_range(p.top_k >= 0, "top-k", static_cast<double>(p.top_k), "0 (off) or more");
  check_range(p.top_p >= 0 && p.top_p <= 1, "top-p", p.top_p, "from 0 to 1 (off)");
  check_range(p.min_p >= 0 && p.min_p <= 1, "min-p", p.min_p, "from 0 (off) to 1");
  check_range(p.repeat_penalty > 0 && std::isfinite(p.repeat_penalty), "repeat-penalty",
              p.repeat_penalty, "more than 0 (1 is off)");
  check_range(std::isfinite(p.presence_penalty), "presence-penalty", p.presence_penalty,
              "a finite number (0 is off)");
}

Sampler::Sampler(const SamplingParams& params, int64_t vocab) : params_(params), vocab_(vocab) {
  validate(params);
  EMBER_CHECK(vocab > 0, "vocabulary of ", vocab);
  scores_.resize(static_cast<size_t>(vocab));
  seen_.resize(static_cast<size_t>(vocab));
}

void Sampler::apply_penalties(const float* logits, const TokenHistory& history) {
  for (size_t i = 0; i < scores_.size(); ++i) {
    scores_[i] = static_cast<double>(logits[i]);
  }
  // One pass for each penalty; a token counts once however often it occurs.
  auto for_each_distinct = [&](int64_t begin, auto&& change) {
    const std::vector<int32_t>& t = history.tokens;
    for (size_t i = static_cast<size_t>(begin); i < t.size(); ++i) {
      EMBER_CHECK(t[i] >= 0 && t[i] < vocab_, "token ", t[i], " in a vocabulary of ", vocab_);
      uint8_t& mark = seen_[static_cast<size_t>(t[i])];
      if (mark == 0) {
        mark = 1;
        change(scores_[static_cast<size_t>(t[i])]);
      }
    }
    for (size_t i = static_cast<size_t>(begin); i < t.size(); ++i) {
      seen_[static_cast<size_t>(t[i])] = 0;
    }
  };
  if (params_.repeat_penalty != 1.0) {
    for_each_distinct(
        0, [&](double& s) { s = s < 0 ? s * params_.repeat_penalty : s / params_.repeat_penalty; });
  }
  if (params_.presence_penalty != 0.0) {
    for_each_distinct(history.prompt_tokens, [&](double& s) { s -= params_.presence_penalty; });
  }
}

int32_t Sampler::argmax() const {
  return static_cast<int32_t>(std::max_element(scores_.begin(), scores_.end()) - scores_.begin());
}

void Sampler::keep_top_k() {
  const bool all = params_.top_k == 0 || params_.top_k >= vocab_;
  const double least = all ? kMinusInfinity : kth_largest(scores_, params_.top_k);
  kept_.clear();
  for (size_t i = 0; i < scores_.size(); ++i) {
    if (scores_[i] >= least && scores_[i] != kMinusInfinity) {
      kept_.push_back({static_cast<int32_t>(i), scores_[i]});
    }
  }
}

// Removes a token when the mass strictly before it, in descending order, is at least top_p; the
// first always stays. Of equal scores the lower id comes first. Sorts only as far down as the mass
// reaches.
void Sampler::keep_top_p() {
  if (params_.top_p >= 1.0) {
    return;
  }
  double total = 0;
  for (const Scored& c : kept_) {
    total += c.score;
  }
  const auto before = [](const Scored& a, const Scored& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  };
  double mass = 0;
  size_t sorted = 0;
  for (size_t i = 0; i < kept_.size(); ++i) {
    if (i > 0 && mass >= params_.top_p * total) {
      kept_.resize(i);
      return;
    }
    if (i == sorted) {
      const size_t end = std::min(kept_.size(), std::max(kFirstSorted, sorted * 4));
      const auto from = kept_.begin() + static_cast<std::ptrdiff_t>(sorted);
      const auto to = kept_.begin() + static_cast<std::ptrdiff_t>(end);
      std::partial_sort(from, to, kept_.end(), before);
      sorted = end;
    }
    mass += kept_[i].score;
  }
}

// The largest weight is exp(0) = 1, so a weight is its probability over the largest one.
void Sampler::keep_min_p() {
  const double least = params_.min_p;
  kept_.erase(std::remove_if(kept_.begin(), kept_.end(),
                             [least](const Scored& c) { return c.score < least; }),
              kept_.end());
}

// Leaves in kept_ the survivors by ascending id, each with weight exp(score - largest score).
void Sampler::select() {
  for (double& s : scores_) {
    s /= params_.temperature;
  }
  keep_top_k();
  double largest = kMinusInfinity;
  for (const Scored& c : kept_) {
    largest = std::max(largest, c.score);
  }
  for (Scored& c : kept_) {
    c.score = std::exp(c.score - largest);
  }
  keep_top_p();
  keep_min_p();
  std::sort(kept_.begin(), kept_.end(),
            [](const Scored& a, const Scored& b) { return a.id < b.id; });
}

namespace {

void check_logits(const float* logits, int64_t vocab) {
  bool any = false, bad = false;
  for (int64_t i = 0; i < vocab; ++i) {
    const float x = logits[i];
    bad |= !(x <= std::numeric_limits<float>::max());  // NaN or +inf
    any |= x >= -std::numeric_limits<float>::max();
  }
  if (bad) {
    int64_t i = 0;
    while (logits[i] <= std::numeric_limits<float>::max()) {
      ++i;
    }
    fail(ErrorKind::kWrong, "the logit of token ", i, " is ", logits[i],
         ": the forward pass overflowed or the weights hold NaN or infinity");
  }
  if (!any) {
    fail(ErrorKind::kWrong, "all ", vocab, " logits are -inf: no token can be chosen");
  }
}

}  // namespace

int32_t Sampler::sample(const float* logits, const TokenHistory& history) {
  check_logits(logits, vocab_);
  apply_penalties(logits, history);
  const uint64_t draw = draws_++;
  if (params_.is_greedy()) {
    return argmax();
  }
  select();
  double total = 0;
  for (const Scored& c : kept_) {
    total += c.score;
  }
  const double target = uniform(params_.seed, draw) * total;
  double sum = 0;
  int32_t chosen = -1;
  for (const Scored& c : kept_) {
    if (c.score > 0) {
      chosen = c.id;  // rounding can leave the sum below the target: the last one then
    }
    sum += c.score;
    if (sum > target) {
      break;
    }
  }
  return chosen;
}

std::vector<Candidate> Sampler::filtered_distribution(const float* logits,
                                                      const TokenHistory& history) {
  check_logits(logits, vocab_);
  apply_penalties(logits, history);
  if (params_.is_greedy()) {
    return {{argmax(), 1.0}};
  }
  select();
  double total = 0;
  for (const Scored& c : kept_) {
    total += c.score;
  }
  std::vector<Candidate> out;
  for (const Scored& c : kept_) {
    if (c.score > 0) {
      out.push_back({c.id, c.score / total});
    }
  }
  return out;
}

}  // namespace ember
