// SPDX-License-Identifier: Apache-2.0
// Where a pass spends its time: every op of every layer by itself beside its roofline, what they
// add up to, and the pass as users run it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/runtime/runtime.h"
#include "harness/measure/ceilings.h"
#include "reports/report.h"
#include "suites/bench/case_choice.h"
#include "suites/bench/op_timer.h"

namespace ember {

struct PhasesOptions {
  std::string model;                     // its name in the cases' ids
  int64_t cache_bytes = 0;               // of the device's cache
  std::vector<int64_t> prompts = {512};  // tokens of a prefill; none: decode alone
  std::vector<int64_t> depths = {1024};  // tokens in the cache before the prompt or the step
  int64_t tokens = 32;                   // decode steps
  int repetitions = 5;                   // prefills; decode is timed on as many steps as `tokens`
  std::string filter, ids_file;          // CaseChoice
};

// Appends for each pass (phase/decode, phase/prefill) a case for each op, whose samples are its
// layers in order, each the median over the repetitions; `layers`, whose samples are the layers
// with all their ops; `sum` of all ops; `roofline`, the least that the ceilings allow for that sum;
// `step`, the pass as users run it, recorded and fused as the backend likes; and `gap`, the share
// of the step that the sum does not explain (below 0: the step is quicker, by overlap or fusion).
// `timer` decorates the runtime's stages. `ceilings` are those of the first device.
void bench_phases(IRuntime& runtime, const Ceilings& ceilings, const PhasesOptions& options,
                  OpTimer& timer, report::Report* report);

}  // namespace ember
