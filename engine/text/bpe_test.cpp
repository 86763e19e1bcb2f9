// SPDX-License-Identifier: Apache-2.0
#include "engine/text/bpe.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace ember {
namespace {

using Ids = std::vector<int32_t>;

struct Table {
  int32_t byte_ids[256];
  std::vector<Merge> merges;
};

// Random merges over few letters, longer ones out of shorter ones; ids of bytes are shuffled.
Table random_table(std::mt19937* random, int letters, int count) {
  Table t;
  for (int b = 0; b < 256; ++b) {
    t.byte_ids[b] = 255 - b;
  }
  Ids tokens;
  for (int i = 0; i < letters; ++i) {
    tokens.push_back(t.byte_ids['a' + i]);
  }
  std::map<std::pair<int32_t, int32_t>, bool> seen;
  for (int32_t next = 256; static_cast<int>(t.merges.size()) < count;) {
    const int32_t left = tokens[(*random)() % tokens.size()];
    const int32_t right = tokens[(*random)() % tokens.size()];
    if (seen.emplace(std::make_pair(left, right), true).second) {
      t.merges.push_back({left, right, next});
      tokens.push_back(next++);
    }
  }
  return t;
}

// The definition: find the best pair, merge its leftmost place, again.
Ids slow(const Table& t, const std::string& text) {
  Ids ids;
  for (const char c : text) {
    ids.push_back(t.byte_ids[static_cast<uint8_t>(c)]);
  }
  for (;;) {
    for (const Merge& m : t.merges) {
      for (size_t i = 0; i + 1 < ids.size(); ++i) {
        if (ids[i] == m.left && ids[i + 1] == m.right) {
          ids[i] = m.result;
          ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(i) + 1);
          goto again;
        }
      }
    }
    return ids;
  again:;
  }
}

// Sizes on both sides of the change from arrays to the heap.
TEST(Bpe, AgreesWithTheDefinition) {
  std::mt19937 random(5);
  for (int round = 0; round < 400; ++round) {
    const int letters = 1 + static_cast<int>(random() % 4);
    const Table t = random_table(&random, letters, static_cast<int>(random() % 40));
    const Bpe bpe(t.byte_ids, t.merges);
    for (const int size : {1, 2, 3, 9, 127, 128, 129, 200}) {
      std::string text;
      for (int i = 0; i < size; ++i) {
        text.push_back(static_cast<char>('a' + random() % static_cast<unsigned>(letters)));
      }
      Ids got = {-7};  // encode appends
      bpe.encode(text.data(), size, &got);
      Ids want = slow(t, text);
      want.insert(want.begin(), -7);
      ASSERT_EQ(got, want) << text;
    }
  }
}

TEST(Bpe, NoMergesGiveBytes) {
  std::mt19937 random(1);
  const Table t = random_table(&random, 1, 0);
  Ids got;
  Bpe(t.byte_ids, t.merges).encode("\x00\xFFz", 3, &got);
  EXPECT_EQ(got, (Ids{255, 0, 255 - 'z'}));
}

}  // namespace
}  // namespace ember
