// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels/base/error.h"
#include "suites/bench/p2p.h"

namespace ember {
namespace {

constexpr const char* kNoGpu = "no CUDA device among those asked for";
constexpr const char* kOneGpu = "one CUDA device: there is no pair";

std::vector<DeviceId> on_cuda(const std::vector<DeviceId>& devices) {
  std::vector<DeviceId> found;
  std::copy_if(devices.begin(), devices.end(), std::back_inserter(found),
               [](const DeviceId& d) { return d.kind == DeviceKind::kCuda; });
  return found;
}

// Stands for a device that is missing, so that what is skipped has a name.
DeviceId missing(const std::vector<DeviceId>& gpus) {
  int index = 0;
  for (const DeviceId& d : gpus) {
    index = std::max(index, d.index + 1);
  }
  return {DeviceKind::kCuda, index};
}

class Planner {
 public:
  explicit Planner(const P2pOptions& options) : options_(options) {}

  void host(DeviceId gpu, const std::string& skip) {
    const Place pageable{{}, false}, pinned{{}, true}, device{gpu, false};
    add({pinned, device, CopyEngine::kCopy}, "pinned", skip);
    add({device, pinned, CopyEngine::kCopy}, "pinned", skip);
    add({pinned, device, CopyEngine::kCopy, true}, "pinned", skip);
    add({pageable, device, CopyEngine::kCopy}, "pageable", skip);
    add({device, pageable, CopyEngine::kCopy}, "pageable", skip);
    add({pinned, device, CopyEngine::kPull}, "pinned", skip);
    add({device, pinned, CopyEngine::kPush}, "pinned", skip);
    add({pinned, device, CopyEngine::kPull, true}, "pinned", skip);
  }

  void local(DeviceId device, const std::string& skip) {
    const Place here{device, false};
    if (device.kind == DeviceKind::kCpu) {
      add({here, here, CopyEngine::kHost}, "local", skip);
      return;
    }
    add({here, here, CopyEngine::kCopy}, "local", skip);
    add({here, here, CopyEngine::kPush}, "local", skip);
  }

  // Both orders of a pair; what goes both ways at once is one series.
  void pair(DeviceId a, DeviceId b, const std::string& skip) {
    const Place first{a, false}, second{b, false};
    for (const CopyEngine engine : {CopyEngine::kCopy, CopyEngine::kPush, CopyEngine::kPull}) {
      add({first, second, engine}, "peer", skip);
      add({second, first, engine}, "peer", skip);
      add({first, second, engine, true}, "peer", skip);
    }
  }

  std::vector<P2pSeries> take() { return std::move(series_); }

 private:
  void add(const LinkWay& way, const std::string& path, const std::string& skip) {
    const bool kernel = way.engine == CopyEngine::kPush || way.engine == CopyEngine::kPull;
    const bool wanted = kernel ? options_.kernels : options_.copy_engine;
    if (wanted && (way.both ? options_.both_ways : options_.one_way)) {
      series_.push_back({way, path, skip});
    }
  }

