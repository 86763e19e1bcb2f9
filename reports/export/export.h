// SPDX-License-Identifier: Apache-2.0
// A report in the formats of others. Text out of the report is escaped for each; docs/reports.md
// says what becomes of what, and which tool reads it.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "reports/gate/compare.h"
#include "reports/report.h"

namespace ember::report {

void export_gbench(std::ostream& out, const Report& r);          // Google Benchmark's JSON
void export_action_smaller(std::ostream& out, const Report& r);  // github-action-benchmark,
void export_action_bigger(std::ostream& out, const Report& r);   // one direction a file
void export_bmf(std::ostream& out, const Report& r);             // Bencher Metric Format
void export_junit(std::ostream& out, const Report& r);
void export_openmetrics(std::ostream& out, const Report& r);
void export_csv(std::ostream& out, const Report& r);
void export_markdown(std::ostream& out, const Report& r);
void export_summary(std::ostream& out, const Report& r);  // GitHub job summary, below 1 MiB
void export_annotations(std::ostream& out,
                        const Report& r);  // GitHub workflow commands, at most 10

// The verdicts of the gate: worse, failed and lost are failures, inconclusive is an error.
void export_gate_junit(std::ostream& out, const Comparison& c);
void export_gate_summary(std::ostream& out, const Comparison& c);  // Markdown

struct ExportFormat {
  const char* name;
  const char* about;
  void (*write)(std::ostream&, const Report&);
};
const std::vector<ExportFormat>& export_formats();

// `text` for the inside of XML: characters that XML 1.0 forbids become U+FFFD.
std::string xml_text(const std::string& text);
// For a cell of a Markdown table on GitHub: no markup, no HTML, one line.
std::string markdown_text(const std::string& text);

// Cases that need eyes first: failed, noisy, then the smallest share of the ceiling.
std::vector<const Case*> worst_first(const Report& r);

}  // namespace ember::report
