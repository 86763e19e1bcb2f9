// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/e2e.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/core/clock.h"
#include "engine/runtime/decode_stream.h"
#include "harness/environment.h"
#include "harness/step_cost.h"
#include "kernels/argmax/argmax.h"
#include "reports/stats.h"

namespace ember {
namespace {

// Ids that every build feeds: they spread over the vocabulary and stay the same for ever.
std::vector<int32_t> prompt_ids(int64_t n, int64_t vocab) {
  std::vector<int32_t> ids;
  uint64_t state = 1;
  for (int64_t i = 0; i < n; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    ids.push_back(static_cast<int32_t>((state >> 33) % static_cast<uint64_t>(vocab)));
  }
  return ids;
}

int32_t greedy(const TensorView& logits) {
  const float* row = logits.as<float>();
  return static_cast<int32_t>(std::max_element(row, row + logits.numel()) - row);
}

struct Repetition {
  double prefill = 0;         // seconds until the last prompt token's logits
  std::vector<double> steps;  // seconds of each decode step, the choice of its token included
  std::vector<int32_t> ids;
};

class Scenario {
 public:
  Scenario(IRuntime& runtime, int64_t depth, int64_t prompt, int64_t tokens, int64_t batch)
      : runtime_(runtime), depth_(depth), fed_(depth + prompt), tokens_(tokens) {
    // The text of session i starts at id i, so that they differ.
    ids_ = prompt_ids(fed_ + batch - 1, runtime.config().shape.V);
    for (int64_t i = 0; i < batch; ++i) {
      sessions_.push_back(runtime.new_session(fed_ + tokens));
      if (depth > 0) {
        runtime.prefill(*sessions_.back(), ids_.data() + i, depth);
      }
    }
  }

  Repetition run() {
    Repetition r;
    std::vector<int32_t> last;  // of each session
    for (size_t i = 0; i < sessions_.size(); ++i) {
      Session& session = *sessions_[i];
      session.truncate(depth_);
      const double start = now_seconds();
      last.push_back(greedy(runtime_.prefill(session, ids_.data() + i + depth_, fed_ - depth_)));
      r.prefill = i == 0 ? now_seconds() - start : r.prefill;
    }
    r.ids = last;
    double before = now_seconds();
    const auto stream = tokens_ > 0 ? runtime_.start_batch(sequences(last)) : nullptr;
    for (int64_t step = 0; step < tokens_; ++step) {
      if (stream) {
        stream->next(last.data());
      }
      for (size_t i = 0; !stream && i < sessions_.size(); ++i) {
        last[i] = greedy(runtime_.decode(*sessions_[i], last[i]));
      }
      r.ids.insert(r.ids.end(), last.begin(), last.end());
      const double now = now_seconds();
      r.steps.push_back(now - before);
      before = now;
    }
    return r;
  }

 private:
  std::vector<DecodeSequence> sequences(const std::vector<int32_t>& first_ids) const {
    DecodeParams p;
    p.greedy = true;
    p.max_tokens = tokens_;
    std::vector<DecodeSequence> all;
    for (size_t i = 0; i < sessions_.size(); ++i) {
      all.push_back({sessions_[i].get(), first_ids[i], p});
    }
    return all;
  }

  IRuntime& runtime_;
  int64_t depth_, fed_, tokens_;
  std::vector<int32_t> ids_;
  std::vector<std::unique_ptr<Session>> sessions_;
};

bool agree(const Repetition& a, const Repetition& b) {
  const auto close = [](double x, double y) { return std::fabs(x - y) <= 0.02 * std::max(x, y); };
  return close(a.prefill, b.prefill) &&
         (a.steps.empty() || close(report::median(a.steps), report::median(b.steps)));
}

class E2e {
 public:
  E2e(IRuntime& runtime, const Ceilings& ceilings, const E2eOptions& options, report::Report* out)
      : runtime_(runtime),
        dtype_(dtype_name(runtime.activation_dtype())),
        ceilings_(ceilings),
        options_(options),
        out_(out) {}

  // The prefill of a batch is that of its first session, and the same for every batch.
  void run(int64_t depth, int64_t prompt, int64_t batch, bool with_prefill) {
    Scenario scenario(runtime_, depth, prompt, options_.tokens, batch);
    Repetition before = scenario.run();
    int warmup = 1;
    std::vector<Repetition> kept;
    bool same = true;
    while (true) {
      Repetition r = scenario.run();
      same = same && r.ids == before.ids;
      const bool steady = agree(r, before);
      before = r;
      if (kept.empty() && !steady && warmup < options_.max_warmup) {
        ++warmup;
        continue;
      }
      kept.push_back(std::move(r));
      if (static_cast<int>(kept.size()) == options_.repetitions) {
        break;
      }
    }
    if (with_prefill) {
      add_prefill(depth, prompt, kept, warmup, same);
    }
    if (options_.tokens > 0) {
      add_decode(depth, prompt, batch, kept, warmup, same);
      if (options_.batches.size() > 1 || batch > 1) {
        add_throughput(depth, prompt, batch, kept, warmup, same);
      }
    }
  }

