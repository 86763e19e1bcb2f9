// SPDX-License-Identifier: Apache-2.0
// The exports that people read: CSV, Markdown, and what GitHub shows of a job.
#include <cstdio>
#include <sstream>

#include "engine/io/json.h"
#include "reports/export/export.h"
#include "reports/format.h"
#include "reports/stats.h"

namespace ember::report {
namespace {

constexpr size_t kSummaryBytes = 1000000;  // GitHub cuts at 1 MiB a step
constexpr size_t kSummaryRows = 30;
constexpr int kAnnotations = 10;  // of one type a step

// A spreadsheet runs what begins with one of = + - @: such text gets an apostrophe before it.
std::string csv_text(const std::string& text) {
  std::string out = "\"";
  if (!text.empty() && std::string("=+-@\t\r").find(text[0]) != std::string::npos) {
    out += '\'';
  }
  for (const char ch : text) {
    out += ch;
    if (ch == '"') {
      out += '"';
    }
  }
  return out + "\"";
}

std::string exact(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", v);
  return text;
}

void markdown_row(std::ostream& out, const Case& c) {
  const char* u = unit(c.metric);
  out << "| " << markdown_text(c.id) << " | ";
  if (c.samples.empty()) {
    out << "| | | ";
  } else {
    const Summary s = summarise(c.samples);
    out << human(s.median, u) << " ± " << human(s.mad, u) << " | " << human(s.ci95.first, u)
        << " to " << human(s.ci95.second, u) << " | " << s.processes << " × "
        << s.n / std::max<int64_t>(1, s.processes) << " | ";
  }
  out << (c.ceiling ? percent(c.ceiling->share) : "") << " | " << name(c.status)
      << (c.reason.empty() ? "" : ": ") << markdown_text(c.reason) << " |\n";
}

void markdown_head(std::ostream& out) {
  out << "| case | median ± MAD | 95 % interval | processes × samples | of ceiling | status |\n"
         "|---|---:|---:|---:|---:|---|\n";
}

void origin(std::ostream& out, const Report& r) {
  out << markdown_text(r.env.gpus.empty() ? r.env.host.cpu : r.env.gpus[0].name) << ", commit "
      << markdown_text(r.subject.commit.substr(0, 12)) << ", " << markdown_text(r.run.started)
      << "\n\n";
}

std::string command_data(const std::string& text, bool property) {
  std::string out;
  for (const char ch : text.substr(0, 4000)) {
    const bool special =
        ch == '%' || ch == '\r' || ch == '\n' || (property && (ch == ':' || ch == ','));
    if (special) {
      char code[8];
      std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned>(ch));
      out += code;
    } else {
      out += ch;
    }
  }
  return out;
}

}  // namespace

std::string markdown_text(const std::string& text) {
  std::string out;
  for (const char ch : text) {
    if (ch == '&' || ch == '<' || ch == '>') {
      out += ch == '&' ? "&amp;" : ch == '<' ? "&lt;" : "&gt;";
    } else if (std::string("\\`*_[]|~#!@").find(ch) != std::string::npos) {
      // As entities: GitHub would still make mentions and links of escaped characters.
      out += "&#" + std::to_string(static_cast<int>(ch)) + ";";
    } else {
      out += static_cast<unsigned char>(ch) < 0x20 ? ' ' : ch;
    }
  }
  return out;
}

void export_csv(std::ostream& out, const Report& r) {
  out << "id,kind,status,reason,metric,unit,median,mad,ci95_low,ci95_high,min,max,processes,"
         "samples,ceiling,share\r\n";
  for (const Case& c : r.cases) {
    out << csv_text(c.id) << "," << name(c.kind) << "," << name(c.status) << ","
        << csv_text(c.reason) << "," << name(c.metric) << "," << unit(c.metric) << ",";
    if (c.samples.empty()) {
      out << ",,,,,,0,0,";
    } else {
      const Summary s = summarise(c.samples);
      for (const double v : {s.median, s.mad, s.ci95.first, s.ci95.second, s.min, s.max}) {
        out << exact(v) << ",";
      }
      out << s.processes << "," << s.n << ",";
    }
    out << (c.ceiling ? csv_text(c.ceiling->ref) : "") << ","
        << (c.ceiling ? exact(c.ceiling->share) : "") << "\r\n";
  }
}

void export_markdown(std::ostream& out, const Report& r) {
  origin(out, r);
  markdown_head(out);
  for (const Case& c : r.cases) {
    markdown_row(out, c);
  }
}

void export_summary(std::ostream& out, const Report& r) {
  int64_t counts[4] = {};
  for (const Case& c : r.cases) {
    ++counts[static_cast<int>(c.status)];
  }
  out << "## Ember: " << r.cases.size() << " cases, " << counts[3] << " failed, " << counts[1]
      << " noisy, " << counts[2] << " skipped\n\n";
  origin(out, r);
  std::ostringstream table;
  markdown_head(table);
  size_t shown = 0;
  for (const Case* c : worst_first(r)) {
    std::ostringstream row;
    markdown_row(row, *c);
    if (shown == kSummaryRows ||
        static_cast<size_t>(table.tellp()) + row.str().size() > kSummaryBytes) {
      break;
    }
    table << row.str();
    ++shown;
  }
  out << table.str();
  if (shown < r.cases.size()) {
    out << "\nThe " << shown << " worst of " << r.cases.size() << " cases; the report holds all.\n";
  }
}

void export_annotations(std::ostream& out, const Report& r) {
  int written = 0;
  for (const Case* c : worst_first(r)) {
    if (c->status == Status::kOk || c->status == Status::kSkipped || written == kAnnotations) {
      break;
    }
    out << (c->status == Status::kFailed ? "::error" : "::warning")
        << " title=" << command_data(std::string("ember ") + name(c->status) + ": " + c->id, true)
        << "::" << command_data(c->reason, false) << "\n";
    ++written;
  }
}

}  // namespace ember::report
