// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/stop_matcher.h"

#include <gtest/gtest.h>

#include "kernels/base/error.h"
#include "kernels/base/rng.h"

namespace ember {
namespace {

// What a reader of the whole text would say: stop at the first byte where some string is complete.
std::string cut(const std::string& text, const std::vector<std::string>& stops, bool* stopped) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& s : stops) {
      if (s.size() <= end && text.compare(end - s.size(), s.size(), s) == 0) {
        longest = std::max(longest, s.size());
      }
    }
    if (longest > 0) {
      *stopped = true;
      return text.substr(0, end - longest);
    }
  }
  *stopped = false;
  return text;
}

TEST(StopMatcher, HoldsBackWhatCouldBecomeAStop) {
  StopMatcher m({"END"});
  EXPECT_EQ(m.push("say E"), "say ");
  EXPECT_EQ(m.push("N"), "");
  EXPECT_EQ(m.push("E"), "EN");  // only the second E can begin it now
  EXPECT_EQ(m.push("ND tail"), "");
  EXPECT_TRUE(m.stopped());
  EXPECT_EQ(m.matched(), "END");
  EXPECT_EQ(m.push("more"), "");
  EXPECT_EQ(m.finish(), "");
}

TEST(StopMatcher, FinishGivesWhatWasHeld) {
  StopMatcher m({"END"});
  EXPECT_EQ(m.push("EN"), "");
  EXPECT_EQ(m.finish(), "EN");
  EXPECT_FALSE(m.stopped());
}

TEST(StopMatcher, NoStopsHoldNothing) {
  StopMatcher m({});
  EXPECT_EQ(m.push("abc"), "abc");
  EXPECT_EQ(m.finish(), "");
}

// 20 000 random texts over a small alphabet in random pieces against the whole-text rule.
TEST(StopMatcher, PiecesNeverChangeTheOutcome) {
  uint64_t draw = 0;
  const auto pick = [&draw](int n) { return static_cast<int>(uniform(5, draw++) * n); };
  const auto word = [&](int longest) {
    std::string s;
    for (int n = pick(longest) + 1; n > 0; --n) {
      s += "abc"[pick(3)];
    }
    return s;
  };
  int stops_seen = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> stops;
    for (int n = pick(3) + 1; n > 0; --n) {
      stops.push_back(word(6));
    }
    const std::string text = word(24);
    StopMatcher m(stops);
    std::string shown;
    for (size_t i = 0; i < text.size();) {
      const size_t n = static_cast<size_t>(pick(5)) + 1;
      shown += m.push(text.substr(i, n));
      i += n;
    }
    shown += m.finish();
    bool stopped = false;
    ASSERT_EQ(shown, cut(text, stops, &stopped)) << text;
    ASSERT_EQ(m.stopped(), stopped) << text;
    stops_seen += stopped;
  }
  EXPECT_GT(stops_seen, 5000);
  EXPECT_LT(stops_seen, 19000);
}

TEST(StopMatcher, RefusesEmptyAndHalfCharacters) {
  EXPECT_THROW(StopMatcher({""}), Error);
  EXPECT_THROW(StopMatcher({"\x80x"}), Error);
  EXPECT_NO_THROW(StopMatcher({"\xE4\xBD\xA0"}));
}

}  // namespace
}  // namespace ember
