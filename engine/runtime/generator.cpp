// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/generator.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>

#include "engine/core/clock.h"
#include "engine/runtime/logprobs.h"
#include "engine/runtime/text_stream.h"
#include "kernels/base/error.h"
#include "kernels/base/profile.h"

namespace ember {
namespace {

class Generation {
 public:
  Generation(IRuntime& runtime, Session& session, const Tokenizer& tokenizer, Sampler& sampler,
             const std::vector<int32_t>& prompt, const GenerateOptions& options)
      : runtime_(runtime),
        session_(session),
        sampler_(sampler),
        options_(options),
        text_(tokenizer, options.think, options.stop, options.on_text),
        tokens_(prompt),
        start_(now_seconds()) {
    result_.prompt_tokens = static_cast<int64_t>(prompt.size());
    result_.seed = sampler.params().seed;
  }

  GenerateResult run() {
    check_prompt();
    TensorView logits;
    if (prefill(&logits)) {
      decode(logits);
    }
    text_.finish();
    result_.total_seconds = elapsed();
    return std::move(result_);
  }

 private:
  double elapsed() const { return now_seconds() - start_; }

  void check_prompt() const {
    const int64_t capacity = session_.capacity();
    if (result_.prompt_tokens == 0) {
      fail(ErrorKind::kUsage,
           "the prompt has no tokens: a model needs at least one to continue from");
    }
    if (result_.prompt_tokens > capacity ||
        (result_.prompt_tokens == capacity && options_.max_tokens != 0)) {
      fail(ErrorKind::kUsage, "the prompt has ", result_.prompt_tokens,
           " tokens and the context holds ", capacity, ", prompt and answer together: raise -c to ",
           result_.prompt_tokens + 1, " or more, or shorten the prompt");
    }
  }

  // True when the loop must end here; the reason is then in result_.
  bool told_to_stop() {
    if (options_.interrupted && options_.interrupted()) {
      result_.reason = StopReason::kInterrupted;
      return true;
    }
    if (options_.timeout_seconds > 0 && elapsed() > options_.timeout_seconds) {
      result_.reason = StopReason::kTimeout;
      return true;
    }
    return false;
  }

  // False when told to stop on the way.
  bool prefill(TensorView* logits) {
    const std::vector<int32_t>& cached = session_.ids();
    const auto differ = std::mismatch(cached.begin(), cached.end(), tokens_.begin(), tokens_.end());
    // At least the last token is fed again: its logits are what generation starts from.
    const int64_t total = result_.prompt_tokens;
    const int64_t done = std::min<int64_t>(differ.first - cached.begin(), total - 1);
    session_.truncate(done);
    result_.cached_tokens = done;
    const auto progress = [&](int64_t fed) {
      if (options_.on_prefill && done + fed < total) {
        options_.on_prefill(done + fed, total);
      }
    };
    // In one call, so that passes overlap where there are stages.
    bool stopped = false;
    PrefillOptions passes;
    passes.chunk = options_.chunk;
    passes.on_progress = [&](int64_t fed, int64_t) { progress(fed); };
    passes.stop = [&] { return stopped = told_to_stop(); };
    progress(0);
    const DecodeParams params = decode_params(total - 1);
    if (options_.max_tokens != 0 && chooses_on_device()) {
      first_id_ =
          runtime_.prefill_choose(session_, tokens_.data() + done, total - done, params, passes);
    } else {
      *logits = runtime_.prefill(session_, tokens_.data() + done, total - done, passes);
    }
    if (stopped) {
      return false;
    }
    if (options_.on_prefill) {
      options_.on_prefill(total, total);
    }
    result_.prefill_seconds = elapsed();
    return true;
  }

  int32_t next_token(const float* logits) {
    if (forced_.empty()) {
      const ProfileRange range(RangeKind::kSample, static_cast<int64_t>(tokens_.size()));
      return sampler_.sample(logits, {tokens_, result_.prompt_tokens});
    }
    const int32_t id = forced_.front();
    forced_.pop_front();
    return id;
  }

  void count_thinking(int32_t id) {
    if (!text_.thinking() || !forced_.empty()) {
      return;
    }
    result_.thinking_tokens += id != options_.think.open;
    if (options_.think_budget >= 0 && !budget_spent_ &&
        result_.thinking_tokens >= options_.think_budget) {
      budget_spent_ = true;
      forced_.assign(options_.think_close.begin(), options_.think_close.end());
    }
  }

