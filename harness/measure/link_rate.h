// SPDX-License-Identifier: Apache-2.0
// What the links of GPUs carry by their specification, in one direction.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/measure/gpu_health.h"

namespace ember {

struct GpuLinks {
  std::string bus_id;  // any case, with a domain of four or eight digits
  std::optional<int> pcie_generation, pcie_width;  // what the GPU and its slot do at most
  std::vector<NvLink> nvlinks;
};

GpuLinks gpu_links(DeviceId device);

// B/s after the line coding; absent for what is not known.
std::optional<double> pcie_rate(const GpuLinks& gpu);
struct PairRate {
  double bytes_per_s;
  std::string link;  // "nvlink4 x 18", "pcie5 x 16"
};
// Between two GPUs: over the NVLinks that lead from one to the other, itself or through switches,
// else over PCIe, where the narrower of both counts.
std::optional<PairRate> pair_rate(const GpuLinks& from, const GpuLinks& to);
std::optional<PairRate> host_rate(const GpuLinks& gpu);

}  // namespace ember
