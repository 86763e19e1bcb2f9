// SPDX-License-Identifier: Apache-2.0
#include "reports/reader.h"

#include <cmath>
#include <set>

#include "engine/io/json.h"
#include "engine/io/mmap_file.h"
#include "kernels/base/error.h"
#include "reports/from_json.h"
#include "reports/schema_check.h"
#include "reports/stats.h"

namespace ember::report {
namespace {

using nlohmann::json;

JsonNode node_at(const JsonDocument& document, const SchemaFault& fault) {
  JsonNode node = document.root();
  for (const auto& step : fault.path) {
    node = step.index() == 0 ? node.at(std::get<0>(step)) : node.item(std::get<1>(step));
  }
  return node;
}

bool near(double a, double b) {
  return std::fabs(a - b) <= 1e-6 * std::fmax(std::fabs(a), std::fabs(b));
}

void check_summary(const JsonNode& node, const Summary& want) {
  const json& got = node.value();
  const std::pair<const char*, double> figures[] = {
      {"n", static_cast<double>(want.n)},
      {"processes", static_cast<double>(want.processes)},
      {"median", want.median},
      {"mad", want.mad},
      {"min", want.min},
      {"max", want.max},
      {"p90", want.p90},
      {"p99", want.p99}};
  for (const auto& [key, value] : figures) {
    if (!near(got.at(key).get<double>(), value)) {
      node.at(key).fail("the samples give ", value);
    }
  }
}

void check_case(const JsonNode& node, const Case& c, const std::set<std::string>& ceilings) {
  std::set<int64_t> processes;
  for (size_t i = 0; i < c.samples.size(); ++i) {
    if (!processes.insert(c.samples[i].process).second) {
      node.at("samples").item(i).at("process").fail("process ", c.samples[i].process,
                                                    " occurs twice in this case");
    }
  }
  if (c.ceiling && ceilings.count(c.ceiling->ref) == 0) {
    node.at("ceiling").at("ref").fail("no ceiling '", printable(c.ceiling->ref),
                                      "' in this report");
  }
  const JsonNode summary = node.at("summary");
  if (summary.is_null() != c.samples.empty()) {
    summary.fail(c.samples.empty() ? "there are no samples to summarise"
                                   : "there are samples, their summary is missing");
  }
  if (!c.samples.empty()) {
    check_summary(summary, summarise(c.samples));
  }
}

// What the schema cannot say.
void check_meaning(const JsonDocument& document, const Report& r) {
  std::set<std::string> ceilings, ids;
  const JsonNode root = document.root();
  for (size_t i = 0; i < r.ceilings.size(); ++i) {
    if (!ceilings.insert(r.ceilings[i].id).second) {
      root.at("ceilings").item(i).at("id").fail("occurs twice");
    }
  }
  const JsonNode cases = root.at("cases");
  for (size_t i = 0; i < r.cases.size(); ++i) {
    const JsonNode node = cases.item(i);
    if (!ids.insert(r.cases[i].id).second) {
      node.at("id").fail("'", printable(r.cases[i].id), "' occurs twice");
    }
    check_case(node, r.cases[i], ceilings);
  }
}

Report checked(const JsonDocument& document) {
  if (document.value().is_object()) {  // the most helpful complaint first
    if (const auto schema = document.root().find("schema"); schema && schema->is_object()) {
      const auto version = schema->find("version");
      if (version && version->value().is_string() && version->value() != "1.0" &&
          version->value() != kReportVersion) {
        version->fail("this ember reads reports of versions 1.0 and ", kReportVersion,
                      ", this one is ", version->describe());
      }
    }
  }
  if (const auto fault = check_schema(document.value(), report_schema())) {
    node_at(document, *fault).fail(fault->text);
  }
  Report r = report_from_json(document.value());
  check_meaning(document, r);
  return r;
}

}  // namespace

Report parse_report(std::string_view text, const std::string& where) {
  return checked(JsonDocument(text, where));
}

Report read_report(const std::string& path) {
  const std::string text = read_text_file(path, kMaxReportBytes);
  return parse_report(text, path);
}

nlohmann::json read_report_document(const std::string& path) {
  const std::string text = read_text_file(path, kMaxReportBytes);
  const JsonDocument document(text, path);
  checked(document);
  return document.value();
}

}  // namespace ember::report
