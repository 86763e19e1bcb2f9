// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/engine_commands.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>

#include "engine/cli/flags.h"
#include "engine/cli/model.h"
#include "engine/core/clock.h"
#include "engine/core/log.h"
#include "harness/environment.h"
#include "suites/bench/e2e.h"
#include "suites/bench/engine_check.h"
#include "suites/bench/phases.h"
#include "suites/bench/report_output.h"

namespace ember {
namespace {

struct Options {
  ModelFlags model;
  EngineCheckOptions check;
  E2eOptions e2e;
  PhasesOptions phases;
  double time_cap = 1;
  std::string json, filter, ids_file;
};

int64_t longest(const std::vector<int64_t>& v) {
  return v.empty() ? 0 : *std::max_element(v.begin(), v.end());
}

// Of the first device, before the weights take the memory.
Ceilings measure_ceilings(DeviceId device, const ModelShape& m, int64_t tokens, double time_cap,
                          int64_t* cache_bytes) {
  Meter meter(device);
  CeilingOptions c;
  c.time_cap = time_cap;
  if (device.kind == DeviceKind::kCpu) {
    c.gemm.push_back(DType::kF32);  // in which the CPU computes
  }
  if (tokens > 0) {
    c.gemm_shapes = {{tokens, 2 * m.F, m.D}};
  }
  *cache_bytes = meter.cache_bytes();
  return Ceilings::measure(meter, c);
}

std::string model_label(const std::string& model) {
  return std::filesystem::path(model).filename().string();
}

int run_e2e(Options o) {
  const double start = now_seconds();
  o.e2e.filter = o.filter;
  o.e2e.ids_file = o.ids_file;
  const Model model = open_model(o.model.model);
  o.model.context = longest(o.e2e.depths) + longest(o.e2e.prompts) + o.e2e.tokens;
  RuntimeOptions options = runtime_options(o.model, model.weights->config().max_position);
  options.batch = longest(o.e2e.batches);
  if (!o.e2e.chunks.empty()) {
    options.chunk = longest(o.e2e.chunks);
  }
  const DeviceId device = options.devices.at(0);
  report::Report r = start_report({"ember", "bench", "e2e"}, options.devices);
  o.check.model = o.model.model;
  o.check.devices = options.devices;
  o.check.dtype = options.dtype;
  const report::Case check = check_engine(o.check);
  r.cases.push_back(check);
  Ceilings ceilings;
  if (check.status == report::Status::kFailed) {
    o.e2e.refusal = "no rate of a wrong engine: the golden check failed";
  } else {
    if (check.status == report::Status::kSkipped) {
      notice("the engine was not judged before it was measured: ", check.reason);
    }
    ceilings = measure_ceilings(device, model.weights->config().shape, longest(o.e2e.prompts),
                                o.time_cap, &o.e2e.cache_bytes);
  }
  add_ceilings(&r, device, ceilings);
  StageTimer timer;
  options.decorate = [&](std::unique_ptr<IBackend> backend, int64_t stage) {
    return timer.decorate(std::move(backend), stage);
  };
  const LoadedRuntime loaded = load_runtime(model, options);
  const DType activation = loaded.runtime->activation_dtype();
  o.e2e.model = model_label(o.model.model);
  o.e2e.weights = device.kind == DeviceKind::kCuda ? activation : model.weights->config().dtype;
  r.model = describe_model(*model.weights, dtype_name(activation));
  bench_e2e(*loaded.runtime, ceilings, o.e2e, &timer, &r);
  output_report(&r, o.json, start);
  return exit_code_of(r);
}

int run_phases(Options o) {
  const double start = now_seconds();
  o.phases.filter = o.filter;
  o.phases.ids_file = o.ids_file;
  const Model model = open_model(o.model.model);
  o.model.context = longest(o.phases.depths) + longest(o.phases.prompts) + o.phases.tokens + 1;
  RuntimeOptions options = runtime_options(o.model, model.weights->config().max_position);
  const DeviceId device = options.devices.at(0);
  report::Report r = start_report({"ember", "bench", "phases"}, options.devices);
  const Ceilings ceilings =
      measure_ceilings(device, model.weights->config().shape, longest(o.phases.prompts), o.time_cap,
                       &o.phases.cache_bytes);
  add_ceilings(&r, device, ceilings);
  OpTimer timer;
  options.decorate = [&](std::unique_ptr<IBackend> backend, int64_t stage) {
    return timer.decorate(std::move(backend), stage);
  };
  const LoadedRuntime loaded = load_runtime(model, options);
  o.phases.model = model_label(o.model.model);
  r.model = describe_model(*model.weights, dtype_name(loaded.runtime->activation_dtype()));
  bench_phases(*loaded.runtime, ceilings, o.phases, timer, &r);
  output_report(&r, o.json, start);
  return exit_code_of(r);
}

void add_shared_flags(CLI::App& app, const std::shared_ptr<Options>& o) {
  add_model_flags(app, o->model, false);
  add_log_flags(app);
  app.add_option("--filter", o->filter, "regular expression on the id of a case");
  app.add_option("--ids", o->ids_file,
                 "measure the cases that this file names alone, a line each; * is all");
  app.add_option("--time-cap", o->time_cap, "seconds for each ceiling")->check(CLI::PositiveNumber);
  app.add_option("--json", o->json, "write the report to FILE; - for stdout");
}

// A list of counts; 8k is 8192.
CLI::Option* add_counts(CLI::App& app, const std::string& flag, std::vector<int64_t>& to,
                        const std::string& doc) {
  return app.add_option(flag, to, doc)->delimiter(',')->transform(CLI::AsSizeValue(false));
}

}  // namespace

BenchCommand add_bench_e2e(CLI::App& bench) {
  auto o = std::make_shared<Options>();
  CLI::App* app = bench.add_subcommand("e2e", "prefill of one sequence, decode of one or several");
  add_shared_flags(*app, o);
  add_counts(*app, "-p,--prompt", o->e2e.prompts, "tokens of the prompt, a list")
      ->check(CLI::PositiveNumber);
  app->add_option("-n,--tokens", o->e2e.tokens, "tokens decoded after it")
      ->check(CLI::NonNegativeNumber);
  add_counts(*app, "-d,--depths,--depth", o->e2e.depths,
             "tokens in the cache before the prompt, a list: 0,1k,8k,32k");
  app->add_option("--batch", o->e2e.batches, "sessions in one decode step, a list; at most 16")
      ->delimiter(',')
      ->check(CLI::Range(int64_t{1}, kMaxBatch));
  add_counts(*app, "--chunks", o->e2e.chunks,
             "tokens of a prefill pass, a list; each a case of prefill (--chunk)")
      ->check(CLI::PositiveNumber)
      ->excludes("--chunk");
  app->add_option("-r,--repetitions", o->e2e.repetitions, "repetitions that are kept")
      ->check(CLI::Range(1, 1000));
  app->add_option("-g,--golden", o->check.golden,
                  "references to judge the engine by first; default: ../../refs/NAME beside the "
                  "model");
  app->add_option("--golden-model", o->check.golden_model,
                  "the model of the references, where another one is measured");
  app->add_flag("--no-golden", o->check.off,
                "measure without judging; no gate accepts the report by itself");
  app->add_option("--plant", o->check.plant,
                  "judge an engine with this fault, to see how a refusal reads");
  return {app, [o] { return run_e2e(*o); }};
}

BenchCommand add_bench_phases(CLI::App& bench) {
  auto o = std::make_shared<Options>();
  CLI::App* app = bench.add_subcommand("phases", "where a pass spends its time: layers and ops");
  add_shared_flags(*app, o);
  add_counts(*app, "-p,--prompt", o->phases.prompts, "tokens of a prefill, a list (512)")
      ->check(CLI::PositiveNumber);
  add_counts(*app, "-d,--depths,--depth", o->phases.depths,
             "tokens in the cache before a pass, a list (1k)");
  app->add_option("-n,--tokens", o->phases.tokens, "decode steps (32)")
      ->check(CLI::Range(2, 1 << 20));
  app->add_option("-r,--repetitions", o->phases.repetitions, "prefills (5)")
      ->check(CLI::Range(1, 1000));
  return {app, [o] { return run_phases(*o); }};
}

}  // namespace ember
