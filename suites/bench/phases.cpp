// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/phases.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "harness/environment.h"
#include "harness/measure/gpu_log.h"
#include "harness/step_cost.h"
#include "reports/stats.h"
#include "suites/bench/scenario.h"

namespace ember {
namespace {

// One kind of pass, some times over.
struct Pass {
  std::string name;           // "decode"
  report::Params params;      // of its cases, without op
  std::vector<double> steps;  // seconds of the pass as users run it
  std::vector<OpTimes> ops;   // of each repetition
  std::optional<double> clock_mhz;
};

class Phases {
 public:
  Phases(IRuntime& runtime, const Ceilings& ceilings, const PhasesOptions& options, OpTimer& timer,
         report::Report* out)
      : runtime_(runtime),
        gemm_("gemm_" + std::string(dtype_name(runtime.activation_dtype()))),
        ceilings_(ceilings),
        options_(options),
        choice_(options.filter, options.ids_file),
        timer_(timer),
        out_(out) {}

  void decode(int64_t depth) {
    const int64_t steps = options_.tokens;
    // The prompt's one token stands for the last of those cached.
    Scenario scenario(runtime_, {depth, 1, steps, 1});
    Pass pass{"decode", params(depth, 1), {}, {}, {}};
    GpuWatch gpus(runtime_.device_map().devices());
    scenario.run();
    pass.steps = scenario.run().steps;
    gpus.read();
    timer_.warm();
    scenario.run();
    timer_.start();
    scenario.run({}, [&] { pass.ops.push_back(timer_.take()); });
    timer_.stop();
    gpus.read();
    pass.clock_mhz = gpus.clock_mhz();
    // The first step's take has the prompt's pass in it.
    pass.ops.erase(pass.ops.begin());
    report_pass(pass);
  }

  void prefill(int64_t depth, int64_t prompt) {
    Scenario scenario(runtime_, {depth, prompt, 0, 1});
    Pass pass{"prefill", params(depth, prompt), {}, {}, {}};
    GpuWatch gpus(runtime_.device_map().devices());
    scenario.run();
    for (int i = 0; i < options_.repetitions; ++i) {
      pass.steps.push_back(scenario.run().prefill);
      gpus.read();
    }
    timer_.warm();
    scenario.run();
    timer_.start();
    for (int i = 0; i < options_.repetitions; ++i) {
      scenario.run();
      pass.ops.push_back(timer_.take());
      gpus.read();
    }
    timer_.stop();
    pass.clock_mhz = gpus.clock_mhz();
    report_pass(pass);
  }

 private:
  report::Params params(int64_t depth, int64_t tokens) const {
    return {{"depth", static_cast<double>(depth)},
            {"dtype", std::string(dtype_name(runtime_.activation_dtype()))},
            {"model", options_.model},
            {"stages", static_cast<double>(runtime_.device_map().stages.size())},
            {"tokens", static_cast<double>(tokens)}};
  }

  void report_pass(const Pass& pass) {
    OpTimes median;  // over the repetitions; the cost is that of the last
    for (const auto& [key, last] : pass.ops.back()) {
      std::vector<double> all;
      for (const OpTimes& ops : pass.ops) {
        const auto found = ops.find(key);
        if (found != ops.end()) {
          all.push_back(found->second.seconds);
        }
      }
      median[key] = {report::median(all), last.cost};
    }
    double sum = 0, least = 0;
    std::map<int64_t, double> layers;
    for (const auto& [key, t] : median) {
      sum += t.seconds;
      least += roofline(t.cost);
      if (key.second >= 0) {
        layers[key.second] += t.seconds;
      }
    }
    for (const std::string& op : timer_.order()) {
      add_op(pass, op, median);
    }
    std::vector<double> by_layer;
    for (const auto& [layer, seconds] : layers) {
      by_layer.push_back(seconds);
    }
    add(pass, "layers", report::Metric::kTime, by_layer);
    add(pass, "sum", report::Metric::kTime, {sum});
    if (least > 0) {
      add(pass, "roofline", report::Metric::kTime, {least});
    }
    const double step = report::median(pass.steps);
    add(pass, "step", report::Metric::kTime, pass.steps);
    add(pass, "gap", report::Metric::kRatio, {(step - sum) / step});
  }

  void add_op(const Pass& pass, const std::string& op, const OpTimes& times) {
    std::vector<double> values;
    Cost cost;
    for (const auto& [key, t] : times) {  // in the order of layers
      if (key.first == op) {
        values.push_back(t.seconds);
        cost = t.cost;
      }
    }
    if (values.empty()) {
      return;
    }
    report::Case* c = add(pass, op, report::Metric::kTime, values);
    if (c == nullptr) {
      return;
    }
    c->work = report::Work{static_cast<double>(cost.bytes()), static_cast<double>(cost.flops), {}};
    const double median = report::median(values);
    if (!(median > 0)) {
      return;  // less than two events take by themselves
    }
    const bool arithmetic = seconds(cost.flops, gemm_) > seconds(cost.bytes(), "mem_read");
    const std::string kind = arithmetic ? gemm_ : "mem_read";
    const double rate = static_cast<double>(arithmetic ? cost.flops : cost.bytes()) / median;
    // Operands that fit the cache are read faster than memory gives them: no ceiling then.
    const bool cached = !arithmetic && cost.bytes() < options_.cache_bytes;
    if (!(cached && rate > ceilings_.value(kind))) {
      hold_against(c, ceilings_, kind, runtime_.device_map().stages.at(0).device, rate);
    }
  }

  // Seconds that the ceiling needs for so much; 0 where it was not measured.
  double seconds(int64_t amount, const std::string& kind) const {
    const double limit = ceilings_.value(kind);
    return limit > 0 ? static_cast<double>(amount) / limit : 0;
  }
  double roofline(const Cost& cost) const {
    return std::max(seconds(cost.bytes(), "mem_read"), seconds(cost.flops, gemm_));
  }

  // Null when the case is not wanted.
  report::Case* add(const Pass& pass, const std::string& op, report::Metric metric,
                    std::vector<double> values) {
    report::Params params = pass.params;
    params["op"] = op;
    report::Case c = report::make_case(report::Kind::kPhase, pass.name, params, metric);
    if (values.empty() || !choice_.wants(c.id)) {
      return nullptr;
    }
    c.gate = op == "step";  // the others explain it
    c.stop = "count";
    c.samples.push_back({0, order_++, pass.clock_mhz, std::move(values)});
    out_->cases.push_back(std::move(c));
    return &out_->cases.back();
  }

  IRuntime& runtime_;
  std::string gemm_;
  const Ceilings& ceilings_;
  const PhasesOptions& options_;
  CaseChoice choice_;
  OpTimer& timer_;
  report::Report* out_;
  int64_t order_ = 0;
};

}  // namespace

void bench_phases(IRuntime& runtime, const Ceilings& ceilings, const PhasesOptions& options,
                  OpTimer& timer, report::Report* report) {
  Phases phases(runtime, ceilings, options, timer, report);
  for (const int64_t depth : options.depths) {
    phases.decode(depth);
    for (const int64_t prompt : options.prompts) {
      phases.prefill(depth, prompt);
    }
  }
}

}  // namespace ember
