// SPDX-License-Identifier: Apache-2.0
#include "engine/core/cpu_info.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include "kernels/base/parallel.h"

namespace ember {
namespace {

// The text after ": " of the first line of /proc/cpuinfo that starts with the key; "" without one.
std::string cpuinfo_field(const std::string& key) {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind(key, 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "";
}

int64_t meminfo_bytes(const std::string& key) {
  std::ifstream in("/proc/meminfo");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key + ":", 0) == 0) {
      return std::atoll(line.c_str() + key.size() + 1) * 1024;
    }
  }
  return 0;
}

// A number in a control group file; -1 where there is none or it says "max".
int64_t cgroup_bytes(const char* path) {
  std::ifstream in(path);
  int64_t value = -1;
  return in >> value ? value : -1;
}

std::string vector_isa() {
  std::istringstream flags(cpuinfo_field("flags") + " " + cpuinfo_field("Features"));
  const std::vector<std::string> wanted = {"avx2",     "fma",   "f16c",    "avx512f", "avx512_bf16",
                                           "amx_bf16", "asimd", "asimdhp", "bf16",    "sve"};
  std::string found;
  for (std::string flag; flags >> flag;) {
    if (std::find(wanted.begin(), wanted.end(), flag) != wanted.end()) {
      found += (found.empty() ? "" : " ") + flag;
    }
  }
  return found;
}

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    return std::max(1, CPU_COUNT(&set));
  }
  return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}

}  // namespace

CpuInfo cpu_info() {
  CpuInfo c;
  c.name = cpuinfo_field("model name");
  if (c.name.empty()) {
    c.name = "unknown CPU";
  }
  c.logical_cores = usable_cores();
  c.threads = thread_count();
  c.total_bytes = meminfo_bytes("MemTotal");
  c.available_bytes = meminfo_bytes("MemAvailable");
  const int64_t limit = cgroup_bytes("/sys/fs/cgroup/memory.max");
  if (limit > 0 && limit < c.total_bytes) {
    const int64_t used = std::max<int64_t>(0, cgroup_bytes("/sys/fs/cgroup/memory.current"));
    c.total_bytes = limit;
    c.available_bytes = std::min(c.available_bytes, std::max<int64_t>(0, limit - used));
  }
  c.isa = vector_isa();
  return c;
}

}  // namespace ember
