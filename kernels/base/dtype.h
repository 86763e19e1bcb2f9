// SPDX-License-Identifier: Apache-2.0
// The element types, in one table: enumerator, bytes per element, name used in messages and flags,
// name in a safetensors header. A new type is one row here plus its conversions in half.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ember {

#define EMBER_DTYPES(X)       \
  X(kF32, 4, "fp32", "F32")   \
  X(kF16, 2, "fp16", "F16")   \
  X(kBF16, 2, "bf16", "BF16") \
  X(kI32, 4, "int32", "I32")

enum class DType : uint8_t {
#define X(id, bytes, name, st) id,
  EMBER_DTYPES(X)
#undef X
};

inline constexpr int64_t dtype_bytes(DType t) {
  switch (t) {
#define X(id, bytes, name, st) \
  case DType::id:              \
    return bytes;
    EMBER_DTYPES(X)
#undef X
  }
  return 0;
}

inline constexpr const char* dtype_name(DType t) {
  switch (t) {
#define X(id, bytes, name, st) \
  case DType::id:              \
    return name;
    EMBER_DTYPES(X)
#undef X
  }
  return "?";
}

inline constexpr const char* safetensors_name(DType t) {
  switch (t) {
#define X(id, bytes, name, st) \
  case DType::id:              \
    return st;
    EMBER_DTYPES(X)
#undef X
  }
  return "?";
}

// nullopt when the name is none of the table's safetensors names.
inline std::optional<DType> dtype_from_safetensors(std::string_view text) {
#define X(id, bytes, name, st) \
  if (text == st) {            \
    return DType::id;          \
  }
  EMBER_DTYPES(X)
#undef X
  return std::nullopt;
}

}  // namespace ember
