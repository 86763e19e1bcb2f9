// SPDX-License-Identifier: Apache-2.0
// ember bench: measures, and writes a report. docs/measuring.md explains it.
#include "suites/bench/bench_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "engine/cli/flags.h"
#include "engine/core/clock.h"
#include "harness/environment.h"
#include "suites/bench/engine_commands.h"
#include "suites/bench/kernels.h"
#include "suites/bench/report_output.h"

namespace ember {
namespace {

struct Options {
  ModelFlags model;
  KernelsOptions kernels;
  std::vector<std::string> presets;
  std::string cache = "cold";
  double time_cap = 1;
  bool no_ceilings = false;
  std::string json;
};

DType dtype_named(const std::string& name) {
  return name == "fp16" ? DType::kF16 : name == "bf16" ? DType::kBF16 : DType::kF32;
}

const ModelShape& preset_shape(const std::string& name) {
  const ModelPreset* p = find_preset(name);
  if (p == nullptr) {
    fail(ErrorKind::kUsage, "--preset: no preset '", name, "'; `ember --list-presets` has them");
  }
  return p->shape;
}

// The widest product of each model at the longest pass.
std::vector<std::array<int64_t, 3>> gemm_shapes(const Options& o) {
  const int64_t T = *std::max_element(o.kernels.tokens.begin(), o.kernels.tokens.end());
  std::vector<std::array<int64_t, 3>> shapes;
  for (const std::string& preset : o.presets) {
    const ModelShape& m = preset_shape(preset);
    if (T > 1) {
      shapes.push_back({T, 2 * m.F, m.D});
    }
  }
  return shapes;
}

int run_kernels(Options o, const std::vector<std::string>& command) {
  const double start = now_seconds();
  const DeviceId device = choose_devices(o.model.devices, o.model.dtype).at(0);
  o.kernels.cold = o.cache != "hot";
  o.kernels.hot = o.cache != "cold";
  report::Report r = start_report(command, {device});
  Meter meter(device);
  CeilingOptions c;
  c.time_cap = o.time_cap;
  const DType dtype = o.model.dtype == "auto" ? DType::kBF16 : dtype_named(o.model.dtype);
  c.gemm = {dtype};
  c.gemm_shapes = gemm_shapes(o);
  const Ceilings ceilings = o.no_ceilings ? Ceilings() : Ceilings::measure(meter, c);
  add_ceilings(&r, device, ceilings);
  for (const std::string& preset : o.presets) {
    bench_kernels(meter, preset, preset_shape(preset), dtype, ceilings, o.kernels, &r);
  }
  output_report(&r, o.json, start);
  return exit_code_of(r);
}

int run_ceilings(const Options& o, const std::vector<std::string>& command) {
  const double start = now_seconds();
  const std::vector<DeviceId> devices = choose_devices(o.model.devices, "auto");
  report::Report r = start_report(command, devices);
  for (const DeviceId& device : devices) {
    Meter meter(device);
    CeilingOptions c;
    c.time_cap = o.time_cap;
    c.gemm = {DType::kF32, DType::kF16, DType::kBF16};
    add_ceilings(&r, device, Ceilings::measure(meter, c));
  }
  output_report(&r, o.json, start);
  return 0;
}

}  // namespace

CommandFn add_bench(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.require_subcommand(1);
  CLI::App* kernels = app.add_subcommand("kernels", "every kernel of a pass by itself");
  kernels->add_option("--preset", o->presets, "model shapes, a list")->delimiter(',')->required();
  kernels->add_option("--dtype", o->model.dtype, "bf16 (default), fp16 or fp32")
      ->check(CLI::IsMember({"auto", "bf16", "fp16", "fp32"}));
  kernels->add_option("-t,--tokens", o->kernels.tokens, "tokens of a pass, a list; 1 is decode")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  kernels->add_option("-d,--depth", o->kernels.depths, "cached tokens before it, a list")
      ->delimiter(',')
      ->check(CLI::NonNegativeNumber);
  kernels
      ->add_option("--cache", o->cache, "operands in the cache or not: cold (default), hot, both")
      ->check(CLI::IsMember({"cold", "hot", "both"}));
  kernels->add_option("--filter", o->kernels.filter, "regular expression on the id of a case");
  kernels->add_option("--ids", o->kernels.ids_file,
                      "measure the cases that this file names alone, a line each; * is all");
  kernels
      ->add_option("--target", o->kernels.measure.target,
                   "stop when the median is known to this share")
      ->check(CLI::PositiveNumber);
  kernels->add_option("--case-cap", o->kernels.measure.time_cap, "seconds for each case")
      ->check(CLI::PositiveNumber);
  kernels->add_flag("--no-ceilings", o->no_ceilings,
                    "measure no ceilings, and state no shares: for many short runs");
  CLI::App* ceilings = app.add_subcommand("ceilings", "what a device can do at most");
  for (CLI::App* sub : {kernels, ceilings}) {
    sub->add_option("--devices", o->model.devices, "devices, a list; default: 0, or else cpu");
  }
  for (CLI::App* sub : {kernels, ceilings}) {
    add_log_flags(*sub);
    sub->add_option("--time-cap", o->time_cap, "seconds for each ceiling")
        ->check(CLI::PositiveNumber);
    sub->add_option("--json", o->json, "write the report to FILE; - for stdout");
  }
  const std::vector<BenchCommand> others = {add_bench_e2e(app), add_bench_phases(app),
                                            add_bench_p2p(app)};
  return [o, kernels, others] {
    for (const BenchCommand& c : others) {
      if (c.app->parsed()) {
        return c.run();
      }
    }
    return kernels->parsed() ? run_kernels(*o, {"ember", "bench", "kernels"})
                             : run_ceilings(*o, {"ember", "bench", "ceilings"});
  };
}

}  // namespace ember
