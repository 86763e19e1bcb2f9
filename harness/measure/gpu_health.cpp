// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/gpu_health.h"

#include <dlfcn.h>

#include <algorithm>
#include <cctype>

namespace ember {
namespace {

// The few declarations that are used, as NVIDIA's NVML API reference documents them.
using Handle = void*;
constexpr int kOk = 0, kInsufficientSize = 7;
constexpr unsigned kClockSm = 1, kClockMemory = 2, kSensorGpu = 0;
constexpr unsigned kMaxLinks = 36, kLinkToGpu = 0, kLinkToSwitch = 2;
constexpr unsigned kFieldLinkMegabytes = 90;  // MB/s of every active link, each way

struct FieldValue {
  unsigned field, scope;
  long long timestamp, latency;
  int type, status;
  union {
    double d;
    unsigned u;
    unsigned long long ull;
  } value;
};

struct PciInfo {
  char legacy[16];
  unsigned domain, bus, device, ids, subsystem;
  char bus_id[32];
};

// NVML counts versions (1.0, 2.0, 2.2, 3.0, 3.1, 4.0, 5.0, 6.0 are 1 to 8).
int link_generation(unsigned version) {
  constexpr int kGenerations[] = {0, 1, 2, 2, 3, 3, 4, 5, 6};
  return version < sizeof kGenerations / sizeof *kGenerations ? kGenerations[version] : 0;
}

// "00000000:1B:00.0" as CUDA writes it: "0000:1b:00.0".
std::string short_bus_id(std::string id) {
  id = id.size() > 12 ? id.substr(id.size() - 12) : id;
  std::transform(id.begin(), id.end(), id.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return id;
}

std::string bus_id_of(DeviceId device) {
  for (const CudaDeviceInfo& d : cuda_devices()) {
    if (device.kind == DeviceKind::kCuda && d.index == device.index) {
      return d.pci_bus_id;
    }
  }
  return "";
}

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

  bool open(const std::string& library, const std::string& bus_id) {
    dl = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (dl == nullptr) {
      return false;
    }
    const auto init = find<int (*)()>("nvmlInit_v2");
    const auto by_bus = find<int (*)(const char*, Handle*)>("nvmlDeviceGetHandleByPciBusId_v2");
    if (init == nullptr || by_bus == nullptr || init() != kOk) {
      return false;
    }
    return by_bus(bus_id.c_str(), &gpu) == kOk;
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

GpuHealth::GpuHealth(DeviceId device)
    : GpuHealth(device.kind == DeviceKind::kCuda ? "libnvidia-ml.so.1" : "", bus_id_of(device)) {}

GpuHealth::GpuHealth(const std::string& library, const std::string& bus_id) {
  if (!library.empty() && !bus_id.empty()) {
    nvml_ = std::make_unique<Library>();
    if (!nvml_->open(library, bus_id)) {
      nvml_.reset();
    }
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
  n.get<unsigned>(&f.sm_mhz_app, "nvmlDeviceGetApplicationsClock", kClockSm);
  n.get<unsigned>(&f.sm_mhz_app_default, "nvmlDeviceGetDefaultApplicationsClock", kClockSm);
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

std::vector<NvLink> GpuHealth::nvlinks() const {
  std::vector<NvLink> links;
  if (!nvml_) {
    return links;
  }
  const Library& n = *nvml_;
  const auto state = n.find<int (*)(Handle, unsigned, unsigned*)>("nvmlDeviceGetNvLinkState");
  const auto version = n.find<int (*)(Handle, unsigned, unsigned*)>("nvmlDeviceGetNvLinkVersion");
  const auto kind =
      n.find<int (*)(Handle, unsigned, unsigned*)>("nvmlDeviceGetNvLinkRemoteDeviceType");
  const auto remote =
      n.find<int (*)(Handle, unsigned, PciInfo*)>("nvmlDeviceGetNvLinkRemotePciInfo_v2");
  const auto fields = n.find<int (*)(Handle, int, FieldValue*)>("nvmlDeviceGetFieldValues");
  if (state == nullptr) {
    return links;
  }
  FieldValue speed{};
  speed.field = kFieldLinkMegabytes;
  const bool known = fields != nullptr && fields(n.gpu, 1, &speed) == kOk && speed.status == kOk;
  for (unsigned i = 0; i < kMaxLinks; ++i) {
    unsigned value = 0;
    if (state(n.gpu, i, &value) != kOk || value == 0) {
      continue;
    }
    NvLink link;
    link.bytes_per_s = known ? 1e6 * speed.value.u : 0;
    if (version != nullptr && version(n.gpu, i, &value) == kOk) {
      link.generation = link_generation(value);
    }
    unsigned other = kLinkToGpu;
    if (kind != nullptr && kind(n.gpu, i, &other) == kOk && other == kLinkToSwitch) {
      link.to_switch = true;
    }
    PciInfo pci{};
    if (!link.to_switch && remote != nullptr && remote(n.gpu, i, &pci) == kOk) {
      pci.bus_id[sizeof pci.bus_id - 1] = 0;
      link.peer_bus_id = short_bus_id(pci.bus_id);
    }
    links.push_back(std::move(link));
  }
  return links;
}

}  // namespace ember
