// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace ember {

enum class DeviceKind { kCpu, kCuda };

struct DeviceId {
  DeviceKind kind = DeviceKind::kCpu;
  int index = 0;  // CUDA ordinal; always 0 for the CPU

  bool operator==(const DeviceId& o) const { return kind == o.kind && index == o.index; }
  bool operator!=(const DeviceId& o) const { return !(*this == o); }
  std::string str() const { return kind == DeviceKind::kCpu ? "cpu" : std::to_string(index); }
};

// Parses "0,1", "cpu", "cpu,cpu", "0,0". One device named twice makes two pipeline stages on it.
// Throws Error{kUsage} naming the bad entry. "auto" is resolved by the caller, not here.
std::vector<DeviceId> parse_devices(const std::string& text);

struct CudaDeviceInfo {
  int index;
  std::string name;
  std::string uuid;
  std::string pci_bus_id;
  int cc_major, cc_minor;
  int sm_count;
  long long total_bytes, free_bytes, l2_bytes;
  int driver_version, runtime_version;  // as CUDA encodes them: 13000 is 13.0
};

// CUDA devices that this process can use; empty without a driver, without a GPU, or in a build
// without CUDA. Never throws: `why` (when given) says why the list is empty.
std::vector<CudaDeviceInfo> cuda_devices(std::string* why = nullptr);

// True in a build with CUDA, whatever the machine has.
bool built_with_cuda();

}  // namespace ember
