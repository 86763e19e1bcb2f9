// SPDX-License-Identifier: Apache-2.0
// config.json of a Qwen3 dense checkpoint. A field that is absent takes the default of
// transformers' Qwen3Config; a field that asks for mathematics Ember does not have is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/dtype.h"
#include "kernels/base/model_shape.h"

namespace ember {

// Rotary position embedding; see engine/model/rope.h for what is made of it.
struct RopeConfig {
  double theta = 10000.0;
  bool yarn = false;
  // The rest counts with yarn only. Defaults resolved as transformers does.
  double factor = 1.0;
  double attention_factor = 1.0;  // multiplies cos and sin
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  int64_t original_max_position = 0;
  bool truncate = true;  // round the correction range to whole dimensions
};

struct ModelConfig {
  ModelShape shape;
  double rms_eps = 1e-6;
  RopeConfig rope;
  int64_t max_position = 32768;
  DType dtype = DType::kBF16;
  bool dtype_given = false;  // false: config.json names none, and `dtype` is the embedding's
  std::vector<int32_t> eos_ids;
  std::optional<int32_t> bos_id;
  std::optional<int32_t> pad_id;
  // Fields that do not change what a forward pass computes here, by name.
  std::vector<std::string> ignored;
  // What a careful reader would want to know: fields that transformers takes but warns about.
  std::vector<std::string> notes;
};

// DIR/config.json. Throws Error{kBadInput} with file, field and byte offset.
ModelConfig load_config(const std::string& dir);
// `where` names the text in messages.
ModelConfig parse_config(std::string_view json, const std::string& where);

}  // namespace ember
