// SPDX-License-Identifier: Apache-2.0
// The buffers and arguments of one forward pass through one pipeline stage.
#pragma once

#include <functional>

#include "engine/model/config.h"
#include "engine/model/kv_cache.h"
#include "engine/model/weights.h"

namespace ember {

class IBackend;
struct TapPoint;

// Activations of up to `tokens` tokens, allocated once a stage and reused by every pass. A is the
// backend's activation type.
struct StageWorkspace {
  TensorView ids;      // (T) I32; the first stage only
  TensorView x;        // (T, D) F32 residual stream
  TensorView normed;   // (T, D) A
  TensorView qkv;      // (T, (H+2K)E) A
  TensorView q;        // (T, H*E) A
  TensorView attn;     // (T, H*E) A
  TensorView gate_up;  // (T, 2F) A
  TensorView act;      // (T, F) A
  TensorView logits;   // (logit_rows, V) F32; the last stage only
  Memory memory;

  static StageWorkspace make(IBackend& backend, const ModelShape& shape, int64_t tokens,
                             int64_t logit_rows, bool first, bool last);
  // What make() allocates.
  static int64_t bytes(const ModelShape& shape, DType activation, int64_t tokens,
                       int64_t logit_rows, bool first, bool last);
};

// cos and sin of every position below the capacity, (S, E/2) F32, with the attention factor of
// YaRN folded in. Computed as transformers does: fp32 inverse frequencies and an fp32 product with
// the position, so that the phases are those of the reference.
struct RopeTable {
  TensorView cos, sin;
  Memory memory;

  static RopeTable make(IBackend& backend, const ModelConfig& config, int64_t capacity);
  static int64_t bytes(const ModelShape& shape, int64_t capacity);
};

struct StageArgs {
  const ModelConfig& config;
  const StageWeights& weights;
  const StageWorkspace& work;
  const RopeTable& rope;
  const KvCache& cache;
  int64_t pos;     // position of the first token: tokens cached before this pass
  int64_t tokens;  // T: rows of the workspace in use
  bool first, last;
  // When set, sees the intermediates in the taps' place: a pass of the runtime's own, which
  // decorators are not shown.
  const std::function<void(const TapPoint&, const TensorView&)>* watch = nullptr;
};

// The choice at the end of a step, on the last stage; other stages leave all of it unread.
struct TokenArgs {
  bool greedy;
  TensorView settings;  // k::SampleSettings in the device's memory
  TensorView id;        // (1) I32 in the device's memory: the token chosen
  TensorView ring;      // (R) I32 in host memory, pinned for a CUDA device: entry pos % R as well
};

}  // namespace ember
