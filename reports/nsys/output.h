// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "reports/nsys/attribution.h"
#include "reports/report.h"

namespace ember::report::nsys {

// Two tables a device: times by range, then by range and kernel.
void print(std::ostream& out, const Trace& trace, const Attribution& a);

// A report of a run under a profiler, which the gate does not compare. Cases, in s, none gated:
// nvtx_range (kernels' time in each range), nvtx_span (first start to last end in each range),
// nvtx_kernel (time of each launch, by the innermost range). Throws Error{kBadInput} when a report
// cannot hold that much.
Report to_report(const Trace& trace, const Attribution& a, const std::vector<std::string>& command);

}  // namespace ember::report::nsys
