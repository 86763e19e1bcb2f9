// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace ember {

struct CpuInfo {
  std::string name;         // as the system names it
  int logical_cores;        // that this process may run on
  int threads;              // that the CPU backend uses
  int64_t total_bytes;      // main memory, or the control group's limit where that is less
  int64_t available_bytes;  // that can be had without swapping
  std::string isa;          // vector instruction sets that matter here: "avx2 fma f16c"
};

CpuInfo cpu_info();

}  // namespace ember
