// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "reports/export/export.h"

namespace ember::report {

const std::vector<ExportFormat>& export_formats() {
  static const std::vector<ExportFormat> formats = {
      {"gbench", "Google Benchmark JSON, for its compare.py", export_gbench},
      {"github-action-benchmark", "customSmallerIsBetter of that action", export_action_smaller},
      {"github-action-benchmark-bigger", "customBiggerIsBetter of that action",
       export_action_bigger},
      {"bmf", "Bencher Metric Format", export_bmf},
      {"junit", "JUnit XML", export_junit},
      {"openmetrics", "OpenMetrics text, for a Prometheus textfile collector", export_openmetrics},
      {"csv", "one line a case", export_csv},
      {"markdown", "one table", export_markdown},
      {"gh-summary", "GitHub job summary: counts, the 30 worst cases", export_summary},
      {"gh-annotations", "GitHub workflow commands, at most 10", export_annotations},
  };
  return formats;
}

std::vector<const Case*> worst_first(const Report& r) {
  std::vector<const Case*> cases;
  for (const Case& c : r.cases) {
    cases.push_back(&c);
  }
  const auto rank = [](const Case* c) {
    static const int kRank[] = {2, 1, 3, 0};  // ok, noisy, skipped, failed
    return kRank[static_cast<int>(c->status)];
  };
  std::stable_sort(cases.begin(), cases.end(), [&](const Case* a, const Case* b) {
    if (rank(a) != rank(b)) {
      return rank(a) < rank(b);
    }
    return (a->ceiling ? a->ceiling->share : 2) < (b->ceiling ? b->ceiling->share : 2);
  });
  return cases;
}

}  // namespace ember::report
