// SPDX-License-Identifier: Apache-2.0
#include "reports/gate/policy.h"

#include <sstream>

#include "engine/io/json.h"
#include "engine/io/mmap_file.h"
#include "kernels/base/error.h"

namespace ember::report {
namespace {

struct RealField {
  const char* name;
  double Policy::*field;
  double least, most;
  int looser;  // +1: a larger value lets more pass, -1: a smaller one, 0: neither
};

constexpr RealField kReals[] = {
    {"alpha", &Policy::alpha, 1e-6, 0.2, -1},
    {"first_look_share", &Policy::first_look_share, 0.01, 0.99, 0},
    {"screen_fraction", &Policy::screen_fraction, 0, 1, 1},
    {"noise_factor", &Policy::noise_factor, 0, 100, 1},
    {"cross_session_factor", &Policy::cross_session_factor, 1, 100, 1},
    {"time_floor_s", &Policy::time_floor_s, 0, 1, 1},
    {"bytes_floor", &Policy::bytes_floor, 0, 1, 1},
    {"max_throttled_share", &Policy::max_throttled_share, 0, 1, 1},
    {"max_clock_spread", &Policy::max_clock_spread, 0, 1, 1},
};

struct CountField {
  const char* name;
  int64_t Policy::*field;
};

constexpr CountField kCounts[] = {
    {"screen_processes", &Policy::screen_processes},
    {"confirm_processes", &Policy::confirm_processes},
    {"extend_processes", &Policy::extend_processes},
};

bool read_plain(const std::string& key, const JsonNode& value, Policy* p) {
  for (const RealField& f : kReals) {
    if (key == f.name) {
      const double v = value.number();
      if (v < f.least || v > f.most) {
        value.fail("expected a number from ", f.least, " to ", f.most);
      }
      p->*f.field = v;
      return true;
    }
  }
  for (const CountField& f : kCounts) {
    if (key == f.name) {
      p->*f.field = value.integer(1, 1000);
      return true;
    }
  }
  return false;
}

void read_floors(const JsonNode& node, Policy* p) {
  for (const auto& [key, ignored] : node.object().value().items()) {
    const JsonNode value = node.at(key);
    bool known = p->floors.count(key) == 1;
    for (int m = 0; m <= static_cast<int>(Metric::kCount); ++m) {
      known = known || key == name(static_cast<Metric>(m));
    }
    if (!known) {
      value.fail("neither a kind of case nor a metric");
    }
    const double v = value.number();
    if (v < 0 || v > 10) {
      value.fail("expected a number from 0 to 10, a relative shift");
    }
    p->floors[key] = v;
  }
}

Policy read_fields(const JsonNode& root) {
  Policy p;
  if (root.at("schema").string() != "ember.policy/1") {
    root.at("schema").fail("expected 'ember.policy/1', got ", root.at("schema").describe());
  }
  for (const auto& [key, ignored] : root.object().value().items()) {
    const JsonNode value = root.at(key);
    if (key == "schema" || read_plain(key, value, &p)) {
      continue;
    }
    if (key == "floors") {
      read_floors(value, &p);
    } else if (key == "allow_dirty") {
      p.allow_dirty = value.boolean();
    } else if (key == "rename") {
      for (const auto& [from, to] : value.object().value().items()) {
        p.rename[from] = value.at(from).string();
      }
    } else if (key == "ignore") {
      for (size_t i = 0; i < value.array().size(); ++i) {
        p.ignore.push_back(value.item(i).string());
      }
    } else {
      value.fail("unknown field");
    }
  }
  if (p.extend_processes < p.confirm_processes) {
    root.fail("extend_processes is less than confirm_processes");
  }
  return p;
}

}  // namespace

double Policy::floor_of(const Case& c) const {
  const auto by_metric = floors.find(name(c.metric));
  if (by_metric != floors.end()) {
    return by_metric->second;
  }
  return floors.at(name(c.kind));
}

bool Policy::ignores(const std::string& id) const {
  for (const std::string& pattern : ignore) {
    const bool prefix = !pattern.empty() && pattern.back() == '*';
    if (prefix ? id.compare(0, pattern.size() - 1, pattern, 0, pattern.size() - 1) == 0
               : id == pattern) {
      return true;
    }
  }
  return false;
}

Policy parse_policy(std::string_view text, const std::string& where) {
  try {
    const JsonDocument document(text, where);
    return read_fields(document.root());
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kBadInput) {
      throw;
    }
    fail(ErrorKind::kUsage, "policy ", e.what());
  }
}

Policy read_policy(const std::string& path) {
  std::string text;
  try {
    text = read_text_file(path, 1 << 20);
  } catch (const Error& e) {
    fail(ErrorKind::kUsage, "policy ", e.what());
  }
  return parse_policy(text, path);
}

std::vector<std::string> loosenings(const Policy& p) {
  const Policy d;
  std::vector<std::string> out;
  const auto note = [&](const std::string& what, double value, double usual) {
    std::ostringstream line;
    line << what << " is " << value << " (default " << usual << ")";
    out.push_back(line.str());
  };
  for (const RealField& f : kReals) {
    if (f.looser * (p.*f.field - d.*f.field) > 0) {
      note(f.name, p.*f.field, d.*f.field);
    }
  }
  for (const CountField& f : kCounts) {
    if (p.*f.field < d.*f.field) {
      note(f.name, double(p.*f.field), double(d.*f.field));
    }
  }
  for (const auto& [key, value] : p.floors) {
    const auto usual = d.floors.find(key);
    if (usual == d.floors.end() ? value > 0.02 : value > usual->second) {
      note("floor of " + key, value, usual == d.floors.end() ? 0.02 : usual->second);
    }
  }
  if (p.allow_dirty) {
    out.push_back("builds with uncommitted changes are allowed");
  }
  for (const std::string& id : p.ignore) {
    out.push_back("ignored: " + id);
  }
  for (const auto& [from, to] : p.rename) {
    out.push_back("renamed: " + from + " to " + to);
  }
  return out;
}

}  // namespace ember::report
