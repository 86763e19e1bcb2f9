// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/scenario.h"

#include <algorithm>
#include <numeric>

#include "engine/core/clock.h"
#include "engine/runtime/decode_stream.h"
#include "golden/fixture/sha256.h"

namespace ember {
namespace {

int32_t greedy(const TensorView& logits) {
  const float* row = logits.as<float>();
  return static_cast<int32_t>(std::max_element(row, row + logits.numel()) - row);
}

}  // namespace

std::vector<int32_t> prompt_ids(int64_t n, int64_t vocab) {
  std::vector<int32_t> ids;
  uint64_t state = 1;
  for (int64_t i = 0; i < n; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    ids.push_back(static_cast<int32_t>((state >> 33) % static_cast<uint64_t>(vocab)));
  }
  return ids;
}

double Repetition::decode() const {
  return std::accumulate(steps.begin(), steps.end(), 0.0);
}

Scenario::Scenario(IRuntime& runtime, const Size& size) : runtime_(runtime), size_(size) {
  const int64_t fed = size.depth + size.prompt;
  ids_ = prompt_ids(fed + size.batch - 1, runtime.config().shape.V);
  for (int64_t i = 0; i < size.batch; ++i) {
    sessions_.push_back(runtime.new_session(fed + size.tokens));
    if (size.depth > 0) {
      runtime.prefill(*sessions_.back(), ids_.data() + i, size.depth);
    }
  }
}

Repetition Scenario::run(const std::function<void()>& between,
                         const std::function<void()>& after_step) {
  Repetition r;
  first_.clear();
  for (size_t i = 0; i < sessions_.size(); ++i) {
    Session& session = *sessions_[i];
    session.truncate(size_.depth);
    PrefillOptions options;
    options.chunk = size_.chunk;
    const double start = now_seconds();
    const int32_t* ids = ids_.data() + i + size_.depth;
    first_.push_back(*runtime_.prefill_choose(session, ids, size_.prompt, choice(true), options));
    r.prefill = i == 0 ? now_seconds() - start : r.prefill;
  }
  r.ids = first_;
  if (between) {
    between();
  }
  decode(after_step, &r);
  return r;
}

void Scenario::decode(const std::function<void()>& after_step, Repetition* r) {
  std::vector<int32_t> last = first_;
  double before = now_seconds();
  const auto stream = size_.tokens > 0 ? runtime_.start_batch(sequences(!after_step)) : nullptr;
  for (int64_t step = 0; step < size_.tokens; ++step) {
    if (stream) {
      stream->next(last.data());
    }
    for (size_t i = 0; !stream && i < sessions_.size(); ++i) {
      last[i] = greedy(runtime_.decode(*sessions_[i], last[i]));
    }
    r->ids.insert(r->ids.end(), last.begin(), last.end());
    double now = now_seconds();
    r->steps.push_back(now - before);
    if (after_step) {
      after_step();
      now = now_seconds();
    }
    before = now;
  }
}

std::optional<UnreadSteps> Scenario::run_unread() {
  for (const auto& session : sessions_) {
    session->truncate(size_.depth + size_.prompt);
  }
  const auto stream = size_.tokens > 0 ? runtime_.start_batch(sequences(true)) : nullptr;
  if (stream == nullptr) {
    return {};
  }
  const double start = now_seconds();
  double given = start;
  stream->run_unread(size_.tokens, [&] { given = now_seconds(); });
  const auto steps = static_cast<double>(size_.tokens);
  return UnreadSteps{(now_seconds() - start) / steps, (given - start) / steps};
}

DecodeParams Scenario::choice(bool ahead) const {
  DecodeParams p;
  p.greedy = true;
  p.max_tokens = size_.tokens;
  p.ahead = ahead;
  return p;
}

std::vector<DecodeSequence> Scenario::sequences(bool ahead) const {
  std::vector<DecodeSequence> all;
  for (size_t i = 0; i < sessions_.size(); ++i) {
    all.push_back({sessions_[i].get(), first_[i], choice(ahead)});
  }
  return all;
}

std::string hash_ids(const std::vector<int32_t>& ids) {
  std::string text;
  for (const int32_t id : ids) {
    text += std::to_string(id) + "\n";
  }
  return golden::sha256(text);
}

}  // namespace ember
