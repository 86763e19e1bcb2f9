// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/device_map.h"

#include <algorithm>
#include <limits>
#include <sstream>

#include "kernels/base/error.h"

namespace ember {
namespace {

DeviceMap from_counts(const std::vector<DeviceId>& devices, const std::vector<int64_t>& counts) {
  DeviceMap map;
  int64_t next = 0;
  for (size_t s = 0; s < devices.size(); ++s) {
    map.stages.push_back({devices[s], next, counts[s], s == 0, s + 1 == devices.size()});
    next += counts[s];
  }
  return map;
}

// best[s][l]: the smallest worst load when the first s stages hold the first l layers.
std::vector<int64_t> best_counts(const PartBytes& parts, const std::vector<double>& budget) {
  const int64_t stages = static_cast<int64_t>(budget.size());
  const int64_t layers = static_cast<int64_t>(parts.layers.size());
  constexpr double kNever = std::numeric_limits<double>::infinity();
  std::vector<std::vector<double>> best(stages + 1, std::vector<double>(layers + 1, kNever));
  std::vector<std::vector<int64_t>> taken(stages + 1, std::vector<int64_t>(layers + 1, 0));
  best[0][0] = 0;
  for (int64_t s = 1; s <= stages; ++s) {
    for (int64_t end = s; end <= layers; ++end) {
      double bytes = (s == 1 ? parts.embedding : 0) + (s == stages ? parts.head : 0);
      for (int64_t begin = end - 1; begin >= s - 1; --begin) {
        bytes += static_cast<double>(parts.layers[begin]);
        const double worst = std::max(best[s - 1][begin], bytes / budget[s - 1]);
        if (worst < best[s][end]) {
          best[s][end] = worst;
          taken[s][end] = end - begin;
        }
      }
    }
  }
  std::vector<int64_t> counts(stages);
  for (int64_t s = stages, end = layers; s > 0; --s) {
    counts[s - 1] = taken[s][end];
    end -= taken[s][end];
  }
  return counts;
}

}  // namespace

DeviceMap DeviceMap::balance(const PartBytes& parts, const std::vector<DeviceId>& devices,
                             const std::vector<int64_t>& available) {
  EMBER_CHECK(devices.size() == available.size(), devices.size(), " devices, ", available.size());
  if (devices.empty() || devices.size() > parts.layers.size()) {
    fail(ErrorKind::kUsage, "--devices: expected 1 to ", parts.layers.size(),
         " stages for a model of ", parts.layers.size(), " layers, got ", devices.size());
  }
  std::vector<double> budget(devices.size());
  for (size_t s = 0; s < devices.size(); ++s) {
    const auto sharing = std::count(devices.begin(), devices.end(), devices[s]);
    budget[s] = std::max<double>(1.0, static_cast<double>(available[s]) / sharing);
  }
  return from_counts(devices, best_counts(parts, budget));
}

DeviceMap DeviceMap::explicit_split(int64_t layers, const std::vector<DeviceId>& devices,
                                    const std::vector<int64_t>& split) {
  int64_t sum = 0;
  for (int64_t n : split) {
    if (n < 1 || n > layers) {
      fail(ErrorKind::kUsage, "--split: each stage needs 1 to ", layers, " layers, got ", n);
    }
    sum += n;
  }
  if (split.size() != devices.size() || sum != layers) {
    fail(ErrorKind::kUsage, "--split: expected ", devices.size(), " numbers that add up to ",
         layers, " layers, got ", split.size(), " that add up to ", sum);
  }
  return from_counts(devices, split);
}

std::vector<DeviceId> DeviceMap::devices() const {
  std::vector<DeviceId> all;
  for (const StageMap& s : stages) {
    if (std::find(all.begin(), all.end(), s.device) == all.end()) {
      all.push_back(s.device);
    }
  }
  return all;
}

std::string DeviceMap::str() const {
  std::ostringstream out;
  for (size_t s = 0; s < stages.size(); ++s) {
    const StageMap& stage = stages[s];
    out << (s ? "; " : "") << "stage " << s << ": "
        << (stage.device.kind == DeviceKind::kCpu ? "" : "device ") << stage.device.str()
        << ", layers " << stage.first_layer << "-" << stage.first_layer + stage.layers - 1
        << (stage.first ? ", embedding" : "") << (stage.last ? ", head" : "");
  }
  return out.str();
}

}  // namespace ember
