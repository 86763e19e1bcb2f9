// SPDX-License-Identifier: Apache-2.0
// Pieces of text seen before and their ids: direct-mapped, one 64-byte line an entry, the newer
// piece replaces the older. Natural text repeats its words, so most pieces need no merging.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "engine/text/string_index.h"

namespace ember {

class WordCache {
 public:
  static constexpr int kMaxBytes = 30;
  static constexpr int kMaxIds = 8;

  WordCache() : entries_(std::make_unique<Entry[]>(kEntries)) {}

  // An entry belongs to one tokenizer, named by a number that is never used again.
  void use(uint64_t owner) {
    if (owner_ != owner) {
      std::memset(static_cast<void*>(entries_.get()), 0, kEntries * sizeof(Entry));
      owner_ = owner;
    }
  }

  // `encode(bytes, size, out)` appends the ids of a piece that is not here.
  template <class Encode>
  void append(const char* bytes, int64_t size, std::vector<int32_t>* out, const Encode& encode) {
    if (size > kMaxBytes) {
      encode(bytes, size, out);
      return;
    }
    const auto n = static_cast<size_t>(size);
    Entry& e = entries_[hash_bytes(bytes, n) >> (64 - kBits)];
    if (e.size == n && std::memcmp(e.bytes, bytes, n) == 0) {
      out->insert(out->end(), e.ids, e.ids + e.count);
      return;
    }
    const size_t first = out->size();
    encode(bytes, size, out);
    const size_t count = out->size() - first;
    if (count <= kMaxIds) {
      e.size = static_cast<uint8_t>(n);
      e.count = static_cast<uint8_t>(count);
      std::memcpy(e.bytes, bytes, n);
      std::memcpy(e.ids, out->data() + first, count * sizeof(int32_t));
    }
  }

 private:
  static constexpr int kBits = 14;
  static constexpr size_t kEntries = size_t{1} << kBits;
  struct alignas(64) Entry {
    uint8_t size, count;  // size 0 marks a free entry: pieces are never empty
    char bytes[kMaxBytes];
    int32_t ids[kMaxIds];
  };
  static_assert(sizeof(Entry) == 64, "one cache line");

  std::unique_ptr<Entry[]> entries_;
  uint64_t owner_ = 0;
};

}  // namespace ember
