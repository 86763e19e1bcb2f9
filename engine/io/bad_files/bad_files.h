// SPDX-License-Identifier: Apache-2.0
// A small model directory that is right, and every way of spoiling it that a reader must refuse.
// For tests: in process and through the command line.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels/base/temporary_directory.h"

namespace ember {

void write_file(const std::string& path, const std::string& bytes);

// 8 bytes of length, the header, the data.
std::string safetensors_bytes(const std::string& header, const std::string& data = "");

// The good directory: config.json, generation_config.json, tokenizer.json, tokenizer_config.json,
// and a one-layer bf16 model with a tied head, in one file or in two shards.
void write_good_model(const std::string& dir, bool sharded = false);

struct BadFile {
  std::string name;
  bool sharded;                                   // which good directory is spoiled
  std::function<void(const std::string&)> spoil;  // changes the good directory it is given
  std::vector<std::string> message;               // every part must stand in the error message
};

std::vector<BadFile> bad_weight_files();      // model.safetensors alone, and against the config
std::vector<BadFile> bad_index_files();       // model.safetensors.index.json and its shards
std::vector<BadFile> bad_config_files();      // config.json
std::vector<BadFile> bad_generation_files();  // generation_config.json
std::vector<BadFile> bad_tokenizer_files();   // tokenizer.json

}  // namespace ember
