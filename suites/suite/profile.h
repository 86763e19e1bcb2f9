// SPDX-License-Identifier: Apache-2.0
// What `ember suite` runs: the list of steps of each profile, each a command of this binary in
// processes of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/model/config.h"
#include "kernels/base/device.h"

namespace ember {

struct SuiteOptions {
  std::string profile = "ci-quick";
  std::string model;  // a directory or random:PRESET
  std::vector<DeviceId> devices;
  std::string dtype = "auto";
  std::string golden_model;       // "": the model itself, where it is a directory
  std::string golden;             // its references; "": ../../refs/NAME beside the model
  std::string plant;              // fault that the golden check judges; "": none
  std::vector<std::string> only;  // names of steps; empty: all
  int64_t processes = 0;          // of each measured step; 0: the profile's
};

struct SuiteStep {
  std::string name;               // "kernels"
  std::vector<std::string> args;  // of ember, up to the flag that names its report
  std::string report_flag = "--json";
  int64_t processes = 1;
  double limit_s = 600;  // of one process
  bool judges = false;   // its failure stops what measures the engine
  bool measures_engine = false;
  std::string skipped;  // why it does not run; empty: it does
};

const std::vector<std::string>& suite_profiles();

// The steps in order. A step that cannot run says why: no references of the model, no such bench in
// this binary (`benches` are the names below `ember bench`), no preset of its shape, left out by
// `only`. Throws Error{kUsage} for a name in `only` that is no step.
std::vector<SuiteStep> suite_steps(const SuiteOptions& options, const ModelConfig& config,
                                   const std::vector<std::string>& benches);

}  // namespace ember
