// SPDX-License-Identifier: Apache-2.0
// Every tensor of a Qwen3 dense checkpoint: one row each. Drives shape checks, random weights,
// parameter and byte counts.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/base/model_shape.h"
#include "kernels/base/shape.h"

namespace ember {

enum class WeightRole {
  kEmbedding,
  kInputNorm,
  kQ,
  kK,
  kV,
  kQNorm,
  kKNorm,
  kO,
  kPostNorm,
  kGate,
  kUp,
  kDown,
  kFinalNorm,
  kHead,
};

struct WeightRow {
  WeightRole role;
  const char* name;  // in the checkpoint; "{}" stands for the layer
  bool per_layer;
  bool norm;  // a vector of gains near 1, where the others are matrices (out, in)
  Shape (*shape)(const ModelShape&);
};

const std::vector<WeightRow>& weight_schema();
const WeightRow& weight_row(WeightRole role);

// "model.layers.3.mlp.up_proj.weight"; `layer` is -1 outside the layers.
std::string weight_name(WeightRole role, int64_t layer);

// Calls f for every tensor of the model in the order of the data flow; a tied head is not a tensor
// of its own.
void for_each_weight(const ModelShape& shape,
                     const std::function<void(const WeightRow& row, int64_t layer)>& f);

int64_t parameter_count(const ModelShape& shape);

}  // namespace ember
