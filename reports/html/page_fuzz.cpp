// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <sstream>

#include "kernels/base/error.h"
#include "reports/export/export.h"
#include "reports/format.h"
#include "reports/html/page.h"
#include "reports/merge.h"
#include "reports/reader.h"

namespace {

using ember::ErrorKind;
using ember::report::Report;

size_t count(const std::string& text, const char* part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++n;
  }
  return n;
}

void merge(const Report& a, const Report& b) {
  try {
    ember::report::merge({a, b});
  } catch (const ember::Error& e) {
    if (e.kind() != ErrorKind::kBadInput && e.kind() != ErrorKind::kInconclusive) {
      std::abort();
    }
  }
}

}  // namespace

// Two reports with a NUL byte between them, or one that stands for both: whatever the reader takes,
// the gate judges, the tables and exports print, and the page shows without a script but its own.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = std::min(input.find('\0'), size);
  ember::report::Page page;
  Report base;
  try {
    base = ember::report::parse_report(input.substr(0, cut), "base");
    page.report = cut < size ? ember::report::parse_report(input.substr(cut + 1), "new") : base;
  } catch (const ember::Error&) {
    return 0;  // report_fuzz looks at refusals
  }
  const ember::report::Comparison c = ember::report::compare(base, page.report, {});
  std::ostringstream out;
  ember::report::print(out, page.report);
  ember::report::print(out, c, true);
  out << ember::report::to_json(c);
  ember::report::export_gate_junit(out, c);
  ember::report::export_gate_summary(out, c);
  for (const ember::report::ExportFormat& format : ember::report::export_formats()) {
    format.write(out, page.report);
  }
  merge(base, page.report);
  page.comparison = c;
  page.history = {ember::report::history_entry(base), ember::report::history_entry(page.report)};
  std::ostringstream html;
  ember::report::write_page(html, page);
  if (count(html.str(), "<script") != 2 || count(html.str(), "</script") != 2) {
    std::abort();
  }
  return 0;
}
