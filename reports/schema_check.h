// SPDX-License-Identifier: Apache-2.0
// Judges JSON by a JSON Schema (2020-12): the part of it that schema.json uses, so that the file
// which outsiders validate with is the one that the reader obeys. A keyword outside that part is an
// internal error, never ignored.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace ember::report {

struct SchemaFault {
  std::vector<std::variant<std::string, size_t>> path;  // keys and indices from the root
  std::string text;                                     // "expected an integer"
};

// The first fault of `value`, or nothing. `root` is the whole schema.
std::optional<SchemaFault> check_schema(const nlohmann::json& value, const nlohmann::json& root);

// reports/schema.json, parsed once.
const nlohmann::json& report_schema();

}  // namespace ember::report
