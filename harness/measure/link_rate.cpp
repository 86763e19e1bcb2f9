// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/link_rate.h"

#include <algorithm>
#include <cctype>

namespace ember {
namespace {

// A bus id without its domain's leading zeros and case: "1b:00.0" of domain 0.
bool same_bus(std::string a, std::string b) {
  const auto plain = [](std::string& s) {
    std::transform(s.begin(), s.end(), s.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    s.erase(0, std::min(s.find_first_not_of('0'), s.size()));
  };
  plain(a);
  plain(b);
  return !a.empty() && a == b;
}

struct Group {
  int count = 0, generation = 0;
  double bytes_per_s = 0;
};

template <class Wanted>
Group group(const std::vector<NvLink>& links, const Wanted& wanted) {
  Group g;
  for (const NvLink& link : links) {
    if (wanted(link)) {
      ++g.count;
      g.generation = link.generation;
      g.bytes_per_s += link.bytes_per_s;
    }
  }
  return g;
}

}  // namespace

GpuLinks gpu_links(DeviceId device) {
  GpuLinks links;
  for (const CudaDeviceInfo& d : cuda_devices()) {
    if (device.kind == DeviceKind::kCuda && d.index == device.index) {
      links.bus_id = d.pci_bus_id;
    }
  }
  const GpuHealth health(device);
  const GpuFacts facts = health.facts();
  links.pcie_generation = facts.pcie_generation_max;  // an idle link is often turned down
  links.pcie_width = facts.pcie_width;
  links.nvlinks = health.nvlinks();
  return links;
}

std::optional<double> pcie_rate(const GpuLinks& gpu) {
  // Transfers a second and lane, less the line coding: 8b/10b, then 128b/130b, then flits.
  constexpr double kLane[] = {0,
                              0.25e9,
                              0.5e9,
                              8e9 / 8 * 128 / 130,
                              16e9 / 8 * 128 / 130,
                              32e9 / 8 * 128 / 130,
                              64e9 / 8 * 242 / 256};
  const int generation = gpu.pcie_generation.value_or(0), width = gpu.pcie_width.value_or(0);
  if (generation < 1 || generation > 6 || width < 1) {
    return std::nullopt;
  }
  return kLane[generation] * width;
}

std::optional<PairRate> host_rate(const GpuLinks& gpu) {
  const std::optional<double> rate = pcie_rate(gpu);
  if (!rate) {
    return std::nullopt;
  }
  return PairRate{*rate, "pcie" + std::to_string(*gpu.pcie_generation) + " x " +
                             std::to_string(*gpu.pcie_width)};
}

std::optional<PairRate> pair_rate(const GpuLinks& from, const GpuLinks& to) {
  Group g =
      group(from.nvlinks, [&](const NvLink& l) { return same_bus(l.peer_bus_id, to.bus_id); });
  if (g.count == 0) {
    const auto switched = [](const NvLink& l) { return l.to_switch; };
    const Group a = group(from.nvlinks, switched), b = group(to.nvlinks, switched);
    g = a.bytes_per_s <= b.bytes_per_s ? a : b;
  }
  if (g.count > 0) {
    if (!(g.bytes_per_s > 0)) {
      return std::nullopt;
    }
    return PairRate{g.bytes_per_s,
                    "nvlink" + (g.generation > 0 ? std::to_string(g.generation) : std::string()) +
                        " x " + std::to_string(g.count)};
  }
  const std::optional<PairRate> a = host_rate(from), b = host_rate(to);
  if (!a || !b) {
    return std::nullopt;
  }
  return a->bytes_per_s <= b->bytes_per_s ? a : b;
}

}  // namespace ember
