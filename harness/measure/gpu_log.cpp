// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/gpu_log.h"

#include <algorithm>

#include "reports/stats.h"

namespace ember {

void GpuLog::add(DeviceId device, const GpuState& state) {
  if (device.kind != DeviceKind::kCuda) {
    return;
  }
  GpuSeen& s = seen_[device.index];
  if (state.sm_mhz) {
    s.sm_mhz.push_back(*state.sm_mhz);
  }
  if (state.memory_mhz) {
    s.memory_mhz.push_back(*state.memory_mhz);
  }
  if (state.temperature_c) {
    s.first_c = s.first_c.value_or(*state.temperature_c);
    s.highest_c = std::max(s.highest_c.value_or(*state.temperature_c), *state.temperature_c);
  }
  if (state.throttle) {
    const auto held = [&](uint64_t reasons) { return (*state.throttle & reasons) != 0 ? 1 : 0; };
    ++s.told;
    s.power += held(Throttle::kPowerCap);
    s.thermal += held(Throttle::kThermal);
    s.hardware += held(Throttle::kHardware | Throttle::kPowerBrake);
    s.setting += held(Throttle::kSetting);
  }
}

const GpuSeen* GpuLog::find(DeviceId device) const {
  const auto it = seen_.find(device.index);
  return device.kind == DeviceKind::kCuda && it != seen_.end() ? &it->second : nullptr;
}

GpuLog& gpu_log() {
  static GpuLog log;
  return log;
}

GpuWatch::GpuWatch(const std::vector<DeviceId>& devices) {
  for (const DeviceId& d : devices) {
    if (d.kind == DeviceKind::kCuda) {
      gpus_.try_emplace(d.index, d);
      first_ = first_.value_or(d.index);
    }
  }
}

void GpuWatch::read() {
  for (const auto& [index, health] : gpus_) {
    const GpuState state = health.state();
    gpu_log().add({DeviceKind::kCuda, index}, state);
    if (index == first_ && state.sm_mhz) {
      clocks_.push_back(*state.sm_mhz);
    }
  }
}

std::optional<double> GpuWatch::clock_mhz() const {
  return clocks_.empty() ? std::nullopt : std::optional<double>(report::median(clocks_));
}

}  // namespace ember
