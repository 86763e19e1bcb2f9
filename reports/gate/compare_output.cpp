// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <ostream>

#include "engine/io/json.h"
#include "reports/format.h"
#include "reports/gate/compare.h"

namespace ember::report {
namespace {

Json or_null(const std::optional<double>& v) {
  return v ? Json(*v) : Json(nullptr);
}

Json case_json(const CaseVerdict& c) {
  return {{"id", c.id},
          {"kind", name(c.kind)},
          {"metric", name(c.metric)},
          {"unit", unit(c.metric)},
          {"verdict", name(c.verdict)},
          {"flagged", c.flagged},
          {"base_median", or_null(c.base_median)},
          {"new_median", or_null(c.new_median)},
          {"base_processes", c.base_processes},
          {"new_processes", c.new_processes},
          {"shift", or_null(c.shift)},
          {"ci95", c.ci_low ? Json::array({*c.ci_low, *c.ci_high}) : Json(nullptr)},
          {"p", or_null(c.p)},
          {"p_adjusted", or_null(c.p_adjusted)},
          {"threshold", or_null(c.threshold)},
          {"explanation", c.explanation}};
}

void print_case(std::ostream& out, const CaseVerdict& c) {
  out << "  " << name(c.verdict) << "  " << printable(c.id);
  if (c.base_median && c.new_median) {
    out << "  " << human(*c.base_median, unit(c.metric)) << " -> "
        << human(*c.new_median, unit(c.metric));
  }
  out << "  " << printable(c.explanation, 300);
  if (c.threshold) {
    out << " (threshold " << percent(*c.threshold, 2) << ")";
  }
  out << "\n";
}

}  // namespace

const char* name(Verdict v) {
  static const char* const kNames[] = {"same",   "better", "worse", "inconclusive",
                                       "failed", "lost",   "added", "not judged"};
  return kNames[static_cast<int>(v)];
}

Json to_json(const Comparison& c) {
  Json cases = Json::array();
  for (const CaseVerdict& v : c.cases) {
    cases.push_back(case_json(v));
  }
  return {{"schema", "ember.compare/1"},
          {"base", {{"commit", c.base_commit}, {"fingerprint", c.base_fingerprint}}},
          {"new", {{"commit", c.new_commit}, {"fingerprint", c.new_fingerprint}}},
          {"interleaved", c.interleaved},
          {"alpha", c.alpha},
          {"flagged", c.flagged},
          {"attainable_p", or_null(c.attainable)},
          {"exit_code", c.exit_code()},
          {"refusals", c.refusals},
          {"notes", c.notes},
          {"cases", cases}};
}

void print(std::ostream& out, const Comparison& c, bool every_case) {
  out << "BASE " << printable(c.base_commit.substr(0, 12)) << ", NEW "
      << printable(c.new_commit.substr(0, 12)) << ", "
      << (c.interleaved ? "interleaved processes" : "cross-session (thresholds are wider for it)")
      << "\n";
  for (const std::string& line : c.notes) {
    out << "note: " << printable(line, 300) << "\n";
  }
  for (const Verdict v : {Verdict::kFailed, Verdict::kLost, Verdict::kWorse, Verdict::kInconclusive,
                          Verdict::kBetter, Verdict::kAdded, Verdict::kSame, Verdict::kNotJudged}) {
    const bool brief = v == Verdict::kSame || v == Verdict::kNotJudged;
    for (const CaseVerdict& verdict : c.cases) {
      if (verdict.verdict == v && (every_case || !brief)) {
        print_case(out, verdict);
      }
    }
  }
  out << c.cases.size() << " cases:";
  for (int v = 0; v <= static_cast<int>(Verdict::kNotJudged); ++v) {
    const int64_t n = c.count(static_cast<Verdict>(v));
    if (n > 0) {
      out << " " << n << " " << name(static_cast<Verdict>(v)) << ",";
    }
  }
  out << " " << c.flagged << " flagged as worse at screening\n";
  if (c.attainable) {
    char text[96];
    std::snprintf(text, sizeof text, "smallest adjusted p within reach: %.2g; needed: below %.2g\n",
                  *c.attainable, c.alpha);
    out << text;
  }
  for (const std::string& why : c.refusals) {
    out << "not comparable: " << printable(why, 300) << "\n";
  }
  const int code = c.exit_code();
  out << (code == 0            ? "PASS"
          : code == 1          ? "WORSE"
          : c.refusals.empty() ? "INCONCLUSIVE"
                               : "NOT COMPARABLE")
      << "\n";
}

}  // namespace ember::report
