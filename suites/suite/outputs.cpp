// SPDX-License-Identifier: Apache-2.0
#include "suites/suite/outputs.h"

#include <filesystem>
#include <map>
#include <sstream>

#include "reports/export/export.h"
#include "reports/html/page.h"
#include "reports/writer.h"

namespace ember {
namespace {

std::string file_name(const std::string& format) {
  static const std::map<std::string, std::string> names = {
      {"csv", "report.csv"},        {"markdown", "report.md"},
      {"junit", "junit.xml"},       {"openmetrics", "metrics.prom"},
      {"gh-summary", "summary.md"}, {"gh-annotations", "annotations.txt"}};
  const auto it = names.find(format);
  return it == names.end() ? format + ".json" : it->second;
}

}  // namespace

void write_outputs(const std::string& dir, const report::Report& r) {
  std::filesystem::create_directories(dir + "/exports");
  for (const report::ExportFormat& f : report::export_formats()) {
    std::ostringstream out;
    f.write(out, r);
    report::write_file_atomically(dir + "/exports/" + file_name(f.name), out.str());
  }
  report::Page page;
  page.report = r;
  std::ostringstream html;
  report::write_page(html, page);
  report::write_file_atomically(dir + "/report.html", html.str());
  report::write_report(dir + "/report.json", r);  // last: where it is, the others are
}

}  // namespace ember
