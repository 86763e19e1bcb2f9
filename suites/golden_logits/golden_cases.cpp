// SPDX-License-Identifier: Apache-2.0
#include "suites/golden_logits/golden_cases.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace ember::golden {
namespace {

constexpr size_t kReasonLength = 1000;

std::optional<double> finite(double x) {
  return std::isfinite(x) && x >= 0 ? std::optional<double>(x) : std::nullopt;
}

// How much of its limit a verdict uses; what fails comes first.
double strain(const Verdict& v) {
  const double share = v.limit > 0 ? v.ratio / v.limit : v.ratio;
  return (v.pass ? 0 : 1e6) + (std::isfinite(share) ? std::fabs(share) : 1e6);
}

std::string why(const std::vector<const Verdict*>& group) {
  std::string text;
  for (const Verdict* v : group) {
    if (!v->pass) {
      text += (text.empty() ? "" : "; ") + v->figure + " is " + std::to_string(v->ratio) +
              " times the reference's own, limit " + std::to_string(v->limit) +
              (v->note.empty() ? "" : " (" + v->note + ")");
    }
  }
  return text.substr(0, kReasonLength);
}

std::vector<report::LayerError> layer_errors(const std::vector<TapError>& taps) {
  std::vector<report::LayerError> out;
  for (const TapError& t : taps) {
    if ((t.tap == Tap::kLayerOut || !t.pass) && std::isfinite(t.error)) {
      report::LayerError e{t.layer, ember::name(t.tap), t.error, std::nullopt};
      if (t.ratio > 0 && std::isfinite(t.ratio)) {
        e.limit = t.limit * t.error / t.ratio;
      }
      out.push_back(e);
    }
  }
  return out;
}

void add_taps(const GoldenResult& r, const std::string& mode, const std::string& scope,
              report::GoldenVerdict* out) {
  for (const Localisation& l : r.localised) {
    if (l.mode != mode || l.case_name != scope) {
      continue;
    }
    out->layers = layer_errors(l.taps);
    if (const TapError* bad = first_bad(l.taps)) {
      out->first_bad = bad->where();
    }
  }
}

}  // namespace

std::vector<report::Case> report_cases(const Fixture& fixture, const GoldenResult& r,
                                       int64_t stages) {
  std::vector<std::pair<std::string, std::string>> order;
  std::map<std::pair<std::string, std::string>, std::vector<const Verdict*>> groups;
  for (size_t i = 0; i < r.verdicts.size(); ++i) {
    const auto key = std::make_pair(r.verdicts[i].scope, r.mode_of[i]);
    if (groups.count(key) == 0) {
      order.push_back(key);
    }
    groups[key].push_back(&r.verdicts[i]);
  }
  std::vector<report::Case> cases;
  for (const auto& key : order) {
    const std::vector<const Verdict*>& group = groups[key];
    report::Params params = {{"dtype", r.compute_dtype},
                             {"model", fixture.model_name()},
                             {"stages", static_cast<double>(stages)}};
    if (key.second != "-") {
      params["mode"] = key.second;
    }
    const std::string name = key.first == "all cases" ? "all" : key.first;
    report::Case c = report::make_case(report::Kind::kGolden, name, params, report::Metric::kError);
    const Verdict& nearest = **std::max_element(
        group.begin(), group.end(),
        [](const Verdict* a, const Verdict* b) { return strain(*a) < strain(*b); });
    const std::string failures = why(group);
    c.verified = failures.empty();
    c.golden = report::GoldenVerdict{failures.empty(),
                                     nearest.figure,
                                     finite(nearest.value),
                                     finite(nearest.ratio),
                                     finite(nearest.limit),
                                     std::nullopt,
                                     {}};
    add_taps(r, key.second, key.first, &*c.golden);
    if (!failures.empty()) {
      report::fail_case(c, failures);
    }
    cases.push_back(std::move(c));
  }
  return cases;
}

std::vector<report::Case> report_cases(const std::vector<MutationResult>& mutations,
                                       const std::string& model) {
  std::vector<report::Case> cases;
  for (const MutationResult& m : mutations) {
    report::Case c = report::make_case(report::Kind::kCheck, "fault/" + m.fault->name,
                                       {{"model", model}}, report::Metric::kCount);
    if (!m.applies) {
      report::skip(c, m.why_not);
    } else {
      c.verified = m.pass();
      if (!m.pass()) {
        report::fail_case(
            c, m.killed ? "found at " + m.found + ", where it was not planted" : "nothing saw it");
      }
    }
    cases.push_back(std::move(c));
  }
  return cases;
}

}  // namespace ember::golden
