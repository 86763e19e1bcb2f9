// SPDX-License-Identifier: Apache-2.0
// Everything there is to say about a model without running it: what `ember inspect` prints.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/io/checkpoint.h"
#include "engine/model/check_weights.h"
#include "engine/model/config.h"
#include "engine/model/generation_config.h"

namespace ember {

struct InspectedTensor {
  std::string name, dtype, shape;
  std::vector<int64_t> dims;
  std::string file;  // empty for generated weights
  int64_t bytes = 0, offset = 0;
  std::string unreadable;               // why the engine could not use it; empty if it can
  std::optional<NonFinite> non_finite;  // when asked for
};

struct InspectedFile {
  std::string path;
  int64_t bytes = 0;
  std::map<std::string, std::string> metadata;
};

struct Inspection {
  std::string path;
  std::string kind;  // "model directory", "safetensors file", "config", ...
  std::optional<ModelConfig> config;
  std::optional<GenerationConfig> generation;
  std::vector<InspectedFile> files;
  std::vector<InspectedTensor> tensors;
  std::optional<int64_t> parameters;  // of the model that the config describes
  std::vector<std::string> notes;
  std::vector<std::string> problems;  // messages of what must be refused; empty when all is well

  int64_t tensor_bytes() const;
};

// `path`: a model directory, a safetensors file, config.json, generation_config.json, an
// *.index.json, or random:<preset>. Parts that can be read are listed even when others are bad:
// what is bad goes into `problems`. Throws Error{kBadInput} only when there is nothing at `path`.
Inspection inspect(const std::string& path, bool check_weights);

}  // namespace ember
