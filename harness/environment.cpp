// SPDX-License-Identifier: Apache-2.0
#include "harness/environment.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "engine/backend/slow_link.h"
#include "engine/core/cpu_info.h"
#include "engine/core/log.h"
#include "engine/core/version.h"
#include "engine/io/mmap_file.h"
#include "golden/fixture/sha256.h"
#include "harness/host_state.h"
#include "harness/measure/planted_delay.h"
#include "kernels/base/env.h"
#include "kernels/base/error.h"
#include "kernels/linear/blas_info.h"
#include "reports/stats.h"

namespace ember {
namespace {

std::string read_text(const char* path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// FNV-1a: says whether two names are equal without giving them away at a glance.
std::string hashed(const std::string& text) {
  uint64_t h = 0xcbf29ce484222325u;
  for (const char c : "ember:" + text) {
    h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(h));
  return hex;
}

std::string run_id() {
  std::random_device random;
  char text[40];
  std::snprintf(text, sizeof text, "%08x-%04x-4%03x-8%03x-%08x%04x", random(), random() & 0xffff,
                random() & 0xfff, random() & 0xfff, random(), random() & 0xffff);
  return text;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string cuda_version(int v) {
  return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10);
}

report::Host host() {
  report::Host h;
  const CpuInfo cpu = cpu_info();
  h.cpu = cpu.name;
  h.isa = cpu.isa;
  h.cores = cpu.logical_cores;
  h.threads = cpu.threads;
  h.mem_bytes = cpu.total_bytes;
  utsname system{};
  if (uname(&system) == 0) {
    h.hash = hashed(system.nodename);
    h.kernel = system.release;
  }
  std::istringstream release(read_text("/etc/os-release"));
  for (std::string line; std::getline(release, line);) {
    if (line.rfind("PRETTY_NAME=", 0) == 0) {
      h.os = line.substr(12);
      h.os->erase(std::remove(h.os->begin(), h.os->end(), '"'), h.os->end());
    }
  }
  h.governor = cpu_governor();
  h.numa_nodes = numa_nodes();
  h.container = in_container();
  double load = 0;
  if (getloadavg(&load, 1) == 1) {
    h.load_1m = load;
  }
  return h;
}

void add_clock_settings(const GpuFacts& facts, report::Gpu* g) {
  const auto number = [](const std::optional<int>& mhz) {
    return mhz ? std::optional<double>(*mhz) : std::nullopt;
  };
  g->sm_mhz_limit = number(facts.sm_mhz_max);
  g->sm_mhz_requested = number(facts.sm_mhz_app);
  if (facts.sm_mhz_app && facts.sm_mhz_app_default &&
      facts.sm_mhz_app != facts.sm_mhz_app_default) {
    g->clock_policy = "app";
  }
}

void add_seen(const GpuSeen& seen, report::Gpu* g) {
  const auto range = [](const std::vector<double>& mhz) -> std::optional<report::GpuClock> {
    if (mhz.empty()) {
      return std::nullopt;
    }
    const auto [low, high] = std::minmax_element(mhz.begin(), mhz.end());
    return report::GpuClock{*low, report::median(mhz), *high};
  };
  g->sm_mhz = range(seen.sm_mhz);
  g->mem_mhz_seen = range(seen.memory_mhz);
  g->temp_start_c = seen.first_c;
  g->temp_max_c = seen.highest_c;
  if (seen.told > 0) {
    const auto share = [&](int64_t held) {
      return static_cast<double>(held) / static_cast<double>(seen.told);
    };
    g->throttle = report::GpuThrottle{share(seen.power), share(seen.thermal), share(seen.hardware),
                                      share(seen.setting)};
  }
}

report::Gpu gpu(const CudaDeviceInfo& d) {
  report::Gpu g;
  g.index = d.index;
  g.name = d.name;
  g.cc = std::to_string(d.cc_major) + "." + std::to_string(d.cc_minor);
  g.sms = d.sm_count;
  g.mem_bytes = d.total_bytes;
  g.l2_bytes = d.l2_bytes;
  g.uuid_hash = hashed(d.uuid);
  const GpuHealth health({DeviceKind::kCuda, d.index});
  const GpuFacts facts = health.facts();
  const GpuState state = health.state();
  g.ecc = facts.ecc;
  g.mig = facts.mig;
  g.persistence = facts.persistence;
  g.power_limit_w = facts.power_limit_w;
  g.power_default_w = facts.power_default_w;
  add_clock_settings(facts, &g);
  if (state.memory_mhz) {
    g.mem_mhz = *state.memory_mhz;
  }
  if (facts.other_processes) {
    g.other_processes = *facts.other_processes;
  }
  if (facts.pcie_generation && facts.pcie_generation_max && facts.pcie_width) {
    g.pcie = {*facts.pcie_generation, *facts.pcie_generation_max, *facts.pcie_width};
  }
  const std::vector<NvLink> links = health.nvlinks();
  if (!links.empty()) {
    g.nvlink = {static_cast<int64_t>(links.size()), links[0].generation, {}};
    double rate = 0;
    for (const NvLink& link : links) {
      rate += link.bytes_per_s;
    }
    if (rate > 0) {
      g.nvlink->bytes_per_s = rate;
    }
  }
  return g;
}

}  // namespace

std::string device_name(DeviceId device) {
  return device.kind == DeviceKind::kCpu ? "cpu" : "cuda:" + std::to_string(device.index);
}

std::string ceiling_id(const std::string& kind, DeviceId device) {
  return kind + "@" + device_name(device);
}

std::string binary_path() {
  char path[4096];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  if (n <= 0 || n == static_cast<ssize_t>(sizeof path)) {
    fail(ErrorKind::kInternal, "/proc/self/exe cannot be read");
  }
  return std::string(path, static_cast<size_t>(n));
}

std::string binary_sha256() {
  return golden::sha256(MappedFile::open("/proc/self/exe")->text());
}

bool profiler_attached() {
  const std::string status = read_text("/proc/self/status");
  const size_t tracer = status.find("TracerPid:");
  if (tracer != std::string::npos && std::atoi(status.c_str() + tracer + 10) != 0) {
    return true;
  }
  // Nsight Systems, Nsight Compute and other tools inject themselves through these.
  const std::string variables = read_text("/proc/self/environ");
  for (const char* name : {"NVTX_INJECTION64_PATH=", "CUDA_INJECTION64_PATH=",
                           "NSYS_PROFILING_SESSION_ID=", "NV_TPS_LAUNCH_UUID="}) {
    const size_t at = variables.find(name);
    if (at == 0 || (at != std::string::npos && variables[at - 1] == '\0')) {
      return true;
    }
  }
  return false;
}

report::Report start_report(const std::vector<std::string>& command,
                            const std::vector<DeviceId>& devices) {
  report::Report r;
  r.run.id = run_id();
  r.run.started = utc_now();
  r.run.command = command;
  const std::string planted = planted_delay_text();
  if (!planted.empty()) {
    warning(planted, " makes kernels slower: a report for testing the gate alone");
    r.run.command.insert(r.run.command.begin(), planted);
  }
  if (const auto link = slow_link()) {
    warning("EMBER_LINK makes hops between stages slower: a report for seeing what that does");
    r.run.command.insert(r.run.command.begin(), "EMBER_LINK=" + *env_text(EnvVar::kLink));
    r.env.slow_link = link->str();
  }
  const Version v = version();
  r.subject.version = v.number;
  r.subject.commit = v.commit;
  r.subject.dirty = v.dirty;
  r.subject.binary_sha256 = binary_sha256();
  r.subject.build_type = v.build;
  r.subject.compiler = v.compiler;
  if (!v.cuda_compiler.empty()) {
    r.subject.cuda_compiler = v.cuda_compiler;
  }
  r.subject.cuda_arch = v.cuda_arch;
  r.subject.sanitizers = v.sanitizers;
  r.env.host = host();
  r.env.profiler_attached = profiler_attached();
  for (const CudaDeviceInfo& d : cuda_devices()) {
    const DeviceId id{DeviceKind::kCuda, d.index};
    if (std::find(devices.begin(), devices.end(), id) != devices.end()) {
      r.env.gpus.push_back(gpu(d));
      const std::string driver = GpuHealth(id).facts().driver;
      r.env.cuda = report::Cuda{driver.empty() ? cuda_version(d.driver_version) : driver,
                                cuda_version(d.runtime_version),
                                {}};
      const std::string blas = k::cuda_blas_version();
      if (!blas.empty()) {
        r.env.cuda->cublas = blas;
      }
    }
  }
  return r;
}

report::Model describe_model(const IWeightSource& weights, const std::string& dtype) {
  namespace fs = std::filesystem;
  report::Model m;
  m.dtype = dtype;
  const std::string dir = weights.dir();
  if (dir.empty()) {
    m.name = weights.description();
    return m;
  }
  const fs::path folder = fs::absolute(dir).lexically_normal();
  m.name = (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  const auto hash = [&](const char* file) -> std::optional<std::string> {
    std::error_code none;
    const fs::path path = folder / file;
    return fs::is_regular_file(path, none)
               ? std::optional<std::string>(golden::sha256(MappedFile::open(path.string())->text()))
               : std::nullopt;
  };
  m.config_sha256 = hash("config.json");
  m.tokenizer_sha256 = hash("tokenizer.json");
  if (weight_bytes(weights) <= kHashedWeightBytes) {
    // Of the hashes of the files in the order of their names: one file's is its own.
    std::vector<std::string> names, hashes;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".safetensors") {
        names.push_back(entry.path().filename().string());
      }
    }
    std::sort(names.begin(), names.end());
    std::string all;
    for (const std::string& n : names) {
      hashes.push_back(*hash(n.c_str()));
      all += hashes.back();
    }
    if (!hashes.empty()) {
      m.weights_sha256 = hashes.size() == 1 ? hashes[0] : golden::sha256(all);
    }
  }
  return m;
}

void finish_report(report::Report* r, double wall_seconds, const GpuLog& log) {
  r->run.wall_s = wall_seconds;
  for (report::Gpu& g : r->env.gpus) {
    const DeviceId device{DeviceKind::kCuda, static_cast<int>(g.index)};
    if (const GpuSeen* seen = log.find(device)) {
      add_seen(*seen, &g);
    }
    const std::optional<int> others = GpuHealth(device).facts().other_processes;
    if (others) {
      g.other_processes = std::max<int64_t>(*others, g.other_processes.value_or(0));
    }
  }
}

void add_ceilings(report::Report* r, DeviceId device, const Ceilings& ceilings) {
  for (const Ceiling& c : ceilings.all()) {
    report::Ceiling out;
    out.id = ceiling_id(c.kind, device);
    out.device = device_name(device);
    out.kind = c.kind;
    out.value = c.value;
    out.unit = c.unit;
    out.ci95 = {c.low, c.high};
    r->ceilings.push_back(out);
  }
}

// By how much other users of a CPU can lower what is measured on it: one of two cores, and memory.
// A share beyond that is a miscount there too.
constexpr double kCpuLoadFactor = 3;

void hold_against(report::Case* c, const Ceilings& ceilings, const std::string& kind,
                  DeviceId device, double rate, int64_t devices) {
  const Ceiling* found = ceilings.find(kind);
  if (found == nullptr || !(found->value > 0) || !(rate > 0)) {
    return;
  }
  report::Ceiling limit;
  limit.id = ceiling_id(kind, device);
  limit.value = static_cast<double>(devices) * found->value;
  const double share = rate / limit.value;
  if (device.kind == DeviceKind::kCpu && share > report::kCeilingSlack && share < kCpuLoadFactor) {
    if (c->status == report::Status::kOk) {
      c->status = report::Status::kNoisy;
      c->reason = "quicker than the ceiling " + limit.id +
                  ": other users of the CPU were busier while that was measured";
    }
    return;
  }
  report::set_ceiling(*c, limit, rate);
}

}  // namespace ember
