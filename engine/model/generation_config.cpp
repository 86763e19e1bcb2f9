// SPDX-License-Identifier: Apache-2.0
#include "engine/model/generation_config.h"

#include <limits>
#include <set>

#include "engine/io/json.h"
#include "engine/io/mmap_file.h"
#include "engine/model/token_ids.h"

namespace ember {
namespace {

constexpr int64_t kMaxBytes = 16 << 20;
constexpr int64_t kMaxId = (int64_t{1} << 31) - 1;

std::optional<double> read_number(const JsonNode& root, const char* key, double min, double max) {
  const auto node = root.find_set(key);
  if (!node) {
    return std::nullopt;
  }
  const double v = node->number();
  if (v < min || v > max) {
    node->fail("expected a number from ", min, " to ", max, ", got ", node->describe());
  }
  return v;
}

std::optional<int32_t> read_id(const JsonNode& root, const char* key) {
  const auto node = root.find_set(key);
  return node ? std::optional<int32_t>(static_cast<int32_t>(node->integer(0, kMaxId)))
              : std::nullopt;
}

}  // namespace

GenerationConfig parse_generation_config(std::string_view json, const std::string& where) {
  constexpr double kHuge = 1e6;
  const JsonDocument document(json, where);
  const JsonNode root = document.root();
  GenerationConfig config;
  config.present = true;
  config.eos_ids = read_token_ids(root.find_set("eos_token_id"));
  config.bos_id = read_id(root, "bos_token_id");
  config.pad_id = read_id(root, "pad_token_id");
  if (const auto node = root.find_set("do_sample")) {
    config.do_sample = node->boolean();
  }
  config.temperature = read_number(root, "temperature", 0.0, kHuge);
  config.top_p = read_number(root, "top_p", 0.0, 1.0);
  config.min_p = read_number(root, "min_p", 0.0, 1.0);
  config.repetition_penalty =
      read_number(root, "repetition_penalty", std::numeric_limits<float>::min(), kHuge);
  if (const auto node = root.find_set("top_k")) {
    config.top_k = node->integer(0, kMaxId);
  }
  const std::set<std::string> read = {"eos_token_id", "bos_token_id",       "pad_token_id",
                                      "do_sample",    "temperature",        "top_p",
                                      "min_p",        "repetition_penalty", "top_k"};
  for (const auto& item : root.value().items()) {
    if (read.count(item.key()) == 0) {
      config.ignored.push_back(item.key());
    }
  }
  return config;
}

GenerationConfig load_generation_config(const std::string& dir) {
  const std::string path = dir + "/generation_config.json";
  if (!file_exists(path)) {
    return {};
  }
  return parse_generation_config(read_text_file(path, kMaxBytes), path);
}

}  // namespace ember
