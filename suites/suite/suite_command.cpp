// SPDX-License-Identifier: Apache-2.0
// ember suite: every check and every bench of a profile, and one report. docs/reports.md explains
// it.
#include "suites/suite/suite_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include "engine/cli/flags.h"
#include "engine/cli/signals.h"
#include "engine/core/clock.h"
#include "engine/model/weight_source.h"
#include "harness/environment.h"
#include "kernels/base/error.h"
#include "reports/writer.h"
#include "suites/bench/bench_command.h"
#include "suites/suite/combine.h"
#include "suites/suite/outputs.h"
#include "suites/suite/profile.h"
#include "suites/suite/run_steps.h"

namespace ember {
namespace {

struct Options {
  SuiteOptions suite;
  std::string devices, output, json;
  bool resume = false, dry_run = false;
};

// The benches of this binary: what `ember bench` offers.
std::vector<std::string> bench_names() {
  CLI::App probe;
  add_bench(probe);
  std::vector<std::string> names;
  for (const CLI::App* sub : probe.get_subcommands(nullptr)) {
    names.push_back(sub->get_name());
  }
  return names;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& w : words) {
    text += (text.empty() ? "" : " ") + w;
  }
  return text;
}

int print_plan(const std::vector<SuiteStep>& steps) {
  for (const SuiteStep& s : steps) {
    if (!s.skipped.empty()) {
      std::cout << s.name << ": skipped: " << s.skipped << "\n";
    } else {
      std::cout << s.name << ": " << s.processes << " x ember " << joined(s.args) << "  (at most "
                << s.limit_s << " s each)\n";
    }
  }
  return 0;
}

void print_steps(std::ostream& out, const SuiteResult& result) {
  char line[256];
  for (const StepResult& s : result.steps) {
    const bool skipped = !s.step.skipped.empty() && s.reports.empty();
    const std::string what = !s.failure.empty() ? s.failure
                             : skipped          ? "skipped: " + s.step.skipped
                             : s.exit_code == 0 ? "ok"
                                                : "exit code " + std::to_string(s.exit_code);
    std::snprintf(line, sizeof line, "%-9s %2zu processes %7.1f s  ", s.step.name.c_str(),
                  s.reports.size(), s.seconds);
    out << line << what << (s.kept > 0 ? "; " + std::to_string(s.kept) + " kept" : "") << "\n";
  }
}

// What failed, so that nobody has to open a file to learn it.
void print_failures(std::ostream& out, const report::Report& r) {
  int shown = 0;
  for (const report::Case& c : r.cases) {
    if (c.status == report::Status::kFailed && c.id.rfind("check/suite/", 0) != 0 &&
        ++shown <= 20) {
      out << "failed: " << c.id << ": " << c.reason << "\n";
    }
  }
}

std::vector<std::string> command_line(const Options& o, const std::string& devices) {
  std::vector<std::string> words = {"ember",   "suite",       "--profile", o.suite.profile,
                                    "-m",      o.suite.model, "--devices", devices,
                                    "--dtype", o.suite.dtype};
  if (o.suite.processes > 0) {
    words.insert(words.end(), {"--processes", std::to_string(o.suite.processes)});
  }
  if (!o.suite.plant.empty()) {
    words.insert(words.end(), {"--plant", o.suite.plant});
  }
  for (const std::string& name : o.suite.only) {
    words.insert(words.end(), {"--only", name});
  }
  return words;
}

std::string device_text(const std::vector<DeviceId>& devices) {
  std::string text;
  for (const DeviceId& d : devices) {
    text += (text.empty() ? "" : ",") + d.str();
  }
  return text;
}

int run(Options o) {
  if (o.suite.model.empty()) {
    fail(ErrorKind::kUsage, "-m MODEL is required");
  }
  o.suite.devices = choose_devices(o.devices, o.suite.dtype);
  const auto weights = open_weights(o.suite.model);
  const std::vector<SuiteStep> steps = suite_steps(o.suite, weights->config(), bench_names());
  if (o.dry_run) {
    return print_plan(steps);
  }
  if (o.output.empty()) {
    fail(ErrorKind::kUsage, "-o DIR is required");
  }
  const double start = now_seconds();
  report::Report frame =
      start_report(command_line(o, device_text(o.suite.devices)), o.suite.devices);
  frame.run.profile = o.suite.profile;
  frame.model = describe_model(*weights, o.suite.dtype);
  SignalGuard signals;
  RunOptions options;
  options.binary = binary_path();
  options.dir = o.output;
  options.resume = o.resume;
  options.stop = [] { return SignalGuard::pending() != 0; };
  options.progress = [&](const std::string& line) {
    char at[32];
    std::snprintf(at, sizeof at, "%6.1f s  ", now_seconds() - start);
    std::cerr << at << line << "\n";
  };
  const SuiteResult result = run_steps(steps, options);
  report::Report r = combine(std::move(frame), result);
  r.run.wall_s = now_seconds() - start;
  write_outputs(o.output, r);
  if (!o.json.empty() && o.json != "-") {
    report::write_report(o.json, r);
  }
  std::ostream& human = o.json == "-" ? std::cerr : std::cout;
  print_steps(human, result);
  print_failures(human, r);
  human << o.output << "/report.json: " << r.cases.size() << " cases; page and exports beside it\n";
  if (o.json == "-") {
    std::cout << report::dump_report(report::to_json(r));
  }
  SignalGuard::check();
  return result.exit_code();
}

}  // namespace

CommandFn add_suite(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  add_log_flags(app);
  app.add_option("--profile", o->suite.profile, "how much: ci-quick, ci-full, nightly")
      ->check(CLI::IsMember(suite_profiles()))
      ->capture_default_str();
  app.add_option("-m,--model", o->suite.model, "model directory, or random:PRESET");
  app.add_option("-o,--output", o->output, "folder for the report, its page and its exports");
  app.add_option("--devices", o->devices, "stages: 0, 0,1, cpu; default: 0, or else cpu");
  app.add_option("--dtype", o->suite.dtype, "computing type: auto, fp32, fp16, bf16")
      ->check(CLI::IsMember({"auto", "fp32", "fp16", "bf16"}));
  app.add_option("--golden", o->suite.golden,
                 "references for the golden check; default: ../../refs/NAME beside the model");
  app.add_option("--golden-model", o->suite.golden_model,
                 "model of those references, where it is not -m");
  app.add_option("--plant", o->suite.plant,
                 "fault for the golden check to find, to see how a suite fails");
  app.add_option("--only", o->suite.only, "run these steps alone, a list")->delimiter(',');
  app.add_option("--processes", o->suite.processes,
                 "fresh processes of kernels and e2e, in place of the profile's")
      ->check(CLI::Range(1, 100));
  app.add_option("--json", o->json, "write the report to FILE too; - for stdout");
  app.add_flag("--resume", o->resume, "go on where a suite in this folder stopped");
  app.add_flag("--dry-run", o->dry_run, "print the steps and do no more");
  app.require_subcommand(0, 1);
  CLI::App* selftest = app.add_subcommand(
      "selftest",
      "plant what must turn the harness red; every exit code must be the documented one");
  const CommandFn run_selftest = add_selftest(*selftest);
  return [o, selftest, run_selftest] { return selftest->parsed() ? run_selftest() : run(*o); };
}

}  // namespace ember
