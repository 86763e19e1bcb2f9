// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/registry.h"

#include <algorithm>
#include <fstream>
#include <limits>

#include "engine/backend/cpu_backend.h"
#include "engine/backend/cuda_backend.h"

namespace ember {
namespace {

// The first integer of a file, or -1.
int64_t read_number(const char* path) {
  std::ifstream in(path);
  int64_t n = -1;
  return in >> n ? n : -1;
}

int64_t host_available_bytes() {
  int64_t available = std::numeric_limits<int64_t>::max();
  std::ifstream meminfo("/proc/meminfo");
  std::string key, unit;
  int64_t kib = 0;
  while (meminfo >> key >> kib && std::getline(meminfo, unit)) {
    if (key == "MemAvailable:") {
      available = kib * 1024;
      break;
    }
  }
  const int64_t limit = read_number("/sys/fs/cgroup/memory.max");  // "max" reads as -1
  const int64_t used = read_number("/sys/fs/cgroup/memory.current");
  if (limit > 0 && used >= 0) {
    available = std::min(available, std::max<int64_t>(0, limit - used));
  }
  return available;
}

}  // namespace

std::unique_ptr<IBackend> make_backend(DeviceId device, const std::string& dtype) {
  if (device.kind == DeviceKind::kCpu) {
    if (dtype != "auto" && dtype != "fp32") {
      fail(ErrorKind::kUsage, "--dtype ", dtype, ": the CPU backend computes in fp32 only; leave ",
           "--dtype out (16-bit weights stay 16-bit in memory)");
    }
    return make_cpu_backend();
  }
  std::string why;
  const auto gpus = cuda_devices(&why);
  if (device.index >= static_cast<int>(gpus.size())) {
    fail(ErrorKind::kNoDevice, "--devices ", device.index, ": ",
         gpus.empty() ? "no CUDA device: " + why
                      : "this machine has " + std::to_string(gpus.size()) + " CUDA devices",
         "; use --devices cpu to run on the CPU");
  }
  if (dtype != "auto" && dtype != "bf16" && dtype != "fp16" && dtype != "fp32") {
    fail(ErrorKind::kUsage, "--dtype ", dtype, ": a CUDA device computes in bf16 (the default), ",
         "fp16 or fp32");
  }
  return make_cuda_backend(device, dtype == "fp16"   ? DType::kF16
                                   : dtype == "fp32" ? DType::kF32
                                                     : DType::kBF16);
}

int64_t available_bytes(DeviceId device) {
  if (device.kind == DeviceKind::kCpu) {
    return host_available_bytes();
  }
  for (const CudaDeviceInfo& gpu : cuda_devices()) {
    if (gpu.index == device.index) {
      return gpu.free_bytes;
    }
  }
  return 0;
}

}  // namespace ember
