// SPDX-License-Identifier: Apache-2.0
// A flat hash from strings to ids, for the hundreds of thousands of lookups of a tokenizer's
// loading.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace ember {

inline uint64_t hash_bytes(const char* bytes, size_t size) {
  uint64_t h = size * 0x9E3779B97F4A7C15u;
  const auto mix = [&h](uint64_t word) {
    h = (h ^ word) * 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
  };
  uint64_t word;
  for (; size >= 8; size -= 8, bytes += 8) {
    std::memcpy(&word, bytes, 8);
    mix(word);
  }
  word = 0;
  if (size > 0) {
    std::memcpy(&word, bytes, size);
  }
  mix(word);
  return h * 0x9E3779B97F4A7C15u;
}

// The strings are not owned: they must outlive the index and stay where they are.
class StringIndex {
 public:
  explicit StringIndex(size_t expected) {
    while ((size_t{1} << bits_) < expected * 2) {
      ++bits_;
    }
    slots_.resize(size_t{1} << bits_);
  }

  // False where the string is there already. At most `expected` strings.
  bool insert(std::string_view text, int32_t value) {
    Slot* slot = place(text);
    if (slot->value >= 0) {
      return false;
    }
    *slot = {text, value};
    return true;
  }

  // -1 where absent.
  int32_t find(std::string_view text) const {
    return const_cast<StringIndex*>(this)->place(text)->value;
  }

 private:
  struct Slot {
    std::string_view text;
    int32_t value = -1;
  };
  Slot* place(std::string_view text) {
    const size_t mask = slots_.size() - 1;
    size_t at = hash_bytes(text.data(), text.size()) >> (64 - bits_);
    while (slots_[at].value >= 0 && slots_[at].text != text) {
      at = (at + 1) & mask;
    }
    return &slots_[at];
  }

  int bits_ = 4;
  std::vector<Slot> slots_;
};

}  // namespace ember
