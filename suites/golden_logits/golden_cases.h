// SPDX-License-Identifier: Apache-2.0
// The golden check as cases of a report, so that the gate, the exports and the page show it beside
// what was measured.
#pragma once

#include <vector>

#include "reports/report.h"
#include "suites/golden_logits/golden_run.h"
#include "suites/mutation/mutation.h"

namespace ember::golden {

// One case for each mode and scope (a reference's case, or all of them), golden/SCOPE/…, with the
// figure nearest to its limit; where taps were looked at, the error of each layer's output too.
std::vector<report::Case> report_cases(const Fixture& fixture, const GoldenResult& result,
                                       int64_t stages);
// check/fault/NAME: fails when the fault was missed or found elsewhere, skipped where the model or
// the type cannot show it.
std::vector<report::Case> report_cases(const std::vector<MutationResult>& mutations,
                                       const std::string& model);

}  // namespace ember::golden
