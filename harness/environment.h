// SPDX-License-Identifier: Apache-2.0
// Where and by what a report was made.
#pragma once

#include <string>
#include <vector>

#include "engine/model/weight_source.h"
#include "harness/measure/ceilings.h"
#include "harness/measure/gpu_log.h"
#include "kernels/base/device.h"
#include "reports/report.h"

namespace ember {

// Name of a device in reports: "cpu", "cuda:0".
std::string device_name(DeviceId device);

// A report with run, subject and environment filled in, without results; `command` as the user
// typed it. Each device counts once.
report::Report start_report(const std::vector<std::string>& command,
                            const std::vector<DeviceId>& devices);
// Model and computing type of a report. Of a directory its last part alone names it, as where a
// model lies says nothing about a run, and the hashes of its files do (of weights up to
// kHashedWeightBytes: more would take longer than a bench).
inline constexpr int64_t kHashedWeightBytes = int64_t{512} << 20;
report::Model describe_model(const IWeightSource& weights, const std::string& dtype);
// The run's end: wall time, and what the GPUs were seen to do.
void finish_report(report::Report* r, double wall_seconds, const GpuLog& log = gpu_log());

void add_ceilings(report::Report* r, DeviceId device, const Ceilings& ceilings);
// Id of a ceiling in the report: "mem_read@cuda:0".
std::string ceiling_id(const std::string& kind, DeviceId device);

// Of the running program's file.
std::string binary_sha256();
// The path of the running program.
std::string binary_path();

// Notes the rate of a case as a share of `devices` times that ceiling of the device, and fails the
// case where the share is beyond what two measurements may differ by (report::set_ceiling). On
// a CPU, which others may use while the ceiling is measured, the case is noisy, and failed beyond
// three times. Does nothing where the ceiling was not measured.
void hold_against(report::Case* c, const Ceilings& ceilings, const std::string& kind,
                  DeviceId device, double rate, int64_t devices = 1);

// True under a debugger, a profiler or an injected tool, whose presence changes timings.
bool profiler_attached();

}  // namespace ember
