// SPDX-License-Identifier: Apache-2.0
// The exports that are JSON.
#include <cmath>

#include "reports/export/export.h"
#include "reports/format.h"
#include "reports/stats.h"

namespace ember::report {
namespace {

void put(std::ostream& out, const Json& j) {
  out << j.dump(1, ' ', false, Json::error_handler_t::replace) << "\n";
}

bool measured(const Case& c) {
  return (c.status == Status::kOk || c.status == Status::kNoisy) && !c.samples.empty();
}

bool in_seconds(const Case& c) {
  return std::string(unit(c.metric)) == "s";
}

// Google Benchmark knows times alone, and lower is better there: a rate becomes the time of one
// unit. Anything else has no place in it.
bool has_time(const Case& c) {
  const std::string u = unit(c.metric);
  return u == "s" || u == "1/s" || u == "B/s" || u == "FLOP/s";
}

double nanoseconds(const Case& c, double value) {
  return in_seconds(c) ? value * 1e9 : value > 0 ? 1e9 / value : 0;
}

Json gbench_entry(const Case& c, double ns, int64_t iterations, size_t family) {
  Json j = {{"name", c.id},
            {"family_index", family},
            {"per_family_instance_index", 0},
            {"run_name", c.id},
            {"run_type", "iteration"},
            {"repetitions", c.samples.size()},
            {"repetition_index", 0},
            {"threads", 1},
            {"iterations", iterations},
            {"real_time", ns},
            {"cpu_time", ns},
            {"time_unit", "ns"}};
  if (c.ceiling) {
    j["ceiling_share"] = c.ceiling->share;
  }
  if (c.work && c.work->bytes && in_seconds(c) && ns > 0) {
    j["bytes_per_second"] = *c.work->bytes / (ns * 1e-9);
  }
  return j;
}

void gbench_case(const Case& c, size_t family, Json* out) {
  std::vector<double> times;
  for (size_t i = 0; i < c.samples.size(); ++i) {
    times.push_back(nanoseconds(c, median(c.samples[i].values)));
    Json j =
        gbench_entry(c, times.back(), static_cast<int64_t>(c.samples[i].values.size()), family);
    j["repetition_index"] = i;
    out->push_back(j);
  }
  if (times.size() < 2) {
    return;
  }
  const Summary s = summarise({{0, 0, std::nullopt, times}});
  const std::pair<const char*, double> aggregates[] = {{"mean", s.mean},
                                                       {"median", s.median},
                                                       {"stddev", s.stddev},
                                                       {"cv", s.mean > 0 ? s.stddev / s.mean : 0}};
  for (const auto& [what, value] : aggregates) {
    Json j = gbench_entry(c, value, static_cast<int64_t>(times.size()), family);
    j["name"] = c.id + "_" + what;
    j["run_type"] = "aggregate";
    j["aggregate_name"] = what;
    j["aggregate_unit"] = std::string(what) == "cv" ? "percentage" : "time";
    j.erase("repetition_index");
    out->push_back(j);
  }
}

void export_action(std::ostream& out, const Report& r, Better direction) {
  Json entries = Json::array();
  const std::string where = r.env.gpus.empty() ? r.env.host.cpu : r.env.gpus[0].name;
  for (const Case& c : r.cases) {
    if (!measured(c) || c.better != direction) {
      continue;
    }
    const Summary s = summarise(c.samples);
    entries.push_back(
        {{"name", c.id},
         {"unit", unit(c.metric)},
         {"value", s.median},
         {"range", "± " + human(s.mad, unit(c.metric))},
         {"extra", "95 % interval " + human(s.ci95.first, unit(c.metric)) + " to " +
                       human(s.ci95.second, unit(c.metric)) + "\n" + std::to_string(s.processes) +
                       " processes, " + std::to_string(s.n) + " samples\n" + where}});
  }
  put(out, entries);
}

// Bencher's built-in latency is in nanoseconds; its throughput counts operations per second.
std::pair<std::string, double> bmf_measure(Metric m) {
  switch (m) {
    case Metric::kTime:
    case Metric::kLatency:
      return {"latency", 1e9};
    case Metric::kTtft:
    case Metric::kTpot:
      return {name(m), 1e9};
    case Metric::kTokensPerS:
      return {"tokens-per-second", 1};
    case Metric::kFlops:
      return {"flops-per-second", 1};
    case Metric::kBandwidth:
      return {"bytes-per-second", 1};
    default:
      return {name(m), 1};
  }
}

}  // namespace

void export_gbench(std::ostream& out, const Report& r) {
  Json context = {{"date", r.run.started},
                  {"host_name", r.env.host.hash.value_or("")},
                  {"executable", r.run.command.empty() ? "ember" : r.run.command[0]},
                  {"num_cpus", r.env.host.cores},
                  {"mhz_per_cpu", 0},
                  {"cpu_scaling_enabled", false},
                  {"caches", Json::array()},
                  {"load_avg", Json::array()},
                  {"library_build_type", r.subject.build_type == "Debug" ? "debug" : "release"},
                  {"json_schema_version", 1},
                  {"ember_commit", r.subject.commit},
                  {"ember_fingerprint", fingerprint(r)}};
  for (const Gpu& g : r.env.gpus) {
    context["gpu_" + std::to_string(g.index)] = g.name;
  }
  Json benchmarks = Json::array();
  for (size_t i = 0; i < r.cases.size(); ++i) {
    const Case& c = r.cases[i];
    if (measured(c) && has_time(c)) {
      gbench_case(c, i, &benchmarks);
    } else if (c.status == Status::kFailed) {
      Json j = gbench_entry(c, 0, 0, i);
      j["error_occurred"] = true;
      j["error_message"] = c.reason;
      benchmarks.push_back(j);
    }
  }
  put(out, {{"context", context}, {"benchmarks", benchmarks}});
}

void export_action_smaller(std::ostream& out, const Report& r) {
  export_action(out, r, Better::kLower);
}

void export_action_bigger(std::ostream& out, const Report& r) {
  export_action(out, r, Better::kHigher);
}

void export_bmf(std::ostream& out, const Report& r) {
  Json j = Json::object();
  for (const Case& c : r.cases) {
    if (measured(c)) {
      const Summary s = summarise(c.samples);
      const auto [measure, scale] = bmf_measure(c.metric);
      j[c.id][measure] = {{"value", scale * s.median},
                          {"lower_value", scale * s.ci95.first},
                          {"upper_value", scale * s.ci95.second}};
    }
  }
  put(out, j);
}

}  // namespace ember::report
