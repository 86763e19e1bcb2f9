// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/cli/flags.h"
#include "engine/model/generation_config.h"
#include "engine/model/weight_source.h"
#include "engine/runtime/runtime.h"
#include "engine/text/tokenizer.h"

namespace ember {

// What -m names, opened but not loaded: weights are mapped, nothing is copied to a device.
struct Model {
  std::shared_ptr<const IWeightSource> weights;
  std::shared_ptr<const Tokenizer> tokenizer;
  GenerationConfig generation;

  // generation_config.json's, or else config.json's.
  const std::vector<int32_t>& eos_ids() const;
};
Model open_model(const std::string& name);

struct LoadedRuntime {
  std::unique_ptr<IRuntime> runtime;
  double load_seconds = 0;
};
// With a progress bar; says the stages with -v. Notes that the context exceeds the model's own.
LoadedRuntime load_runtime(const Model& model, RuntimeOptions options);

}  // namespace ember
