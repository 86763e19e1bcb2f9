// SPDX-License-Identifier: Apache-2.0
// The buffers and arguments of one forward pass through one pipeline stage.
#pragma once

#include <functional>
#include <vector>

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

// The most sequences that one step can take a token of.
inline constexpr int64_t kMaxBatch = 16;

// One sequence of a pass.
struct SequenceArgs {
  const KvCache* cache;
  int64_t pos;  // of its first token
  // Set by a backend that keeps the positions of a step in its own memory, where those of the
  // sequences follow one another; it holds then, and the step moves it on.
  int32_t* pos_device = nullptr;

  int64_t host_pos() const { return pos_device != nullptr ? 0 : pos; }
};

// T tokens of one sequence, or with `batch` one token of each of several.
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
  // Set: row i of the workspace is the token of sequence i; `tokens` is their number, at most
  // kMaxBatch, and pos and cache are those of the first.
  const std::vector<SequenceArgs>* batch = nullptr;
  // A step of decoding: one token of each sequence, with which fused ops may be used.
  bool step = false;

  int64_t sequences() const { return batch != nullptr ? tokens : 1; }
  int64_t rows_each() const { return batch != nullptr ? 1 : tokens; }
  SequenceArgs sequence(int64_t i) const {
    return batch != nullptr ? (*batch)[i] : SequenceArgs{&cache, pos};
  }
};

// The choices at the end of a step of B sequences, on the last stage; other stages leave all of it
// unread.
struct TokenArgs {
  uint32_t greedy;      // bit i: sequence i takes the largest logit
  TensorView settings;  // (B, k::kSampleSettingsWords) I32: k::SampleSettings in device memory
  TensorView id;        // (B) I32 in the device's memory: the tokens chosen
  TensorView ring;  // (B, R) I32 in host memory, pinned for a CUDA device: entry pos % R as well

  bool is_greedy(int64_t i) const { return greedy >> i & 1; }
};

}  // namespace ember
