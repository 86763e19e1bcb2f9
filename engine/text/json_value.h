// SPDX-License-Identifier: Apache-2.0
// JSON that is read to be written again as Python's json.dumps(x, ensure_ascii=False) writes it:
// member order kept, whole numbers of any length, floats as Python's repr, ", " and ": " between.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ember {

struct JsonValue {
  enum class Kind { kNull, kBoolean, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  std::string text;  // a string's value; null, booleans and numbers as Python writes them
  std::vector<JsonValue> items;                            // of an array
  std::vector<std::pair<std::string, JsonValue>> members;  // of an object

  // nullptr where an object lacks the member; not an object: nullptr too.
  const JsonValue* find(std::string_view name) const;
  const char* kind_name() const;  // "a string", for messages
};

// Throws kBadInput naming `where` and the byte offset; duplicate members and depth over 64 too.
JsonValue parse_json_value(std::string_view json, const std::string& where);

std::string python_json(const JsonValue& value);

// Python's repr of a finite double: shortest digits that read back the same.
std::string python_float(double value);

}  // namespace ember
