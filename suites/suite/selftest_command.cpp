// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "engine/cli/flags.h"
#include "engine/core/clock.h"
#include "harness/environment.h"
#include "kernels/base/error.h"
#include "reports/writer.h"
#include "suites/suite/selftest.h"
#include "suites/suite/suite_command.h"
#include "suites/work_folder.h"

namespace ember {
namespace {

struct Options {
  SelftestOptions selftest;
  std::string preset, output, json;
};

// Kernels that last so long that 0.3 us, the least that counts, is little beside 5 %; on a CPU
// those that its other users disturb least: one thread, operands in the cache.
void what_is_measured(DeviceId device, const std::string& preset, SelftestOptions* s) {
  const bool gpu = device.kind == DeviceKind::kCuda;
  const std::string shapes = !preset.empty() ? preset : gpu ? "qwen3-8b" : "tiny";
  s->bench = {
      "--preset", shapes, "--filter", "/linear\\.(o|gate_up|down)/", "-t",         gpu ? "1" : "16",
      "-d",       "0",    "--cache",  gpu ? "cold" : "hot",          "--case-cap", "0.15",
      "--target", "0.003"};
  if (!gpu) {
    s->environment = {"EMBER_THREADS=1"};
  }
  s->planted = "/linear.down/";
}

int run(Options o) {
  const double start = now_seconds();
  SelftestOptions& s = o.selftest;
  const std::vector<DeviceId> devices = choose_devices(s.devices, "auto");
  s.devices = devices.at(0).str();
  what_is_measured(devices.at(0), o.preset, &s);
  s.binary = binary_path();
  WorkFolder folder(o.output);
  s.dir = folder.path();
  const SelftestResult result = run_selftest(s, std::cerr);
  if (!o.json.empty()) {
    report::Report r = start_report({"ember", "suite", "selftest"}, devices);
    r.cases = report_cases(result);
    finish_report(&r, now_seconds() - start);
    report::write_report(o.json, r);
  }
  print(std::cout, result);
  if (result.exit_code() == 0 && folder.is_temporary()) {
    folder.done();
  } else {
    std::cout << "logs and reports: " << s.dir << "\n";
  }
  return result.exit_code();
}

}  // namespace

CommandFn add_selftest(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  SelftestOptions& s = o->selftest;
  s.model = "golden/models/tiny";
  s.golden = "golden/refs/tiny";
  s.devices = "";
  add_log_flags(app);
  app.add_option("-m,--model", s.model, "model with references")->capture_default_str();
  app.add_option("-g,--golden", s.golden, "its references")->capture_default_str();
  app.add_option("--devices", s.devices, "device; default: 0, or else cpu");
  app.add_option(
         "--rounds", s.rounds,
         "comparisons of A with A, and of A with a slower A; 20 says how often the gate errs")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  app.add_option("--delay", s.share, "by which share one kernel is slower")
      ->check(CLI::Range(0.001, 10.0))
      ->capture_default_str();
  app.add_option("--preset", o->preset, "shapes of what is measured; default: by the device");
  app.add_option("-s,--seed", s.seed, "of the order of execution")->capture_default_str();
  app.add_option("-o,--output", o->output, "keep logs and reports in this folder");
  app.add_option("--json", o->json, "write the checks as a report to FILE");
  return [o] { return run(*o); };
}

}  // namespace ember
