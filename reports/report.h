// SPDX-License-Identifier: Apache-2.0
// What a run of the harness found, as suites write it and as the gate, the exports and the page
// read it. reports/schema.json defines the file and states every unit; docs/reports.md shows how a
// suite fills this in. Values are SI base units: s, B, 1/s, B/s, FLOP/s, J.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace ember::report {

using Json = nlohmann::ordered_json;

// Of what is written. Also read is 1.0, which has fewer of the fields that may be absent.
inline constexpr const char* kReportVersion = "1.1";

enum class Status { kOk, kNoisy, kSkipped, kFailed };
enum class Kind { kKernel, kP2p, kE2e, kPhase, kGolden, kCheck };
// The metric decides the unit, and which direction is better.
enum class Metric {
  kTime,
  kLatency,
  kTtft,
  kTpot,
  kBandwidth,
  kFlops,
  kTokensPerS,
  kBytes,
  kEnergy,
  kRatio,
  kError,
  kCount
};
enum class Better { kLower, kHigher, kNone };

const char* name(Status s);
const char* name(Kind k);
const char* name(Metric m);
const char* name(Better b);
const char* unit(Metric m);
Better better(Metric m);  // kNone for kRatio and kCount: their case says which, if one is

struct Run {
  std::string id, started;  // started: UTC, 2026-01-31T12:00:00Z
  double wall_s = 0;
  std::vector<std::string> command;
  std::optional<std::string> profile, group;
  std::string status = "complete";  // complete, interrupted, failed
};

struct Subject {
  std::string version, commit;
  bool dirty = false;
  std::optional<std::string> binary_sha256;
  std::string build_type, compiler;
  std::optional<std::string> cuda_compiler;
  std::vector<std::string> cuda_arch, sanitizers;
};

struct Host {
  std::optional<std::string> hash, os, kernel, governor;
  std::string cpu, isa;
  int64_t cores = 0, threads = 0, mem_bytes = 0;
  std::optional<int64_t> numa_nodes;
  std::optional<bool> container;
  std::optional<double> load_1m;
};

struct Cuda {
  std::string driver, runtime;
  std::optional<std::string> cublas;
};

struct GpuClock {
  double min = 0, median = 0, max = 0;  // MHz
};
struct GpuThrottle {
  std::optional<double> power, thermal, hardware, setting;  // share of samples, 0 to 1
};
struct GpuPcie {
  int64_t gen = 0, gen_max = 0, width = 0;
};
struct GpuNvlink {
  int64_t links = 0, gen = 0;
  std::optional<double> bytes_per_s;  // of all links, each way
};

struct Gpu {
  int64_t index = 0, sms = 0, mem_bytes = 0, l2_bytes = 0;
  std::string name, cc, clock_policy = "unknown";  // locked, app, free, unknown
  std::optional<std::string> uuid_hash;
  std::optional<bool> ecc, mig, persistence;
  std::optional<double> power_limit_w, power_default_w, mem_mhz, temp_start_c, temp_max_c;
  std::optional<double> sm_mhz_requested, sm_mhz_limit;  // application clock; the card's most
  std::optional<GpuClock> sm_mhz, mem_mhz_seen;
  std::optional<GpuThrottle> throttle;
  std::optional<int64_t> other_processes;
  std::optional<GpuPcie> pcie;
  std::optional<GpuNvlink> nvlink;
};

struct Environment {
  Host host;
  std::optional<Cuda> cuda;
  std::vector<Gpu> gpus;
  bool profiler_attached = false;
  std::optional<std::string> slow_link;  // planted between stages: "0.5 GB/s, 20 us"
};

struct Model {
  std::string name, dtype;
  std::optional<std::string> weights_sha256, config_sha256, tokenizer_sha256;
};

struct Ceiling {
  std::string id, device, kind;  // mem_read@cuda:0, cuda:0, mem_read
  double value = 0;
  std::string unit = "B/s";  // B/s, FLOP/s, s
  std::optional<std::pair<double, double>> ci95;
  std::string method = "measured";  // measured, nominal
};

struct Samples {
  int64_t process = 0;  // number of the fresh process, unique within the case
  int64_t order = 0;    // place in the run's order of execution
  std::optional<double> clock_mhz;
  std::vector<double> values;
};

struct Work {
  std::optional<double> bytes, flops, tokens;  // of one sample
};

struct CeilingShare {
  std::string ref;
  double share = 0;
};

struct KernelLaunch {
  std::string kernel;  // its function; "library" where one launched, and nothing else is known
  std::optional<int64_t> registers, shared_bytes, spill_bytes, threads, blocks;
};
// The most of any launch; unset where a library launched all of them.
struct KernelResources {
  std::optional<int64_t> registers, shared_bytes, spill_bytes;
  std::vector<KernelLaunch> launches;
};

struct LayerError {
  int64_t layer = -1;
  std::string tap;
  double error = 0;
  std::optional<double> limit;
};

struct GoldenVerdict {
  bool pass = false;
  std::string figure;
  std::optional<double> error, ratio, limit;
  std::optional<std::string> first_bad;
  std::vector<LayerError> layers;
};

struct Stage {
  int64_t stage = 0;
  std::string device;
  std::optional<double> busy_share, bubble_share, hop_s;
};

using Param = std::variant<std::string, double, bool>;
using Params = std::map<std::string, Param>;

struct Case {
  std::string id;
  Kind kind = Kind::kKernel;
  Params params;
  Status status = Status::kOk;
  std::string reason;  // empty exactly when the status is kOk
  std::optional<bool> verified;
  Metric metric = Metric::kTime;
  Better better = Better::kLower;
  bool gate = true;
  std::vector<Samples> samples;
  int64_t excluded_warmup = 0, excluded_throttled = 0;
  std::optional<std::string> stop;  // interval, cap, count
  std::optional<Work> work;
  std::optional<CeilingShare> ceiling;
  std::optional<KernelResources> kernel;
  std::vector<Stage> stages;
  std::optional<std::string> output_sha256;
  std::optional<GoldenVerdict> golden;
};

struct Report {
  Run run;
  Subject subject;
  Environment env;
  std::optional<Model> model;
  std::vector<Ceiling> ceilings;
  std::vector<Case> cases;

  const Ceiling* find_ceiling(const std::string& id) const;
  const Case* find_case(const std::string& id) const;
};

// "kernel/rmsnorm/M=1/l2=cold": parameters in the order of their names.
std::string case_id(Kind kind, const std::string& name, const Params& params);
std::string text(const Param& p);

// A case with its id, unit and direction filled in. What is left to a suite: samples (or skip, or
// fail), work, set_ceiling.
Case make_case(Kind kind, const std::string& name, const Params& params, Metric metric);
// The reason of a case check/golden that the user asked to leave out.
inline constexpr const char* kGoldenLeftOut = "left out (--no-golden)";
void skip(Case& c, const std::string& reason);
void fail_case(Case& c, const std::string& reason);
// Two measurements of one limit in one run differ by up to this.
inline constexpr double kCeilingSlack = 1.02;
// Notes `rate` (in the unit of the ceiling) as a share of the ceiling. A share above kCeilingSlack
// fails the case: its bytes or operations are miscounted, or the cache was warm.
void set_ceiling(Case& c, const Ceiling& ceiling, double rate);

// What must be equal before two runs can be compared, one line a fact: "gpu 0 name: …".
std::map<std::string, std::string> comparable_facts(const Report& r);
// Twelve hexadecimal digits of a hash of those facts: names a test bed.
std::string fingerprint(const Report& r);

}  // namespace ember::report
