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

namespace ember {

struct E2eOptions {
  std::string model;                     // its name in the cases' ids
  DType weights = DType::kBF16;          // as they lie on the device
  int64_t cache_bytes = 0;               // of the device's cache: a model that fits has no ceiling
  std::vector<int64_t> prompts = {512};  // tokens of one prefill; each a case
  int64_t tokens = 128;                  // decode steps of one repetition
  std::vector<int64_t> depths = {0};     // tokens in the cache before the prompt; each a case
  std::vector<int64_t> batches = {1};    // sessions in one decode step; each a case
  int repetitions = 5;
  int max_warmup = 4;  // repetitions until two agree within 2 %
};

// Appends the cases e2e/prefill and e2e/decode to the report; a sample of decode is a step, which
// gives a token to each of its sessions. `ceilings` are
// those of the runtime's first device. Output that changes between repetitions fails its case.
void bench_e2e(IRuntime& runtime, const Ceilings& ceilings, const E2eOptions& options,
               report::Report* report);

}  // namespace ember
