// SPDX-License-Identifier: Apache-2.0
// Each way in which a tokenizer.json can be broken, or step outside the pipeline, and what its
// message must name.
#include "engine/text/tokenizer_file.h"

#include <gtest/gtest.h>

#include <functional>

#include "engine/text/small_tokenizer.h"
#include "engine/text/tokenizer.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

using Json = nlohmann::ordered_json;
using Ids = std::vector<int32_t>;

std::shared_ptr<const Tokenizer> parse(const Json& json) {
  return Tokenizer::parse(json.dump(), "t.json");
}

std::string refusal(const std::string& text) {
  try {
    Tokenizer::parse(text, "t.json");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kBadInput) << e.what();
    return e.what();
  }
  return "accepted";
}

struct Case {
  const char* names;  // what the message must hold
  std::function<void(Json*)> change;
};

TEST(TokenizerFile, SmallOneWorks) {
  const auto t = parse(small_tokenizer_json());
  EXPECT_EQ(t->encode("abc<|end|>bc"), (Ids{258, 259, 257}));
  EXPECT_EQ(t->vocab_size(), 261);
}

TEST(TokenizerFile, MergesAsStringsAreTheSame) {
  Json json = small_tokenizer_json();
  json["model"]["merges"] = {"a b", "b c", "ab c"};
  EXPECT_EQ(parse(json)->encode("abcab"), parse(small_tokenizer_json())->encode("abcab"));
}

