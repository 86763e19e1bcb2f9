// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/io/checkpoint.h"
#include "engine/model/config.h"
#include "engine/model/weight_source.h"

namespace ember {

// What became of a tied checkpoint's head.
enum class TiedHead {
  kEmbedding,  // the embedding serves as head (the usual case), or the checkpoint is untied
  kSeparate,  // lm_head.weight is there and differs from the embedding: transformers 5 then uses it
  kHeadOnly,  // only lm_head.weight is there: it serves as embedding too
};

struct CheckpointCheck {
  TiedHead head = TiedHead::kEmbedding;
  std::vector<std::string> notes;
};

// Compares every tensor of a checkpoint with the schema. Throws Error{kBadInput} that names all
// missing, unexpected, misshapen and unreadable tensors (ten of each, then a count).
// A tied checkpoint may hold lm_head.weight: transformers 5 ignores it where it equals the
// embedding and unties the head where it does not; so does Ember.
CheckpointCheck check_checkpoint(const ModelConfig& config, const Checkpoint& checkpoint);

// Views into the mapped files of a Hugging Face directory; nothing is copied.
std::shared_ptr<const IWeightSource> open_checkpoint_weights(const std::string& dir);

}  // namespace ember
