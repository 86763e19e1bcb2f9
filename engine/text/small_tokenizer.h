// SPDX-License-Identifier: Apache-2.0
// For tests: the smallest tokenizer.json that has every part, to be changed in one place each.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "engine/text/pretokenize.h"
#include "engine/text/tokenizer_file.h"
#include "engine/text/unicode.h"

namespace ember {

inline nlohmann::ordered_json added_token_json(int id, const std::string& content, bool special) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

// Ids 0 to 255 the bytes, 256 "ab", 257 "bc", 258 "abc", 259 <|end|> (special), 260 <think>.
inline nlohmann::ordered_json small_tokenizer_json() {
  using Json = nlohmann::ordered_json;
  Json vocab = Json::object();
  for (int b = 0; b < 256; ++b) {
    std::string letter;
    append_utf8(byte_level_code(static_cast<uint8_t>(b)), &letter);
    vocab[letter] = b;
  }
  vocab["ab"] = 256;
  vocab["bc"] = 257;
  vocab["abc"] = 258;
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", false},
                           {"use_regex", false}};
  Json out;
  out["version"] = "1.0";
  out["truncation"] = nullptr;
  out["padding"] = nullptr;
  out["added_tokens"] = Json::array(
      {added_token_json(259, "<|end|>", true), added_token_json(260, "<think>", false)});
  out["normalizer"] = {{"type", "NFC"}};
  out["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers", Json::array({{{"type", "Split"},
                                      {"pattern", {{"Regex", kQwenSplitPattern}}},
                                      {"behavior", "Isolated"},
                                      {"invert", false}},
                                     byte_level})}};
  out["post_processor"] = byte_level;
  out["decoder"] = byte_level;
  out["model"] = {{"type", "BPE"},
                  {"dropout", nullptr},
                  {"unk_token", nullptr},
                  {"continuing_subword_prefix", ""},
                  {"end_of_word_suffix", ""},
                  {"fuse_unk", false},
                  {"byte_fallback", false},
                  {"ignore_merges", false},
                  {"vocab", vocab},
                  {"merges", Json::array({Json::array({"a", "b"}), Json::array({"b", "c"}),
                                          Json::array({"ab", "c"})})}};
  return out;
}

}  // namespace ember
