// SPDX-License-Identifier: Apache-2.0
#include "engine/text/unicode.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/text/pretokenize.h"

namespace ember {
namespace {

std::string nfc(std::string_view text) {
  std::string buffer;
  return std::string(normalize_nfc(text, &buffer));
}

// The definition, character by character: which byte sequences are UTF-8 (RFC 3629).
int slow_length(const std::string& b, size_t at) {
  const auto byte = [&](size_t i) -> unsigned {
    return at + i < b.size() ? static_cast<uint8_t>(b[at + i]) : 0;
  };
  const unsigned lead = byte(0);
  const int n = lead < 0x80       ? 1
                : lead >> 5 == 6  ? 2
                : lead >> 4 == 14 ? 3
                : lead >> 3 == 30 ? 4
                                  : 0;
  if (n <= 1) {
    return n;
  }
  uint32_t code = lead & (0xFFu >> (n + 1));
  for (int i = 1; i < n; ++i) {
    if (byte(static_cast<size_t>(i)) >> 6 != 2) {
      return 0;
    }
    code = code << 6 | (byte(static_cast<size_t>(i)) & 0x3F);
  }
  const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool good = code >= least[n] && code < kCodePoints && (code < 0xD800 || code > 0xDFFF);
  return good ? n : 0;
}

TEST(Utf8, EveryCodePointThereAndBack) {
  for (uint32_t code = 0; code < kCodePoints; ++code) {
    std::string text;
    append_utf8(code, &text);
    const int n = utf8_length(text.data(), static_cast<int64_t>(text.size()));
    if (code >= 0xD800 && code <= 0xDFFF) {
      ASSERT_EQ(n, 0) << code;
    } else {
      ASSERT_EQ(n, static_cast<int>(text.size())) << code;
      ASSERT_EQ(utf8_code(text.data(), n), code);
    }
  }
}

TEST(Utf8, RandomBytesAgreeWithTheDefinition) {
  std::mt19937 random(3);
  for (int round = 0; round < 200000; ++round) {
    std::string text(1 + random() % 6, '\0');
    for (char& c : text) {
      const uint32_t likely[] = {0x80, 0xBF, 0xC2, 0xE0, 0xED, 0xF0, 0xF4, 0x9F, 0xA0, 0x8F, 0x90};
      c = static_cast<char>(random() % 2 != 0 ? likely[random() % 11] : random() % 256);
    }
    ASSERT_EQ(utf8_length(text.data(), static_cast<int64_t>(text.size())), slow_length(text, 0));
    size_t valid = 0;
    while (valid < text.size() && slow_length(text, valid) > 0) {
      valid += static_cast<size_t>(slow_length(text, valid));
    }
    ASSERT_EQ(utf8_valid_prefix(text), static_cast<int64_t>(valid));
  }
}

// Table 3-8 of the Unicode Standard (U+FFFD substitution of maximal subparts) and kin.
TEST(Utf8, LossyReplacesMaximalSubparts) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(utf8_lossy("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"),
            "a" + r + r + r + "b" + r + "c" + r + r + "d");
  EXPECT_EQ(utf8_lossy("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(utf8_lossy("\xED\xA0\x80"), r + r + r);
  EXPECT_EQ(utf8_lossy("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
            r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(utf8_lossy("ok\xE4\xBD"), "ok" + r);
}

TEST(Nfc, CornersOfTheDefinition) {
  EXPECT_EQ(nfc("e\u0301"), "\u00E9");
  EXPECT_EQ(nfc("\u212B"), "\u00C5");              // a singleton
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093C");        // a composition exclusion
  EXPECT_EQ(nfc("\u1100\u1161\u11A8"), "\uAC01");  // Hangul, three jamo
  EXPECT_EQ(nfc("\uAC00\u11A8"), "\uAC01");        // a syllable takes a tail
  EXPECT_EQ(nfc("\uAC01\u11A8"), "\uAC01\u11A8");  // but not a second one
  EXPECT_EQ(nfc("\u1100\uAC00"), "\u1100\uAC00");
  EXPECT_EQ(nfc("q\u0307\u0323"), "q\u0323\u0307");  // reordered, nothing to compose
  EXPECT_EQ(nfc("s\u0307\u0323"), "\u1E69");         // reordered, then composed twice
  EXPECT_EQ(nfc("a\u0300\u0301"), "\u00E0\u0301");   // the second mark is blocked
  EXPECT_EQ(nfc("\u09C7\u09BE"), "\u09CB");          // a starter composes with a starter
  EXPECT_EQ(nfc("\u0301e"), "\u0301e");              // no starter before
  EXPECT_EQ(nfc("q\u0344"), "q\u0308\u0301");
  EXPECT_EQ(nfc("\U0001D15E"), "\U0001D157\U0001D165");
  EXPECT_EQ(nfc(""), "");
  const std::string same = "plain 你好 \u00E9";
  std::string buffer;
  EXPECT_EQ(normalize_nfc(same, &buffer).data(), same.data());  // nothing copied
}

TEST(Nfc, IsIdempotentAndBlindToWhereTextIsCut) {
  std::mt19937 random(11);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (unsigned n = random() % 20; n > 0; --n) {
      const uint32_t bases[] = {'a', 0x300, 0x323, 0x1100, 0x1161, 0x11A8, 0xAC00, 0x9C7, 0x9BE};
      append_utf8(random() % 3 != 0 ? bases[random() % 9] : 0x300 + random() % 0x2000, &text);
    }
    const std::string once = nfc(text);
    ASSERT_EQ(nfc(once), once);
    ASSERT_EQ(nfc(text + " " + text), once + " " + once);
  }
}

std::vector<std::string> pieces(const std::string& text) {
  std::vector<std::string> out;
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    const char* stop = piece_end(at, end, code_classes());
    EXPECT_GT(stop, at);
    out.emplace_back(at, stop);
    at = stop;
  }
  return out;
}

using Pieces = std::vector<std::string>;

// One row for each alternative of the pattern and each way in which they compete.
TEST(Split, TakesPiecesAsThePatternDoes) {
  EXPECT_EQ(pieces("I'm we'LL don't 'tis"),
            (Pieces{"I", "'m", " we", "'LL", " don", "'t", " '", "tis"}));
  EXPECT_EQ(pieces("x'ſy'S"), (Pieces{"x", "'ſ", "y", "'S"}));
  EXPECT_EQ(pieces("Hello, World"), (Pieces{"Hello", ",", " World"}));
  EXPECT_EQ(pieces("\tif(x"), (Pieces{"\tif", "(x"}));
  EXPECT_EQ(pieces("abc123 ½Ⅷ"), (Pieces{"abc", "1", "2", "3", " ", "½", "Ⅷ"}));
  EXPECT_EQ(pieces("a !?\r\n\nb"), (Pieces{"a", " !?\r\n\n", "b"}));
  EXPECT_EQ(pieces("a  \n \n  b"), (Pieces{"a", "  \n \n", " ", " b"}));
  EXPECT_EQ(pieces("a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(pieces("a   "), (Pieces{"a", "   "}));
  EXPECT_EQ(pieces("a\u3000\u3000b"), (Pieces{"a", "\u3000", "\u3000b"}));
  EXPECT_EQ(pieces("a  1"), (Pieces{"a", " ", " ", "1"}));
  EXPECT_EQ(pieces("\n你好"), (Pieces{"\n", "你好"}));
  EXPECT_EQ(pieces("'"), (Pieces{"'"}));
}

}  // namespace
}  // namespace ember
