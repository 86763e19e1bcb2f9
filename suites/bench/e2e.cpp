// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/e2e.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "engine/core/clock.h"
#include "harness/environment.h"
#include "harness/measure/gpu_log.h"
#include "harness/step_cost.h"
#include "reports/stats.h"
#include "suites/bench/scenario.h"

namespace ember {
namespace {

bool agree(const Repetition& a, const Repetition& b) {
  const auto close = [](double x, double y) { return std::fabs(x - y) <= 0.02 * std::max(x, y); };
  return close(a.prefill, b.prefill) &&
         (a.steps.empty() || close(report::median(a.steps), report::median(b.steps)));
}

// What a scenario gave.
struct Measured {
  std::vector<Repetition> kept;
  int warmup = 1;
  bool same = true;  // the ids of all repetitions
  std::vector<UnreadSteps> unread;
  std::vector<report::Stage> prefill_stages, decode_stages;
  std::optional<double> clock_mhz;

  template <class F>
  std::vector<double> each(const F& value) const {
    std::vector<double> all;
    std::transform(kept.begin(), kept.end(), std::back_inserter(all), value);
    return all;
  }
  std::vector<double> steps() const {
    std::vector<double> all;
    for (const Repetition& r : kept) {
      all.insert(all.end(), r.steps.begin(), r.steps.end());
    }
    return all;
  }
};

// Shares of `window` seconds. The hop out of a stage: on the CPU by the clock; between CUDA devices
// whose passes follow one another (`hops` of them in the window, 0 where stages overlap) it is
// what the passes leave of the window.
std::vector<report::Stage> stage_shares(const std::vector<StageTime>& times, double window,
                                        int64_t hops) {
  std::vector<report::Stage> out;
  const double busy = std::accumulate(times.begin(), times.end(), 0.0,
                                      [](double s, const StageTime& t) { return s + t.busy; });
  const bool cuda = std::all_of(times.begin(), times.end(), [](const StageTime& t) {
    return t.device.kind == DeviceKind::kCuda;
  });
  for (size_t i = 0; i < times.size(); ++i) {
    report::Stage s;
    s.stage = static_cast<int64_t>(i);
    s.device = device_name(times[i].device);
    s.busy_share = std::min(1.0, times[i].busy / window);
    s.bubble_share = 1 - *s.busy_share;
    const std::vector<double>& hop = times[(i + 1) % times.size()].receives;
    if (!hop.empty()) {
      s.hop_s = report::median(hop);
    } else if (cuda && hops > 0) {
      s.hop_s = std::max(0.0, window - busy) / static_cast<double>(hops);
    }
    out.push_back(std::move(s));
  }
  return out;
}

class E2e {
 public:
  E2e(IRuntime& runtime, const Ceilings& ceilings, const E2eOptions& options, StageTimer* timer,
      report::Report* out)
      : runtime_(runtime),
        dtype_(dtype_name(runtime.activation_dtype())),
        ceilings_(ceilings),
        options_(options),
        choice_(options.filter, options.ids_file),
        timer_(timer),
        out_(out) {}

  // The prefill of a batch is that of its first session, and the same for every batch.
  void run(const Scenario::Size& size, bool with_prefill) {
    std::vector<std::pair<std::string, report::Case>> cases;
    const auto add = [&](const char* name, report::Metric metric) {
      report::Case c = start(name, metric, size);
      if (choice_.wants(c.id)) {
        cases.emplace_back(name, std::move(c));
      }
    };
    if (with_prefill) {
      add("prefill", report::Metric::kTtft);
      add("prefill_rate", report::Metric::kTokensPerS);
    }
    if (size.tokens > 0) {
      add("decode", report::Metric::kTpot);
      add("throughput", report::Metric::kTokensPerS);
      add("decode_unread", report::Metric::kTpot);
      add("decode_given", report::Metric::kTime);
    }
    if (cases.empty()) {
      return;
    }
    const Measured m = options_.refusal.empty() ? measure(size) : Measured();
    for (auto& [name, c] : cases) {
      options_.refusal.empty() ? fill(name, size, m, &c) : report::fail_case(c, options_.refusal);
      out_->cases.push_back(std::move(c));
    }
  }

 private:
  report::Case start(const std::string& name, report::Metric metric,
                     const Scenario::Size& size) const {
    report::Params params = {{"depth", static_cast<double>(size.depth)},
                             {"dtype", dtype_},
                             {"model", options_.model},
                             {"prompt", static_cast<double>(size.prompt)},
                             {"stages", static_cast<double>(runtime_.device_map().stages.size())}};
    const bool prefill = name.rfind("prefill", 0) == 0;
    if (size.batch > 1 && !prefill) {
      params["batch"] = static_cast<double>(size.batch);
    }
    if (size.chunk > 0 && prefill) {
      params["chunk"] = static_cast<double>(size.chunk);
    }
    report::Case c = report::make_case(report::Kind::kE2e, name, params, metric);
    c.gate = name == "prefill" || name == "decode";  // the others follow from them, or explain them
    c.stop = "count";
    return c;
  }

