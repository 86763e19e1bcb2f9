// SPDX-License-Identifier: Apache-2.0
// What a profiler is told: named ranges in the NVTX domain "ember", and the window that it records.
// docs/profiling.md says what the ranges are for. Without a tool, or in a build without NVTX's
// headers, a range costs a comparison.
#pragma once

#include <cstdint>

namespace ember {

// Ranges nest as they are listed: ops in layers, layers in chunks or steps. One row a range:
// enumerator, name, what its payload counts.
#define EMBER_RANGES(X)                                     \
  X(kLoad, "load", "bytes of the stage's weights")          \
  X(kTokenize, "tokenize", "bytes of the text")             \
  X(kPrefillChunk, "prefill_chunk", "tokens")               \
  X(kDecodeStep, "decode_step", "position of the token")    \
  X(kHop, "hop", "bytes")                                   \
  X(kLayer, "layer", "layer of the model, from 0")          \
  X(kDecodeLayers, "decode_layers", "layers")               \
  X(kHead, "head", "rows of logits")                        \
  X(kEmbed, "embed", "tokens")                              \
  X(kRmsNorm, "rmsnorm", "tokens")                          \
  X(kLinear, "linear", "rows of the weights")               \
  X(kQkNormRope, "qk_norm_rope", "tokens")                  \
  X(kAttention, "attention", "position of the first token") \
  X(kSwiglu, "swiglu", "tokens")                            \
  X(kSample, "sample", "tokens of prompt and answer before this")

enum class RangeKind : uint8_t {
#define X(id, name, payload) id,
  EMBER_RANGES(X)
#undef X
};

namespace profile {
// The handle of the domain; null, always, without a tool.
void* domain();
void push(RangeKind kind, int64_t payload);
void pop();
// Where a profiler that was told to wait for it begins and ends to record (cudaProfilerStart,
// cudaProfilerStop); nothing in a build without CUDA.
void start_capture();
void stop_capture();
// Whether a tool listens to the ranges.
inline bool attached() {
  return domain() != nullptr;
}
}  // namespace profile

// A range that ends with its scope, on the thread that it began on.
class ProfileRange {
 public:
  ProfileRange(RangeKind kind, int64_t payload) : open_(profile::attached()) {
    if (open_) {
      profile::push(kind, payload);
    }
  }
  ~ProfileRange() {
    if (open_) {
      profile::pop();
    }
  }
  ProfileRange(const ProfileRange&) = delete;
  ProfileRange& operator=(const ProfileRange&) = delete;

 private:
  bool open_;
};

}  // namespace ember
