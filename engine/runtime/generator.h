// SPDX-License-Identifier: Apache-2.0
// Prompt ids to tokens to text: the loop that every command which generates shares.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/runtime/profile_window.h"
#include "engine/runtime/runtime.h"
#include "engine/runtime/sampler.h"
#include "engine/text/tokenizer.h"

namespace ember {

enum class StopReason {
  kEos,          // the model ended its text
  kLength,       // max_tokens reached
  kStopString,   // one of the stop strings appeared
  kContextFull,  // no room for another token
  kInterrupted,  // GenerateOptions::interrupted said so
  kTimeout,
};
const char* name(StopReason reason);  // "eos", "length", "stop_string", …

struct TokenLogprob {
  int32_t id;
  double logprob;  // natural logarithm, of the model's own distribution: before all sampling steps
};

struct GeneratedToken {
  int32_t id;
  double logprob = 0;             // filled when GenerateOptions::logprobs > 0
  std::vector<TokenLogprob> top;  // the `logprobs` likeliest, likeliest first, lower id on ties
};

// Which part of the answer a piece of text belongs to. The tags <think> and </think>, and the blank
// line after the latter, count as thinking.
enum class TextKind { kAnswer, kThinking };

// Ids of the thinking tags; -1 where the tokenizer has none, and all text is then answer.
struct ThinkIds {
  int32_t open = -1;
  int32_t close = -1;
};
ThinkIds think_ids(const Tokenizer& tokenizer);

struct GenerateOptions {
  int64_t max_tokens = 128;      // -1: until the end of text or of the context
  std::vector<int32_t> eos_ids;  // empty: only the other limits end the text
  std::vector<std::string> stop;
  ThinkIds think;
  // Tokens of thinking after which `think_close` is fed in place of what the model would say; -1:
  // no limit.
  int64_t think_budget = -1;
  std::vector<int32_t> think_close;
  int64_t logprobs = 0;
  // Prompt tokens a pass, 0: the runtime's. Between passes interruption and time-out are seen.
  int64_t chunk = 0;
  double timeout_seconds = 0;  // from the call; 0: none
  std::function<bool()> interrupted;
  ProfileSteps profile;  // decode steps that a waiting profiler records

  std::function<void(int64_t done, int64_t total)> on_prefill;
  std::function<void(const GeneratedToken&)> on_token;
  // Whole characters only; what spells none becomes U+FFFD, so that the text is always valid UTF-8
  // and equals Hugging Face's decode of the ids. Control tokens are left out.
  std::function<void(std::string_view, TextKind)> on_text;
};

struct GenerateResult {
  std::vector<int32_t> ids;  // generated, the end-of-text token included
  StopReason reason = StopReason::kLength;
  std::string stop_string;      // the one that matched
  int64_t prompt_tokens = 0;    // of the whole prompt
  int64_t cached_tokens = 0;    // of these, found in the session's cache
  int64_t thinking_tokens = 0;  // generated between the tags
  uint64_t seed = 0;
  double prefill_seconds = 0;         // the prompt's pass, first token's logits included
  std::vector<double> token_seconds;  // since the call, when each token was known
  double total_seconds = 0;

  double decode_seconds() const;  // from the first token to the last
};

// Continues `prompt`. What the session's cache already holds of it is kept, what differs is
// dropped. Throws Error{kUsage} when the prompt is empty, or leaves no room in the session's
// capacity.
GenerateResult generate(IRuntime& runtime, Session& session, const Tokenizer& tokenizer,
                        Sampler& sampler, const std::vector<int32_t>& prompt,
                        const GenerateOptions& options);

}  // namespace ember
