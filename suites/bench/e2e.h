// SPDX-License-Identifier: Apache-2.0
// End to end: prefill of one sequence and greedy decode of one or several in one step, at several
// depths of cache, each beside what the devices could do at most.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/runtime/runtime.h"
#include "harness/measure/ceilings.h"
#include "reports/report.h"
#include "suites/bench/case_choice.h"
#include "suites/bench/stage_timer.h"

namespace ember {

struct E2eOptions {
  std::string model;                     // its name in the cases' ids
  DType weights = DType::kBF16;          // as they lie on the device
  int64_t cache_bytes = 0;               // of the device's cache: a model that fits has no ceiling
  std::vector<int64_t> prompts = {512};  // tokens of one prefill; each a case
  int64_t tokens = 128;                  // decode steps of one repetition
  std::vector<int64_t> depths = {0};     // tokens in the cache before the prompt; each a case
  std::vector<int64_t> batches = {1};    // sessions in one decode step; each a case
  std::vector<int64_t> chunks;           // tokens of a prefill pass; each a case of prefill. Empty:
                                         // the runtime's. None is longer than that
  int repetitions = 5;
  int max_warmup = 4;            // repetitions until two agree within 2 %
  std::string filter, ids_file;  // CaseChoice
  // Why nothing may be measured; every case then fails with it. Empty: nothing is in the way.
  std::string refusal;
};

// Appends the cases e2e/NAME to the report; docs/measuring.md lists them. A sample of decode is a
// step, which gives a token to each of its sessions. `ceilings` are those of the runtime's first
// device. `timer` decorates the stages of the runtime, or is null. Output that changes between
// repetitions fails its cases.
void bench_e2e(IRuntime& runtime, const Ceilings& ceilings, const E2eOptions& options,
               StageTimer* timer, report::Report* report);

}  // namespace ember