  Measured measure(const Scenario::Size& size) {
    Scenario scenario(runtime_, size);
    GpuWatch gpus(runtime_.device_map().devices());
    Measured m;
    Repetition before = scenario.run();
    while (static_cast<int>(m.kept.size()) < options_.repetitions) {
      Repetition r = scenario.run();
      m.same = m.same && r.ids == before.ids;
      const bool steady = agree(r, before);
      before = r;
      if (m.kept.empty() && !steady && m.warmup < options_.max_warmup) {
        ++m.warmup;
        continue;
      }
      m.kept.push_back(std::move(r));
      gpus.read();
    }
    for (int i = 0; i < options_.repetitions; ++i) {
      const std::optional<UnreadSteps> u = scenario.run_unread();
      if (u) {
        m.unread.push_back(*u);
      }
      gpus.read();
    }
    m.clock_mhz = gpus.clock_mhz();
    if (timer_ != nullptr) {
      measure_stages(scenario, size, &m);
    }
    return m;
  }

  // In a repetition of its own, so that the events disturb no sample.
  void measure_stages(Scenario& scenario, const Scenario::Size& size, Measured* m) {
    const double start = now_seconds();
    timer_->start();
    const Repetition r = scenario.run([&] {
      const double prefill = now_seconds() - start;
      m->prefill_stages = stage_shares(timer_->stop(), prefill, 0);
      timer_->start();
    });
    m->same = m->same && r.ids == m->kept.back().ids;
    const std::vector<StageTime> times = timer_->stop();
    if (size.tokens > 0) {
      // The residual stream from stage to stage, and the ids from the last to the first.
      const auto stages = static_cast<int64_t>(times.size());
      m->decode_stages = stage_shares(times, r.decode(), stages > 1 ? stages * size.tokens : 0);
    }
  }

  void fill(const std::string& name, const Scenario::Size& size, const Measured& m,
            report::Case* c) {
    c->verified = m.same;
    if (!m.same) {
      report::fail_case(*c, "greedy ids changed between repetitions");
    }
    const auto tokens = static_cast<double>(size.batch * size.tokens);
    const auto prompt = static_cast<double>(size.prompt);
    if (name == "prefill") {
      sample(c, m, m.each([](const Repetition& r) { return r.prefill; }), m.warmup);
      add_prefill(size, m, c);
    } else if (name == "prefill_rate") {
      sample(c, m, m.each([&](const Repetition& r) { return prompt / r.prefill; }), m.warmup);
    } else if (name == "decode") {
      sample(c, m, m.steps(), m.warmup * size.tokens);
      add_decode(size, m, c);
    } else if (name == "throughput") {
      sample(c, m, m.each([&](const Repetition& r) { return tokens / r.decode(); }), m.warmup);
    } else if (m.unread.empty()) {
      report::skip(*c, "the runtime has no streams of tokens");
    } else {
      std::vector<double> all;
      for (const UnreadSteps& u : m.unread) {
        all.push_back(name == "decode_unread" ? u.step : u.given);
      }
      sample(c, m, std::move(all), 0);
    }
  }

  void sample(report::Case* c, const Measured& m, std::vector<double> values, int64_t warmup) {
    c->samples.push_back({0, order_++, m.clock_mhz, std::move(values)});
    c->excluded_warmup = warmup;
  }

  void add_prefill(const Scenario::Size& size, const Measured& m, report::Case* c) const {
    const double flops = prefill_flops(runtime_.config(), size.prompt, size.depth);
    c->work = report::Work{{}, flops, static_cast<double>(size.prompt)};
    c->output_sha256 = hash_ids({m.kept[0].ids[0]});
    c->stages = m.prefill_stages;
    hold_against(c, ceilings_, "gemm_" + dtype_, first_device(),
                 flops / report::median(c->samples[0].values), device_count());
  }

  void add_decode(const Scenario::Size& size, const Measured& m, report::Case* c) const {
    const int64_t middle = size.depth + size.prompt + size.tokens / 2;
    const double bytes = decode_step_bytes(runtime_.config(), options_.weights,
                                           runtime_.activation_dtype(), middle, size.batch);
    c->work = report::Work{bytes, {}, static_cast<double>(size.batch)};
    c->output_sha256 = hash_ids(m.kept[0].ids);
    c->stages = m.decode_stages;
    if (bytes > 2 * static_cast<double>(options_.cache_bytes)) {  // else memory is not its limit
      hold_against(c, ceilings_, "mem_read", first_device(),
                   bytes / report::median(c->samples[0].values));
    }
  }

  DeviceId first_device() const { return runtime_.device_map().stages.at(0).device; }

  // Prompt passes keep all stages busy at once; a token visits one after another.
  int64_t device_count() const {
    return static_cast<int64_t>(runtime_.device_map().devices().size());
  }

  IRuntime& runtime_;
  std::string dtype_;
  const Ceilings& ceilings_;
  const E2eOptions& options_;
  CaseChoice choice_;
  StageTimer* timer_;
  report::Report* out_;
  int64_t order_ = 0;
};

}  // namespace

void bench_e2e(IRuntime& runtime, const Ceilings& ceilings, const E2eOptions& options,
               StageTimer* timer, report::Report* report) {
  E2e bench(runtime, ceilings, options, timer, report);
  for (const int64_t depth : options.depths) {
    for (const int64_t prompt : options.prompts) {
      const int64_t chunk = options.chunks.empty() ? 0 : options.chunks[0];
      for (const int64_t batch : options.batches) {
        bench.run({depth, prompt, options.tokens, batch, chunk}, batch == options.batches[0]);
      }
      for (size_t i = 1; i < options.chunks.size(); ++i) {
        bench.run({depth, prompt, 0, 1, options.chunks[i]}, true);
      }
    }
  }
}

}  // namespace ember
