// SPDX-License-Identifier: Apache-2.0
// What one device can compute. The runtime above holds one backend a pipeline stage and knows
// nothing of the device behind it; decorators (taps, faults, traces) wrap one backend in another.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend/hop.h"
#include "engine/backend/stage.h"
#include "engine/model/kv_cache.h"
#include "engine/model/weights.h"
#include "kernels/advance/advance.h"
#include "kernels/attention/attention.h"
#include "kernels/attention_step/attention_step.h"
#include "kernels/base/stream.h"
#include "kernels/decode_layers/decode_layers.h"
#include "kernels/embed/embed.h"
#include "kernels/linear/linear.h"
#include "kernels/norm_linear/norm_linear.h"
#include "kernels/qk_norm_rope/qk_norm_rope.h"
#include "kernels/rmsnorm/rmsnorm.h"
#include "kernels/sample/sample.h"
#include "kernels/swiglu/swiglu.h"

namespace ember {

// The named intermediates of a forward pass, in data-flow order. Shapes for T tokens:
enum class Tap {
  kEmbedding,     // (T, D) residual stream before layer 0
  kAttnNorm,      // (T, D)
  kQProj,         // (T, H*E) before norm and RoPE
  kKProj,         // (T, K*E)
  kVProj,         // (T, K*E)
  kQRope,         // (T, H*E) after norm and RoPE
  kKRope,         // (K, T, E) the rows just written to the cache
  kAttention,     // (T, H*E) input of the output projection
  kAttnResidual,  // (T, D) residual stream after attention
  kMlpNorm,       // (T, D)
  kGate,          // (T, F)
  kUp,            // (T, F)
  kSwiGlu,        // (T, F) input of the down projection, times 2^-act_shift of the layer
  kLayerOut,      // (T, D) residual stream after the layer
  kFinalNorm,     // (t, D) of the rows whose logits are wanted
  kLogits,        // (t, V)
};
const char* name(Tap tap);

// Where a tapped tensor stands: the layer counts over the whole model (-1 outside layers), and the
// tensor's first row is token `first_pos` of the sequence.
struct TapPoint {
  Tap tap;
  int64_t layer;
  int64_t first_pos;
};

// A piece of device memory that a backend takes by itself, for the memory plan.
struct MemoryItem {
  std::string name;
  int64_t bytes;
};

class IBackend {
 public:
  virtual ~IBackend() = default;

  virtual std::string name() const = 0;
  virtual DeviceId device() const = 0;
  virtual DType activation_dtype() const = 0;  // between ops; the residual stream is always F32
  virtual DType cache_dtype() const = 0;

  // Memory. Views made from it carry device(). Throws Error{kOutOfMemory} with the bytes asked for.
  virtual Memory allocate(int64_t bytes) = 0;
  // Bytes that place() and place_linear() take, or read in place, for a tensor stored in `stored`
  // bytes; a matrix may be kept in another dtype.
  virtual int64_t placed_bytes(int64_t /*elements*/, int64_t stored, bool /*matrix*/) const {
    return stored;
  }
  // What its ops take beside allocate() and place(), for a model of that shape and dtype and steps
  // of so many sequences: once a stage, and once a device.
  virtual std::vector<MemoryItem> stage_memory(const ModelShape&, DType, int64_t /*batch*/) const {
    return {};
  }
  virtual std::vector<MemoryItem> device_memory() const { return {}; }
  // Says what all weights to come will take by placed_bytes(), so that they lie in one allocation.
  virtual void expect_weights(int64_t) {}
  // A view usable by the ops of a host tensor that outlives the backend: the CPU keeps it as it is.
  virtual TensorView place(const TensorView& host) = 0;
  virtual Linear place_linear(const std::vector<TensorView>& blocks) = 0;
  // Copies between dense host memory and a view on the device; complete when they return.
  virtual void upload(const TensorView& to, const void* host) = 0;
  virtual void download(const TensorView& from, void* host) = 0;
  // The end of a hop between stages: Hop::receive(), which the default body calls.
  virtual void receive(const TensorView& to, Hop& hop);
  virtual void synchronize() = 0;
  // Where its work is enqueued, in order. On the CPU, {}: work is done when a call returns.
  virtual Stream queue() const { return {}; }

  // Primitive ops: the contracts are in the headers of kernels/.
  virtual void embed(const k::EmbedParams& p) = 0;
  virtual void rmsnorm(const k::RmsNormParams& p) = 0;
  virtual void linear(const k::LinearParams& p) = 0;
  virtual void qk_norm_rope(const k::QkNormRopeParams& p) = 0;
  virtual void attention(const k::AttentionParams& p) = 0;
  virtual void swiglu(const k::SwigluParams& p) = 0;
  virtual void sample(const k::SampleParams& p) = 0;
  virtual void advance(const k::AdvanceParams& p) = 0;

  // Fused ops, for passes that nothing looks into. False: nothing was done, and the primitives that
  // the op is made of have to do it.
  virtual bool norm_linear(const k::NormLinearParams&) { return false; }
  // `shape`: of the model, by which a backend may judge what the kernels around it wait for.
  virtual bool attention_step(const k::AttentionStepParams&, const ModelShape& /*shape*/) {
    return false;
  }
  virtual bool decode_layers(const k::DecodeLayersParams&, const ModelShape& /*shape*/) {
    return false;
  }
  // What of w a kernel before the one that reads it should bring into the L2 cache, `bytes` at
  // most.
  virtual k::Prefetch ahead_of(const Linear&, int64_t /*bytes*/) const { return {}; }

  // Composite ops. The default bodies compose primitives (decoder.cpp): a backend may replace them
  // by something faster, and is judged against the default.
  virtual void run_layer(const StageArgs& args, int64_t layer);  // layer counts within the stage
  // The part of a layer that knows sequences: from work.qkv to work.attn, with the keys and values
  // of the rows written to their caches.
  virtual void attend(const StageArgs& args, int64_t layer);
  virtual void run_stage(const StageArgs& args);
  virtual void run_head(const StageArgs& args, int64_t first_row, int64_t rows);
  // One step of decoding, one token of each sequence: run_stage, and on the last stage run_head and
  // the choice of the next tokens, which stay on the device. Never waits.
  virtual void run_token(const StageArgs& args, const TokenArgs& token);

  // Called by the default bodies after each step; decorators override both.
  virtual bool wants_taps() const { return false; }
  virtual void tap(const TapPoint&, const TensorView&) {}

 protected:
  // Shows a tensor whose rows are those of the pass, sequence by sequence, where someone looks.
  void show(const StageArgs& args, Tap tap, int64_t layer, const TensorView& rows);
  // attend() of a step as one fused op; false: nothing was done.
  bool attend_at_once(const StageArgs& args, int64_t layer);
  // All layers of the stage as one fused op; false: nothing was done.
  bool run_layers_at_once(const StageArgs& args);
  // What run_token adds to run_stage and run_head.
  void choose_token(const StageArgs& args, const TokenArgs& token);
};

}  // namespace ember