  const P2pOptions& options_;
  std::vector<P2pSeries> series_;
};

}  // namespace

std::vector<int64_t> p2p_sizes(const P2pOptions& options) {
  if (options.min_bytes < 64 || options.min_bytes % 64 != 0 || options.max_bytes % 64 != 0 ||
      options.max_bytes < options.min_bytes) {
    fail(ErrorKind::kUsage, "sizes from ", options.min_bytes, " to ", options.max_bytes,
         " bytes: expected multiples of 64, the smaller first");
  }
  std::vector<int64_t> sizes;
  for (int64_t n = options.min_bytes; n < options.max_bytes; n *= 4) {
    sizes.push_back(n);
  }
  sizes.push_back(options.max_bytes);
  return sizes;
}

std::vector<P2pSeries> plan_links(const std::vector<DeviceId>& devices, const P2pOptions& options,
                                  const WhyNoPeer& why_no_peer) {
  Planner plan(options);
  const std::vector<DeviceId> gpus = on_cuda(devices);
  for (const DeviceId& d : devices) {
    if (d.kind == DeviceKind::kCpu) {
      plan.local(d, "");
    }
  }
  for (const DeviceId& gpu : gpus) {
    plan.host(gpu, "");
    plan.local(gpu, "");
  }
  if (gpus.empty()) {
    plan.host(missing(gpus), kNoGpu);
    plan.local(missing(gpus), kNoGpu);
  }
  for (size_t i = 0; i < gpus.size(); ++i) {
    for (size_t j = i + 1; j < gpus.size(); ++j) {
      plan.pair(gpus[i], gpus[j], why_no_peer(gpus[i].index, gpus[j].index));
    }
  }
  if (gpus.size() == 1) {
    plan.pair(gpus[0], missing(gpus), kOneGpu);
  } else if (gpus.empty()) {
    plan.pair({DeviceKind::kCuda, 0}, {DeviceKind::kCuda, 1}, kNoGpu);
  }
  return plan.take();
}

std::vector<P2pLoads> plan_loads(const std::vector<DeviceId>& devices,
                                 const WhyNoPeer& why_no_peer) {
  std::vector<P2pLoads> loads;
  const std::vector<DeviceId> gpus = on_cuda(devices);
  for (const DeviceId& d : devices) {
    loads.push_back({{d, false}, d, "local", ""});
    if (d.kind == DeviceKind::kCuda) {
      loads.push_back({{{}, true}, d, "pinned", ""});
    }
  }
  const auto pair = [&](DeviceId a, DeviceId b, const std::string& skip) {
    loads.push_back({{a, false}, b, "peer", skip});
    loads.push_back({{b, false}, a, "peer", skip});
  };
  for (size_t i = 0; i < gpus.size(); ++i) {
    for (size_t j = i + 1; j < gpus.size(); ++j) {
      pair(gpus[i], gpus[j], why_no_peer(gpus[i].index, gpus[j].index));
    }
  }
  if (gpus.empty()) {
    loads.push_back({{{}, true}, missing(gpus), "pinned", kNoGpu});
    pair({DeviceKind::kCuda, 0}, {DeviceKind::kCuda, 1}, kNoGpu);
  } else if (gpus.size() == 1) {
    pair(gpus[0], missing(gpus), kOneGpu);
  }
  return loads;
}

std::vector<P2pHop> plan_hops(const std::vector<DeviceId>& devices, const WhyNoPeer& why_no_peer) {
  std::vector<P2pHop> hops;
  const std::vector<DeviceId> gpus = on_cuda(devices);
  for (const DeviceId& d : devices) {
    if (d.kind == DeviceKind::kCpu) {
      hops.push_back({d, d, HopPath::kAuto, "host", ""});
      continue;
    }
    hops.push_back({d, d, HopPath::kAuto, "local", ""});
    hops.push_back({d, d, HopPath::kStaged, "staged", ""});
  }
  const auto pair = [&](DeviceId a, DeviceId b, const std::string& no_peer,
                        const std::string& no_pair) {
    for (const auto& [from, to] : {std::make_pair(a, b), std::make_pair(b, a)}) {
      hops.push_back({from, to, HopPath::kPeer, "peer", no_peer});
      hops.push_back({from, to, HopPath::kStaged, "staged", no_pair});
    }
  };
  for (size_t i = 0; i < gpus.size(); ++i) {
    for (size_t j = i + 1; j < gpus.size(); ++j) {
      pair(gpus[i], gpus[j], why_no_peer(gpus[i].index, gpus[j].index), "");
    }
  }
  if (gpus.size() < 2) {
    const char* why = gpus.empty() ? kNoGpu : kOneGpu;
    pair(gpus.empty() ? DeviceId{DeviceKind::kCuda, 0} : gpus[0],
         gpus.empty() ? DeviceId{DeviceKind::kCuda, 1} : missing(gpus), why, why);
  }
  return hops;
}

}  // namespace ember
