// SPDX-License-Identifier: Apache-2.0
#include "engine/io/json.h"

#include <cmath>
#include <cstring>
#include <iterator>
#include <unordered_set>

namespace ember {
namespace {

using nlohmann::json;

// Walks the text and tells how far the parser has read, which nlohmann's events do not.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** read) : at_(at), read_(read) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *read_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator& o) const { return at_ == o.at_; }
  bool operator!=(const CountingIterator& o) const { return at_ != o.at_; }

 private:
  const char* at_;
  const char** read_;
};

// First byte of the token that follows `from`: past white space and the separators between tokens.
int64_t next_token(std::string_view text, int64_t from) {
  const size_t at = text.find_first_not_of(" \t\r\n,:", static_cast<size_t>(from));
  return at == std::string_view::npos ? static_cast<int64_t>(text.size())
                                      : static_cast<int64_t>(at);
}

// What nlohmann says, without its own prefix and position.
std::string syntax_message(const json::parse_error& e) {
  std::string what = printable(e.what(), 400);
  const size_t colon = what.find(": ");
  return colon == std::string::npos ? what : what.substr(colon + 2);
}

// Follows the parser's events, refuses duplicate keys and deep nesting.
class Guard {
 public:
  Guard(std::string_view text, const std::string& where, int64_t base, const char* const* read)
      : text_(text), where_(where), base_(base), read_(read) {}

  bool operator()(int, json::parse_event_t event, json& parsed) {
    using Event = json::parse_event_t;
    const int64_t start = next_token(text_, last_end_);
    last_end_ = *read_ - text_.data();
    switch (event) {
      case Event::object_start:
      case Event::array_start:
        if (keys_.size() >= static_cast<size_t>(kMaxJsonDepth)) {
          fail(ErrorKind::kBadInput, where_, ": byte ", base_ + start,
               ": JSON is nested deeper than ", kMaxJsonDepth, " levels");
        }
        keys_.emplace_back();
        break;
      case Event::object_end:
      case Event::array_end:
        keys_.pop_back();
        break;
      case Event::key:
        if (!keys_.back().insert(parsed.get_ref<const std::string&>()).second) {
          fail(ErrorKind::kBadInput, where_, ": byte ", base_ + start, ": duplicate key '",
               printable(parsed.get_ref<const std::string&>()), "'");
        }
        break;
      case Event::value:
        break;
    }
    return true;
  }

 private:
  std::string_view text_;
  const std::string& where_;
  int64_t base_;
  const char* const* read_;
  int64_t last_end_ = 0;
  std::vector<std::unordered_set<std::string>> keys_;
};

// Finds where one value starts. Stops the parse by returning false once it is found.
class JsonLocator {
 public:
  JsonLocator(std::string_view text, const char* const* read,
              const std::vector<std::pair<std::string, int64_t>>& target)
      : text_(text), read_(read), target_(target) {}
  int64_t found() const { return found_; }

