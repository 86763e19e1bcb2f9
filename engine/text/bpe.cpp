// SPDX-License-Identifier: Apache-2.0
#include "engine/text/bpe.h"

#include <algorithm>
#include <functional>

#include "kernels/base/error.h"

namespace ember {
namespace {

constexpr int kFieldBits = 21;
constexpr uint64_t kEmpty = ~uint64_t{0};
constexpr uint64_t kFieldMask = (uint64_t{1} << kFieldBits) - 1;

uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << kFieldBits |
         static_cast<uint32_t>(right);
}

uint64_t spread(uint64_t key) {
  return key * 0x9E3779B97F4A7C15u;
}

}  // namespace

Bpe::Bpe(const int32_t (&byte_ids)[256], const std::vector<Merge>& merges)
    : byte_ranks_(65536, kNone) {
  EMBER_CHECK(static_cast<int64_t>(merges.size()) < kMaxIds, merges.size(), " merges");
  std::copy(std::begin(byte_ids), std::end(byte_ids), byte_ids_);
  int bits = 4;
  while ((size_t{1} << bits) < merges.size() * 3 / 2) {
    ++bits;
  }
  slots_.assign(size_t{1} << bits, kEmpty);
  mask_ = slots_.size() - 1;
  shift_ = 64 - bits;
  results_.reserve(merges.size());
  for (const Merge& m : merges) {
    const uint64_t key = pair_key(m.left, m.right);
    uint64_t at = spread(key) >> shift_;
    while (slots_[at] != kEmpty) {
      at = (at + 1) & mask_;
    }
    slots_[at] = key << kFieldBits | results_.size();
    results_.push_back(m.result);
  }
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      byte_ranks_[static_cast<size_t>(a * 256 + b)] = rank(byte_ids_[a], byte_ids_[b]);
    }
  }
}

uint32_t Bpe::rank(int32_t left, int32_t right) const {
  const uint64_t key = pair_key(left, right);
  uint64_t at = spread(key) >> shift_;
  while (slots_[at] != kEmpty) {
    if (slots_[at] >> kFieldBits == key) {
      return static_cast<uint32_t>(slots_[at] & kFieldMask);
    }
    at = (at + 1) & mask_;
  }
  return kNone;
}

void Bpe::encode(const char* bytes, int64_t size, std::vector<int32_t>* out) const {
  if (size <= kShort) {
    encode_short(bytes, static_cast<int>(size), out);
  } else {
    encode_long(bytes, size, out);
  }
}

// ranks[i] belongs to the pair (ids[i], ids[i + 1]); the arrays close up at each merge.
void Bpe::encode_short(const char* bytes, int size, std::vector<int32_t>* out) const {
  int32_t ids[kShort];
  uint32_t ranks[kShort];
  const auto* b = reinterpret_cast<const unsigned char*>(bytes);
  for (int i = 0; i < size; ++i) {
    ids[i] = byte_ids_[b[i]];
    ranks[i] = i + 1 < size ? byte_ranks_[static_cast<size_t>(b[i] * 256 + b[i + 1])] : kNone;
  }
  int n = size;
  while (n > 1) {
    int best = 0;
    for (int i = 1; i + 1 < n; ++i) {
      best = ranks[i] < ranks[best] ? i : best;
    }
    if (ranks[best] == kNone) {
      break;
    }
    ids[best] = results_[ranks[best]];
    --n;
    for (int i = best + 1; i < n; ++i) {
      ids[i] = ids[i + 1];
      ranks[i] = ranks[i + 1];
    }
    ranks[best] = best + 1 < n ? rank(ids[best], ids[best + 1]) : kNone;
    if (best > 0) {
      ranks[best - 1] = rank(ids[best - 1], ids[best]);
    }
  }
  out->insert(out->end(), ids, ids + n);
}

// A heap of (rank, position) over a doubly linked list. An entry is stale when its left symbol is
// gone or no longer makes that rank with its neighbour; stale entries are dropped when they
// surface.
void Bpe::encode_long(const char* bytes, int64_t size, std::vector<int32_t>* out) const {
  struct Symbol {
    int32_t id;
    int32_t previous, next;  // -1 at the ends
    uint32_t rank;           // with the next symbol
  };
  if (size > INT32_MAX) {
    fail(ErrorKind::kBadInput, "text: one word of ", size, " bytes; at most ", INT32_MAX);
  }
  const auto n = static_cast<int32_t>(size);
  const auto* b = reinterpret_cast<const unsigned char*>(bytes);
  std::vector<Symbol> symbols(static_cast<size_t>(n));
  std::vector<uint64_t> heap;
  const auto entry = [](uint32_t rank, int32_t at) {
    return static_cast<uint64_t>(rank) << 32 | static_cast<uint32_t>(at);
  };
  for (int32_t i = 0; i < n; ++i) {
    const bool last = i + 1 == n;
    const uint32_t r = last ? kNone : byte_ranks_[static_cast<size_t>(b[i] * 256 + b[i + 1])];
    symbols[static_cast<size_t>(i)] = {byte_ids_[b[i]], i - 1, last ? -1 : i + 1, r};
    if (r != kNone) {
      heap.push_back(entry(r, i));
    }
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto renew = [&](int32_t at) {
    Symbol& s = symbols[static_cast<size_t>(at)];
    s.rank = s.next < 0 ? kNone : rank(s.id, symbols[static_cast<size_t>(s.next)].id);
    if (s.rank != kNone) {
      heap.push_back(entry(s.rank, at));
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
    }
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const auto at = static_cast<int32_t>(heap.back() & 0xFFFFFFFF);
    const auto r = static_cast<uint32_t>(heap.back() >> 32);
    heap.pop_back();
    Symbol& s = symbols[static_cast<size_t>(at)];
    if (s.rank != r) {
      continue;
    }
    Symbol& eaten = symbols[static_cast<size_t>(s.next)];
    eaten.rank = kNone;
    s.id = results_[r];
    s.next = eaten.next;
    if (s.next >= 0) {
      symbols[static_cast<size_t>(s.next)].previous = at;
    }
    renew(at);
    if (s.previous >= 0) {
      renew(s.previous);
    }
  }
  for (int32_t i = 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    out->push_back(symbols[static_cast<size_t>(i)].id);
  }
}

}  // namespace ember
