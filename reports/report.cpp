// SPDX-License-Identifier: Apache-2.0
#include "reports/report.h"

#include <cmath>
#include <cstdio>

namespace ember::report {

const char* name(Status s) {
  static const char* const kNames[] = {"ok", "noisy", "skipped", "failed"};
  return kNames[static_cast<int>(s)];
}

const char* name(Kind k) {
  static const char* const kNames[] = {"kernel", "p2p", "e2e", "phase", "golden", "check"};
  return kNames[static_cast<int>(k)];
}

const char* name(Better b) {
  static const char* const kNames[] = {"lower", "higher", "none"};
  return kNames[static_cast<int>(b)];
}

namespace {

struct MetricRow {
  const char* name;
  const char* unit;
  Better better;
};

const MetricRow& row(Metric m) {
  static const MetricRow kRows[] = {
      {"time", "s", Better::kLower},
      {"latency", "s", Better::kLower},
      {"ttft", "s", Better::kLower},
      {"tpot", "s", Better::kLower},
      {"bandwidth", "B/s", Better::kHigher},
      {"flops", "FLOP/s", Better::kHigher},
      {"tokens_per_s", "1/s", Better::kHigher},
      {"bytes", "B", Better::kLower},
      {"energy", "J", Better::kLower},
      {"ratio", "1", Better::kNone},
      {"error", "1", Better::kLower},
      {"count", "1", Better::kNone},
  };
  return kRows[static_cast<int>(m)];
}

std::string number(double v) {
  char out[32];
  if (v == std::floor(v) && std::fabs(v) < 9e15) {
    std::snprintf(out, sizeof out, "%.0f", v);
  } else {
    std::snprintf(out, sizeof out, "%.9g", v);
  }
  return out;
}

std::string flag(const std::optional<bool>& b) {
  return !b ? "unknown" : *b ? "on" : "off";
}

}  // namespace

const char* name(Metric m) {
  return row(m).name;
}
const char* unit(Metric m) {
  return row(m).unit;
}
Better better(Metric m) {
  return row(m).better;
}

const Ceiling* Report::find_ceiling(const std::string& id) const {
  for (const Ceiling& c : ceilings) {
    if (c.id == id) {
      return &c;
    }
  }
  return nullptr;
}

const Case* Report::find_case(const std::string& id) const {
  for (const Case& c : cases) {
    if (c.id == id) {
      return &c;
    }
  }
  return nullptr;
}

std::string text(const Param& p) {
  if (const auto* s = std::get_if<std::string>(&p)) {
    return *s;
  }
  if (const auto* b = std::get_if<bool>(&p)) {
    return *b ? "true" : "false";
  }
  return number(std::get<double>(p));
}

std::string case_id(Kind kind, const std::string& case_name, const Params& params) {
  std::string id = std::string(name(kind)) + "/" + case_name;
  for (const auto& [key, value] : params) {
    id += "/" + key + "=" + text(value);
  }
  return id;
}

Case make_case(Kind kind, const std::string& case_name, const Params& params, Metric metric) {
  Case c;
  c.id = case_id(kind, case_name, params);
  c.kind = kind;
  c.params = params;
  c.metric = metric;
  c.better = better(metric);
  c.gate = c.better != Better::kNone;
  return c;
}

void skip(Case& c, const std::string& reason) {
  c.status = Status::kSkipped;
  c.reason = reason;
  c.samples.clear();
}

void fail_case(Case& c, const std::string& reason) {
  c.status = Status::kFailed;
  c.reason = reason;
}

void set_ceiling(Case& c, const Ceiling& ceiling, double rate) {
  c.ceiling = CeilingShare{ceiling.id, rate / ceiling.value};
  if (c.ceiling->share > kCeilingSlack) {
    fail_case(c, "reaches " + number(100 * c.ceiling->share) + " % of the ceiling " + ceiling.id +
                     ": the work is miscounted, or the cache was warm");
  }
}

std::map<std::string, std::string> comparable_facts(const Report& r) {
  std::map<std::string, std::string> facts;
  const Host& h = r.env.host;
  facts["cpu"] = h.cpu;
  facts["cpu cores"] = std::to_string(h.cores);
  facts["cpu isa"] = h.isa;
  facts["cpu threads"] = std::to_string(h.threads);
  const std::string driver = r.env.cuda ? r.env.cuda->driver : "none";
  facts["driver (major)"] = driver.substr(0, driver.find('.'));
  facts["gpus"] = std::to_string(r.env.gpus.size());
  for (const Gpu& g : r.env.gpus) {
    const std::string at = "gpu " + std::to_string(g.index) + " ";
    facts[at + "name"] = g.name;
    facts[at + "compute capability"] = g.cc;
    facts[at + "memory"] = std::to_string(g.mem_bytes) + " B";
    facts[at + "multiprocessors"] = std::to_string(g.sms);
    facts[at + "ECC"] = flag(g.ecc);
    facts[at + "MIG"] = flag(g.mig);
    facts[at + "power limit"] = g.power_limit_w ? number(*g.power_limit_w) + " W" : "unknown";
    facts[at + "clock policy"] = g.clock_policy;
  }
  if (r.model) {
    facts["model"] = r.model->name;
    facts["model dtype"] = r.model->dtype;
    facts["model weights"] = r.model->weights_sha256.value_or("unknown");
  }
  facts["build type"] = r.subject.build_type;
  if (r.env.slow_link) {
    facts["link between stages"] = *r.env.slow_link + " (EMBER_LINK)";
  }
  return facts;
}

std::string fingerprint(const Report& r) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a: names a test bed, guards nothing
  for (const auto& [key, value] : comparable_facts(r)) {
    for (const std::string& part : {key, value}) {
      for (const char ch : part + '\0') {
        hash = (hash ^ static_cast<unsigned char>(ch)) * 1099511628211u;
      }
    }
  }
  char out[17];
  std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(hash));
  return std::string(out, 12);
}

}  // namespace ember::report
