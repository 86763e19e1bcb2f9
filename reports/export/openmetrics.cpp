// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "reports/export/export.h"
#include "reports/stats.h"

namespace ember::report {
namespace {

std::string label_text(const std::string& text) {
  std::string out;
  for (const char ch : text) {
    if (ch == '\\' || ch == '"') {
      out += '\\';
      out += ch;
    } else if (ch == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(ch) < 0x20) {
      out += ' ';
    } else {
      out += ch;
    }
  }
  return out;
}

std::string number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", v);
  return text;
}

std::string labels(const Case& c) {
  return "{id=\"" + label_text(c.id) + "\",kind=\"" + name(c.kind) + "\",metric=\"" +
         name(c.metric) + "\"}";
}

struct Family {
  const char* name;
  const char* unit;  // of OpenMetrics: the end of the name
  const char* help;
  const char* ours;
};

constexpr Family kFamilies[] = {
    {"ember_time_seconds", "seconds", "Median time of a case.", "s"},
    {"ember_bandwidth_bytes_per_second", "bytes_per_second", "Median bandwidth of a case.", "B/s"},
    {"ember_compute_flops_per_second", "flops_per_second", "Median rate of a case.", "FLOP/s"},
    {"ember_rate_per_second", "per_second", "Median rate of a case, such as tokens.", "1/s"},
    {"ember_size_bytes", "bytes", "Median size of a case.", "B"},
    {"ember_energy_joules", "joules", "Median energy of a case.", "J"},
    {"ember_value_ratio", "ratio", "Median of a case without a unit.", "1"},
};

void head(std::ostream& out, const std::string& family, const char* unit_name, const char* help) {
  out << "# TYPE " << family << " gauge\n";
  if (*unit_name != '\0') {
    out << "# UNIT " << family << " " << unit_name << "\n";
  }
  out << "# HELP " << family << " " << help << "\n";
}

}  // namespace

void export_openmetrics(std::ostream& out, const Report& r) {
  out << "# TYPE ember_run info\n# HELP ember_run What was run and where.\nember_run_info{commit=\""
      << label_text(r.subject.commit) << "\",fingerprint=\"" << fingerprint(r) << "\",device=\""
      << label_text(r.env.gpus.empty() ? r.env.host.cpu : r.env.gpus[0].name) << "\"} 1\n";
  for (const Family& f : kFamilies) {
    bool first = true;
    for (const Case& c : r.cases) {
      if (c.samples.empty() || c.status == Status::kFailed ||
          f.ours != std::string(unit(c.metric))) {
        continue;
      }
      if (first) {
        head(out, f.name, f.unit, f.help);
        first = false;
      }
      out << f.name << labels(c) << " " << number(summarise(c.samples).median) << "\n";
    }
  }
  head(out, "ember_ceiling_ratio", "ratio", "Rate of a case over the ceiling measured beside it.");
  for (const Case& c : r.cases) {
    if (c.ceiling) {
      out << "ember_ceiling_ratio" << labels(c) << " " << number(c.ceiling->share) << "\n";
    }
  }
  head(out, "ember_cases", "", "Cases by status.");
  for (int s = 0; s <= static_cast<int>(Status::kFailed); ++s) {
    int64_t n = 0;
    for (const Case& c : r.cases) {
      n += c.status == static_cast<Status>(s);
    }
    out << "ember_cases{status=\"" << name(static_cast<Status>(s)) << "\"} " << n << "\n";
  }
  out << "# EOF\n";
}

}  // namespace ember::report
