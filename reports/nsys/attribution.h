// SPDX-License-Identifier: Apache-2.0
// Which range a kernel belongs to: the ranges that were open on the thread of the CUDA call that
// launched it, when that call began. A kernel of a graph belongs to the launch of the graph. This
// is how `nsys stats` attributes kernels (nvtx_kern_sum).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "reports/nsys/trace.h"

namespace ember::report::nsys {

// Sums are of whole ns, exact up to 2^53 of them.
struct OnDevice {
  int64_t kernels = 0;
  double total = 0;
  std::vector<double> times;  // of each range in which a kernel was launched: its kernels' time ...
  std::vector<double> spans;  // ... and from the start of the first to the end of the last
};

// All ranges of one path. Kernels of ranges inside it count as its own.
struct PathTimes {
  int32_t parent = -1;  // in Attribution::paths, -1 at the top
  int32_t depth = 0;
  std::string name;
  bool nests = true;  // false: start/end ranges, which share kernels with other paths
  int64_t ranges = 0;
  std::map<int32_t, OnDevice> devices;
  // By device and name: times of the kernels that no range inside this one holds.
  std::map<std::pair<int32_t, int32_t>, std::vector<double>> kernels;
};

struct Attribution {
  std::vector<PathTimes> paths;  // parents before their children, in the order of a walk down
  PathTimes outside;             // kernels launched in no range, or whose launch was not recorded
  std::map<int32_t, double> totals;  // time of all kernels of a device
  int64_t launches_missing = 0;      // kernels whose launch was not recorded

  std::string path(const PathTimes& p) const;  // names from the top down, joined by /
};

// Reorders the trace's lists. Throws Error{kBadInput} where ranges nest deeper than kMaxDepth.
inline constexpr int32_t kMaxDepth = 64;
Attribution attribute(Trace* trace);

}  // namespace ember::report::nsys
