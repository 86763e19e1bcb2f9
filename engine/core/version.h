// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace ember {

struct Version {
  std::string number;    // "0.1.0"
  std::string commit;    // full hash, or "unknown" outside a checkout
  bool dirty;            // built with uncommitted changes
  std::string compiler;  // "GNU 12.2.0"
  std::string build;     // CMake build type
  bool cuda;
  std::string cuda_compiler;            // "NVIDIA 12.8.93"; empty without CUDA
  std::vector<std::string> cuda_arch;   // "90-real"
  std::vector<std::string> sanitizers;  // "address"
};

Version version();
// Two lines for `ember --version`.
std::string version_text();

}  // namespace ember
