// SPDX-License-Identifier: Apache-2.0
// ember golden: judges the engine by the references of a model. docs/golden.md explains it.
#include "suites/golden_logits/golden_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "engine/core/clock.h"
#include "harness/environment.h"
#include "reports/writer.h"
#include "suites/golden_logits/golden_cases.h"
#include "suites/golden_logits/golden_report.h"

namespace ember {
namespace {

namespace fs = std::filesystem;
using golden::Json;

struct Options {
  std::string model, golden, devices = "cpu", dtype = "auto", level = "full", cases, json, report,
                             mutate, plant;
  bool verbose = false, emulate = false;
};

void write_json(const std::string& path, const Json& value) {
  const std::string text = value.dump(1) + "\n";
  if (path == "-") {
    std::cout << text;
    return;
  }
  const std::string temporary = path + ".tmp";
  {
    std::ofstream out(temporary, std::ios::binary);
    out << text;
    if (!out.flush()) {
      fail(ErrorKind::kUsage, path, ": cannot write");
    }
  }
  fs::rename(temporary, path);
}

std::shared_ptr<const IWeightSource> open_model(const Options& o, const golden::Fixture& fixture) {
  if (!fs::is_directory(o.model)) {
    fail(ErrorKind::kBadInput, o.model, ": not a model directory");
  }
  fixture.require_model(o.model);
  return open_weights(o.model);
}

std::vector<golden::MutationResult> mutate(const Options& o, const golden::Fixture& fixture,
                                           std::shared_ptr<const IWeightSource> source,
                                           const golden::GoldenOptions& options,
                                           std::ostream& human) {
  std::vector<const Fault*> wanted;
  for (const Fault& f : faults()) {
    if (o.mutate == "all" || f.name == o.mutate) {
      wanted.push_back(&f);
    }
  }
  if (wanted.empty()) {
    find_fault(o.mutate);  // throws, naming what there is
  }
  const std::vector<golden::LoadedCase> cases = golden::load_cases(fixture, o.cases, false);
  std::vector<golden::MutationResult> results;
  for (const Fault* f : wanted) {
    results.push_back(golden::run_mutation(fixture, source, cases, options, *f));
  }
  golden::print_mutations(human, results);
  return results;
}

// As a report, for the gate, the exports and the page.
void write_report(const Options& o, const golden::Fixture& fixture,
                  const golden::GoldenResult& result,
                  const std::vector<golden::MutationResult>& mutations, double start) {
  const std::vector<DeviceId> devices = parse_devices(o.devices);
  report::Report r = start_report({"ember", "golden", "run"}, devices);
  r.cases = golden::report_cases(fixture, result, static_cast<int64_t>(devices.size()));
  for (report::Case& c : r.cases) {
    if (o.emulate) {
      c.params["device"] = std::string("emulated");
      c.id += "/device=emulated";
    }
  }
  for (report::Case& c : golden::report_cases(mutations, fixture.model_name())) {
    r.cases.push_back(std::move(c));
  }
  finish_report(&r, now_seconds() - start);
  report::write_report(o.report, r);
}

int run(const Options& o) {
  const double start = now_seconds();
  std::ostream& human = o.json == "-" ? std::cerr : std::cout;
  const golden::Fixture fixture = golden::Fixture::open(o.golden);
  const auto source = open_model(o, fixture);
  golden::GoldenOptions options;
  options.devices = parse_devices(o.devices);
  options.dtype = o.dtype;
  options.emulate = o.emulate;
  options.case_regex = o.cases;
  options.level = o.level == "quick"  ? golden::Level::kQuick
                  : o.level == "full" ? golden::Level::kFull
                                      : golden::Level::kDeep;
  options.fault = o.plant.empty() ? nullptr : &find_fault(o.plant);
  const golden::GoldenResult result = golden::run_golden(fixture, source, options);
  golden::print_result(human, fixture, result, o.verbose);
  Json document = {{"schema", "ember.golden.result/1"}};
  document.update(golden::to_json(fixture, result));
  document["devices"] = o.devices;
  document["emulated"] = o.emulate;
  document["level"] = o.level;
  document["planted"] = o.plant.empty() ? Json(nullptr) : Json(o.plant);
  bool pass = result.pass();
  std::vector<golden::MutationResult> mutations;
  if (!o.mutate.empty()) {
    mutations = mutate(o, fixture, source, options, human);
    document["mutations"] = golden::to_json(mutations);
    bool planted = false;
    for (const golden::MutationResult& m : mutations) {
      pass = pass && m.pass();
      planted = planted || m.applies;
    }
    pass = pass && planted;
  }
  if (!o.json.empty()) {
    write_json(o.json, document);
  }
  if (!o.report.empty()) {
    write_report(o, fixture, result, mutations, start);
  }
  return pass ? 0 : exit_code(ErrorKind::kWrong);
}

// Every variant of Hugging Face must pass the band that the others make: the limits are then wide
// enough for an honest implementation, and no wider than their own figures say.
int verify(const Options& o) {
  const golden::Fixture fixture = golden::Fixture::open(o.golden);
  if (!o.model.empty()) {
    fixture.require_model(o.model);
  }
  int64_t positions = 0, steps = 0, failures = 0;
  for (const golden::CaseInfo& info : fixture.cases()) {
    const golden::Reference ref = fixture.load(info);
    positions += static_cast<int64_t>(ref.top_pos.size());
    steps += static_cast<int64_t>(ref.greedy_ids.size());
  }
  for (const golden::Band* each : fixture.bands()) {
    const golden::Band& band = *each;
    std::map<std::string, golden::RunFigures> runs;
    for (const auto& [name, c] : band.cases) {
      for (const auto& [variant, figures] : c.variants) {
        runs[variant][name] = figures;
        for (const golden::Verdict& v : golden::judge_case(band, name, figures)) {
          failures += !v.pass;
        }
      }
    }
    std::cout << band.dtype << " (" << band.group << "): " << runs.size()
              << " variants, rel_l2 limit " << band.limits[golden::Figure::kRelL2]
              << ", max_abs limit " << band.limits[golden::Figure::kMaxAbs] << "\n";
    for (const auto& [variant, run] : runs) {
      for (const golden::Verdict& v : golden::judge_all(band, run)) {
        failures += !v.pass;
        if (!v.pass) {
          std::cout << "  " << variant << " does not pass its own band: " << v.figure << " "
                    << v.ratio << " over " << v.limit << "\n";
        }
      }
    }
  }
  for (const auto& [label, source] : fixture.sources()) {
    std::cout << label << ": " << source << "\n";
  }
  std::cout << fixture.cases().size() << " cases, " << positions << " positions, " << steps
            << " greedy steps, invariants hold; truth's own error " << fixture.truth_error() << "\n"
            << (failures == 0 ? "PASS" : "FAILED") << "\n";
  return failures == 0 ? 0 : exit_code(ErrorKind::kWrong);
}

}  // namespace

CommandFn add_golden(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  app.require_subcommand(1);
  CLI::App* run_app = app.add_subcommand("run", "run every case and judge it; exit 0 or 1");
  run_app->add_option("-m,--model", o->model, "model directory")->required();
  run_app->add_option("-g,--golden", o->golden, "golden directory of that model")->required();
  run_app->add_option("--devices", o->devices, "stages: cpu, cpu,cpu, 0,1 …")
      ->capture_default_str();
  run_app->add_option("--dtype", o->dtype, "computing type: auto, fp32, fp16, bf16")
      ->capture_default_str();
  run_app->add_flag("--emulate", o->emulate,
                    "compute on the CPU in --dtype as a CUDA device would, in memory that the host "
                    "cannot touch");
  run_app->add_option("--level", o->level, "quick, full (greedy prompts too), deep (every tap too)")
      ->check(CLI::IsMember({"quick", "full", "deep"}))
      ->capture_default_str();
  run_app->add_option("--case", o->cases, "only cases whose name matches this regular expression");
  run_app->add_option("--json", o->json, "write the result as JSON to this file, - for stdout");
  run_app->add_option("--report", o->report, "write the verdicts as a report (docs/reports.md)");
  run_app->add_option("--mutate", o->mutate,
                      "then plant this fault, or all: each must be seen and found");
  run_app->add_option("--plant", o->plant,
                      "judge an engine with this fault, to see how a failure reads");
  run_app->add_flag("-v,--verbose", o->verbose, "print every case, not the worst of each figure");
  CLI::App* verify_app =
      app.add_subcommand("verify-ref", "check the references against themselves and their band");
  verify_app->add_option("-g,--golden", o->golden, "golden directory")->required();
  verify_app->add_option("-m,--model", o->model, "also check that this is their model");
  return [o, run_app] { return run_app->parsed() ? run(*o) : verify(*o); };
}

}  // namespace ember
