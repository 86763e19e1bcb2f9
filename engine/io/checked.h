// SPDX-License-Identifier: Apache-2.0
// Arithmetic on numbers that came from a file. No raw `*` or `+` may touch such a number.
#pragma once

#include <cstdint>
#include <optional>

namespace ember {

inline std::optional<int64_t> checked_mul(int64_t a, int64_t b) {
  int64_t r;
  return __builtin_mul_overflow(a, b, &r) ? std::nullopt : std::optional<int64_t>(r);
}

inline std::optional<int64_t> checked_add(int64_t a, int64_t b) {
  int64_t r;
  return __builtin_add_overflow(a, b, &r) ? std::nullopt : std::optional<int64_t>(r);
}

}  // namespace ember
