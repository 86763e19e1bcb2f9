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
    entries_.reserve(expected);
  }

  // False where the string is there already. At most `expected` strings.
  bool insert(std::string_view text, int32_t value) {
    Slot* slot = place(text);
    if (slot->entry >= 0) {
      return false;
    }
    *slot = {tag(text), static_cast<int32_t>(entries_.size())};
    entries_.push_back({text, value});
    return true;
  }

  // -1 where absent.
  int32_t find(std::string_view text) const {
    const int32_t entry = const_cast<StringIndex*>(this)->place(text)->entry;
    return entry < 0 ? -1 : entries_[static_cast<size_t>(entry)].value;
  }

 private:
  struct Entry {
    std::string_view text;
    int32_t value;
  };
  // Small, so that a lookup costs one cache miss for the slot and one for the string itself.
  struct Slot {
    uint32_t tag = 0;
    int32_t entry = -1;
  };
  static uint32_t tag(std::string_view text) {
    return static_cast<uint32_t>(hash_bytes(text.data(), text.size()));
  }
  Slot* place(std::string_view text) {
    const uint64_t hash = hash_bytes(text.data(), text.size());
    const size_t mask = slots_.size() - 1;
    size_t at = hash >> (64 - bits_);
    while (slots_[at].entry >= 0 &&
           (slots_[at].tag != static_cast<uint32_t>(hash) ||
            entries_[static_cast<size_t>(slots_[at].entry)].text != text)) {
      at = (at + 1) & mask;
    }
    return &slots_[at];
  }

  int bits_ = 4;
  std::vector<Slot> slots_;
  std::vector<Entry> entries_;
};

}  // namespace ember