 private:
  report::Case start(const std::string& name, int64_t depth, int64_t prompt, int64_t batch,
                     bool same) const {
    report::Case c;
    c.kind = report::Kind::kE2e;
    c.params = {{"depth", static_cast<double>(depth)},
                {"dtype", dtype_},
                {"model", options_.model},
                {"prompt", static_cast<double>(prompt)},
                {"stages", static_cast<double>(runtime_.device_map().stages.size())}};
    if (batch > 1) {
      c.params["batch"] = static_cast<double>(batch);
    }
    c.id = report::case_id(c.kind, name, c.params);
    c.verified = same;
    if (!same) {
      c.status = report::Status::kFailed;
      c.reason = "greedy ids changed between repetitions";
    }
    c.stop = "count";
    return c;
  }

  DeviceId first_device() const { return runtime_.device_map().stages.at(0).device; }

  // Prompt passes keep all stages busy at once; a token visits one after another.
  int64_t device_count() const {
    std::vector<DeviceId> seen;
    for (const StageMap& s : runtime_.device_map().stages) {
      if (std::find(seen.begin(), seen.end(), s.device) == seen.end()) {
        seen.push_back(s.device);
      }
    }
    return static_cast<int64_t>(seen.size());
  }

  void add_prefill(int64_t depth, int64_t prompt, const std::vector<Repetition>& kept, int warmup,
                   bool same) {
    report::Case c = start("prefill", depth, prompt, 1, same);
    c.metric = report::Metric::kTtft;
    std::vector<double> all;
    for (const Repetition& r : kept) {
      all.push_back(r.prefill);
    }
    c.samples.push_back({0, order_++, {}, all});
    c.excluded_warmup = warmup;
    const double flops = prefill_flops(runtime_.config(), prompt, depth);
    c.work = report::Work{{}, flops, static_cast<double>(prompt)};
    hold_against(&c, ceilings_, "gemm_" + dtype_, first_device(), flops / report::median(all),
                 device_count());
    out_->cases.push_back(std::move(c));
  }

  void add_decode(int64_t depth, int64_t prompt, int64_t batch, const std::vector<Repetition>& kept,
                  int warmup, bool same) {
    report::Case c = start("decode", depth, prompt, batch, same);
    c.metric = report::Metric::kTpot;
    std::vector<double> all;
    for (const Repetition& r : kept) {
      all.insert(all.end(), r.steps.begin(), r.steps.end());
    }
    c.samples.push_back({0, order_++, {}, all});
    c.excluded_warmup = warmup * options_.tokens;
    const int64_t middle = depth + prompt + options_.tokens / 2;
    const double bytes = decode_step_bytes(runtime_.config(), options_.weights,
                                           runtime_.activation_dtype(), middle, batch);
    c.work = report::Work{bytes, {}, static_cast<double>(batch)};
    if (bytes > 2 * static_cast<double>(options_.cache_bytes)) {  // else memory is not its limit
      hold_against(&c, ceilings_, "mem_read", first_device(), bytes / report::median(all));
    }
    out_->cases.push_back(std::move(c));
  }

  // Tokens of all sessions a second, a sample a repetition.
  void add_throughput(int64_t depth, int64_t prompt, int64_t batch,
                      const std::vector<Repetition>& kept, int warmup, bool same) {
    report::Case c = start("throughput", depth, prompt, batch, same);
    c.metric = report::Metric::kTokensPerS;
    std::vector<double> all;
    for (const Repetition& r : kept) {
      all.push_back(static_cast<double>(batch * options_.tokens) /
                    std::accumulate(r.steps.begin(), r.steps.end(), 0.0));
    }
    c.samples.push_back({0, order_++, {}, all});
    c.excluded_warmup = warmup;
    out_->cases.push_back(std::move(c));
  }

  IRuntime& runtime_;
  std::string dtype_;
  const Ceilings& ceilings_;
  const E2eOptions& options_;
  report::Report* out_;
  int64_t order_ = 0;
};

}  // namespace

void bench_e2e(IRuntime& runtime, const Ceilings& ceilings, const E2eOptions& options,
               report::Report* report) {
  E2e bench(runtime, ceilings, options, report);
  for (const int64_t depth : options.depths) {
    for (const int64_t prompt : options.prompts) {
      for (const int64_t batch : options.batches) {
        bench.run(depth, prompt, batch, batch == options.batches[0]);
      }
    }
  }
}

}  // namespace ember
