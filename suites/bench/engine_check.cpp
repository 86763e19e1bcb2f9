// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/engine_check.h"

#include <algorithm>
#include <filesystem>

#include "engine/core/log.h"
#include "engine/io/mmap_file.h"
#include "engine/model/weight_source.h"
#include "suites/golden_logits/golden_run.h"

namespace ember {
namespace {

namespace fs = std::filesystem;

constexpr size_t kReasonLength = 500;

std::string folder_name(const std::string& path) {
  const fs::path folder = fs::path(path).lexically_normal();
  return (folder.has_filename() ? folder : folder.parent_path()).filename().string();
}

std::string references_beside(const std::string& model) {
  const fs::path refs = fs::path(model) / ".." / ".." / "refs" / folder_name(model);
  return file_exists((refs / "manifest.json").string()) ? refs.lexically_normal().string() : "";
}

std::string failures(const golden::GoldenResult& result) {
  std::string text;
  for (size_t i = 0; i < result.verdicts.size() && text.size() < kReasonLength; ++i) {
    const golden::Verdict& v = result.verdicts[i];
    if (!v.pass) {
      text += (text.empty() ? "" : "; ") + v.scope + ": " + v.figure + " " +
              std::to_string(v.ratio) + ", limit " + std::to_string(v.limit);
    }
  }
  return text;
}

}  // namespace

report::Case check_engine(const EngineCheckOptions& o) {
  std::string model = o.golden_model, refs = o.golden;
  if (model.empty() && is_directory(o.model)) {
    model = o.model;
  }
  if (refs.empty() && !model.empty()) {
    refs = references_beside(model);
  }
  report::Case c =
      report::make_case(report::Kind::kCheck, "golden",
                        {{"dtype", o.dtype},
                         {"model", folder_name(o.golden_model.empty() ? o.model : o.golden_model)},
                         {"stages", static_cast<double>(o.devices.size())}},
                        report::Metric::kCount);
  if (o.off) {
    report::skip(c, report::kGoldenLeftOut);
    return c;
  }
  if (model.empty() || refs.empty()) {
    report::skip(
        c, "no references of " + o.model + ": --golden-model and --golden name a model that has");
    return c;
  }
  const golden::Fixture fixture = golden::Fixture::open(refs);
  fixture.require_model(model);
  golden::GoldenOptions g;
  const auto layers = static_cast<size_t>(fixture.shape().L);  // a stage has one at least
  g.devices.assign(o.devices.begin(), o.devices.begin() + std::min(o.devices.size(), layers));
  g.dtype = o.dtype;
  g.level = golden::Level::kQuick;
  g.fault = o.plant.empty() ? nullptr : &find_fault(o.plant);
  const golden::GoldenResult result = golden::run_golden(fixture, open_weights(model), g);
  verbose("golden check: ", result.cases, " cases, ", result.positions, " positions, ",
          result.pass() ? "passed" : "failed");
  c.verified = result.pass();
  if (!result.pass()) {
    report::fail_case(c, failures(result));
  }
  return c;
}

}  // namespace ember
