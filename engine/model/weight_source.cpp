// SPDX-License-Identifier: Apache-2.0
#include "engine/model/weight_source.h"

#include "engine/model/checkpoint_source.h"
#include "engine/model/random_source.h"

namespace ember {

std::shared_ptr<const IWeightSource> open_weights(const std::string& model) {
  if (model.compare(0, 7, "random:") == 0) {
    return open_random_weights(model);
  }
  return open_checkpoint_weights(model);
}

int64_t weight_bytes(const IWeightSource& source) {
  int64_t total = 0;
  for_each_weight(source.config().shape, [&](const WeightRow& row, int64_t layer) {
    total += source.tensor_bytes(row.role, layer);
  });
  return total;
}

}  // namespace ember
