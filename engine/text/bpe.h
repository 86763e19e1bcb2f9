// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding of one piece: the pair with the lowest rank merges first, of equal ones the
// leftmost, until none is left (Sennrich et al. 2016; order as Hugging Face `tokenizers`).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ember {

struct Merge {
  int32_t left, right, result;
};

class Bpe {
 public:
  static constexpr int64_t kMaxIds = int64_t{1} << 21;  // what a packed slot can hold

  // byte_ids[b]: the token of byte b. merges in rank order, each pair once, ids in [0, kMaxIds).
  Bpe(const int32_t (&byte_ids)[256], const std::vector<Merge>& merges);

  // Appends the tokens of `size` bytes. O(n^2) up to kShort bytes, O(n log n) above.
  void encode(const char* bytes, int64_t size, std::vector<int32_t>* out) const;

 private:
  static constexpr uint32_t kNone = 0xFFFFFFFF;
  static constexpr int kShort = 128;

  uint32_t rank(int32_t left, int32_t right) const;
  void encode_short(const char* bytes, int size, std::vector<int32_t>* out) const;
  void encode_long(const char* bytes, int64_t size, std::vector<int32_t>* out) const;

  // Open addressing; a slot packs left, right and rank in 21 bits each, so that one cache line
  // decides a lookup. All ones is an empty slot.
  std::vector<uint64_t> slots_;
  uint64_t mask_ = 0;
  int shift_ = 0;
  std::vector<int32_t> results_;      // by rank
  std::vector<uint32_t> byte_ranks_;  // rank of a pair of bytes: 65536 entries
  int32_t byte_ids_[256];
};

}  // namespace ember
