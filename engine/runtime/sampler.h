// SPDX-License-Identifier: Apache-2.0
// From logits to the next token, in the order of Hugging Face's generate(): repetition penalty,
// presence penalty, temperature, top-k, top-p, min-p. docs/sampler.md gives the formulae; filters
// and draw are those of kernels/sample/sample.h, over logits in double after the penalties.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/sample/selection.h"

namespace ember {

struct SamplingParams {
  double temperature = 0.7;     // > 0; 0 means greedy
  int64_t top_k = 40;           // keep the k largest and all that tie with the k-th; 0 is off
  double top_p = 0.9;           // (0, 1]; 1 is off
  double min_p = 0.0;           // [0, 1]; 0 is off
  double repeat_penalty = 1.0;  // > 0; 1 is off; over prompt and generated tokens
  double presence_penalty = 0;  // finite; subtracted once for each token already generated
  uint64_t seed = 0;
  bool greedy = false;  // the largest logit after penalties, the lowest id on ties

  bool is_greedy() const { return greedy || temperature == 0; }
};

// Throws Error{kUsage} naming the value that is out of range.
void validate(const SamplingParams& p);

// What the model has seen: all tokens so far, of which the first `prompt_tokens` are the prompt.
struct TokenHistory {
  const std::vector<int32_t>& tokens;
  int64_t prompt_tokens = 0;
};

struct Candidate {
  int32_t id;
  double probability;
};

// Draws are a pure function of (seed, number of draws before): the same logits and seed give the
// same tokens on every machine. One Sampler a session; not for use by two threads at once.
class Sampler {
 public:
  Sampler(const SamplingParams& params, int64_t vocab);

  // logits: (V) F32. Throws Error{kWrong} naming the first NaN or +inf, or when every logit is
  // -inf.
  int32_t sample(const float* logits, const TokenHistory& history);

  // The distribution that sample() draws from, by ascending id; greedy gives one candidate with
  // probability 1. Probabilities sum to 1. Does not count as a draw.
  std::vector<Candidate> filtered_distribution(const float* logits, const TokenHistory& history);

  // What makes a device that draws by itself (kernels/sample/sample.h) say what sample() would: the
  // next draw is from the logits of the pass at `position`, the one after it from those of the
  // next. None where penalties need the tokens so far.
  std::optional<k::SampleSettings> device_settings(int64_t position) const;
  void count_draw() { ++draws_; }  // a token was chosen by a device

  const SamplingParams& params() const { return params_; }
  uint64_t draws() const { return draws_; }

 private:
  void apply_penalties(const float* logits, const TokenHistory& history);
  int32_t argmax() const;
  k::SampleSettings settings(uint64_t counter) const;

  SamplingParams params_;
  int64_t vocab_;
  uint64_t draws_ = 0;
  std::vector<double> scores_;  // (V) work space, kept between calls
  k::Selection selection_;
  std::vector<uint8_t> seen_;  // (V) marks for penalties; cleared after use
};

}  // namespace ember
