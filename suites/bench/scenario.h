// SPDX-License-Identifier: Apache-2.0
// One piece of work end to end: a prompt after so many cached tokens, then greedy decoding of one
// session or several in one step, each token chosen where its logits are, as `ember generate` does.
// The same ids for ever.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/runtime/runtime.h"

namespace ember {

// Ids that every build feeds: they spread over the vocabulary and stay the same for ever.
std::vector<int32_t> prompt_ids(int64_t n, int64_t vocab);

struct Repetition {
  double prefill = 0;         // seconds until the first token is known here, of the first session
  std::vector<double> steps;  // seconds of each decode step, the choice of its tokens included
  std::vector<int32_t> ids;   // chosen: the first of each session, then step by step

  double decode() const;  // seconds of all steps
};

// Seconds a step when the host only hands out steps and never reads a token.
struct UnreadSteps {
  double step = 0;   // until the devices are done
  double given = 0;  // until the host has handed it out
};

class Scenario {
 public:
  struct Size {
    int64_t depth = 0;   // tokens in the cache before the prompt
    int64_t prompt = 1;  // tokens
    int64_t tokens = 0;  // decode steps
    int64_t batch = 1;   // sessions in one step
    int64_t chunk = 0;   // tokens of a prefill pass; 0: the runtime's
  };

  Scenario(IRuntime& runtime, const Size& size);

  // `between` is called when all prompts are fed, `after_step` after each step; their time counts
  // for nothing. With the latter no step is begun before its predecessor's token is known.
  Repetition run(const std::function<void()>& between = {},
                 const std::function<void()>& after_step = {});
  // The steps of the last run() once more. Nothing where the runtime has no streams.
  std::optional<UnreadSteps> run_unread();

 private:
  DecodeParams choice(bool ahead) const;
  std::vector<DecodeSequence> sequences(bool ahead) const;
  void decode(const std::function<void()>& after_step, Repetition* r);

  IRuntime& runtime_;
  Size size_;
  std::vector<int32_t> ids_;    // the text of session i starts at id i, so that they differ
  std::vector<int32_t> first_;  // what each session's prompt led to
  std::vector<std::unique_ptr<Session>> sessions_;
};

// SHA-256 of the ids as decimal numbers, a line each.
std::string hash_ids(const std::vector<int32_t>& ids);

}  // namespace ember
