// SPDX-License-Identifier: Apache-2.0
// generation_config.json: the sampling defaults that a checkpoint's makers recommend.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ember {

struct GenerationConfig {
  bool present = false;  // the file exists
  std::vector<int32_t> eos_ids;
  std::optional<int32_t> bos_id, pad_id;
  std::optional<bool> do_sample;
  std::optional<double> temperature;         // >= 0
  std::optional<double> top_p, min_p;        // in [0, 1]
  std::optional<double> repetition_penalty;  // > 0
  std::optional<int64_t> top_k;              // >= 0; 0 turns the filter off
  std::vector<std::string> ignored;          // fields that Ember does not read
};

// DIR/generation_config.json; all unset when there is no such file. Throws Error{kBadInput}.
GenerationConfig load_generation_config(const std::string& dir);
GenerationConfig parse_generation_config(std::string_view json, const std::string& where);

}  // namespace ember
