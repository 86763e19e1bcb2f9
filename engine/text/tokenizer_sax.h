// SPDX-License-Identifier: Apache-2.0
// One pass over tokenizer.json: the two big members go into flat arrays, the rest into a document.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ember {

// Strings one behind another in one allocation; views are taken when it no longer grows.
class StringPool {
 public:
  void add(std::string_view text) {
    bytes_.append(text);
    ends_.push_back(bytes_.size());
  }
  size_t size() const { return ends_.size(); }
  std::string_view operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(bytes_).substr(begin, ends_[i] - begin);
  }

 private:
  std::string bytes_;
  std::vector<size_t> ends_;
};

struct RawTokenizer {
  nlohmann::json rest;  // the file without model.vocab and model.merges
  bool has_vocab = false, has_merges = false;
  StringPool tokens;          // keys of model.vocab
  std::vector<uint64_t> ids;  // its values
  StringPool merges;          // left and right in turn
};

// Throws kBadInput: broken JSON with its byte offset, duplicate keys, wrong types in vocab or
// merges.
RawTokenizer read_tokenizer_json(std::string_view json, const std::string& where);

}  // namespace ember
