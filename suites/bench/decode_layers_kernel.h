// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "suites/bench/step_kernels.h"

namespace ember {

// decode_layers over all layers of the model, for one new token with shape.cached positions before
// it; shape.tokens is not looked at. Each layer has weights and caches of its own, in several
// copies where all of them fit the cache; as in the engine the position lies in device memory.
std::unique_ptr<StepKernel> make_decode_layers(Meter& meter, const PassShape& shape);

}  // namespace ember