  bool null() { return scalar(); }
  bool boolean(bool) { return scalar(); }
  bool number_integer(json::number_integer_t) { return scalar(); }
  bool number_unsigned(json::number_unsigned_t) { return scalar(); }
  bool number_float(json::number_float_t, const std::string&) { return scalar(); }
  bool string(std::string&) { return scalar(); }
  bool binary(json::binary_t&) { return scalar(); }
  bool key(std::string& k) {
    path_.back() = {k, -1};
    mark();
    return true;
  }
  bool start_object(size_t) { return open({"", -1}); }
  bool start_array(size_t) { return open({"", 0}); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  template <class E>
  bool parse_error(size_t, const std::string&, const E&) {
    return false;
  }

 private:
  void mark() { last_end_ = *read_ - text_.data(); }
  bool here() {
    if (path_ == target_) {
      found_ = next_token(text_, last_end_);
      return true;
    }
    return false;
  }
  void step() {
    if (!path_.empty() && path_.back().second >= 0) {
      ++path_.back().second;
    }
  }
  bool scalar() {
    if (here()) {
      return false;
    }
    mark();
    step();
    return true;
  }
  bool open(std::pair<std::string, int64_t> first) {
    if (here()) {
      return false;
    }
    mark();
    path_.push_back(std::move(first));
    return true;
  }
  bool close() {
    mark();
    path_.pop_back();
    step();
    return true;
  }

  std::string_view text_;
  const char* const* read_;
  const std::vector<std::pair<std::string, int64_t>>& target_;
  std::vector<std::pair<std::string, int64_t>> path_;
  int64_t last_end_ = 0;
  int64_t found_ = 0;
};

}  // namespace

JsonDocument::JsonDocument(std::string_view text, std::string where, int64_t base)
    : text_(text), where_(std::move(where)), base_(base) {
  // nlohmann takes a NUL for the end of the text and would ignore what follows.
  if (const void* nul = text.empty() ? nullptr : std::memchr(text.data(), 0, text.size())) {
    fail(ErrorKind::kBadInput, where_, ": byte ",
         base_ + (static_cast<const char*>(nul) - text.data()), ": NUL byte in JSON");
  }
  if (text.compare(0, 3, "\xef\xbb\xbf") == 0) {
    fail(ErrorKind::kBadInput, where_, ": byte ", base_,
         ": a byte order mark stands before the JSON");
  }
  const char* read = text.data();
  Guard guard(text, where_, base_, &read);
  try {
    value_ = json::parse(
        CountingIterator(text.data(), &read), CountingIterator(text.data() + text.size(), &read),
        [&](int depth, json::parse_event_t e, json& j) { return guard(depth, e, j); });
  } catch (const json::parse_error& e) {
    const int64_t at = e.byte == 0 ? 0 : static_cast<int64_t>(e.byte) - 1;
    fail(ErrorKind::kBadInput, where_, ": byte ", base_ + at, ": ", syntax_message(e));
  } catch (const json::out_of_range& e) {  // a number such as 1e999
    fail(ErrorKind::kBadInput, where_, ": byte ", base_ + (read - text.data()),
         ": a number out of range: ", printable(e.what()));
  }
}

JsonNode JsonDocument::root() const {
  return JsonNode(this, &value_, {});
}

int64_t JsonDocument::offset_of(const Path& path) const {
  std::vector<std::pair<std::string, int64_t>> target;
  for (const Step& s : path) {
    target.emplace_back(s.key, s.index);
  }
  const char* read = text_.data();
  JsonLocator locator(text_, &read, target);
  json::sax_parse(CountingIterator(text_.data(), &read),
                  CountingIterator(text_.data() + text_.size(), &read), &locator);
  return base_ + locator.found();
}

JsonNode JsonNode::child(const json& value, JsonDocument::Step step) const {
  JsonDocument::Path path = path_;
  path.push_back(std::move(step));
  return JsonNode(document_, &value, std::move(path));
}

std::optional<JsonNode> JsonNode::find(const std::string& key) const {
  object();
  const auto it = value_->find(key);
  if (it == value_->end()) {
    return std::nullopt;
  }
  return child(*it, {key, -1});
}

std::optional<JsonNode> JsonNode::find_set(const std::string& key) const {
  std::optional<JsonNode> node = find(key);
  return node && !node->is_null() ? node : std::nullopt;
}

JsonNode JsonNode::at(const std::string& key) const {
  std::optional<JsonNode> node = find(key);
  if (!node) {
    fail("no field '", printable(key), "'");
  }
  return *node;
}

JsonNode JsonNode::item(size_t index) const {
  array();
  if (index >= value_->size()) {
    fail("has ", value_->size(), " items, item ", index, " was expected");
  }
  return child((*value_)[index], {"", static_cast<int64_t>(index)});
}

int64_t JsonNode::integer(int64_t min, int64_t max) const {
  // Anything with a sign, a fraction or an exponent, and anything past 2^64, is another JSON type.
  if (!value_->is_number_unsigned()) {
    fail("expected an integer from ", min, " to ", max, ", got ", describe());
  }
  const uint64_t v = value_->get<uint64_t>();
  if (v > static_cast<uint64_t>(kMaxJsonInteger) || static_cast<int64_t>(v) < min ||
      static_cast<int64_t>(v) > max) {
    fail("expected an integer from ", min, " to ", max, ", got ", v);
  }
  return static_cast<int64_t>(v);
}

double JsonNode::number() const {
  if (!value_->is_number() || !std::isfinite(value_->get<double>())) {
    fail("expected a number, got ", describe());
  }
  return value_->get<double>();
}

bool JsonNode::boolean() const {
  if (!value_->is_boolean()) {
    fail("expected true or false, got ", describe());
  }
  return value_->get<bool>();
}

const std::string& JsonNode::string() const {
  if (!value_->is_string()) {
    fail("expected a string, got ", describe());
  }
  return value_->get_ref<const std::string&>();
}

const JsonNode& JsonNode::object() const {
  if (!value_->is_object()) {
    fail("expected an object, got ", describe());
  }
  return *this;
}

const JsonNode& JsonNode::array() const {
  if (!value_->is_array()) {
    fail("expected a list, got ", describe());
  }
  return *this;
}

std::string JsonNode::path() const {
  std::string text;
  for (const JsonDocument::Step& s : path_) {
    if (s.index >= 0) {
      text += "[" + std::to_string(s.index) + "]";
    } else {
      text += (text.empty() ? "" : ".") + printable(s.key);
    }
  }
  return text;
}

std::string JsonNode::describe() const {
  if (value_->is_object()) {
    return "an object";
  }
  if (value_->is_array()) {
    return "a list of " + std::to_string(value_->size());
  }
  return printable(value_->dump(-1, ' ', true, json::error_handler_t::replace), 60);
}

void JsonNode::fail_text(const std::string& text) const {
  const std::string field = path();
  ember::fail(ErrorKind::kBadInput, document_->where_, ": ", field, field.empty() ? "" : " ",
              "(byte ", offset(), "): ", text);
}

std::string printable(std::string_view text, size_t max) {
  static const char* const kHex = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char u = static_cast<unsigned char>(text[i]);
    const unsigned char next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    const bool continues = (u & 0xc0) == 0x80;  // never cut inside a character
    if (out.size() >= max && !continues) {
      return out + "...";
    }
    // U+0080 to U+009F are control characters too, two bytes each in UTF-8.
    const bool second = u == 0xc2 && next >= 0x80 && next < 0xa0;
    if (u < 0x20 || u == 0x7f || second) {
      const unsigned char code = second ? next : u;
      i += second ? 1 : 0;
      out += "\\x";
      out += kHex[code >> 4];
      out += kHex[code & 15];
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace ember