  // True when this token ends the text.
  bool take(int32_t id, const float* logits) {
    tokens_.push_back(id);
    result_.ids.push_back(id);
    result_.token_seconds.push_back(elapsed());
    if (options_.on_token) {
      GeneratedToken token;
      token.id = id;
      if (options_.logprobs > 0) {
        token = token_logprobs(logits, runtime_.config().shape.V, id, options_.logprobs);
      }
      options_.on_token(token);
    }
    const std::vector<int32_t>& eos = options_.eos_ids;
    if (std::find(eos.begin(), eos.end(), id) != eos.end()) {
      result_.reason = StopReason::kEos;
      return true;
    }
    text_.push(id);
    count_thinking(id);
    if (text_.stopped()) {
      result_.reason = StopReason::kStopString;
      result_.stop_string = text_.matched();
      return true;
    }
    return false;
  }

  // Whether tokens can be chosen without their logits, or the tokens so far, on the host.
  bool chooses_on_device() const {
    return options_.logprobs == 0 && options_.think_budget < 0 && sampler_.device_settings(0);
  }

  // Where chooses_on_device(), of the choice after the token at `position`.
  DecodeParams decode_params(int64_t position) const {
    DecodeParams params;
    params.greedy = sampler_.params().is_greedy();
    params.settings = sampler_.device_settings(position).value_or(k::SampleSettings{});
    params.ahead = options_.profile.count == 0;  // a window opens and closes between two steps
    params.max_tokens = options_.max_tokens < 0 ? -1 : options_.max_tokens - 1;
    return params;
  }

  int32_t first_token(const TensorView& logits) {
    if (!first_id_) {
      return next_token(logits.as<float>());
    }
    sampler_.count_draw();
    return *first_id_;
  }

  // After the first: the token that follows the last one.
  int32_t following_token(TensorView* logits) {
    if (stream_ != nullptr) {
      const int32_t id = stream_->next();
      sampler_.count_draw();
      return id;
    }
    *logits = runtime_.decode(session_, tokens_.back());
    return next_token(logits->as<float>());
  }

  void decode(TensorView logits) {
    ProfileWindow window(options_.profile);
    result_.reason = StopReason::kLength;
    for (int64_t n = 0; options_.max_tokens < 0 || n < options_.max_tokens; ++n) {
      if (told_to_stop()) {
        return;
      }
      if (static_cast<int64_t>(tokens_.size()) >= session_.capacity()) {
        result_.reason = StopReason::kContextFull;
        return;
      }
      if (n > 0) {
        window.before(n - 1);
      }
      if (n == 1 && chooses_on_device()) {
        stream_ = runtime_.start_decode(session_, tokens_.back(), decode_params(session_.length()));
      }
      const int32_t id = n == 0 ? first_token(logits) : following_token(&logits);
      if (take(id, logits.as<float>())) {
        return;
      }
    }
  }

  IRuntime& runtime_;
  Session& session_;
  Sampler& sampler_;
  const GenerateOptions& options_;
  TextStream text_;
  std::vector<int32_t> tokens_;           // prompt and generated
  std::deque<int32_t> forced_;            // fed before anything is sampled
  std::optional<int32_t> first_id_;       // chosen where its logits are
  std::unique_ptr<DecodeStream> stream_;  // null: tokens are chosen here
  bool budget_spent_ = false;
  double start_;
  GenerateResult result_;
};

}  // namespace

const char* name(StopReason reason) {
  switch (reason) {
    case StopReason::kEos:
      return "eos";
    case StopReason::kLength:
      return "length";
    case StopReason::kStopString:
      return "stop_string";
    case StopReason::kContextFull:
      return "context_full";
    case StopReason::kInterrupted:
      return "interrupted";
    case StopReason::kTimeout:
      return "timeout";
  }
  return "?";
}

ThinkIds think_ids(const Tokenizer& tokenizer) {
  return {tokenizer.find("<think>").value_or(-1), tokenizer.find("</think>").value_or(-1)};
}

double GenerateResult::decode_seconds() const {
  return token_seconds.size() < 2 ? 0 : token_seconds.back() - token_seconds.front();
}

GenerateResult generate(IRuntime& runtime, Session& session, const Tokenizer& tokenizer,
                        Sampler& sampler, const std::vector<int32_t>& prompt,
                        const GenerateOptions& options) {
  return Generation(runtime, session, tokenizer, sampler, prompt, options).run();
}

}  // namespace ember
