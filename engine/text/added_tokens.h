// SPDX-License-Identifier: Apache-2.0
// Finds added tokens in a text as Hugging Face does: leftmost first, of those the longest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer_file.h"

namespace ember {

// A stretch of text that is one added token, or ordinary text with id -1.
struct TextSpan {
  std::string_view text;
  int32_t id;
};

class AddedTokenMatcher {
 public:
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);
  bool empty() const { return tokens_.empty(); }

  // Appends the spans of `text` in order; empty ones are left out.
  void split(std::string_view text, std::vector<TextSpan>* out) const;

 private:
  const AddedToken* match(std::string_view text) const;

  std::vector<AddedToken> tokens_;  // by content, bytewise
  bool starts_[256] = {};           // some token starts with this byte
  int only_start_ = -1;             // that byte, where there is just one
};

}  // namespace ember
