// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/error.h"
#include "suites/suite/selftest_checks.h"

namespace ember {
namespace {

using report::Json;
using Strings = SelftestRun::Strings;

constexpr int kBaseProcesses = 5;  // what screening needs
const int kWrongCode = exit_code(ErrorKind::kWrong);
const int kOpenCode = exit_code(ErrorKind::kInconclusive);

Json parsed(const std::string& path) {
  return Json::parse(read_file(path));
}

// What in this build or on this machine would refuse any comparison, whatever is planted; it is
// set to what a comparison needs, so that the one thing changed decides.
void make_comparable(Json* r) {
  (*r)["subject"]["dirty"] = false;
  (*r)["subject"]["build"]["type"] = "Release";
  (*r)["subject"]["build"]["sanitizers"] = Json::array();
  (*r)["run"]["status"] = "complete";
  (*r)["env"]["profiler_attached"] = false;
  for (Json& gpu : (*r)["env"]["gpus"]) {
    gpu["other_processes"] = nullptr;
    gpu["throttle"] = nullptr;
    gpu["sm_mhz"] = nullptr;
  }
  for (Json& c : (*r)["cases"]) {
    c["excluded"]["throttled"] = 0;
    for (Json& s : c["samples"]) {
      s["clock_mhz"] = nullptr;
    }
  }
}

void make_foreign(Json* r) {
  Json& env = (*r)["env"];
  if (env["gpus"].empty()) {
    env["host"]["cpu"] = "Another CPU";
  } else {
    env["gpus"][0]["name"] = "Another card";
  }
}

struct Change {
  const char* name;
  int code;
  void (*make)(Json*);
};

const Change kChanges[] = {
    {"compare: nothing changed", 0, [](Json*) {}},
    {"compare: another card or CPU", kOpenCode, make_foreign},
    {"compare: profiler attached", kOpenCode,
     [](Json* r) { (*r)["env"]["profiler_attached"] = true; }},
    {"compare: slow link between stages", kOpenCode,
     [](Json* r) { (*r)["env"]["slow_link"] = "1 GB/s, 0 us"; }},
    {"compare: debug build", kOpenCode,
     [](Json* r) { (*r)["subject"]["build"]["type"] = "Debug"; }},
    {"compare: sanitizer build", kOpenCode,
     [](Json* r) { (*r)["subject"]["build"]["sanitizers"] = {"address"}; }},
    {"compare: uncommitted changes", kOpenCode, [](Json* r) { (*r)["subject"]["dirty"] = true; }},
    {"compare: interrupted run", kOpenCode, [](Json* r) { (*r)["run"]["status"] = "interrupted"; }},
    {"compare: one sample in ten throttled", kOpenCode,
     [](Json* r) {
       for (Json& c : (*r)["cases"]) {
         size_t n = 0;
         for (const Json& s : c["samples"]) {
           n += s["values"].size();
         }
         c["excluded"]["throttled"] = n / 9 + 1;
       }
     }},
    {"compare: missing id", kWrongCode,
     [](Json* r) {
       const std::string id = some_kernel(r)["id"];
       Json& cases = (*r)["cases"];
       for (size_t i = 0; i < cases.size(); ++i) {
         if (cases[i]["id"] == id) {
           cases.erase(i);
           return;
         }
       }
     }},
    {"compare: newly skipped", kWrongCode,
     [](Json* r) {
       Json& c = some_kernel(r);
       c["status"] = "skipped";
       c["reason"] = "planted";
       c["samples"] = Json::array();
       c["summary"] = nullptr;
     }},
    {"compare: failed verification", kWrongCode,
     [](Json* r) {
       Json& c = some_kernel(r);
       c["status"] = "failed";
       c["reason"] = "planted";
       c["verified"] = false;
     }},
    {"compare: output no longer verified", kWrongCode,
     [](Json* r) { some_kernel(r)["verified"] = nullptr; }},
    {"compare: work changed", kWrongCode,
     [](Json* r) {
       Json& work = some_kernel(r)["work"];
       work["bytes"] = work["bytes"].get<double>() + 1;
     }},
};

}  // namespace

Json& some_kernel(Json* r) {
  for (Json& c : (*r)["cases"]) {
    if (c["kind"] == "kernel" && c["gate"] == true && !c["samples"].empty()) {
      return c;
    }
  }
  fail(ErrorKind::kInternal, "selftest: no kernel was measured");
}

void check_compare(SelftestRun* run) {
  Strings parts;
  for (int i = 0; i < kBaseProcesses; ++i) {
    parts.push_back(run->path("base-" + std::to_string(i) + ".json"));
    Strings args = run->bench();
    args.insert(args.end(), {"--json", parts.back()});
    const int code = run->ember(args);
    if (code != 0) {
      fail(ErrorKind::kInternal, "selftest: `ember bench kernels` ended with exit code ", code,
           "; its output is in ", run->options().dir);
    }
  }
  Strings merge = {"report", "merge", "-o", run->path("base.json")};
  merge.insert(merge.begin() + 2, parts.begin(), parts.end());
  run->expect("merge: five processes", 0, merge);
  Json base = parsed(run->path("base.json"));
  make_comparable(&base);
  write_json(run->path("base.json"), base);
  for (const Change& c : kChanges) {
    Json changed = base;
    c.make(&changed);
    write_json(run->path("new.json"), changed);
    run->expect(c.name, c.code,
                {"report", "compare", run->path("base.json"), run->path("new.json")});
  }
  Json single = parsed(parts[0]);
  make_comparable(&single);
  write_json(run->path("single.json"), single);
  run->expect("compare: too few processes", kOpenCode,
              {"report", "compare", run->path("base.json"), run->path("single.json")});
  write_json(run->path("policy.json"), Json({{"schema", "ember.policy/1"}, {"alhpa", 0.5}}));
  run->expect("compare: a policy with a misspelt field", exit_code(ErrorKind::kUsage),
              {"report", "compare", run->path("base.json"), run->path("base.json"), "--policy",
               run->path("policy.json")});
  // A real tool's variable, not a field that was edited.
  Strings profiled = run->bench();
  profiled.insert(profiled.end(), {"--json", run->path("profiled.json")});
  run->ember(profiled, {"NSYS_PROFILING_SESSION_ID=1"});
  Json seen = parsed(run->path("profiled.json"));
  const bool attached = seen["env"]["profiler_attached"];
  make_comparable(&seen);
  seen["env"]["profiler_attached"] = attached;
  write_json(run->path("profiled.json"), seen);
  run->expect("compare: measured under a profiler", kOpenCode,
              {"report", "compare", run->path("base.json"), run->path("profiled.json")});
}

}  // namespace ember
