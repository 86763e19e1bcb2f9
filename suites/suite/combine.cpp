// SPDX-License-Identifier: Apache-2.0
#include "suites/suite/combine.h"

#include <algorithm>

#include "reports/merge.h"

namespace ember {
namespace {

const report::Gpu* find_gpu(const report::Report& r, int64_t index) {
  for (const report::Gpu& g : r.env.gpus) {
    if (g.index == index) {
      return &g;
    }
  }
  return nullptr;
}

// Steps use some of the devices, and only some load the model: all get the suite's, so that what
// is left to differ is a difference.
void align(const report::Report& frame, report::Report* r) {
  r->model = frame.model;
  r->env.host.load_1m = frame.env.host.load_1m;
  std::vector<report::Gpu> gpus;
  for (const report::Gpu& g : frame.env.gpus) {
    const report::Gpu* own = find_gpu(*r, g.index);
    gpus.push_back(own != nullptr ? *own : g);
  }
  r->env.gpus = std::move(gpus);
  if (!r->env.cuda) {
    r->env.cuda = frame.env.cuda;
  }
}

report::Case step_case(const StepResult& s, bool interrupted) {
  report::Case c =
      report::make_case(report::Kind::kCheck, "suite/" + s.step.name, {}, report::Metric::kCount);
  const int64_t ran = static_cast<int64_t>(s.reports.size());
  if (!s.failure.empty()) {
    report::fail_case(c, s.failure);
  } else if (!s.step.skipped.empty()) {
    report::skip(c, s.step.skipped);
  } else if (s.exit_code != 0) {
    report::fail_case(c, "exit code " + std::to_string(s.exit_code));
  } else if (ran < s.step.processes) {
    report::skip(c, interrupted ? "the suite was interrupted" : "not run");
  }
  return c;
}

}  // namespace

report::Report combine(report::Report frame, const SuiteResult& result) {
  // By the step that loaded it: its type is the one that was computed in.
  for (const StepResult& s : result.steps) {
    for (const report::Report& r : s.reports) {
      frame.model = r.model ? r.model : frame.model;
    }
  }
  std::vector<report::Report> runs = {frame};
  for (const StepResult& s : result.steps) {
    for (report::Report r : s.reports) {
      align(frame, &r);
      runs.push_back(std::move(r));
    }
  }
  report::Report out = report::merge(runs);
  const std::string status = out.run.status;
  out.run = frame.run;
  out.run.status = status;
  std::vector<report::Case> checks;
  for (const StepResult& s : result.steps) {
    checks.push_back(step_case(s, result.interrupted));
    if (!s.failure.empty()) {
      out.run.status = "failed";
    }
  }
  out.cases.insert(out.cases.begin(), checks.begin(), checks.end());
  if (result.interrupted) {
    out.run.status = "interrupted";
  }
  return out;
}

}  // namespace ember
