// SPDX-License-Identifier: Apache-2.0
// The flags that several commands share: one struct a group, one function that adds the group to an
// app. The initial values are the documented defaults.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/runtime/generator.h"
#include "engine/runtime/runtime.h"
#include "engine/text/tokenizer.h"
#include "kernels/base/device.h"

namespace CLI {
class App;
}

namespace ember {

// -v, -q, --color. Takes effect while the flags are parsed.
void add_log_flags(CLI::App& app);

struct ModelFlags {
  std::string model;
  std::string devices;  // "": the default, device 0 or else the CPU
  std::string split;    // "auto", or layers a stage: "14,14"
  std::string dtype = "auto";
  std::string hop = "auto";
  std::optional<int64_t> context;  // unset: 2048, or all that a shorter model was made for
  int64_t chunk = 0;               // tokens of a prefill pass; 0: default_chunk
  int64_t threads = 0;             // 0: all
  bool no_graph = false;
  double mem_limit = 0;  // GiB; 0: what is free
};

// -m, --devices, --split, --dtype, --hop, --threads, --chunk, --mem-limit; -c where the command has
// a context of its own.
void add_model_flags(CLI::App& app, ModelFlags& flags, bool with_context);

// Resolves "" and "auto"; says on stderr when the default falls back to the CPU. Throws
// Error{kUsage} for text that names no devices.
std::vector<DeviceId> choose_devices(const std::string& text, const std::string& dtype);

// Throws Error{kUsage} for a split that is not numbers. Applies --threads. `max_position` is the
// model's: a longer context is asked for only by a flag.
RuntimeOptions runtime_options(const ModelFlags& flags, int64_t max_position);

struct LengthFlags {
  int64_t max_tokens = 128;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  double timeout = 0;
  int64_t think_budget = -1;
};
void add_length_flags(CLI::App& app, LengthFlags& flags);

// Everything but the callbacks for text and tokens. Pending signals interrupt. Throws Error{kUsage}
// for a bad stop string.
GenerateOptions generate_options(const LengthFlags& length, const ModelFlags& model,
                                 const std::vector<int32_t>& eos_ids, const Tokenizer& tokenizer);

}  // namespace ember
