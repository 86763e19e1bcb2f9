// SPDX-License-Identifier: Apache-2.0
// Where weights come from: a Hugging Face directory, or a generator that makes a model of a
// preset's shape, the same for every backend.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/model/config.h"
#include "engine/model/weight_schema.h"
#include "kernels/base/tensor.h"

namespace ember {

class IWeightSource {
 public:
  virtual ~IWeightSource() = default;

  // `shape.tied` says whether the head is the embedding in fact, which a checkpoint can overrule.
  virtual const ModelConfig& config() const = 0;
  // Dense, on the CPU, read-only, of the schema's shape, each of its own dtype (F32, F16, BF16).
  // `layer` is -1 outside the layers. kHead of a tied model is the embedding. Valid as long as the
  // source lives. May be called from several threads.
  virtual TensorView tensor(WeightRole role, int64_t layer) const = 0;
  // Bytes of that tensor, without making it.
  virtual int64_t tensor_bytes(WeightRole role, int64_t layer) const = 0;
  // Says that the tensor is wanted soon, so that a slow disk may begin to read it. A hint.
  virtual void prefetch(WeightRole, int64_t) const {}
  // "models/qwen3 (safetensors, 2 files)", "random:qwen3-0.6b (bf16, seed 1)"
  virtual std::string description() const = 0;
  // The model directory, for its tokenizer; empty for generated weights.
  virtual std::string dir() const = 0;
  // What a careful reader would want to know about the checkpoint.
  virtual std::vector<std::string> notes() const { return {}; }
};

// `model` is a directory or random:<preset>[:fp32|:fp16|:bf16][:seed=N]; bf16 and seed 1 unless
// given. Throws Error{kBadInput} for a bad directory, Error{kUsage} for a bad random: name.
std::shared_ptr<const IWeightSource> open_weights(const std::string& model);

// Bytes of all weights of a source, each tensor at its own dtype.
int64_t weight_bytes(const IWeightSource& source);

}  // namespace ember