TEST(TokenizerFile, RefusesByField) {
  const Case cases[] = {
      {"bogus", [](Json* j) { (*j)["bogus"] = 1; }},
      {"version", [](Json* j) { (*j)["version"] = "2.0"; }},
      {"version", [](Json* j) { j->erase("version"); }},
      {"truncation",
       [](Json* j) {
         (*j)["truncation"] = {{"max_length", 5}};
       }},
      {"padding",
       [](Json* j) {
         (*j)["padding"] = {{"strategy", "BatchLongest"}};
       }},
      {"normalizer is missing", [](Json* j) { j->erase("normalizer"); }},
      {"normalizer.type", [](Json* j) { (*j)["normalizer"]["type"] = "NFKC"; }},
      {"normalizer.strip", [](Json* j) { (*j)["normalizer"]["strip"] = true; }},
      {"pre_tokenizer", [](Json* j) { (*j)["pre_tokenizer"] = nullptr; }},
      {"pre_tokenizer.type", [](Json* j) { (*j)["pre_tokenizer"]["type"] = "Whitespace"; }},
      {"pretokenizers", [](Json* j) { (*j)["pre_tokenizer"]["pretokenizers"].erase(1); }},
      {"pattern.Regex",
       [](Json* j) {
         (*j)["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\p{N}{1,3}";
       }},
      {"behavior",
       [](Json* j) { (*j)["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed"; }},
      {"invert", [](Json* j) { (*j)["pre_tokenizer"]["pretokenizers"][0]["invert"] = true; }},
      {"add_prefix_space",
       [](Json* j) { (*j)["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = true; }},
      {"use_regex", [](Json* j) { (*j)["pre_tokenizer"]["pretokenizers"][1].erase("use_regex"); }},
      {"post_processor", [](Json* j) { (*j)["post_processor"]["type"] = "TemplateProcessing"; }},
      {"decoder", [](Json* j) { (*j)["decoder"] = nullptr; }},
      {"decoder.type", [](Json* j) { (*j)["decoder"]["type"] = "Metaspace"; }},
      {"model is missing", [](Json* j) { j->erase("model"); }},
      {"model", [](Json* j) { (*j)["model"] = 5; }},
      {"model.type", [](Json* j) { (*j)["model"]["type"] = "WordPiece"; }},
      {"model.dropout", [](Json* j) { (*j)["model"]["dropout"] = 0.1; }},
      {"model.unk_token", [](Json* j) { (*j)["model"]["unk_token"] = "ab"; }},
      {"model.continuing_subword_prefix",
       [](Json* j) { (*j)["model"]["continuing_subword_prefix"] = "##"; }},
      {"model.end_of_word_suffix", [](Json* j) { (*j)["model"]["end_of_word_suffix"] = "</w>"; }},
      {"model.byte_fallback", [](Json* j) { (*j)["model"]["byte_fallback"] = true; }},
      {"model.ignore_merges", [](Json* j) { (*j)["model"]["ignore_merges"] = true; }},
      {"model.vocab", [](Json* j) { (*j)["model"].erase("vocab"); }},
      {"model.vocab", [](Json* j) { (*j)["model"]["vocab"] = Json::array(); }},
      {"model.merges", [](Json* j) { (*j)["model"].erase("merges"); }},
      {"model.merges", [](Json* j) { (*j)["model"]["merges"] = Json::object(); }},
      {"model.vocab[\"ab\"]", [](Json* j) { (*j)["model"]["vocab"]["ab"] = "256"; }},
      {"model.vocab[\"ab\"]", [](Json* j) { (*j)["model"]["vocab"]["ab"] = -1; }},
      {"model.vocab[\"ab\"]", [](Json* j) { (*j)["model"]["vocab"]["ab"] = 256.5; }},
      {"model.vocab[\"ab\"]", [](Json* j) { (*j)["model"]["vocab"]["ab"] = nullptr; }},
      {"model.vocab[\"ab\"]", [](Json* j) { (*j)["model"]["vocab"]["ab"] = Json::array(); }},
      {"model.vocab[\"abc\"] is 300", [](Json* j) { (*j)["model"]["vocab"]["abc"] = 300; }},
      {"18446744073709551615",
       [](Json* j) { (*j)["model"]["vocab"]["abc"] = 18446744073709551615u; }},
      {"the id 256 stands twice", [](Json* j) { (*j)["model"]["vocab"]["abc"] = 256; }},
      {"no token for the byte 97",
       [](Json* j) {
         (*j)["model"]["vocab"].erase("a");
         (*j)["model"]["vocab"]["zz"] = 97;
       }},
      {"model.merges[1] names \"zz\"", [](Json* j) { (*j)["model"]["merges"][1][0] = "zz"; }},
      {"model.merges[1] names \"ba\"",
       [](Json* j) {
         (*j)["model"]["merges"][1] = {"b", "a"};
       }},
      {"model.merges[3]: the pair",
       [](Json* j) {
         (*j)["model"]["merges"].push_back({"a", "b"});
       }},
      {"model.merges[0]: one side is empty", [](Json* j) { (*j)["model"]["merges"][0] = "ab "; }},
      {"model.merges[0]", [](Json* j) { (*j)["model"]["merges"][0] = "a b c"; }},
      {"model.merges[0]", [](Json* j) { (*j)["model"]["merges"][0] = Json::array({"a"}); }},
      {"model.merges[0]",
       [](Json* j) {
         (*j)["model"]["merges"][0] = {"a", "b", "c"};
       }},
      {"model.merges", [](Json* j) { (*j)["model"]["merges"][0] = 7; }},
      {"model.merges", [](Json* j) { (*j)["model"]["merges"][0][0] = Json::array(); }},
      {"added_tokens", [](Json* j) { (*j)["added_tokens"] = 1; }},
      {"added_tokens[1].id", [](Json* j) { (*j)["added_tokens"][1]["id"] = 261; }},
      {"added_tokens[1].id", [](Json* j) { (*j)["added_tokens"][1]["id"] = -4; }},
      {"added_tokens[1].id", [](Json* j) { (*j)["added_tokens"][1]["id"] = 4294967556u; }},
      {"added_tokens[1].id", [](Json* j) { (*j)["added_tokens"][1]["content"] = "ab"; }},
      {"added_tokens[1].content", [](Json* j) { (*j)["added_tokens"][1]["content"] = ""; }},
      {"added_tokens[1]: \"<|end|>\" stands twice",
       [](Json* j) { (*j)["added_tokens"][1]["content"] = "<|end|>"; }},
      {"added_tokens[0].single_word",
       [](Json* j) { (*j)["added_tokens"][0]["single_word"] = true; }},
      {"added_tokens[0].lstrip is missing",
       [](Json* j) { (*j)["added_tokens"][0].erase("lstrip"); }},
      {"added_tokens[0].special", [](Json* j) { (*j)["added_tokens"][0]["special"] = 1; }},
      {"single byte",
       [](Json* j) { (*j)["added_tokens"].push_back(added_token_json(97, "a", true)); }},
  };
  for (const Case& c : cases) {
    Json json = small_tokenizer_json();
    c.change(&json);
    const std::string message = refusal(json.dump());
    EXPECT_NE(message.find(c.names), std::string::npos) << c.names << " not in: " << message;
    EXPECT_EQ(message.find("t.json"), 0u) << message;
  }
}

TEST(TokenizerFile, RefusesBrokenJson) {
  const std::string good = small_tokenizer_json().dump();
  EXPECT_NE(refusal("").find("byte"), std::string::npos);
  EXPECT_NE(refusal(good + "x").find("at byte"), std::string::npos);
  EXPECT_NE(refusal("[]").find("expected an object"), std::string::npos);
  EXPECT_NE(refusal("\xFF\xFE").find("byte"), std::string::npos);
  EXPECT_NE(refusal(std::string(100000, '[')).find("nested"), std::string::npos);
  for (size_t cut = 0; cut < good.size(); cut += 7) {
    EXPECT_NE(refusal(good.substr(0, cut)), "accepted") << cut;
  }
}

TEST(TokenizerFile, RefusesDuplicateKeys) {
  std::string twice = small_tokenizer_json().dump();
  twice.insert(1, "\"version\":\"1.0\",");
  EXPECT_NE(refusal(twice).find("\"version\" stands twice"), std::string::npos);
  std::string vocab = small_tokenizer_json().dump();
  vocab.insert(vocab.find("\"ab\":256"), "\"ab\":259,");
  EXPECT_NE(refusal(vocab).find("\"ab\" stands twice"), std::string::npos);
  std::string model = small_tokenizer_json().dump();
  model.insert(model.find("\"vocab\":"), "\"merges\":[],");
  EXPECT_NE(refusal(model).find("\"merges\" stands twice"), std::string::npos);
}

// Every single byte of a good file changed: refused with a message, or still a working tokenizer.
TEST(TokenizerFile, AnyChangedByteIsRefusedOrWorks) {
  const std::string good = small_tokenizer_json().dump();
  int refused = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 7)));
    try {
      const auto t = Tokenizer::parse(bad, "t.json");
      EXPECT_EQ(t->decode(t->encode("abc<x> y")), "abc<x> y") << at;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kBadInput) << e.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(good.size() / 2));
}

TEST(TokenizerFile, LoadNamesTheFile) {
  try {
    Tokenizer::load("/does/not/exist.json");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kBadInput);
    EXPECT_NE(std::string(e.what()).find("/does/not/exist.json"), std::string::npos);
  }
}

