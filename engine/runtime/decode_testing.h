// SPDX-License-Identifier: Apache-2.0
// Two ways to the same text, for tests: step by step through logits on the host, and a stream.
#pragma once

#include <cstdint>
#include <memory>
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

  std::unique_ptr<DecodeStream> stream(int64_t max_tokens = -1) {
    DecodeParams params;
    params.greedy = sampler.params().is_greedy();
    params.settings = *sampler.device_settings(session->length());
    params.max_tokens = max_tokens;
    return runtime.start_decode(*session, ids.back(), params);
  }

  void step(DecodeStream& stream) {
    ids.push_back(stream.next());
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

}  // namespace ember
