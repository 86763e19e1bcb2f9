// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "engine/model/weight_source.h"

namespace ember {

// random:<preset>[:fp32|:fp16|:bf16][:seed=N]
struct RandomModelName {
  std::string preset;
  DType dtype = DType::kBF16;
  uint64_t seed = 1;
};

// Throws Error{kUsage} naming what it does not know, with the presets there are.
RandomModelName parse_random_model(const std::string& model);

// Weights of kernels/random_weights, the stream of each tensor named by the schema. A tensor is
// made when it is first asked for and stays in memory as long as the source.
std::shared_ptr<const IWeightSource> open_random_weights(const std::string& model);

// The source with its kinds, for a backend that makes the weights where it needs them: the stream
// of one tensor under a seed.
uint64_t random_weight_stream(uint64_t seed, WeightRole role, int64_t layer);

}  // namespace ember
