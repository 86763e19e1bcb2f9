// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "reports/report.h"
#include "suites/suite/run_steps.h"

namespace ember {

// The one report of a suite: `frame` says when and by what command; the steps' reports give
// environment, ceilings and cases, those of one id in several processes put together; and for each
// step a case check/suite/NAME: ok, skipped or failed, with the reason. Throws
// Error{kInconclusive} when a step ran another binary or on another machine.
report::Report combine(report::Report frame, const SuiteResult& result);

}  // namespace ember
