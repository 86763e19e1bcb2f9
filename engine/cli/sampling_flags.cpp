// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/sampling_flags.h"

#include <CLI/CLI.hpp>
#include <random>

#include "engine/core/log.h"

namespace ember {
namespace {

// What the Qwen3 model cards recommend for each mode.
struct Preset {
  const char* name;
  double temperature, top_p, min_p;
  int64_t top_k;
};
constexpr Preset kPresets[] = {{"think", 0.6, 0.95, 0.0, 20}, {"nothink", 0.7, 0.8, 0.0, 20}};

class Resolver {
 public:
  Resolver(const SamplingFlags& flags, EffectiveSampling& out) : flags_(flags), out_(out) {
    for (const Preset& p : kPresets) {
      if (flags.preset == p.name) {
        preset_ = &p;
      }
    }
  }

  const Preset* preset() const { return preset_; }

  template <class T>
  T pick(const char* name, const std::optional<T>& flag, std::optional<T> preset,
         const std::optional<T>& model, T fallback) {
    const bool from_preset = !flag && preset;
    const T value = flag ? *flag : preset ? *preset : model ? *model : fallback;
    const std::string source = flag          ? "flag"
                               : from_preset ? "--sampling " + flags_.preset
                               : model       ? "generation_config.json"
                                             : "default";
    out_.values.push_back({name, static_cast<double>(value), source});
    return value;
  }

 private:
  const SamplingFlags& flags_;
  EffectiveSampling& out_;
  const Preset* preset_ = nullptr;
};

uint64_t random_seed() {
  std::random_device device;
  return static_cast<uint64_t>(device());  // 32 bits: short enough to type again
}

}  // namespace

void add_sampling_flags(CLI::App& app, SamplingFlags& flags) {
  const std::string group =
      "Sampling (flag, then --sampling, then generation_config.json, then default)";
  app.add_option("--sampling", flags.preset,
                 "model: as its generation_config.json says; greedy: the likeliest token; think, "
                 "nothink: what Qwen recommends for the mode")
      ->check(CLI::IsMember({"model", "greedy", "think", "nothink"}))
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
  const auto number = [&](const char* names, auto& target, const char* about) {
    app.add_option(names, target, about)->type_name("X")->group(group);
  };
  number("--temp,--temperature", flags.temperature, "temperature; 0 is greedy; default 0.7");
  number("--top-k", flags.top_k, "keep the K likeliest tokens; 0 is off; default 40");
  number("--top-p", flags.top_p, "keep the likeliest tokens of this mass; 1 is off; default 0.9");
  number("--min-p", flags.min_p,
         "keep tokens at least this likely relative to the likeliest; default 0, off");
  number("--repeat-penalty", flags.repeat_penalty,
         "scale down logits of tokens seen, as Hugging Face; default 1, off");
  number("--presence-penalty", flags.presence_penalty,
         "subtract from logits of tokens generated; default 0, off");
  app.add_option("-s,--seed", flags.seed, "seed of the draws; default random, printed")
      ->type_name("N")
      ->group(group);
}

EffectiveSampling resolve_sampling(const SamplingFlags& flags, const GenerationConfig& model) {
  EffectiveSampling out;
  Resolver resolve(flags, out);
  const Preset* preset = resolve.preset();
  const SamplingParams defaults;
  std::optional<double> temperature, top_p, min_p, model_temperature = model.temperature;
  std::optional<int64_t> top_k;
  if (preset != nullptr) {
    temperature = preset->temperature;
    top_p = preset->top_p;
    min_p = preset->min_p;
    top_k = preset->top_k;
  } else if (flags.preset == "greedy") {
    temperature = 0.0;
  }
  if (model.do_sample && !*model.do_sample) {
    model_temperature = 0.0;  // the checkpoint asks for greedy decoding
  }
  SamplingParams& p = out.params;
  p.temperature = resolve.pick("temperature", flags.temperature, temperature, model_temperature,
                               defaults.temperature);
  p.top_k = resolve.pick("top-k", flags.top_k, top_k, model.top_k, defaults.top_k);
  p.top_p = resolve.pick("top-p", flags.top_p, top_p, model.top_p, defaults.top_p);
  p.min_p = resolve.pick("min-p", flags.min_p, min_p, model.min_p, defaults.min_p);
  p.repeat_penalty = resolve.pick("repeat-penalty", flags.repeat_penalty, {},
                                  model.repetition_penalty, defaults.repeat_penalty);
  p.presence_penalty =
      resolve.pick("presence-penalty", flags.presence_penalty, {}, {}, defaults.presence_penalty);
  p.seed = flags.seed ? *flags.seed : random_seed();
  out.seed_source = flags.seed ? "flag" : "random";
  validate(p);
  return out;
}

void print_sampling(const EffectiveSampling& sampling) {
  for (const EffectiveValue& v : sampling.values) {
    verbose(v.name, " ", v.value, v.name == "temperature" && v.value == 0 ? " (greedy)" : "",
            "  <- ", v.source);
  }
  verbose("seed ", sampling.params.seed, "  <- ", sampling.seed_source);
}

}  // namespace ember
