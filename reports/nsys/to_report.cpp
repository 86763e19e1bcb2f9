// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <limits>
#include <set>

#include "kernels/base/error.h"
#include "reports/nsys/output.h"

namespace ember::report::nsys {
namespace {

constexpr size_t kMaxCases = 100000, kMaxValues = 1000000;  // schema.json

class Builder {
 public:
  Builder(const Trace& trace, const Attribution& a) : trace_(trace), a_(a) {}

  std::vector<Case> cases() {
    for (const PathTimes& p : a_.paths) {
      add_path(p);
    }
    add_kernels(a_.outside.name, a_.outside);
    return std::move(cases_);
  }

 private:
  void add_path(const PathTimes& p) {
    const std::string path = label(a_.path(p));
    for (const auto& [device, d] : p.devices) {
      const Params params = {{"range", path}, {"device", double(device)}};
      add("nvtx_range", params, d.times);
      add("nvtx_span", params, d.spans);
    }
    if (p.devices.empty()) {
      skip(add("nvtx_range", {{"range", path}}, {}),
           "no kernel was launched in any of its " + std::to_string(p.ranges) + " ranges");
    }
    add_kernels(path, p);
  }

  void add_kernels(const std::string& path, const PathTimes& p) {
    for (const auto& [key, times] : p.kernels) {
      add("nvtx_kernel",
          {{"range", path},
           {"device", double(key.first)},
           {"kernel", trace_.names[static_cast<size_t>(key.second)]}},
          times);
    }
  }

  Case& add(const std::string& name, const Params& params, const std::vector<double>& ns) {
    Case c = make_case(Kind::kPhase, name, params, Metric::kTime);
    // Names that hold a / or were cut may read alike.
    const std::string id = c.id;
    for (int i = 2; !ids_.insert(c.id).second; ++i) {
      c.id = id + "/#" + std::to_string(i);
    }
    c.gate = false;
    if (ns.size() > kMaxValues || cases_.size() == kMaxCases) {
      fail(ErrorKind::kBadInput, "a report holds at most ", kMaxCases, " cases of ", kMaxValues,
           " values, and case '", c.id, "' is beyond; record a shorter window (--profile-window)");
    }
    if (!ns.empty()) {
      Samples s;
      s.order = order_++;
      s.values.reserve(ns.size());
      for (const double v : ns) {
        s.values.push_back(v / 1e9);
      }
      c.samples.push_back(std::move(s));
      c.stop = "count";
    }
    cases_.push_back(std::move(c));
    return cases_.back();
  }

  const Trace& trace_;
  const Attribution& a_;
  std::vector<Case> cases_;
  std::set<std::string> ids_;
  int64_t order_ = 0;
};

std::string utc(int64_t seconds) {
  const std::time_t t = seconds;
  std::tm parts{};
  char text[64] = "";
  if (gmtime_r(&t, &parts) == nullptr || parts.tm_year < 0 || parts.tm_year > 8099 ||
      std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
    return utc(0);
  }
  return text;
}

// The same for the same recording, so that a history takes it once.
std::string id_of(const Trace& t, int64_t first, int64_t last) {
  uint64_t hash = 14695981039346656037u;
  for (const int64_t v :
       {t.started.value_or(0), first, last, static_cast<int64_t>(t.ranges.size()),
        static_cast<int64_t>(t.calls.size()), static_cast<int64_t>(t.kernels.size())}) {
    hash = (hash ^ static_cast<uint64_t>(v)) * 1099511628211u;
    hash ^= hash >> 29;
  }
  char text[32];
  std::snprintf(text, sizeof text, "nsys-%016llx", static_cast<unsigned long long>(hash));
  return text;
}

}  // namespace

Report to_report(const Trace& trace, const Attribution& a,
                 const std::vector<std::string>& command) {
  int64_t first = std::numeric_limits<int64_t>::max(), last = std::numeric_limits<int64_t>::min();
  for (const Kernel& k : trace.kernels) {
    first = std::min(first, k.start);
    last = std::max(last, k.end);
  }
  Report r;
  r.run.id = id_of(trace, first, last);
  r.run.started = utc(trace.started.value_or(0));
  r.run.wall_s = static_cast<double>(last - first) / 1e9;
  r.run.command = command;
  r.subject.version = r.subject.commit = r.subject.build_type = r.subject.compiler = "unknown";
  r.env.host.cpu = "unknown";
  r.env.cuda = Cuda{"unknown", "unknown", {}};
  r.env.gpus = trace.gpus;
  r.env.profiler_attached = true;
  r.cases = Builder(trace, a).cases();
  return r;
}

}  // namespace ember::report::nsys
