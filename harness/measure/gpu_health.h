// SPDX-License-Identifier: Apache-2.0
// What NVML says of a GPU: clocks, throttling, limits. The library comes with the driver and is
// loaded at run time, so that nothing links to it; without it every value is absent.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/device.h"

namespace ember {

// Reasons why clocks are below what was asked for, as NVML numbers them.
struct Throttle {
  static constexpr uint64_t kSetting = 0x2;   // clocks that an administrator or a user asked for
  static constexpr uint64_t kPowerCap = 0x4;  // the power limit: usual under heavy arithmetic
  static constexpr uint64_t kHardware = 0x8;  // slowdown by hardware: heat, brake, or supply
  static constexpr uint64_t kThermal = 0x20 | 0x40;
  static constexpr uint64_t kPowerBrake = 0x80;
  static constexpr uint64_t kTainting = kHardware | kThermal | kPowerBrake;
};

struct GpuState {
  std::optional<int> sm_mhz, memory_mhz, temperature_c;
  std::optional<uint64_t> throttle;
};

struct GpuFacts {
  std::optional<double> power_limit_w, power_default_w;
  std::optional<bool> ecc, mig, persistence;
  std::optional<int> pcie_generation, pcie_generation_max, pcie_width;
  std::optional<int> sm_mhz_max;
  // Application clocks of the SMs: what was asked for, and the card's own. NVML has no word on
  // clocks locked by nvidia-smi -lgc.
  std::optional<int> sm_mhz_app, sm_mhz_app_default;
  std::optional<int> other_processes;  // compute processes on the GPU besides this one
  std::string driver;                  // "580.82.07", empty when unknown
};

// One active NVLink of a GPU.
struct NvLink {
  int generation = 0;       // 4 on Hopper; 0: unknown
  double bytes_per_s = 0;   // each way, as the driver states it; 0: unknown
  bool to_switch = false;   // leads to every GPU on the switches
  std::string peer_bus_id;  // of the GPU at its other end, "0000:1b:00.0"; empty behind a switch
};

class GpuHealth {
 public:
  explicit GpuHealth(DeviceId device);  // never throws: without NVML it only knows nothing
  // By another library, of the GPU on that bus.
  GpuHealth(const std::string& library, const std::string& bus_id);
  ~GpuHealth();
  GpuHealth(const GpuHealth&) = delete;
  GpuHealth& operator=(const GpuHealth&) = delete;

  GpuState state() const;
  GpuFacts facts() const;
  std::vector<NvLink> nvlinks() const;  // the active ones; empty where NVML does not know

 private:
  struct Library;
  std::unique_ptr<Library> nvml_;
};

}  // namespace ember
