// SPDX-License-Identifier: Apache-2.0
// The verdicts of a comparison for a CI server: as tests, and as a job summary.
#include <algorithm>

#include "reports/export/export.h"
#include "reports/format.h"

namespace ember::report {
namespace {

bool is_failure(const CaseVerdict& v) {
  return v.verdict == Verdict::kWorse || v.verdict == Verdict::kFailed ||
         v.verdict == Verdict::kLost;
}

// Inconclusive is an error of the measurement and no failure of the code: JUnit has a name for
// both.
bool is_error(const CaseVerdict& v) {
  return v.verdict == Verdict::kInconclusive;
}

void junit_case(std::ostream& out, const std::string& id, const char* element,
                const std::string& type, const std::string& text) {
  out << "  <testcase classname=\"ember.gate\" name=\"" << xml_text(id) << "\" time=\"0\">";
  if (*element != '\0') {
    out << "<" << element << " message=\"" << xml_text(text) << "\"";
    if (std::string(element) != "skipped") {
      out << " type=\"" << xml_text(type) << "\">" << xml_text(text) << "</" << element << ">";
    } else {
      out << "/>";
    }
  }
  out << "</testcase>\n";
}

}  // namespace

void export_gate_junit(std::ostream& out, const Comparison& c) {
  const auto number = [&c](bool (*of)(const CaseVerdict&)) {
    return std::count_if(c.cases.begin(), c.cases.end(), of);
  };
  const int64_t refusals = static_cast<int64_t>(c.refusals.size());
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n <testsuite "
         "name=\"ember.gate\" "
         "tests=\""
      << static_cast<int64_t>(c.cases.size()) + refusals << "\" failures=\"" << number(is_failure)
      << "\" errors=\"" << number(is_error) + refusals << "\" skipped=\""
      << c.count(Verdict::kNotJudged) << "\" time=\"0\">\n";
  for (int64_t i = 0; i < refusals; ++i) {
    junit_case(out, "comparable " + std::to_string(i + 1), "error", "not comparable",
               c.refusals[static_cast<size_t>(i)]);
  }
  for (const CaseVerdict& v : c.cases) {
    const char* element = is_failure(v)                      ? "failure"
                          : is_error(v)                      ? "error"
                          : v.verdict == Verdict::kNotJudged ? "skipped"
                                                             : "";
    junit_case(out, v.id, element, name(v.verdict), v.explanation);
  }
  out << " </testsuite>\n</testsuites>\n";
}

void export_gate_summary(std::ostream& out, const Comparison& c) {
  static const char* const kWords[] = {"passes", "**worse**", "", "**inconclusive**"};
  out << "## Ember gate: " << (c.refusals.empty() ? kWords[c.exit_code()] : "**not comparable**")
      << "\n\n"
      << markdown_text(c.base_commit.substr(0, 12)) << " to "
      << markdown_text(c.new_commit.substr(0, 12)) << ", "
      << (c.interleaved ? "interleaved processes" : "cross-session") << "\n\n";
  for (const std::string& why : c.refusals) {
    out << "- not comparable: " << markdown_text(why) << "\n";
  }
  for (const std::string& note : c.notes) {
    out << "- " << markdown_text(note) << "\n";
  }
  out << "\n| case | verdict | BASE | NEW | why |\n|---|---|---:|---:|---|\n";
  size_t rows = 0, kept = 0;
  for (const Verdict verdict : {Verdict::kFailed, Verdict::kLost, Verdict::kWorse,
                                Verdict::kInconclusive, Verdict::kBetter, Verdict::kAdded}) {
    for (const CaseVerdict& v : c.cases) {
      if (v.verdict != verdict || ++rows > 30) {
        continue;
      }
      ++kept;
      const char* u = unit(v.metric);
      out << "| " << markdown_text(v.id) << " | " << name(v.verdict) << " | "
          << (v.base_median ? human(*v.base_median, u) : "") << " | "
          << (v.new_median ? human(*v.new_median, u) : "") << " | "
          << markdown_text(v.explanation.substr(0, 2000)) << " |\n";
    }
  }
  out << "\n"
      << c.count(Verdict::kSame) << " same, " << c.count(Verdict::kNotJudged) << " not judged"
      << (rows > kept ? ", more rows left out" : "") << "\n";
}

}  // namespace ember::report
