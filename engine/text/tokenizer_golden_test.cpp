// SPDX-License-Identifier: Apache-2.0
// Thousands of texts and conversations with what Hugging Face made of them; written by
// scripts/export_tokenizer_golden.py, which says what the columns are.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/text/chat_template.h"
#include "engine/text/stream_decoder.h"
#include "engine/text/tokenizer.h"

namespace ember {
namespace {

using Ids = std::vector<int32_t>;

const std::string kFolder = EMBER_SOURCE_DIR "/golden/tokenizers/qwen3/";

class TokenizerGolden : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    tokenizer_ = Tokenizer::load(kFolder + "tokenizer.json");
    std::ifstream in(kFolder + "sample.json");
    sample_ = nlohmann::json::parse(in);
  }

  static std::shared_ptr<const Tokenizer> tokenizer_;
  static nlohmann::json sample_;
};

std::shared_ptr<const Tokenizer> TokenizerGolden::tokenizer_;
nlohmann::json TokenizerGolden::sample_;

TEST_F(TokenizerGolden, Ids) {
  ASSERT_GE(sample_["texts"].size(), 2000u);
  for (const auto& row : sample_["texts"]) {
    const auto text = row[0].get<std::string>();
    const auto ids = row[1].get<Ids>();
    ASSERT_EQ(tokenizer_->encode(text), ids) << row[0];
    const Ids plain = row[2].is_null() ? ids : row[2].get<Ids>();
    ASSERT_EQ(tokenizer_->encode(text, SpecialTokens::kText), plain) << row[0];
  }
}

TEST_F(TokenizerGolden, DecodedTextWholeAndStreamed) {
  for (const auto& row : sample_["texts"]) {
    const auto ids = row[1].get<Ids>();
    const auto text = row[row[3].is_null() ? 0 : 3].get<std::string>();
    ASSERT_EQ(tokenizer_->decode_text(ids), text) << row[0];
    StreamDecoder stream(*tokenizer_);
    std::string sum;
    for (const int32_t id : ids) {
      sum += stream.push(id);
    }
    ASSERT_EQ(sum + stream.finish(), text) << row[0];
  }
}

TEST_F(TokenizerGolden, Conversations) {
  ASSERT_GE(sample_["chats"].size(), 100u);
  for (const auto& row : sample_["chats"]) {
    const ChatRequest request = parse_chat_json(row[0].get<std::string>(), "sample.json");
    ASSERT_EQ(render_chat(request), row[1].get<std::string>()) << row[0];
    ASSERT_EQ(encode_chat(*tokenizer_, request, SpecialTokens::kParse), row[2].get<Ids>())
        << row[0];
  }
}

TEST_F(TokenizerGolden, TemplateIsQwen3s) {
  EXPECT_EQ(classify_checkpoint_template(kFolder), TemplateKind::kQwen3);
}

}  // namespace
}  // namespace ember
