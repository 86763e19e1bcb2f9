// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/io/json.h"

namespace ember {

// A field that holds one token id or a list of them; none when it is absent.
inline std::vector<int32_t> read_token_ids(const std::optional<JsonNode>& node) {
  constexpr int64_t kMax = (int64_t{1} << 31) - 1;
  std::vector<int32_t> ids;
  if (!node) {
    return ids;
  }
  if (!node->is_array()) {
    ids.push_back(static_cast<int32_t>(node->integer(0, kMax)));
    return ids;
  }
  for (size_t i = 0; i < node->size(); ++i) {
    ids.push_back(static_cast<int32_t>(node->item(i).integer(0, kMax)));
  }
  return ids;
}

}  // namespace ember
