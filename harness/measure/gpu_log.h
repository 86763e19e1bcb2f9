// SPDX-License-Identifier: Apache-2.0
// What the GPUs of a run were seen to do: a reading beside each sample that was taken.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "harness/measure/gpu_health.h"

namespace ember {

struct GpuSeen {
  std::vector<double> sm_mhz, memory_mhz;  // in the order of the readings
  std::optional<int> first_c, highest_c;   // temperature
  // Readings that told the reasons why clocks were low, and those of them with each reason.
  int64_t told = 0, power = 0, thermal = 0, hardware = 0, setting = 0;
};

class GpuLog {
 public:
  // Adds nothing for the CPU.
  void add(DeviceId device, const GpuState& state);
  // Null where nothing was added.
  const GpuSeen* find(DeviceId device) const;

 private:
  std::map<int, GpuSeen> seen_;
};

// Of this process, which is one run.
GpuLog& gpu_log();

// Reads the GPUs among some devices, between two samples: what NVML costs is in neither.
class GpuWatch {
 public:
  explicit GpuWatch(const std::vector<DeviceId>& devices);  // each counts once
  // Adds a reading of each to gpu_log().
  void read();
  // Median of the first GPU's SM clock over the readings, MHz; absent without one.
  std::optional<double> clock_mhz() const;

 private:
  std::map<int, GpuHealth> gpus_;  // by index
  std::optional<int> first_;
  std::vector<double> clocks_;
};

}  // namespace ember
