// SPDX-License-Identifier: Apache-2.0
// Where and by what a report was made.
#pragma once

#include <string>
#include <vector>

#include "harness/measure/ceilings.h"
#include "harness/measure/gpu_health.h"
#include "kernels/base/device.h"
#include "reports/report.h"

namespace ember {

// Name of a device in reports: "cpu", "cuda:0".
std::string device_name(DeviceId device);

// A report with run, subject and environment filled in, without results; `command` as the user
// typed it. Each device counts once.
report::Report start_report(const std::vector<std::string>& command,
                            const std::vector<DeviceId>& devices);
// The run's end: wall time, status.
void finish_report(report::Report* r, double wall_seconds);

void add_ceilings(report::Report* r, DeviceId device, const Ceilings& ceilings);
// Id of a ceiling in the report: "mem_read@cuda:0".
std::string ceiling_id(const std::string& kind, DeviceId device);

// True under a debugger, a profiler or an injected tool, whose presence changes timings.
bool profiler_attached();

}  // namespace ember
