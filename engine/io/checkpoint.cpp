// SPDX-License-Identifier: Apache-2.0
#include "engine/io/checkpoint.h"

#include <set>

#include "engine/io/checked.h"
#include "engine/io/json.h"
#include "engine/io/name_list.h"

namespace ember {
namespace {

constexpr int64_t kMaxIndexBytes = 100'000'000;

// A shard name is used as a path: nothing may lead out of the directory.
void check_shard_name(const JsonNode& node) {
  const std::string& name = node.string();
  const std::string suffix = ".safetensors";
  if (name.find_first_of("/\\") != std::string::npos || name.find('\0') != std::string::npos) {
    node.fail("shard '", printable(name), "' is not a plain file name inside the model directory");
  }
  if (name.size() <= suffix.size() ||
      name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0) {
    node.fail("shard '", printable(name), "' does not end in .safetensors");
  }
}

}  // namespace

SafetensorsIndex SafetensorsIndex::parse(std::string_view json, const std::string& where) {
  const JsonDocument document(json, where);
  const JsonNode root = document.root();
  SafetensorsIndex index;
  const JsonNode map = root.at("weight_map");
  std::set<std::string> shards;
  for (const auto& item : map.object().value().items()) {
    const JsonNode shard = map.at(item.key());
    if (shards.count(shard.value().is_string() ? shard.string() : std::string()) == 0) {
      check_shard_name(shard);
      shards.insert(shard.string());
    }
    index.weight_map[item.key()] = shard.string();
  }
  if (shards.empty()) {
    map.fail("lists no tensor");
  }
  index.shards.assign(shards.begin(), shards.end());
  if (const auto metadata = root.find_set("metadata")) {
    if (const auto total = metadata->find_set("total_size")) {
      index.total_size = total->integer();
    }
  }
  return index;
}

std::shared_ptr<const Checkpoint> Checkpoint::open(const std::string& dir) {
  if (!is_directory(dir)) {
    fail(ErrorKind::kBadInput, dir, ": not a directory; expected a Hugging Face model directory");
  }
  const std::shared_ptr<Checkpoint> checkpoint = std::make_shared<Checkpoint>();
  checkpoint->dir_ = dir;
  const std::string single = dir + "/model.safetensors";
  const std::string index = single + ".index.json";
  if (file_exists(single)) {
    checkpoint->add_file(SafetensorsFile::open(single));
    if (file_exists(index)) {
      checkpoint->notes_.push_back(index + " is ignored: model.safetensors stands beside it");
    }
  } else if (file_exists(index)) {
    checkpoint->open_sharded(index);
  } else {
    const bool pickle = file_exists(dir + "/pytorch_model.bin") ||
                        file_exists(dir + "/pytorch_model.bin.index.json");
    fail(ErrorKind::kBadInput, dir, ": neither model.safetensors nor model.safetensors.index.json",
         pickle ? "; pytorch_model.bin is not supported, save it as safetensors" : "");
  }
  return checkpoint;
}

void Checkpoint::add_file(std::shared_ptr<const SafetensorsFile> file) {
  for (const TensorEntry& t : file->tensors()) {
    tensors_.push_back(&t);
    by_name_[t.name] = &t;
  }
  files_.push_back(std::move(file));
}

void Checkpoint::open_sharded(const std::string& index_path) {
  const std::string text = read_text_file(index_path, kMaxIndexBytes);
  const SafetensorsIndex index = SafetensorsIndex::parse(text, index_path);
  NameList missing_files;
  for (const std::string& shard : index.shards) {
    if (!file_exists(dir_ + "/" + shard)) {
      missing_files.add(shard);
    }
  }
  if (!missing_files.empty()) {
    fail(ErrorKind::kBadInput, index_path, ": missing shards: ", missing_files.text());
  }

  NameList strays;
  int64_t total = 0;
  for (const std::string& shard : index.shards) {
    const std::shared_ptr<const SafetensorsFile> file = SafetensorsFile::open(dir_ + "/" + shard);
    for (const TensorEntry& t : file->tensors()) {
      const auto placed = index.weight_map.find(t.name);
      if (placed == index.weight_map.end()) {
        strays.add(t.name, " (in " + shard + ", not in the index)");
      } else if (placed->second != shard) {
        strays.add(t.name, " (in " + shard + ", the index says " + placed->second + ")");
      }
      total = checked_add(total, t.bytes).value_or(kMaxJsonInteger);
    }
    add_file(file);
  }
  if (!strays.empty()) {
    fail(ErrorKind::kBadInput, index_path,
         ": tensors that the index does not place there: ", strays.text());
  }
  NameList missing;
  for (const auto& [name, shard] : index.weight_map) {
    if (by_name_.count(name) == 0) {
      missing.add(name, " (expected in " + shard + ")");
    }
  }
  if (!missing.empty()) {
    fail(ErrorKind::kBadInput, index_path, ": tensors missing from their shards: ", missing.text());
  }
  if (index.total_size && *index.total_size != total) {
    notes_.push_back(index_path + ": metadata.total_size is " + std::to_string(*index.total_size) +
                     ", the tensors take " + std::to_string(total) + " bytes");
  }
}

const TensorEntry* Checkpoint::find(const std::string& name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

}  // namespace ember
