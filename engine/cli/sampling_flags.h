// SPDX-License-Identifier: Apache-2.0
// Sampling values and where each came from: flag, then --sampling preset, then the model's
// generation_config.json, then the default.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/generation_config.h"
#include "engine/runtime/sampler.h"

namespace CLI {
class App;
}

namespace ember {

struct SamplingFlags {
  std::string preset = "model";  // model, greedy, think, nothink
  std::optional<double> temperature, top_p, min_p, repeat_penalty, presence_penalty;
  std::optional<int64_t> top_k;
  std::optional<uint64_t> seed;
};
void add_sampling_flags(CLI::App& app, SamplingFlags& flags);

struct EffectiveValue {
  std::string name;  // "top-k"
  double value;
  std::string source;  // "flag", "--sampling think", "generation_config.json", "default"
};

struct EffectiveSampling {
  SamplingParams params;
  std::vector<EffectiveValue> values;
  std::string seed_source;  // "flag" or "random"
};

// Without a seed flag the seed is drawn from the system. Throws Error{kUsage} for values out of
// range.
EffectiveSampling resolve_sampling(const SamplingFlags& flags, const GenerationConfig& model);

// One line a value, for -v.
void print_sampling(const EffectiveSampling& sampling);

}  // namespace ember