TEST(AddedTokens, SideSpacesAndNormalizedOnes) {
  Json json = small_tokenizer_json();
  json["added_tokens"][1]["lstrip"] = true;
  json["added_tokens"][1]["rstrip"] = true;
  json["added_tokens"].push_back(added_token_json(261, "e\u0301", false));
  json["added_tokens"][2]["normalized"] = true;
  const auto t = parse(json);
  EXPECT_EQ(t->encode("a \u2003\n<think>\t b"), (Ids{97, 260, 98}));
  EXPECT_EQ(t->encode("\u00E9a e\u0301"), (Ids{261, 97, 32, 261}));
}

TEST(AddedTokens, LongestOfTheLeftmost) {
  Json json = small_tokenizer_json();
  json["added_tokens"].push_back(added_token_json(261, "<th", false));
  json["added_tokens"].push_back(added_token_json(262, "ink>x", false));
  const auto t = parse(json);
  EXPECT_EQ(t->encode("<think>x"), (Ids{260, 120}));
  EXPECT_EQ(t->encode("<thaink>x"), (Ids{261, 97, 262}));
}

// "ab" and "abc" are added tokens that merges make as well: text never becomes one of them.
TEST(AddedTokens, MergesCannotForgeThem) {
  Json json = small_tokenizer_json();
  json["added_tokens"].push_back(added_token_json(256, "ab", true));
  json["added_tokens"].push_back(added_token_json(258, "abc", true));
  const auto t = parse(json);
  EXPECT_EQ(t->encode("abcab"), (Ids{258, 256}));
  EXPECT_EQ(t->encode("abcab", SpecialTokens::kText), (Ids{97, 98, 99, 97, 98}));
  EXPECT_EQ(t->encode_parts({{"ab", SpecialTokens::kParse}, {"abc", SpecialTokens::kText}}),
            (Ids{256, 97, 98, 99}));
}

// The seam between parts leaves no trace, and a token across it is none.
TEST(EncodeParts, OneTextOutOfParts) {
  const auto t = parse(small_tokenizer_json());
  using Mode = SpecialTokens;
  EXPECT_EQ(t->encode_parts({{"xa", Mode::kParse}, {"bc", Mode::kText}}), (Ids{120, 258}));
  EXPECT_EQ(t->encode_parts({{"<thi", Mode::kParse}, {"nk>", Mode::kText}}),
            t->encode("<think>", Mode::kText));
  EXPECT_EQ(t->encode_parts({{"<think>", Mode::kParse}, {"<think>", Mode::kText}}).size(), 8u);
  EXPECT_EQ(t->encode_parts({}), Ids{});
}

}  // namespace
}  // namespace ember
