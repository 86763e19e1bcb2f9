// SPDX-License-Identifier: Apache-2.0
// Two ways to the same text, for tests: step by step through logits on the host, and a stream.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/runtime/runtime.h"
#include "engine/runtime/sampler.h"

namespace ember {

inline SamplingParams greedy_params() {
  SamplingParams p;
  p.greedy = true;
  return p;
}

inline SamplingParams sampled_params(uint64_t seed, double temperature = 1.2, int64_t top_k = 0,
                                     double top_p = 0.98, double min_p = 0.0) {
  SamplingParams p;
  p.seed = seed;
  p.temperature = temperature;
  p.top_k = top_k;
  p.top_p = top_p;
  p.min_p = min_p;
  return p;
}

// The token after a prompt, chosen where its logits are, as the host would draw it first.
inline std::optional<int32_t> first_choice(IRuntime& runtime, Session& session,
                                           const std::vector<int32_t>& prompt,
                                           const SamplingParams& p,
                                           const PrefillOptions& options = {}) {
  const auto n = static_cast<int64_t>(prompt.size());
  DecodeParams params;
  params.greedy = p.is_greedy();
  params.settings = *Sampler(p, runtime.config().shape.V).device_settings(session.length() + n - 1);
  return runtime.prefill_choose(session, prompt.data(), n, params, options);
}

// A session with a prompt in it and its first token, which the host chooses in either way.
struct Continued {
  Continued(IRuntime& r, const std::vector<int32_t>& prompt, const SamplingParams& p,
            int64_t capacity)
      : runtime(r), session(r.new_session(capacity)), sampler(p, r.config().shape.V) {
    const TensorView logits =
        r.prefill(*session, prompt.data(), static_cast<int64_t>(prompt.size()));
    ids.push_back(sampler.sample(logits.as<float>(), {prompt, 0}));
  }

  void step() {
    const TensorView logits = runtime.decode(*session, ids.back());
    ids.push_back(sampler.sample(logits.as<float>(), {ids, 0}));
  }

  DecodeSequence sequence(int64_t max_tokens = -1) {
    DecodeParams params;
    params.greedy = sampler.params().is_greedy();
    params.settings = *sampler.device_settings(session->length());
    params.max_tokens = max_tokens;
    return {session.get(), ids.back(), params};
  }

  std::unique_ptr<DecodeStream> stream(int64_t max_tokens = -1) {
    return runtime.start_batch({sequence(max_tokens)});
  }

  void step(DecodeStream& stream) { take(stream.next()); }

  void take(int32_t id) {
    ids.push_back(id);
    sampler.count_draw();
  }

  // Logits of the token after the last one: they depend on every row of the cache.
  std::vector<float> look() {
    const TensorView logits = runtime.decode(*session, ids.back());
    return {logits.as<float>(), logits.as<float>() + logits.numel()};
  }

  IRuntime& runtime;
  std::unique_ptr<Session> session;
  Sampler sampler;
  std::vector<int32_t> ids;  // generated
};

// Sessions that decode together, and what each of them would say alone.
class Together {
 public:
  // Sequence i has a prompt and a capacity of its own and chooses in the way i mod ways.
  Together(IRuntime& runtime, const std::vector<SamplingParams>& ways, int64_t count,
           int64_t capacity) {
    for (int64_t i = 0; i < count; ++i) {
      std::vector<int32_t> prompt;
      for (int64_t n = 0; n < 3 + (i * 5) % 11; ++n) {
        prompt.push_back(static_cast<int32_t>((17 + 31 * i + 7 * n * n) % 250));
      }
      all_.push_back(std::make_unique<Continued>(runtime, prompt, ways[i % ways.size()],
                                                 capacity + 3 * (i % 4)));
      in_.push_back(all_.back().get());
    }
  }

  std::unique_ptr<DecodeStream> stream() {
    std::vector<DecodeSequence> sequences;
    for (Continued* c : in_) {
      sequences.push_back(c->sequence());
    }
    return in_[0]->runtime.start_batch(sequences);
  }

  void step(DecodeStream& stream) {
    std::vector<int32_t> ids(in_.size());
    stream.next(ids.data());
    for (size_t i = 0; i < in_.size(); ++i) {
      in_[i]->take(ids[i]);
    }
  }

  // The same step over logits, each token chosen here.
  void step() {
    std::vector<Session*> sessions;
    std::vector<int32_t> last;
    for (const Continued* c : in_) {
      sessions.push_back(c->session.get());
      last.push_back(c->ids.back());
    }
    const TensorView logits = in_[0]->runtime.decode(sessions, last);
    for (size_t i = 0; i < in_.size(); ++i) {
      Continued& c = *in_[i];
      const TensorView row = logits.rows(static_cast<int64_t>(i), 1);
      c.ids.push_back(c.sampler.sample(row.as<float>(), {c.ids, 0}));
    }
  }

  void leave(DecodeStream& stream, int64_t i) {
    stream.leave(i);
    in_.erase(in_.begin() + i);
  }

  int64_t size() const { return static_cast<int64_t>(in_.size()); }
  Continued& member(int64_t i) { return *in_[i]; }       // of the stream
  Continued& operator[](int64_t i) { return *all_[i]; }  // of all

 private:
  std::vector<std::unique_ptr<Continued>> all_;
  std::vector<Continued*> in_;
};

}  // namespace ember
