// SPDX-License-Identifier: Apache-2.0
#include "engine/text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "engine/text/stream_decoder.h"
#include "engine/text/unicode.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

using Ids = std::vector<int32_t>;

const Tokenizer& qwen() {
  static const auto tokenizer =
      Tokenizer::load(EMBER_SOURCE_DIR "/golden/tokenizers/qwen3/tokenizer.json");
  return *tokenizer;
}

// Ids that Hugging Face gives; the frozen sample has thousands more.
TEST(Tokenizer, EncodesAsHuggingFace) {
  EXPECT_EQ(qwen().encode("Hello, my name is"), (Ids{9707, 11, 847, 829, 374}));
  EXPECT_EQ(qwen().encode("<|im_start|>user\nhi<|im_end|>"), (Ids{151644, 872, 198, 6023, 151645}));
  EXPECT_EQ(qwen().encode(""), Ids{});
  EXPECT_EQ(qwen().vocab_size(), 151669);
}

TEST(Tokenizer, TextCannotForgeControlTokens) {
  for (int32_t id = 151643; id < 151669; ++id) {
    ASSERT_TRUE(qwen().is_added(id));
    const std::string text = "a" + qwen().token(id) + "b";
    const Ids parsed = qwen().encode(text, SpecialTokens::kParse);
    EXPECT_NE(std::find(parsed.begin(), parsed.end(), id), parsed.end()) << text;
    const Ids plain = qwen().encode(text, SpecialTokens::kText);
    for (const int32_t got : plain) {
      EXPECT_FALSE(qwen().is_added(got)) << text;
    }
    EXPECT_EQ(qwen().decode(plain), text);
  }
}

TEST(Tokenizer, BytesOutsideUtf8BecomeTheirTokens) {
  const std::string cases[] = {"\xFF",
                               "a\x80z",
                               "\xED\xA0\x80",
                               "\xC0\xAF",
                               "\xF4\x90\x80\x80",
                               "caf\xC3",
                               std::string("\0\xE4\xBD", 3),
                               "\xE4\xBD\xA0\xE4"};
  for (const std::string& text : cases) {
    EXPECT_EQ(qwen().decode(qwen().encode(text)), text);
  }
  const Ids ff = qwen().encode("\xFF");
  ASSERT_EQ(ff.size(), 1u);
  EXPECT_EQ(qwen().token(ff[0]), "\xFF");
  EXPECT_EQ(qwen().decode_text(ff), "\xEF\xBF\xBD");
}

TEST(Tokenizer, LongRunsAreQuick) {
  for (const char* unit : {"a", " ", "\n", "\xCC\x81", "\xE4\xBD\xA0", "!", "ab", "'", "<"}) {
    std::string text;
    while (text.size() < 1000000) {
      text += unit;
    }
    const auto start = std::chrono::steady_clock::now();
    const Ids ids = qwen().encode(text);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_LT(took.count(), 20.0) << unit;  // quadratic work would take minutes
    EXPECT_EQ(qwen().decode(ids), text) << unit;
  }
}

// Threads share a tokenizer, and one thread's word cache changes hands between two.
TEST(Tokenizer, ThreadsAndSeveralTokenizers) {
  const std::string text = "the cat the dog naïve 你好 <|im_end|> the the 12345";
  const auto bytes = Tokenizer::bytes(300);
  const Ids want = qwen().encode(text), want_bytes = bytes->encode(text);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        wrong += qwen().encode(text) == want ? 0 : 1;
        wrong += bytes->encode(text) == want_bytes ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
}

TEST(Tokenizer, DecodeNamesAnIdThatDoesNotExist) {
  for (const int32_t id : {-1, 151669, INT32_MAX}) {
    try {
      qwen().token(id);
      FAIL() << id;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage);
      EXPECT_NE(std::string(e.what()).find(std::to_string(id)), std::string::npos) << e.what();
    }
  }
}

TEST(Tokenizer, FindsTokensByText) {
  EXPECT_EQ(qwen().find("<|im_end|>"), 151645);
  EXPECT_EQ(qwen().find("<think>"), 151667);
  EXPECT_EQ(qwen().find(" name"), 829);
  EXPECT_EQ(qwen().find("no such token at all"), std::nullopt);
  EXPECT_EQ(qwen().find(""), std::nullopt);
}

TEST(Tokenizer, SkipsSpecialTokensOnly) {
  const Ids ids = qwen().encode("<|im_start|><think>x</think><|im_end|>");
  EXPECT_EQ(qwen().decode(ids), "<|im_start|><think>x</think><|im_end|>");
  EXPECT_EQ(qwen().decode(ids, true), "<think>x</think>");
}

TEST(Tokenizer, BytesForModelsWithoutOne) {
  const auto bytes = Tokenizer::bytes(1000);
  EXPECT_EQ(bytes->encode("A\xFFz"), (Ids{65, 255, 122}));
  EXPECT_EQ(bytes->decode(Ids{72, 105}), "Hi");
  EXPECT_EQ(bytes->token(999), "\u27E8999\u27E9");
  EXPECT_THROW(bytes->token(1000), Error);
  EXPECT_THROW(Tokenizer::bytes(255), Error);
}

TEST(StreamDecoder, NeverHalfACharacter) {
  const std::string text =
      "héllo 你好 🧑‍🚀🇪🇺 𝔘 e\u0301 क्षि ก็ \u200d ok";
  const auto bytes = Tokenizer::bytes(256);
  for (const Tokenizer* tokenizer : {bytes.get(), &qwen()}) {
    const Ids ids = tokenizer->encode(text);
    StreamDecoder stream(*tokenizer);
    std::string sum;
    for (const int32_t id : ids) {
      const std::string part = stream.push(id);
      EXPECT_EQ(utf8_valid_prefix(part), static_cast<int64_t>(part.size()));
      sum += part;
    }
    EXPECT_EQ(sum + stream.finish(), tokenizer->decode(ids));
  }
}

// Any ids: the sum equals decode, or decode_text where broken characters are replaced.
TEST(StreamDecoder, RandomIdsSumToTheWhole) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    Ids ids(random() % 40);
    for (int32_t& id : ids) {
      id = static_cast<int32_t>(random() % (random() % 2 != 0 ? 256 : 151669));
    }
    StreamDecoder keep(qwen()), replace(qwen(), false, StreamDecoder::Broken::kReplace);
    std::string kept, replaced;
    for (const int32_t id : ids) {
      kept += keep.push(id);
      const std::string part = replace.push(id);
      EXPECT_EQ(utf8_valid_prefix(part), static_cast<int64_t>(part.size()));
      replaced += part;
    }
    EXPECT_EQ(kept + keep.finish(), qwen().decode(ids));
    EXPECT_EQ(replaced + replace.finish(), qwen().decode_text(ids));
  }
}

TEST(StreamDecoder, PaddingIdsReadAsNothing) {
  StreamDecoder stream(qwen());
  EXPECT_EQ(stream.push(151900), "");
  EXPECT_EQ(stream.push(9707), "Hello");
  EXPECT_THROW(stream.push(-1), Error);
}

}  // namespace
}  // namespace ember
