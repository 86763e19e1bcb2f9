// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/base/error.h"

namespace ember {
namespace {

constexpr double kMinTemperature = 1e-6;

void check_range(bool good, const char* what, double value, const char* expected) {
  if (!good) {
    fail(ErrorKind::kUsage, what, " must be ", expected, ", got ", value);
  }
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
  EMBER_CHECK(vocab > 0 && vocab <= k::kSampleMaxVocab, "vocabulary of ", vocab);
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

k::SampleSettings Sampler::settings(uint64_t counter) const {
  return k::make_sample_settings(params_.temperature, params_.top_k, params_.top_p, params_.min_p,
                                 params_.seed, counter);
}

std::optional<k::SampleSettings> Sampler::device_settings(int64_t position) const {
  if (params_.repeat_penalty != 1.0 || params_.presence_penalty != 0.0) {
    return std::nullopt;
  }
  if (params_.is_greedy()) {
    return k::SampleSettings{};
  }
  return settings(draws_ - static_cast<uint64_t>(position));  // modulo 2^64
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
  const k::SampleSettings s = settings(draw);
  selection_.filter(scores_.data(), vocab_, s);
  return selection_.draw(k::sample_random(s.seed, s.counter));
}

std::vector<Candidate> Sampler::filtered_distribution(const float* logits,
                                                      const TokenHistory& history) {
  check_logits(logits, vocab_);
  apply_penalties(logits, history);
  if (params_.is_greedy()) {
    return {{argmax(), 1.0}};
  }
  selection_.filter(scores_.data(), vocab_, settings(0));
  std::vector<Candidate> out;
  double total = 0;
  for (const k::Selection::Kept& c : selection_.kept()) {
    const double weight = std::exp((c.score - selection_.largest()) / params_.temperature);
    if (weight > 0) {
      out.push_back({c.id, weight});
      total += weight;
    }
  }
  std::sort(out.begin(), out.end(),
            [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
  for (Candidate& c : out) {
    c.probability /= total;
  }
  return out;
}

}  // namespace ember
