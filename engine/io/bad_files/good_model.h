// SPDX-License-Identifier: Apache-2.0
// The parts that the good model is made of, for spoiling one of them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/io/bad_files/bad_files.h"
#include "engine/io/safetensors_writer.h"

namespace ember::bad_files {

using nlohmann::json;
using Specs = std::vector<SafetensorsWriter::Spec>;

inline constexpr const char* kWeights = "/model.safetensors";
inline constexpr const char* kIndex = "/model.safetensors.index.json";
inline constexpr const char* kFirst = "model-00001-of-00002.safetensors";
inline constexpr const char* kSecond = "model-00002-of-00002.safetensors";

json good_config();
json good_index();
json good_tokenizer();
Specs outer_specs();  // embedding and final norm: the first shard
Specs layer_specs();  // the second shard
Specs all_specs();
void write_tensors(const std::string& path, const Specs& specs);
void write_json(const std::string& path, const json& value);

// One file of the directory replaced by a text.
BadFile text_file(const std::string& name, const std::string& file, const std::string& text,
                  std::vector<std::string> message, bool sharded = false);

}  // namespace ember::bad_files
