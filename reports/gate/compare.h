// SPDX-License-Identifier: Apache-2.0
// The gate: NEW against BASE, case by case. docs/reports.md gives the rules and their reasons.
// The unit of evidence is a fresh process. The first policy.screen_processes of each side screen;
// the others, and they alone, confirm what was flagged.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "reports/gate/policy.h"
#include "reports/report.h"

namespace ember::report {

enum class Verdict {
  kSame,          // not flagged, or cleared by the confirming processes
  kBetter,        // shown to be better
  kWorse,         // shown to be worse
  kInconclusive,  // flagged, neither shown nor cleared
  kFailed,        // NEW failed it: a wrong result, a failed golden check
  kLost,          // in BASE, in NEW missing, skipped, unverified or another thing
  kAdded,         // only in NEW
  kNotJudged,     // skipped in both, not gated, ignored by the policy
};
const char* name(Verdict v);

struct CaseVerdict {
  std::string id, explanation;
  Kind kind = Kind::kKernel;
  Metric metric = Metric::kTime;
  Verdict verdict = Verdict::kNotJudged;
  bool flagged = false;
  std::optional<double> base_median, new_median;
  // Relative to BASE, above 0 where NEW's value is larger; all from the confirming processes, or
  // `shift` alone from the screening ones.
  std::optional<double> shift, ci_low, ci_high;
  std::optional<double> p, p_adjusted, threshold;
  int64_t base_processes = 0, new_processes = 0;
};

struct Comparison {
  std::vector<CaseVerdict> cases;
  std::vector<std::string> refusals;  // why the two cannot be compared at all
  std::vector<std::string> notes;     // loosened policy, changed outputs
  std::string base_commit, new_commit, base_fingerprint, new_fingerprint;
  bool interleaved = false;
  double alpha = 0;
  int64_t flagged = 0;  // in the direction that is worse
  // Smallest adjusted p that the confirming processes could give; above alpha nothing can be shown.
  std::optional<double> attainable;
  int64_t count(Verdict v) const;
  // 3 when the two are not comparable; else 1 when something is worse, failed or lost; else 3 when
  // something is inconclusive; else 0.
  int exit_code() const;
};

// `alpha` stands in for the policy's where one comparison is a look of several.
Comparison compare(const Report& base, const Report& fresh, const Policy& policy,
                   std::optional<double> alpha = std::nullopt);

// What forbids to compare at all: another machine, a debug build, a profiler …
std::vector<std::string> refusals(const Report& base, const Report& fresh, const Policy& policy);

Json to_json(const Comparison& c);  // schema ember.compare/1
void print(std::ostream& out, const Comparison& c, bool every_case);

}  // namespace ember::report
