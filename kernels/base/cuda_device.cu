// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>

#include <cstdio>

#include "kernels/base/device.h"

namespace ember {
namespace {

std::string uuid_text(const cudaUUID_t& uuid) {
  std::string s = "GPU-";
  for (int i = 0; i < 16; ++i) {
    char hex[4];
    std::snprintf(hex, sizeof hex, "%02x", static_cast<unsigned char>(uuid.bytes[i]));
    s += hex;
    if (i == 3 || i == 5 || i == 7 || i == 9) {
      s += '-';
    }
  }
  return s;
}

}  // namespace

std::vector<CudaDeviceInfo> cuda_devices(std::string* why) {
  std::vector<CudaDeviceInfo> found;
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    if (why) {
      *why = cudaGetErrorString(error);
    }
    cudaGetLastError();
    return found;
  }
  int previous = 0;
  cudaGetDevice(&previous);
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp prop;
    size_t free_bytes = 0, total_bytes = 0;
    if (cudaSetDevice(i) != cudaSuccess || cudaGetDeviceProperties(&prop, i) != cudaSuccess ||
        cudaMemGetInfo(&free_bytes, &total_bytes) != cudaSuccess) {
      if (why) {
        *why = "device " + std::to_string(i) + ": " + cudaGetErrorString(cudaGetLastError());
      }
      continue;
    }
    CudaDeviceInfo info{};
    info.index = i;
    info.name = prop.name;
    info.uuid = uuid_text(prop.uuid);
    char bus[32] = "";
    cudaDeviceGetPCIBusId(bus, sizeof bus, i);
    info.pci_bus_id = bus;
    info.cc_major = prop.major;
    info.cc_minor = prop.minor;
    info.sm_count = prop.multiProcessorCount;
    info.total_bytes = static_cast<long long>(total_bytes);
    info.free_bytes = static_cast<long long>(free_bytes);
    info.l2_bytes = prop.l2CacheSize;
    cudaDriverGetVersion(&info.driver_version);
    cudaRuntimeGetVersion(&info.runtime_version);
    found.push_back(info);
  }
  if (count > 0) {
    cudaSetDevice(previous);
  }
  return found;
}

bool built_with_cuda() {
  return true;
}

}  // namespace ember
