// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "suites/bench/step_kernels.h"

namespace ember {

// attention_step for one new token of each of so many sequences, at most 16, all with shape.cached
// positions before it; shape.tokens is not looked at. Caches stand in several copies; q, k, v and
// tables are where their predecessors left them. As in the engine the position lies in device
// memory and is known to be settled.
std::unique_ptr<StepKernel> make_attention_step(Meter& meter, const PassShape& shape,
                                                int64_t sequences = 1);

}  // namespace ember
