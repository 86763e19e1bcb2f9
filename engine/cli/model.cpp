// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/model.h"

#include "engine/cli/signals.h"
#include "engine/core/clock.h"
#include "engine/core/log.h"

namespace ember {

const std::vector<int32_t>& Model::eos_ids() const {
  return generation.eos_ids.empty() ? weights->config().eos_ids : generation.eos_ids;
}

Model open_model(const std::string& name) {
  Model model;
  model.weights = open_weights(name);
  const std::string dir = model.weights->dir();
  if (dir.empty()) {
    model.tokenizer = Tokenizer::bytes(model.weights->config().shape.V);
  } else {
    model.tokenizer = Tokenizer::load(dir + "/tokenizer.json");
    model.generation = load_generation_config(dir);
  }
  verbose("model ", model.weights->description());
  for (const std::string& note : model.weights->notes()) {
    notice(note);
  }
  return model;
}

LoadedRuntime load_runtime(const Model& model, RuntimeOptions options) {
  const int64_t limit = model.weights->config().max_position;
  if (options.context > limit) {
    notice("a context of ", options.context, " tokens is longer than the ", limit,
           " that this model was made for");
  }
  LoadedRuntime loaded;
  const double start = now_seconds();
  ProgressBar bar("loading", "GiB");
  options.on_load = [&bar](int64_t done, int64_t total) {
    SignalGuard::check();
    constexpr double kGib = 1024.0 * 1024.0 * 1024.0;
    bar.update(static_cast<double>(done) / kGib, static_cast<double>(total) / kGib);
  };
  loaded.runtime = make_runtime(model.weights, options);
  loaded.load_seconds = now_seconds() - start;
  verbose(loaded.runtime->device_map().str());
  const LoadStats load = loaded.runtime->load_stats();
  constexpr double kGb = 1e9;
  verbose("weights: ", static_cast<double>(load.bytes) / kGb, " GB placed in ", load.seconds,
          " s, ", static_cast<double>(load.copied_bytes) / kGb, " GB of them copied to devices",
          load.copied_bytes > 0 ? concat(" at ", load.gb_s(), " GB/s") : "");
  return loaded;
}

}  // namespace ember
