// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "kernels/base/tensor.h"

namespace ember {

// A linear map y = x W^T whose output rows lie in one to three blocks (q|k|v, gate|up), each (n,
// in) as the checkpoint stores them. A backend that packs them into one buffer has one block.
struct Linear {
  TensorView blocks[3];
  int count = 0;

  int64_t out_features() const {
    int64_t n = 0;
    for (int i = 0; i < count; ++i) {
      n += blocks[i].shape[0];
    }
    return n;
  }
};

// One decoder layer, on its stage's device. Norm gains are vectors: (D) or (E).
struct LayerWeights {
  TensorView input_norm;  // (D)
  Linear qkv;             // ((H+2K)E, D): q, then k, then v
  TensorView q_norm;      // (E)
  TensorView k_norm;      // (E)
  Linear o;               // (D, H*E)
  TensorView post_norm;   // (D)
  Linear gate_up;         // (2F, D): gate, then up
  Linear down;            // (D, F)
  // silu(gate) * up is kept times 2^-act_shift, and the down projection puts it back: room for
  // fp16 (engine/runtime/fp16_guard.h). 0 in other dtypes and where there is room enough.
  int act_shift = 0;
};

// What one pipeline stage holds: layers [first_layer, first_layer + layers.size()).
struct StageWeights {
  int64_t first_layer = 0;
  std::vector<LayerWeights> layers;
  TensorView embedding;   // (V, D); the first stage only
  TensorView final_norm;  // (D); the last stage only
  Linear head;            // (V, D); the last stage only; the embedding's matrix when tied
};

}  // namespace ember
