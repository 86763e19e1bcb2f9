// SPDX-License-Identifier: Apache-2.0
#include "engine/io/json.h"

#include <gtest/gtest.h>

namespace ember {
namespace {

std::string refusal(const std::string& text) {
  try {
    JsonDocument(text, "x.json");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kBadInput);
    return e.what();
  }
  return "accepted";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Json, ReadsValues) {
  const std::string text = R"( {"a": [1, {"b": "x"}], "c": 2.5, "d": true, "e": null} )";
  const JsonDocument document(text, "x.json");
  const JsonNode root = document.root();
  EXPECT_EQ(root.at("a").item(0).integer(), 1);
  EXPECT_EQ(root.at("a").item(1).at("b").string(), "x");
  EXPECT_EQ(root.at("c").number(), 2.5);
  EXPECT_TRUE(root.at("d").boolean());
  EXPECT_TRUE(root.find("e") && !root.find_set("e") && !root.find("f"));
}

// The offset of a value is where its text starts, whatever stands around it.
TEST(Json, OffsetsPointAtTheValue) {
  const std::string text =
      "{ \"k\\u0041\" :\n [12 , -3,\"s\" , [ ], {\"q\":{}} , 7],\t\"z\":false}";
  const JsonDocument document(text, "x.json");
  const JsonNode list = document.root().at("kA");
  EXPECT_EQ(document.root().offset(), 0);
  const auto starts = [&](const JsonNode& node, const std::string& token) {
    EXPECT_EQ(text.substr(static_cast<size_t>(node.offset()), token.size()), token) << node.path();
  };
  starts(list, "[12");
  starts(list.item(0), "12");
  starts(list.item(1), "-3");
  starts(list.item(2), "\"s\"");
  starts(list.item(3), "[ ]");
  starts(list.item(4), "{\"q\"");
  starts(list.item(4).at("q"), "{}");
  starts(list.item(5), "7");
  starts(document.root().at("z"), "false");
  const JsonDocument inner(text, "x.json", 1000);
  EXPECT_EQ(inner.root().at("z").offset(), document.root().at("z").offset() + 1000);
}

TEST(Json, MessagesNameFileFieldOffsetAndValue) {
  const std::string text = R"({"rope": {"factors": [1, "two"]}})";
  const JsonDocument document(text, "dir/config.json");
  try {
    document.root().at("rope").at("factors").item(1).integer(1, 8);
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(),
                 "dir/config.json: rope.factors[1] (byte 25): expected an integer from 1 "
                 "to 8, got \"two\"");
  }
}

TEST(Json, OnlyPlainUnsignedIntegers) {
  for (const char* bad : {"-1", "1.0", "1e3", "-0", "9007199254740993", "18446744073709551616",
                          "\"1\"", "true", "null", "[1]"}) {
    const std::string text = std::string("{\"n\":") + bad + "}";
    const JsonDocument document(text, "x.json");
    EXPECT_THROW(document.root().at("n").integer(), Error) << bad;
  }
  const JsonDocument document("{\"n\":9007199254740992}", "x.json");
  EXPECT_EQ(document.root().at("n").integer(), int64_t{1} << 53);
}

TEST(Json, RefusesDuplicateKeysAtAnyDepth) {
  EXPECT_TRUE(has(refusal(R"({"a":1,"a":2})"), "byte 7: duplicate key 'a'"));
  EXPECT_TRUE(has(refusal(R"({"a":[{"b":1,"\u0062":2}]})"), "duplicate key 'b'"));
  EXPECT_EQ(refusal(R"({"a":{"b":1},"c":{"b":1}})"), "accepted");
}

TEST(Json, RefusesWhatIsNotJson) {
  EXPECT_TRUE(has(refusal(""), "byte 0"));
  EXPECT_TRUE(has(refusal("{\"a\":1} x"), "byte 8"));
  EXPECT_TRUE(has(refusal("{\"a\":\"\xff\"}"), "UTF-8"));
  EXPECT_TRUE(has(refusal(std::string("{}\0", 3)), "byte 2: NUL"));
  EXPECT_TRUE(has(refusal("\xef\xbb\xbf{}"), "byte order mark"));
  EXPECT_TRUE(has(refusal("[1e999]"), "out of range"));
  EXPECT_TRUE(has(refusal("{'a':1}"), "byte 1"));
  EXPECT_TRUE(has(refusal("[NaN]"), "byte 1"));
}

TEST(Json, DepthIsLimited) {
  EXPECT_EQ(refusal(std::string(64, '[') + std::string(64, ']')), "accepted");
  EXPECT_TRUE(has(refusal(std::string(65, '[') + std::string(65, ']')), "deeper than 64"));
  EXPECT_TRUE(has(refusal(std::string(1000000, '[')), "byte 64"));
}

TEST(Json, PrintableHidesControlCharactersAndShortens) {
  EXPECT_EQ(printable("a\x1b[0m\n\x7f"), "a\\x1b[0m\\x0a\\x7f");
  EXPECT_EQ(printable("\xc2\x9b[1m \xc3\xa9"), "\\x9b[1m \xc3\xa9");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("ab\xe4\xb8\xad\xe6\x96\x87", 3), "ab\xe4\xb8\xad...");
}

}  // namespace
}  // namespace ember
