// SPDX-License-Identifier: Apache-2.0
// JSON from outside, read with suspicion. Refused with file, field and byte offset: syntax errors,
// text that is not UTF-8, NUL bytes, duplicate keys (two parsers would disagree on which one
// counts), nesting deeper than kMaxJsonDepth. Depth costs heap, not stack.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/error.h"

namespace ember {

inline constexpr int kMaxJsonDepth = 64;
inline constexpr int64_t kMaxJsonInteger = int64_t{1} << 53;  // beyond it readers disagree

class JsonNode;

class JsonDocument {
 public:
  // Parses `text`, which must outlive the document and its nodes. `where` (a path) opens every
  // message; `base` is added to every byte offset, for JSON inside a larger file.
  // Throws Error{kBadInput}.
  JsonDocument(std::string_view text, std::string where, int64_t base = 0);

  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;

  JsonNode root() const;
  const nlohmann::json& value() const { return value_; }
  const std::string& where() const { return where_; }

 private:
  friend class JsonNode;
  // A step from a value to one of its children: a key, or an index when `index` >= 0.
  struct Step {
    std::string key;
    int64_t index = -1;
    bool operator==(const Step& o) const { return index == o.index && key == o.key; }
  };
  using Path = std::vector<Step>;
  // Byte offset of the value at `path`; found by a second pass, made only to report an error.
  int64_t offset_of(const Path& path) const;

  std::string_view text_;
  std::string where_;
  int64_t base_;
  nlohmann::json value_;
};

// A value and how it was reached. The getters throw Error{kBadInput} naming file, field and offset.
class JsonNode {
 public:
  const nlohmann::json& value() const { return *value_; }
  bool is_null() const { return value_->is_null(); }
  bool is_object() const { return value_->is_object(); }
  bool is_array() const { return value_->is_array(); }

  std::optional<JsonNode> find(const std::string& key) const;      // nullopt when absent
  std::optional<JsonNode> find_set(const std::string& key) const;  // ... or null
  JsonNode at(const std::string& key) const;
  JsonNode item(size_t index) const;
  size_t size() const { return value_->size(); }

  // An integer written without sign, fraction or exponent, in [min, max].
  int64_t integer(int64_t min = 0, int64_t max = kMaxJsonInteger) const;
  double number() const;  // integer or real; always finite
  bool boolean() const;
  const std::string& string() const;
  const JsonNode& object() const;  // *this, checked
  const JsonNode& array() const;

  std::string path() const;  // "rope_scaling.factor", "shape[1]"
  int64_t offset() const { return document_->offset_of(path_); }
  std::string describe() const;  // the value, shortened, for a message

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    std::ostringstream out;
    (out << ... << parts);
    fail_text(out.str());
  }

 private:
  friend class JsonDocument;
  JsonNode(const JsonDocument* document, const nlohmann::json* value, JsonDocument::Path path)
      : document_(document), value_(value), path_(std::move(path)) {}
  JsonNode child(const nlohmann::json& value, JsonDocument::Step step) const;
  [[noreturn]] void fail_text(const std::string& text) const;

  const JsonDocument* document_;
  const nlohmann::json* value_;
  JsonDocument::Path path_;
};

// `text` made printable and at most `max` bytes long: names from a file go through this before they
// reach a terminal.
std::string printable(std::string_view text, size_t max = 120);

}  // namespace ember
