// SPDX-License-Identifier: Apache-2.0
#include "engine/text/added_tokens.h"

#include <algorithm>
#include <cstring>

#include "engine/text/unicode.h"

namespace ember {
namespace {

uint8_t byte_at(std::string_view text, size_t i) {
  return static_cast<uint8_t>(text[i]);
}

// Length of the white space that `text` starts with.
size_t leading_space(std::string_view text) {
  const uint8_t* classes = code_classes();
  size_t at = 0;
  while (at < text.size()) {
    const int n = utf8_length(text.data() + at, static_cast<int64_t>(text.size() - at));
    if (n == 0 || (classes[utf8_code(text.data() + at, n)] & kSpace) == 0) {
      break;
    }
    at += static_cast<size_t>(n);
  }
  return at;
}

// Where the white space that `text` ends with starts, looking back to `from` at most.
size_t trailing_space(std::string_view text, size_t from) {
  const uint8_t* classes = code_classes();
  size_t at = text.size();
  while (at > from) {
    size_t start = at - 1;
    while (start > from && (byte_at(text, start) & 0xC0) == 0x80) {
      --start;
    }
    const int n = utf8_length(text.data() + start, static_cast<int64_t>(at - start));
    if (n == 0 || start + static_cast<size_t>(n) != at ||
        (classes[utf8_code(text.data() + start, n)] & kSpace) == 0) {
      break;
    }
    at = start;
  }
  return at;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  int kinds = 0;
  for (const AddedToken& token : tokens_) {
    bool* start = &starts_[byte_at(token.content, 0)];
    kinds += *start ? 0 : 1;
    *start = true;
    only_start_ = byte_at(token.content, 0);
  }
  only_start_ = kinds == 1 ? only_start_ : -1;
}

// Narrows the sorted list byte by byte; the longest content that `text` starts with.
const AddedToken* AddedTokenMatcher::match(std::string_view text) const {
  auto low = tokens_.begin();
  auto high = tokens_.end();
  const AddedToken* best = nullptr;
  for (size_t depth = 0; depth < text.size(); ++depth) {
    const uint8_t want = byte_at(text, depth);
    low = std::partition_point(low, high, [&](const AddedToken& t) {
      return t.content.size() <= depth || byte_at(t.content, depth) < want;
    });
    high = std::partition_point(
        low, high, [&](const AddedToken& t) { return byte_at(t.content, depth) == want; });
    if (low == high) {
      break;
    }
    if (low->content.size() == depth + 1) {
      best = &*low;
    }
  }
  return best;
}

void AddedTokenMatcher::split(std::string_view text, std::vector<TextSpan>* out) const {
  size_t done = 0;  // text before this is in *out
  for (size_t at = 0; at < text.size();) {
    if (only_start_ >= 0) {
      const void* hit = std::memchr(text.data() + at, only_start_, text.size() - at);
      if (hit == nullptr) {
        break;
      }
      at = static_cast<size_t>(static_cast<const char*>(hit) - text.data());
    } else if (!starts_[byte_at(text, at)]) {
      ++at;
      continue;
    }
    const AddedToken* token = match(text.substr(at));
    if (token == nullptr) {
      ++at;
      continue;
    }
    size_t start = at;
    size_t stop = at + token->content.size();
    at = stop;
    if (token->lstrip) {
      start = std::max(done, trailing_space(text.substr(0, start), std::min(done, start)));
    }
    if (token->rstrip) {
      stop += leading_space(text.substr(stop));
    }
    if (done < start) {
      out->push_back({text.substr(done, start - done), -1});
    }
    out->push_back({{}, token->id});
    done = stop;
  }
  if (done < text.size()) {
    out->push_back({text.substr(done), -1});
  }
}

}  // namespace ember
