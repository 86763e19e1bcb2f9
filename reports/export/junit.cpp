// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "reports/export/export.h"
#include "reports/format.h"
#include "reports/stats.h"

namespace ember::report {
namespace {

std::string seconds(double s) {
  char text[48];
  std::snprintf(text, sizeof text, "%.9f", s < 0 || s > 1e9 ? 0 : s);
  return text;
}

std::string attribute(const char* key, const std::string& value) {
  return std::string(" ") + key + "=\"" + xml_text(value) + "\"";
}

// The time that a case took in all, as far as its samples are times.
double time_of(const Case& c) {
  double sum = 0;
  if (std::string(unit(c.metric)) == "s") {
    for (const Samples& s : c.samples) {
      for (const double v : s.values) {
        sum += v;
      }
    }
  }
  return sum;
}

std::string figures(const Case& c) {
  if (c.samples.empty()) {
    return "";
  }
  const Summary s = summarise(c.samples);
  return human(s.median, unit(c.metric)) + " ± " + human(s.mad, unit(c.metric)) + ", " +
         std::to_string(s.processes) + " processes, " + std::to_string(s.n) + " samples";
}

void write_case(std::ostream& out, const Case& c) {
  out << "  <testcase" << attribute("classname", std::string("ember.") + name(c.kind))
      << attribute("name", c.id) << attribute("time", seconds(time_of(c))) << ">\n";
  if (c.status == Status::kFailed) {
    out << "   <failure" << attribute("message", c.reason) << attribute("type", name(c.kind)) << ">"
        << xml_text(c.reason);
    if (c.golden && c.golden->first_bad) {
      out << "\nfirst bad: " << xml_text(*c.golden->first_bad);
    }
    out << "</failure>\n";
  } else if (c.status == Status::kSkipped) {
    out << "   <skipped" << attribute("message", c.reason) << "/>\n";
  }
  const std::string text = figures(c) + (c.status == Status::kNoisy ? "\nnoisy: " + c.reason : "");
  if (!text.empty()) {
    out << "   <system-out>" << xml_text(text) << "</system-out>\n";
  }
  out << "  </testcase>\n";
}

void write_properties(std::ostream& out, const Report& r) {
  out << "  <properties>\n";
  const auto property = [&out](const std::string& key, const std::string& value) {
    out << "   <property" << attribute("name", key) << attribute("value", value) << "/>\n";
  };
  property("commit", r.subject.commit);
  property("fingerprint", fingerprint(r));
  for (const auto& [key, value] : comparable_facts(r)) {
    property(key, value);
  }
  out << "  </properties>\n";
}

void write_suite(std::ostream& out, const Report& r, Kind kind) {
  int64_t tests = 0, failures = 0, skipped = 0;
  double time = 0;
  for (const Case& c : r.cases) {
    if (c.kind == kind) {
      ++tests;
      failures += c.status == Status::kFailed;
      skipped += c.status == Status::kSkipped;
      time += time_of(c);
    }
  }
  if (tests == 0) {
    return;
  }
  // Without the Z: the published schemas take no zone.
  out << " <testsuite" << attribute("name", std::string("ember.") + name(kind))
      << attribute("tests", std::to_string(tests))
      << attribute("failures", std::to_string(failures)) << attribute("errors", "0")
      << attribute("skipped", std::to_string(skipped)) << attribute("time", seconds(time))
      << attribute("timestamp", r.run.started.substr(0, 19))
      << attribute("hostname", r.env.host.hash.value_or("unknown")) << ">\n";
  write_properties(out, r);
  for (const Case& c : r.cases) {
    if (c.kind == kind) {
      write_case(out, c);
    }
  }
  out << " </testsuite>\n";
}

}  // namespace

std::string xml_text(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char ch = static_cast<unsigned char>(text[i]);
    // U+FFFE and U+FFFF are no XML characters either.
    const bool none = ch == 0xef && text.compare(i, 2, "\xef\xbf") == 0 && i + 2 < text.size() &&
                      static_cast<unsigned char>(text[i + 2]) >= 0xbe;
    if ((ch < 0x20 && ch != '\n' && ch != '\t') || none) {
      out += "\xef\xbf\xbd";
      i += none ? 2 : 0;
    } else if (ch == '&') {
      out += "&amp;";
    } else if (ch == '<') {
      out += "&lt;";
    } else if (ch == '>') {
      out += "&gt;";
    } else if (ch == '"') {
      out += "&quot;";
    } else if (ch == '\'') {
      out += "&#39;";
    } else {
      out += text[i];
    }
  }
  return out;
}

void export_junit(std::ostream& out, const Report& r) {
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (int k = 0; k <= static_cast<int>(Kind::kCheck); ++k) {
    write_suite(out, r, static_cast<Kind>(k));
  }
  out << "</testsuites>\n";
}

}  // namespace ember::report
