// SPDX-License-Identifier: Apache-2.0
#include "harness/host_state.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

namespace ember {
namespace {

namespace fs = std::filesystem;

// Entries of a folder named by `prefix` and a number; none where there is no such folder.
std::vector<fs::path> numbered(const std::string& folder, const std::string& prefix) {
  std::vector<fs::path> found;
  std::error_code none;
  for (fs::directory_iterator it(folder, none), end; !none && it != end; it.increment(none)) {
    const std::string name = it->path().filename().string();
    if (name.size() > prefix.size() && name.compare(0, prefix.size(), prefix) == 0 &&
        name.find_first_not_of("0123456789", prefix.size()) == std::string::npos) {
      found.push_back(it->path());
    }
  }
  return found;
}

bool exists(const std::string& path) {
  std::error_code none;
  return fs::exists(path, none);
}

}  // namespace

std::optional<std::string> cpu_governor(const std::string& root) {
  std::set<std::string> governors;
  for (const fs::path& cpu : numbered(root + "/sys/devices/system/cpu", "cpu")) {
    std::ifstream in(cpu / "cpufreq" / "scaling_governor");
    std::string line;
    if (std::getline(in, line) && !line.empty()) {
      governors.insert(line);
    }
  }
  std::string text;
  for (const std::string& g : governors) {
    text += (text.empty() ? "" : ", ") + g;
  }
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

std::optional<int64_t> numa_nodes(const std::string& root) {
  const auto nodes =
      static_cast<int64_t>(numbered(root + "/sys/devices/system/node", "node").size());
  return nodes > 0 ? std::optional<int64_t>(nodes) : std::nullopt;
}

std::optional<bool> in_container(const std::string& root) {
  for (const char* mark : {"/.dockerenv", "/run/.containerenv", "/run/systemd/container"}) {
    if (exists(root + mark)) {
      return true;
    }
  }
  std::ifstream in(root + "/proc/1/cgroup");
  std::ostringstream groups;
  groups << in.rdbuf();
  for (const char* manager : {"docker", "kubepods", "containerd", "libpod", "lxc", "crio"}) {
    if (groups.str().find(manager) != std::string::npos) {
      return true;
    }
  }
  // What systemd as the first process leaves: a container of its own has a mark, above.
  return exists(root + "/run/systemd/system") ? std::optional<bool>(false) : std::nullopt;
}

}  // namespace ember
