// SPDX-License-Identifier: Apache-2.0
// Proof that the golden check can fail: each fault is planted, must be seen, and must be found
// where it was planted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "suites/golden_logits/golden_run.h"

namespace ember::golden {

struct MutationResult {
  const Fault* fault = nullptr;
  bool applies = true;
  std::string why_not;  // it is not planted
  bool killed = false;
  bool located = false;         // the first bad tap is the expected one (is_expected)
  std::string mode, case_name;  // where it was first seen
  std::vector<Verdict> by;      // the figures that saw it there
  Tap expected_tap = Tap::kEmbedding;
  int64_t expected_layer = -1;
  std::string found;  // "layer 0, tap q_rope", or "none"
  double seconds = 0;

  bool pass() const { return !applies || (killed && located); }
};

// Runs one fault against the quick tier on the first of options.devices, in options.dtype (two
// stages on it where the fault needs a hop).
// Stops at the first case that sees it, then locates it on the deep cases in the same mode. What
// neither a case nor the figures over all cases see, the taps of the deep cases must.
MutationResult run_mutation(const Fixture& fixture, std::shared_ptr<const IWeightSource> source,
                            const std::vector<LoadedCase>& cases, const GoldenOptions& options,
                            const Fault& fault);

}  // namespace ember::golden
