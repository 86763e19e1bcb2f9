// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/gpu_health.h"

#include <dlfcn.h>

namespace ember {
namespace {

// The few declarations that are used, as NVIDIA's NVML API reference documents them.
using Handle = void*;
constexpr int kOk = 0, kInsufficientSize = 7;
constexpr unsigned kClockSm = 1, kClockMemory = 2, kSensorGpu = 0;

}  // namespace

struct GpuHealth::Library {
  void* dl = nullptr;
  Handle gpu = nullptr;

  ~Library() {
    if (dl != nullptr) {
      if (auto shutdown = find<int (*)()>("nvmlShutdown")) {
        shutdown();
      }
      dlclose(dl);
    }
  }

  template <class F>
  F find(const char* name) const {
    return reinterpret_cast<F>(dlsym(dl, name));
  }

  bool open(DeviceId device) {
    dl = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (dl == nullptr) {
      return false;
    }
    const auto init = find<int (*)()>("nvmlInit_v2");
    const auto by_bus = find<int (*)(const char*, Handle*)>("nvmlDeviceGetHandleByPciBusId_v2");
    if (init == nullptr || by_bus == nullptr || init() != kOk) {
      return false;
    }
    for (const CudaDeviceInfo& d : cuda_devices()) {
      if (d.index == device.index) {
        return by_bus(d.pci_bus_id.c_str(), &gpu) == kOk;
      }
    }
    return false;
  }

  // value = f(gpu, …, &value), absent when the library or the GPU does not know it.
  template <class T, class R, class... A>
  void get(std::optional<R>* value, const char* name, A... args) const {
    T raw{};
    const auto f = find<int (*)(Handle, A..., T*)>(name);
    if (f != nullptr && f(gpu, args..., &raw) == kOk) {
      *value = static_cast<R>(raw);
    }
  }
  // Functions that answer with two values, of which the first is wanted.
  void get_mode(std::optional<bool>* value, const char* name) const {
    unsigned now = 0, pending = 0;
    const auto f = find<int (*)(Handle, unsigned*, unsigned*)>(name);
    if (f != nullptr && f(gpu, &now, &pending) == kOk) {
      *value = now != 0;
    }
  }
};

GpuHealth::GpuHealth(DeviceId device) : nvml_(std::make_unique<Library>()) {
  if (device.kind != DeviceKind::kCuda || !nvml_->open(device)) {
    nvml_.reset();
  }
}

GpuHealth::~GpuHealth() = default;

GpuState GpuHealth::state() const {
  GpuState s;
  if (nvml_) {
    nvml_->get<unsigned>(&s.sm_mhz, "nvmlDeviceGetClockInfo", kClockSm);
    nvml_->get<unsigned>(&s.memory_mhz, "nvmlDeviceGetClockInfo", kClockMemory);
    nvml_->get<unsigned>(&s.temperature_c, "nvmlDeviceGetTemperature", kSensorGpu);
    nvml_->get<unsigned long long>(&s.throttle, "nvmlDeviceGetCurrentClocksThrottleReasons");
  }
  return s;
}

GpuFacts GpuHealth::facts() const {
  GpuFacts f;
  if (!nvml_) {
    return f;
  }
  const Library& n = *nvml_;
  std::optional<double> milliwatts;
  n.get<unsigned>(&milliwatts, "nvmlDeviceGetEnforcedPowerLimit");
  if (milliwatts) {
    f.power_limit_w = *milliwatts / 1000;
  }
  milliwatts.reset();
  n.get<unsigned>(&milliwatts, "nvmlDeviceGetPowerManagementDefaultLimit");
  if (milliwatts) {
    f.power_default_w = *milliwatts / 1000;
  }
  n.get_mode(&f.ecc, "nvmlDeviceGetEccMode");
  n.get_mode(&f.mig, "nvmlDeviceGetMigMode");
  n.get<unsigned>(&f.persistence, "nvmlDeviceGetPersistenceMode");
  n.get<unsigned>(&f.pcie_generation, "nvmlDeviceGetCurrPcieLinkGeneration");
  n.get<unsigned>(&f.pcie_generation_max, "nvmlDeviceGetMaxPcieLinkGeneration");
  n.get<unsigned>(&f.pcie_width, "nvmlDeviceGetCurrPcieLinkWidth");
  n.get<unsigned>(&f.sm_mhz_max, "nvmlDeviceGetMaxClockInfo", kClockSm);
  unsigned processes = 0;
  const auto running =
      n.find<int (*)(Handle, unsigned*, void*)>("nvmlDeviceGetComputeRunningProcesses_v3");
  if (running != nullptr) {
    const int status = running(n.gpu, &processes, nullptr);
    if (status == kOk || status == kInsufficientSize) {
      f.other_processes = processes > 0 ? static_cast<int>(processes) - 1 : 0;
    }
  }
  char driver[96] = "";
  const auto version = n.find<int (*)(char*, unsigned)>("nvmlSystemGetDriverVersion");
  if (version != nullptr && version(driver, sizeof driver) == kOk) {
    f.driver = driver;
  }
  return f;
}

}  // namespace ember
