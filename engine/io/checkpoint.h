// SPDX-License-Identifier: Apache-2.0
// The weights of a Hugging Face model directory: model.safetensors, or the shards that
// model.safetensors.index.json lists. Where both stand, the single file is taken, as transformers
// does.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/io/safetensors.h"

namespace ember {

// model.safetensors.index.json. Shard names are plain file names inside the directory.
struct SafetensorsIndex {
  std::map<std::string, std::string> weight_map;  // tensor -> shard
  std::vector<std::string> shards;                // sorted, each once
  std::optional<int64_t> total_size;              // metadata.total_size, bytes

  // Throws Error{kBadInput}.
  static SafetensorsIndex parse(std::string_view json, const std::string& where);
};

class Checkpoint {
 public:
  // Opens every shard and checks it against the index: each tensor stands in the shard that the
  // index names and nowhere else. Throws Error{kBadInput} naming shards and tensors.
  static std::shared_ptr<const Checkpoint> open(const std::string& dir);

  const std::string& dir() const { return dir_; }
  const std::vector<std::shared_ptr<const SafetensorsFile>>& files() const { return files_; }
  // Of all files, in the order of files() and of their bytes there.
  const std::vector<const TensorEntry*>& tensors() const { return tensors_; }
  const TensorEntry* find(const std::string& name) const;  // nullptr when absent
  // What is odd but harmless: total_size that disagrees (transformers ignores it, and every tensor
  // is checked on its own), an index beside a single file.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void open_sharded(const std::string& index_path);
  void add_file(std::shared_ptr<const SafetensorsFile> file);

  std::string dir_;
  std::vector<std::shared_ptr<const SafetensorsFile>> files_;
  std::vector<const TensorEntry*> tensors_;
  std::unordered_map<std::string, const TensorEntry*> by_name_;
  std::vector<std::string> notes_;
};

}  // namespace ember
