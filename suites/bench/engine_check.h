// SPDX-License-Identifier: Apache-2.0
// No rate without a right answer: the quick golden check of the engine that is about to be
// measured, on its devices and in its dtype.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/device.h"
#include "reports/report.h"

namespace ember {

struct EngineCheckOptions {
  std::string model;         // that will be measured, as -m names it
  std::string golden;        // references; empty: ../../refs/NAME beside the model judged
  std::string golden_model;  // the model that they are of; empty: the one that is measured
  bool off = false;          // --no-golden
  std::string plant;         // a fault for the check to find, to see how a refusal reads
  std::vector<DeviceId> devices;
  std::string dtype = "auto";  // --dtype
};

// The case check/golden: ok, failed with the figures that are out of their limits, or skipped with
// the reason, where there are no references or the check was left out. Another model than the one
// measured may stand in: the engine is the same. Throws Error{kBadInput} for references that cannot
// be used.
report::Case check_engine(const EngineCheckOptions& options);

}  // namespace ember
