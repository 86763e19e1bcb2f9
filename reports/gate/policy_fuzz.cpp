// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>

#include "kernels/base/error.h"
#include "reports/gate/policy.h"

// A policy is refused as wrong usage, or used.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const ember::report::Policy p = ember::report::parse_policy(text, "fuzz");
    if (!(p.alpha > 0) || p.screen_processes < 1) {
      std::abort();
    }
    ember::report::loosenings(p);
  } catch (const ember::Error& e) {
    if (e.kind() != ember::ErrorKind::kUsage) {
      std::abort();
    }
  }
  return 0;
}
