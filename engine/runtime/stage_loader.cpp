// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/stage_loader.h"

#include <initializer_list>
#include <vector>

namespace ember {

StageWeights load_stage(const IWeightSource& source, const StageMap& stage, IBackend& backend,
                        const std::function<void(int64_t bytes)>& placed) {
  const auto one = [&](WeightRole role, int64_t layer) {
    const TensorView host = source.tensor(role, layer);
    const TensorView v = backend.place(host);
    placed(host.bytes());
    return v;
  };
  const auto linear = [&](std::initializer_list<WeightRole> roles, int64_t layer) {
    std::vector<TensorView> blocks;
    int64_t bytes = 0;
    for (WeightRole role : roles) {
      blocks.push_back(source.tensor(role, layer));
      bytes += blocks.back().bytes();
    }
    const Linear w = backend.place_linear(blocks);
    placed(bytes);
    return w;
  };

  const auto prefetch = [&](int64_t layer) {
    for (const WeightRow& row : weight_schema()) {
      if (row.per_layer && layer < stage.first_layer + stage.layers) {
        source.prefetch(row.role, layer);
      }
    }
  };

  StageWeights weights;
  weights.first_layer = stage.first_layer;
  prefetch(stage.first_layer);
  if (stage.first) {
    weights.embedding = one(WeightRole::kEmbedding, -1);
  }
  for (int64_t l = stage.first_layer; l < stage.first_layer + stage.layers; ++l) {
    prefetch(l + 1);
    LayerWeights w;
    w.input_norm = one(WeightRole::kInputNorm, l);
    w.qkv = linear({WeightRole::kQ, WeightRole::kK, WeightRole::kV}, l);
    w.q_norm = one(WeightRole::kQNorm, l);
    w.k_norm = one(WeightRole::kKNorm, l);
    w.o = linear({WeightRole::kO}, l);
    w.post_norm = one(WeightRole::kPostNorm, l);
    w.gate_up = linear({WeightRole::kGate, WeightRole::kUp}, l);
    w.down = linear({WeightRole::kDown}, l);
    weights.layers.push_back(w);
  }
  if (stage.last) {
    weights.final_norm = one(WeightRole::kFinalNorm, -1);
    if (stage.first && source.config().shape.tied) {
      weights.head.blocks[weights.head.count++] = weights.embedding;
    } else {
      weights.head = linear({WeightRole::kHead}, -1);
    }
  }
  return weights;
}

}  // namespace ember
