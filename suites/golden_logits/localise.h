// SPDX-License-Identifier: Apache-2.0
// Where a run first leaves the truth. Every layer is fed the truth's residual stream, so that the
// error of each tap is that layer's own and nothing is inherited from the layers before.
#pragma once

#include <string>
#include <vector>

#include "golden/tolerance.h"
#include "suites/golden_logits/engine_run.h"

namespace ember::golden {

struct TapError {
  Tap tap = Tap::kEmbedding;
  int64_t layer = -1;  // -1 outside layers
  double error = 0;    // relative L2 at the tapped positions; infinite when missing or not finite
  double ratio = 0;    // to the largest of Hugging Face's reference-fed variants
  double limit = 0;
  bool pass = false;
  std::string note;  // "never computed", "not finite", or what the error looks like

  std::string where() const;  // "layer 3, tap attention"
};

// Every tap of a deep case in data-flow order. The case must be deep and in the band.
std::vector<TapError> run_fed(Engine& engine, const Reference& ref, const CaseBand& band,
                              const Limits& limits, Mode mode);
// The first that fails; nullptr when none does.
const TapError* first_bad(const std::vector<TapError>& taps);
// The tap whose ratio is the largest share of its limit; the list is not empty.
const TapError& nearest_to_limit(const std::vector<TapError>& taps);
// What usually causes an error that starts there.
std::string hint(Tap tap);

}  // namespace ember::golden
