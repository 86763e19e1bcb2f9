// SPDX-License-Identifier: Apache-2.0
#include "reports/merge.h"

#include <algorithm>
#include <unordered_map>

#include "engine/io/json.h"
#include "kernels/base/error.h"
#include "reports/reader.h"
#include "reports/writer.h"

namespace ember::report {
namespace {

void require_same_origin(const Report& a, const Report& b) {
  if (a.subject.commit != b.subject.commit || a.subject.dirty != b.subject.dirty ||
      a.subject.binary_sha256 != b.subject.binary_sha256) {
    fail(ErrorKind::kInconclusive, "runs of different binaries do not merge: commit ",
         printable(a.subject.commit), " and ", printable(b.subject.commit));
  }
  const auto x = comparable_facts(a), y = comparable_facts(b);
  for (const auto& [key, value] : x) {
    const auto it = y.find(key);
    if (it == y.end() || it->second != value) {
      fail(ErrorKind::kInconclusive, "runs on different machines do not merge: ", key, " is ",
           printable(value), " and ", it == y.end() ? "absent" : printable(it->second));
    }
  }
  if (x.size() != y.size()) {
    fail(ErrorKind::kInconclusive, "runs on different machines do not merge");
  }
}

template <class T>
void keep_more(std::optional<T>* into, const std::optional<T>& other) {
  if (other && (!*into || **into < *other)) {
    *into = other;
  }
}

// The first one's median stands for all.
void widen(std::optional<GpuClock>* into, const std::optional<GpuClock>& other) {
  if (*into && other) {
    (*into)->min = std::min((*into)->min, other->min);
    (*into)->max = std::max((*into)->max, other->max);
  } else if (other) {
    *into = other;
  }
}

void merge_gpu(Gpu* into, const Gpu& g) {
  into->temp_start_c = into->temp_start_c ? into->temp_start_c : g.temp_start_c;
  keep_more(&into->temp_max_c, g.temp_max_c);
  keep_more(&into->other_processes, g.other_processes);
  if (g.throttle) {
    if (!into->throttle) {
      into->throttle.emplace();
    }
    keep_more(&into->throttle->power, g.throttle->power);
    keep_more(&into->throttle->thermal, g.throttle->thermal);
    keep_more(&into->throttle->hardware, g.throttle->hardware);
    keep_more(&into->throttle->setting, g.throttle->setting);
  }
  widen(&into->sm_mhz, g.sm_mhz);
  widen(&into->mem_mhz_seen, g.mem_mhz_seen);
}

void merge_run(Run* into, const Run& r) {
  into->started = std::min(into->started, r.started);
  into->wall_s += r.wall_s;
  if (into->status != "failed" && r.status != "complete") {
    into->status = r.status;
  }
  if (into->group != r.group) {
    into->group.reset();
  }
}

// A ceiling is the most that was seen; shares of the smaller one shrink with it.
void merge_ceilings(Report* into, const Report& r, std::unordered_map<std::string, double>* scale) {
  for (const Ceiling& c : r.ceilings) {
    const auto have = std::find_if(into->ceilings.begin(), into->ceilings.end(),
                                   [&](const Ceiling& x) { return x.id == c.id; });
    if (have == into->ceilings.end()) {
      into->ceilings.push_back(c);
      continue;
    }
    if (have->unit != c.unit) {
      fail(ErrorKind::kBadInput, "ceiling ", printable(c.id), " has two units");
    }
    const bool gap = c.unit == "s";  // the least gap is the best that was seen
    if (gap ? c.value < have->value : c.value > have->value) {
      for (Case& k : into->cases) {
        if (k.ceiling && k.ceiling->ref == c.id) {
          k.ceiling->share *= gap ? 1 : have->value / c.value;
        }
      }
      *have = c;
    } else if (!gap) {
      (*scale)[c.id] = c.value / have->value;
    }
  }
}

int badness(Status s) {
  static const int kRank[] = {1, 2, 0, 3};  // ok, noisy, skipped, failed
  return kRank[static_cast<int>(s)];
}

bool same_work(const Case& a, const Case& b) {
  const Work x = a.work.value_or(Work{}), y = b.work.value_or(Work{});
  return x.bytes == y.bytes && x.flops == y.flops && x.tokens == y.tokens;
}

void merge_case(Case* into, const Case& c, int64_t order_offset) {
  if (into->metric != c.metric || into->kind != c.kind || into->better != c.better ||
      !same_work(*into, c)) {
    fail(ErrorKind::kBadInput, "case ", printable(c.id), " measures two things");
  }
  const double a = static_cast<double>(into->samples.size());
  const double b = static_cast<double>(c.samples.size());
  if (badness(c.status) > badness(into->status)) {
    into->status = c.status;
    into->reason = c.reason;
    into->golden = c.golden ? c.golden : into->golden;
  }
  if (into->ceiling && c.ceiling && into->ceiling->ref == c.ceiling->ref && a + b > 0) {
    into->ceiling->share = (a * into->ceiling->share + b * c.ceiling->share) / (a + b);
  } else if (!into->ceiling) {
    into->ceiling = c.ceiling;
  }
  if (into->verified != c.verified && c.verified != true) {
    into->verified = c.verified;
  }
  if (into->output_sha256 != c.output_sha256) {
    into->output_sha256.reset();
  }
  into->gate = into->gate && c.gate;
  into->excluded_warmup += c.excluded_warmup;
  into->excluded_throttled += c.excluded_throttled;
  int64_t next = 0;
  for (const Samples& s : into->samples) {
    next = std::max(next, s.process + 1);
  }
  for (Samples s : c.samples) {
    s.process = next++;
    s.order += order_offset;
    into->samples.push_back(std::move(s));
  }
}

int64_t last_order(const Report& r) {
  int64_t last = -1;
  for (const Case& c : r.cases) {
    for (const Samples& s : c.samples) {
      last = std::max(last, s.order);
    }
  }
  return last;
}

}  // namespace

Report merge(const std::vector<Report>& runs, bool interleaved) {
  EMBER_CHECK(!runs.empty(), "nothing to merge");
  Report out = runs[0];
  for (size_t i = 1; i < runs.size(); ++i) {
    const Report& r = runs[i];
    require_same_origin(runs[0], r);
    const int64_t offset = interleaved ? 0 : last_order(out) + 1;
    merge_run(&out.run, r.run);
    out.env.profiler_attached = out.env.profiler_attached || r.env.profiler_attached;
    for (size_t g = 0; g < out.env.gpus.size(); ++g) {
      merge_gpu(&out.env.gpus[g], r.env.gpus[g]);
    }
    std::unordered_map<std::string, double> scale;
    merge_ceilings(&out, r, &scale);
    std::unordered_map<std::string, size_t> index;
    for (size_t k = 0; k < out.cases.size(); ++k) {
      index[out.cases[k].id] = k;
    }
    for (Case c : r.cases) {
      if (c.ceiling && scale.count(c.ceiling->ref) == 1) {
        c.ceiling->share *= scale[c.ceiling->ref];
      }
      const auto found = index.find(c.id);
      if (found != index.end()) {
        merge_case(&out.cases[found->second], c, offset);
        continue;
      }
      for (Samples& s : c.samples) {
        s.order += offset;
      }
      out.cases.push_back(std::move(c));
    }
  }
  return out;
}

Json merge_files(const std::vector<std::string>& paths) {
  std::vector<Report> runs;
  std::vector<nlohmann::json> documents;
  for (const std::string& path : paths) {
    documents.push_back(read_report_document(path));
    runs.push_back(read_report(path));
  }
  Json out = to_json(merge(runs));
  std::unordered_map<std::string, size_t> index;
  for (size_t i = 0; i < out["cases"].size(); ++i) {
    index[out["cases"][i]["id"].get<std::string>()] = i;
  }
  const auto keep = [](const nlohmann::json& from, Json* into) {
    for (const auto& [key, value] : from.items()) {
      if (key.compare(0, 2, "x_") == 0 && !into->contains(key)) {
        (*into)[key] = Json::parse(value.dump());
      }
    }
  };
  for (const nlohmann::json& d : documents) {
    keep(d, &out);
    for (const char* part : {"run", "subject", "env"}) {
      keep(d.at(part), &out[part]);
    }
    for (const nlohmann::json& c : d.at("cases")) {
      keep(c, &out["cases"][index.at(c.at("id").get<std::string>())]);
    }
  }
  return out;
}

}  // namespace ember::report
