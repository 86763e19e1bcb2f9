// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/e2e.h"

#include <algorithm>
#include <cmath>

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
  Scenario(IRuntime& runtime, int64_t depth, int64_t prompt, int64_t tokens)
      : runtime_(runtime), depth_(depth), tokens_(tokens) {
    ids_ = prompt_ids(depth + prompt, runtime.config().shape.V);
    session_ = runtime.new_session(depth + prompt + tokens);
    if (depth > 0) {
      runtime.prefill(*session_, ids_.data(), depth);
    }
  }

  Repetition run() {
    Repetition r;
    session_->truncate(depth_);
    const double start = now_seconds();
    TensorView logits = runtime_.prefill(*session_, ids_.data() + depth_,
                                         static_cast<int64_t>(ids_.size()) - depth_);
    r.ids.push_back(greedy(logits));
    double last = now_seconds();
    r.prefill = last - start;
    const auto stream =
        tokens_ > 0 ? runtime_.start_decode(*session_, r.ids.back(), decode_params()) : nullptr;
    for (int64_t i = 0; i < tokens_; ++i) {
      r.ids.push_back(stream ? stream->next() : greedy(runtime_.decode(*session_, r.ids.back())));
      const double now = now_seconds();
      r.steps.push_back(now - last);
      last = now;
    }
    return r;
  }

 private:
  DecodeParams decode_params() const {
    DecodeParams p;
    p.greedy = true;
    p.max_tokens = tokens_;
    return p;
  }

  IRuntime& runtime_;
  int64_t depth_, tokens_;
  std::vector<int32_t> ids_;
  std::unique_ptr<Session> session_;
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

  void run(int64_t depth, int64_t prompt) {
    Scenario scenario(runtime_, depth, prompt, options_.tokens);
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
    add_prefill(depth, prompt, kept, warmup, same);
    if (options_.tokens > 0) {
      add_decode(depth, prompt, kept, warmup, same);
    }
  }

 private:
  report::Case start(const std::string& name, int64_t depth, int64_t prompt, bool same) const {
    report::Case c;
    c.kind = report::Kind::kE2e;
    c.params = {{"depth", static_cast<double>(depth)},
                {"dtype", dtype_},
                {"model", options_.model},
                {"prompt", static_cast<double>(prompt)},
                {"stages", static_cast<double>(runtime_.device_map().stages.size())}};
    c.id = report::case_id(c.kind, name, c.params);
    c.verified = same;
    if (!same) {
      c.status = report::Status::kFailed;
      c.reason = "greedy ids changed between repetitions";
    }
    c.stop = "count";
    return c;
  }

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

  // The share of the ceiling of so many devices that the median reached. Above one: the work or the
  // ceiling is wrong.
  void hold_against(report::Case* c, const std::string& kind, double rate, int64_t devices) const {
    const double limit = static_cast<double>(devices) * ceilings_.value(kind);
    if (limit <= 0) {
      return;
    }
    const DeviceId device = runtime_.device_map().stages.at(0).device;
    c->ceiling = report::CeilingShare{ceiling_id(kind, device), rate / limit};
    if (rate > kCeilingSlack * limit && c->status == report::Status::kOk) {
      c->status = report::Status::kFailed;
      c->reason = "a share of the ceiling above 1: bytes, flops or the ceiling are wrong";
    }
  }

  void add_prefill(int64_t depth, int64_t prompt, const std::vector<Repetition>& kept, int warmup,
                   bool same) {
    report::Case c = start("prefill", depth, prompt, same);
    c.metric = report::Metric::kTtft;
    std::vector<double> all;
    for (const Repetition& r : kept) {
      all.push_back(r.prefill);
    }
    c.samples.push_back({0, order_++, {}, all});
    c.excluded_warmup = warmup;
    const double flops = prefill_flops(runtime_.config(), prompt, depth);
    c.work = report::Work{{}, flops, static_cast<double>(prompt)};
    hold_against(&c, "gemm_" + dtype_, flops / report::median(all), device_count());
    out_->cases.push_back(std::move(c));
  }

  void add_decode(int64_t depth, int64_t prompt, const std::vector<Repetition>& kept, int warmup,
                  bool same) {
    report::Case c = start("decode", depth, prompt, same);
    c.metric = report::Metric::kTpot;
    std::vector<double> all;
    for (const Repetition& r : kept) {
      all.insert(all.end(), r.steps.begin(), r.steps.end());
    }
    c.samples.push_back({0, order_++, {}, all});
    c.excluded_warmup = warmup * options_.tokens;
    const int64_t middle = depth + prompt + options_.tokens / 2;
    const double bytes =
        decode_step_bytes(runtime_.config(), options_.weights, runtime_.activation_dtype(), middle);
    c.work = report::Work{bytes, {}, 1.0};
    if (bytes > 2 * static_cast<double>(options_.cache_bytes)) {  // else memory is not its limit
      hold_against(&c, "mem_read", bytes / report::median(all), 1);
    }
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
      bench.run(depth, prompt);
    }
  }
}

}  // namespace ember
