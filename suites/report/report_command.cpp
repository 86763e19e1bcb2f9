// SPDX-License-Identifier: Apache-2.0
// ember report: everything that reads reports. docs/reports.md explains it.
#include "suites/report/report_command.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <sstream>

#include "engine/core/log.h"
#include "engine/io/json.h"
#include "kernels/base/error.h"
#include "reports/export/export.h"
#include "reports/format.h"
#include "reports/gate/ab.h"
#include "reports/gate/compare.h"
#include "reports/history.h"
#include "reports/html/page.h"
#include "reports/merge.h"
#include "reports/nsys/attribution.h"
#include "reports/nsys/output.h"
#include "reports/reader.h"
#include "reports/writer.h"
#include "suites/work_folder.h"

namespace ember {
namespace {

using report::Json;

struct Options {
  std::vector<std::string> files, add;
  std::string junit, summary, history, base, fresh, form, policy, json, output, filter;
  std::string a, b, dir;
  std::vector<std::string> command;
  std::optional<std::string> domain;
  std::vector<std::string> payload;
  double limit_s = 600;
  uint64_t seed = 1;
  bool advisory = false, every = false, noise = false;
};

std::string text_of(const Json& j) {
  return j.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// To a file, or to stdout for "-".
void put(const std::string& path, const std::string& text) {
  if (path == "-") {
    std::cout << text << std::flush;
  } else {
    report::write_file_atomically(path, text);
  }
}

int validate(const Options& o) {
  int code = 0;
  for (const std::string& path : o.files) {
    try {
      const report::Report r = report::read_report(path);
      std::cout << printable(path, 400) << ": ok, " << r.cases.size() << " cases\n";
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::kBadInput) {
        throw;
      }
      std::cerr << "ember: " << e.what() << "\n";
      std::cout << printable(path, 400) << ": bad\n";
      code = exit_code(ErrorKind::kBadInput);
    }
  }
  return code;
}

int show(const Options& o) {
  for (const std::string& path : o.files) {
    report::print(std::cout, report::read_report(path));
  }
  return 0;
}

int merge(const Options& o) {
  put(o.output, report::dump_report(report::merge_files(o.files)));
  return 0;
}

report::Policy policy_of(const Options& o) {
  return o.policy.empty() ? report::Policy() : report::read_policy(o.policy);
}

int verdict(const Options& o, const report::Comparison& c) {
  report::print(o.json == "-" ? std::cerr : std::cout, c, o.every);
  if (!o.json.empty()) {
    put(o.json, text_of(report::to_json(c)));
  }
  if (!o.junit.empty()) {
    std::ostringstream out;
    report::export_gate_junit(out, c);
    put(o.junit, out.str());
  }
  if (!o.summary.empty()) {
    std::ostringstream out;
    report::export_gate_summary(out, c);
    put(o.summary, out.str());
  }
  if (o.advisory && c.exit_code() != 0) {
    std::cerr << "advisory: exit code 0 in place of " << c.exit_code() << "\n";
    return 0;
  }
  return c.exit_code();
}

int compare(const Options& o) {
  return verdict(
      o, report::compare(report::read_report(o.base), report::read_report(o.fresh), policy_of(o)));
}

int ab(const Options& o) {
  report::AbOptions options;
  options.a = o.a;
  options.b = o.b;
  options.args = o.command;
  options.policy = policy_of(o);
  options.limit_s = o.limit_s;
  options.seed = o.seed;
  options.progress = [](const std::string& line) { std::cerr << line << "\n"; };
  WorkFolder folder(o.dir);
  options.dir = folder.path();
  const report::AbResult result = report::run_ab(options);
  if (!o.dir.empty()) {
    report::write_report(o.dir + "/a.json", result.a);
    report::write_report(o.dir + "/b.json", result.b);
    report::write_file_atomically(o.dir + "/compare.json",
                                  text_of(report::to_json(result.comparison)));
  }
  folder.done();
  return verdict(o, result.comparison);
}

int export_report(const Options& o) {
  const report::Report r = report::read_report(o.files[0]);
  for (const report::ExportFormat& f : report::export_formats()) {
    if (o.form == f.name) {
      std::ostringstream out;
      f.write(out, r);
      put(o.output.empty() ? "-" : o.output, out.str());
    }
  }
  return 0;
}

int html(const Options& o) {
  report::Page page;
  page.report = report::read_report(o.files[0]);
  if (!o.base.empty()) {
    page.comparison = report::compare(report::read_report(o.base), page.report, policy_of(o));
  }
  if (!o.history.empty()) {
    page.history = report::read_history(o.history);
  }
  std::ostringstream out;
  report::write_page(out, page);
  put(o.output, out.str());
  return 0;
}

int history(const Options& o) {
  for (const std::string& path : o.add) {
    report::append_history(o.files[0], report::history_entry(report::read_report(path)));
  }
  const std::vector<report::HistoryEntry> entries = report::read_history(o.files[0]);
  if (o.noise) {
    const auto floors = report::noise_floors(entries);
    for (const report::NoiseFloor& f : floors) {
      std::cout << f.kind << ": floor " << report::percent(f.floor, 2) << " from " << f.pairs
                << " pairs of runs of one commit\n";
    }
    if (floors.empty()) {
      fail(ErrorKind::kInconclusive, o.files[0],
           ": fewer than three pairs of runs of one commit on one machine");
    }
    return 0;
  }
  report::print(std::cout, entries, o.filter);
  return 0;
}

int import_profile(const Options& o) {
  report::nsys::Trace trace = report::nsys::read_trace(o.files[0], {o.domain, o.payload});
  const report::nsys::Attribution a = report::nsys::attribute(&trace);
  for (const std::string& note : trace.notes) {
    notice(note);
  }
  if (a.launches_missing > 0) {
    notice(a.launches_missing, " of ", trace.kernels.size(),
           " kernels: their launch was not recorded, so that their range is not known");
  }
  report::nsys::print(o.output == "-" ? std::cerr : std::cout, trace, a);
  if (!o.output.empty()) {
    std::vector<std::string> command = {"ember", "report", "import", o.files[0]};
    if (o.domain) {
      command.insert(command.end(), {"--domain", *o.domain});
    }
    for (const std::string& name : o.payload) {
      command.insert(command.end(), {"--payload", name});
    }
    const std::string text =
        report::dump_report(report::to_json(report::nsys::to_report(trace, a, command)));
    if (text.size() > static_cast<size_t>(report::kMaxReportBytes)) {
      fail(ErrorKind::kBadInput, o.files[0], ": its report has ", text.size(), " bytes, at most ",
           report::kMaxReportBytes, " can be read; record a shorter window (--profile-window)");
    }
    put(o.output, text);
  }
  return 0;
}

using Action = int (*)(const Options&);

void add_reading(CLI::App& app, Options* o, std::vector<std::pair<CLI::App*, Action>>* actions) {
  CLI::App* sub = app.add_subcommand("validate", "check reports against their schema; exit 0 or 4");
  sub->add_option("FILE", o->files, "reports")->required();
  actions->emplace_back(sub, validate);
  sub = app.add_subcommand("show", "print reports as tables");
  sub->add_option("FILE", o->files, "reports")->required();
  actions->emplace_back(sub, show);
  sub = app.add_subcommand("merge", "put runs of one binary on one machine into one report");
  sub->add_option("FILE", o->files, "reports")->required();
  sub->add_option("-o,--output", o->output, "the merged report, - for stdout")->required();
  actions->emplace_back(sub, merge);
  sub = app.add_subcommand("export", "write a report in the format of another tool");
  std::vector<std::string> names;
  std::string about = "one of:";
  for (const report::ExportFormat& f : report::export_formats()) {
    names.emplace_back(f.name);
    about += std::string("\n") + f.name + ": " + f.about;
  }
  sub->add_option("FILE", o->files, "report")->required()->expected(1);
  sub->add_option("--format", o->form, about)->required()->check(CLI::IsMember(names));
  sub->add_option("-o,--output", o->output, "where to, - (the default) for stdout");
  actions->emplace_back(sub, export_report);
  sub = app.add_subcommand("import",
                           "times of kernels by NVTX range, from an export of Nsight Systems");
  sub->add_option("FILE", o->files, "what `nsys export --type sqlite` wrote")
      ->required()
      ->expected(1);
  sub->add_option("-o,--output", o->output,
                  "also write them as a report, - for stdout; the gate does not compare it");
  sub->add_option("--domain", o->domain,
                  "NVTX domain of the ranges, '' for the one without a name (default: ember)");
  sub->add_option("--payload", o->payload, "tell ranges of this name apart by their payload");
  actions->emplace_back(sub, import_profile);
  sub = app.add_subcommand("html", "write a report as one page that needs nothing else");
  sub->add_option("FILE", o->files, "report")->required()->expected(1);
  sub->add_option("--base", o->base, "report to judge it by, as compare does");
  sub->add_option("--policy", o->policy, "policy of that comparison");
  sub->add_option("--history", o->history, "history file, for lines over time");
  sub->add_option("-o,--output", o->output, "the page, - for stdout")->required();
  actions->emplace_back(sub, html);
  sub = app.add_subcommand("history", "append reports to a history file, print it");
  sub->add_option("FILE", o->files, "history, one line of JSON a run")->required()->expected(1);
  sub->add_option("--add", o->add, "append these reports");
  sub->add_option("--case", o->filter, "only cases whose id contains this");
  sub->add_flag("--noise", o->noise, "propose floors for a policy from runs of one commit");
  actions->emplace_back(sub, history);
}

void add_gate_flags(CLI::App* sub, Options* o) {
  sub->add_option("--policy", o->policy, "JSON file that changes the rules");
  sub->add_option("--json", o->json, "write the verdicts to this file, - for stdout");
  sub->add_option("--junit", o->junit, "write the verdicts as JUnit XML to this file");
  sub->add_option("--summary", o->summary, "write the verdicts as Markdown to this file");
  sub->add_flag("--advisory", o->advisory, "exit 0 whatever the verdict");
  sub->add_flag("-v,--verbose", o->every, "print every case");
}

void add_gate(CLI::App& app, Options* o, std::vector<std::pair<CLI::App*, Action>>* actions) {
  CLI::App* sub = app.add_subcommand(
      "compare", "judge NEW by BASE; exit 0, 1 worse, 3 inconclusive or not comparable");
  sub->add_option("BASE", o->base, "report of the code before")->required();
  sub->add_option("NEW", o->fresh, "report of the code after")->required();
  add_gate_flags(sub, o);
  actions->emplace_back(sub, compare);
  sub = app.add_subcommand("ab", "run two binaries in interleaved fresh processes, judge B by A");
  sub->add_option("--a", o->a, "binary of the code before")->required();
  sub->add_option("--b", o->b, "binary of the code after")->required();
  sub->add_option("-o,--output", o->dir, "keep every process's report and log in this folder");
  sub->add_option("--limit", o->limit_s, "seconds that one process may take")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  sub->add_option("-s,--seed", o->seed, "of the order of execution")->capture_default_str();
  sub->add_option("COMMAND", o->command,
                  "arguments of both, after --; {out} stands for the report's path (else --json "
                  "PATH is appended), {ids} for a file of the wanted case ids")
      ->required();
  add_gate_flags(sub, o);
  actions->emplace_back(sub, ab);
}

}  // namespace

CommandFn add_report(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  const auto actions = std::make_shared<std::vector<std::pair<CLI::App*, Action>>>();
  app.require_subcommand(1);
  add_reading(app, o.get(), actions.get());
  add_gate(app, o.get(), actions.get());
  return [o, actions] {
    for (const auto& [sub, action] : *actions) {
      if (sub->parsed()) {
        return action(*o);
      }
    }
    return exit_code(ErrorKind::kUsage);
  };
}

}  // namespace ember
