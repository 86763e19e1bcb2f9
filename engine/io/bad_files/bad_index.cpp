// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "engine/io/bad_files/good_model.h"

namespace ember {
using namespace bad_files;
namespace {

BadFile index_with(const std::string& name, const std::function<void(json*)>& change,
                   std::vector<std::string> message) {
  message.push_back("model.safetensors.index.json");
  return {name, true,
          [change](const std::string& dir) {
            json index = good_index();
            change(&index);
            write_json(dir + kIndex, index);
          },
          std::move(message)};
}

BadFile shard_named(const std::string& name, const json& shard, const std::string& message) {
  return index_with("index_shard_" + name,
                    [shard](json* index) { (*index)["weight_map"]["model.norm.weight"] = shard; },
                    {"model.norm.weight", "byte ", message});
}

}  // namespace

std::vector<BadFile> bad_index_files() {
  const std::string file = "model.safetensors.index.json";
  std::vector<BadFile> out = {
      text_file("index_empty", file, "", {"byte 0"}, true),
      text_file("index_cut", file, "{\"weight_map\": {", {"byte "}, true),
      text_file("index_list", file, "[]", {"expected an object"}, true),
      text_file("index_deep", file, std::string(100000, '['), {"nested"}, true),
      text_file("index_without_map", file, "{}", {"no field 'weight_map'"}, true),
      text_file("index_map_empty", file, "{\"weight_map\": {}}", {"lists no tensor"}, true),
      text_file(
          "index_duplicate_tensor", file,
          std::string("{\"weight_map\": {\"a\": \"") + kFirst + "\", \"a\": \"" + kSecond + "\"}}",
          {"duplicate key 'a'", "byte "}, true),
      index_with("index_map_list", [](json* i) { (*i)["weight_map"] = json::array(); },
                 {"weight_map", "expected an object"}),
      shard_named("number", 1, "expected a string"),
      shard_named("null", nullptr, "expected a string"),
      shard_named("empty", "", "does not end in .safetensors"),
      shard_named("parent", "../x.safetensors", "not a plain file name"),
      shard_named("absolute", "/etc/x.safetensors", "not a plain file name"),
      shard_named("folder", "sub/x.safetensors", "not a plain file name"),
      shard_named("backslash", "..\\x.safetensors", "not a plain file name"),
      shard_named("nul", std::string("x\0.safetensors", 14), "not a plain file name"),
      shard_named("other_type", "/passwd", "not a plain file name"),
      shard_named("pickle", "model.bin", "does not end in .safetensors"),
      shard_named("suffix_alone", ".safetensors", "does not end in .safetensors"),
      index_with("index_shard_missing",
                 [](json* i) { (*i)["weight_map"]["model.norm.weight"] = "gone.safetensors"; },
                 {"missing shards: gone.safetensors"}),
      index_with("index_wrong_shard",
                 [](json* i) { (*i)["weight_map"]["model.norm.weight"] = kSecond; },
                 {"model.norm.weight (in model-00001-of-00002.safetensors, the index says "
                  "model-00002-of-00002.safetensors)"}),
      index_with("index_tensor_absent", [](json* i) { (*i)["weight_map"]["ghost"] = kFirst; },
                 {"missing from their shards: ghost (expected in model-00001"}),
      index_with("index_tensor_unlisted",
                 [](json* i) { (*i)["weight_map"].erase("model.norm.weight"); },
                 {"model.norm.weight (in model-00001-of-00002.safetensors, not in the index)"}),
      index_with("index_total_negative", [](json* i) { (*i)["metadata"]["total_size"] = -1; },
                 {"metadata.total_size", "got -1", "byte "}),
      index_with("index_total_text", [](json* i) { (*i)["metadata"]["total_size"] = "1"; },
                 {"metadata.total_size", "expected an integer"}),
      index_with("index_metadata_list", [](json* i) { (*i)["metadata"] = json::array(); },
                 {"metadata", "expected an object"}),
  };
  out.push_back({"index_tensor_twice",
                 true,
                 [](const std::string& dir) {
                   Specs specs = layer_specs();
                   specs.push_back(outer_specs().back());
                   write_tensors(dir + "/" + kSecond, specs);
                 },
                 {"model.norm.weight (in model-00002-of-00002.safetensors"}});
  out.push_back({"shard_cut_short",
                 true,
                 [](const std::string& dir) {
                   const std::string path = dir + "/" + kSecond;
                   std::filesystem::resize_file(path, std::filesystem::file_size(path) - 2);
                 },
                 {kSecond, "cut short"}});
  out.push_back({"shard_is_a_directory",
                 true,
                 [](const std::string& dir) {
                   std::filesystem::remove(dir + "/" + kSecond);
                   std::filesystem::create_directory(dir + "/" + kSecond);
                 },
                 {kSecond, "not a regular file"}});
  return out;
}

}  // namespace ember
