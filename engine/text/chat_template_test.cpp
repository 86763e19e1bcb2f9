// SPDX-License-Identifier: Apache-2.0
// What Hugging Face renders is in tokenizer_golden_test; here are the rules one by one and what is
// refused.
#include "engine/text/chat_template.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/text/json_value.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

std::string render(const std::string& json) {
  return render_chat(parse_chat_json(json, "c.json"));
}

std::string refusal(const std::string& json) {
  try {
    parse_chat_json(json, "c.json");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kBadInput);
    return e.what();
  }
  return "accepted";
}

TEST(ChatTemplate, OneQuestion) {
  const std::string question = R"([{"role":"user","content":"Hi"}])";
  EXPECT_EQ(render(question), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(render(R"({"messages":)" + question + R"(,"enable_thinking":false})"),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n");
  EXPECT_EQ(render(R"({"messages":)" + question + R"(,"add_generation_prompt":false})"),
            "<|im_start|>user\nHi<|im_end|>\n");
}

TEST(ChatTemplate, ReasoningLeavesHistoryAtTheNextQuestion) {
  const std::string turns = R"([{"role":"user","content":"a"},
      {"role":"assistant","content":"<think>\nwhy\n</think>\n\nb"})";
  EXPECT_NE(render(turns + "]").find("<think>\nwhy\n</think>\n\nb"), std::string::npos);
  EXPECT_EQ(render(turns + R"(,{"role":"user","content":"c"}])").find("why"), std::string::npos);
}

TEST(ChatTemplate, AnswersOfToolsShareATurn) {
  const std::string text = render(R"([{"role":"user","content":"q"},
      {"role":"assistant","content":null,"tool_calls":[
        {"name":"f","arguments":{"x":1}},{"function":{"name":"g","arguments":"{}"}}]},
      {"role":"tool","content":"1"},{"role":"tool","content":"2"}])");
  EXPECT_NE(text.find("<|im_start|>assistant\n<tool_call>\n{\"name\": \"f\", \"arguments\": "
                      "{\"x\": 1}}\n</tool_call>\n<tool_call>\n{\"name\": \"g\", \"arguments\": {}}"
                      "\n</tool_call><|im_end|>\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("<|im_start|>user\n<tool_response>\n1\n</tool_response>\n<tool_response>\n2\n"
                      "</tool_response><|im_end|>\n"),
            std::string::npos)
      << text;
}

TEST(ChatTemplate, PartsSayWhoWroteThem) {
  const auto parts =
      render_chat_parts(parse_chat_json(R"([{"role":"user","content":"<|im_end|>"}])", "c.json"));
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_TRUE(parts[1].content);
  EXPECT_EQ(parts[1].text, "<|im_end|>");
  EXPECT_FALSE(parts[0].content);
  EXPECT_FALSE(parts[2].content);
}

// Control tokens in every place that a conversation can fill; the template's own remain.
TEST(ChatTemplate, NothingInAConversationForgesAControlToken) {
  const auto tokenizer =
      Tokenizer::load(EMBER_SOURCE_DIR "/golden/tokenizers/qwen3/tokenizer.json");
  const auto request = [](const std::string& x) {
    std::string json = R"({"messages":[{"role":"system","content":"@"},
      {"role":"user","content":"@"},
      {"role":"assistant","content":"a@","reasoning_content":"@",
       "tool_calls":[{"name":"@","arguments":{"@":"@"}},{"name":"@","arguments":"@"}]},
      {"role":"tool","content":"@"}],"tools":[{"@":"@"}]})";
    for (size_t at; (at = json.find('@')) != std::string::npos;) {
      json.replace(at, 1, x);
    }
    return parse_chat_json(json, "c.json");
  };
  const auto control = [&](const std::vector<int32_t>& ids) {
    std::vector<int32_t> out;
    std::copy_if(ids.begin(), ids.end(), std::back_inserter(out),
                 [&](int32_t id) { return tokenizer->is_added(id); });
    return out;
  };
  const std::vector<int32_t> clean = control(encode_chat(*tokenizer, request("words")));
  EXPECT_EQ(clean, control(encode_chat(*tokenizer, request("words"), SpecialTokens::kParse)));
  for (int32_t id = 151643; id < tokenizer->vocab_size(); ++id) {
    const ChatRequest forged = request(tokenizer->token(id));
    EXPECT_EQ(control(encode_chat(*tokenizer, forged)), clean) << id;
    EXPECT_NE(control(encode_chat(*tokenizer, forged, SpecialTokens::kParse)), clean) << id;
  }
}

TEST(ChatTemplate, WarnsOfRolesThatItLeavesOut) {
  const ChatRequest r = parse_chat_json(
      R"([{"role":"developer","content":"x"},{"role":"user","content":"y"}])", "c.json");
  EXPECT_EQ(render_chat(r), "<|im_start|>user\ny<|im_end|>\n<|im_start|>assistant\n");
  ASSERT_EQ(chat_warnings(r).size(), 1u);
  EXPECT_NE(chat_warnings(r)[0].find("developer"), std::string::npos);
}

TEST(ChatTemplate, RefusesByField) {
  const std::pair<const char*, const char*> cases[] = {
      {"{", "byte"},
      {"3", "list of messages"},
      {"[]", "messages is empty"},
      {R"({"tools":[]})", "messages"},
      {R"({"messages":[],"tolls":[]})", "tolls"},
      {R"([7])", "messages[0]"},
      {R"([{"content":"x"}])", "messages[0].role is missing"},
      {R"([{"role":1,"content":"x"}])", "messages[0].role"},
      {R"([{"role":"user","content":[{"type":"text"}]}])", "messages[0].content"},
      {R"([{"role":"user","content":"x","content":"y"}])", "\"content\" stands twice"},
      {R"([{"role":"assistant","content":"","reasoning":5}])", "messages[0].reasoning"},
      {R"([{"role":"assistant","content":"","tool_calls":{}}])", "messages[0].tool_calls"},
      {R"([{"role":"assistant","content":"","tool_calls":[1]}])", "tool_calls[0]"},
      {R"([{"role":"assistant","content":"","tool_calls":[{"name":"f"}]}])",
       "tool_calls[0].arguments is missing"},
      {R"([{"role":"assistant","content":"","tool_calls":[{"function":{"arguments":1}}]}])",
       "tool_calls[0].function.name is missing"},
      {R"({"messages":[{"role":"user","content":"x"}],"tools":["f"]})", "tools[0]"},
      {R"({"messages":[{"role":"user","content":"x"}],"enable_thinking":"no"})", "enable_thinking"},
      {"[{\"role\":\"user\",\"content\":\"\xFF\"}]", "byte"},
  };
  for (const auto& [json, names] : cases) {
    const std::string message = refusal(json);
    EXPECT_NE(message.find(names), std::string::npos) << names << " not in: " << message;
  }
  EXPECT_NE(refusal(std::string(1000, '[')).find("nested"), std::string::npos);
  EXPECT_THROW(render_chat(ChatRequest{}), Error);
}

TEST(ChatTemplate, KnowsQwen3sOwn) {
  EXPECT_EQ(classify_template("{{ messages }}"), TemplateKind::kOther);
  EXPECT_EQ(classify_tokenizer_config("{}", "t"), TemplateKind::kNone);
  EXPECT_EQ(classify_tokenizer_config(R"({"chat_template":"x"})", "t"), TemplateKind::kOther);
  EXPECT_THROW(classify_tokenizer_config("{", "t"), Error);
  EXPECT_EQ(classify_checkpoint_template("/does/not/exist"), TemplateKind::kNone);
}

TEST(PythonJson, NumbersAsPythonWritesThem) {
  const std::pair<const char*, const char*> cases[] = {
      {"1", "1"},
      {"-0", "0"},
      {"1.0", "1.0"},
      {"-0.0", "-0.0"},
      {"1e5", "100000.0"},
      {"1e15", "1000000000000000.0"},
      {"1e16", "1e+16"},
      {"1.5e300", "1.5e+300"},
      {"0.0001", "0.0001"},
      {"0.00001", "1e-05"},
      {"123456.789", "123456.789"},
      {"0.1", "0.1"},
      {"5e-324", "5e-324"},
      {"18446744073709551616", "18446744073709551616"},
      {"-9223372036854775809", "-9223372036854775809"},
      {"123456789012345678901234567890", "123456789012345678901234567890"},
  };
  for (const auto& [json, want] : cases) {
    EXPECT_EQ(python_json(parse_json_value(json, "t")), want);
  }
}

TEST(PythonJson, KeepsOrderAndEscapesLittle) {
  EXPECT_EQ(
      python_json(parse_json_value(
          R"({"b":[1,{"a":null}],"a":"\u00e9\u0001\u007f\"\\\/\n\t\b\f\r\ud83d\ude00","":{}})",
          "t")),
      "{\"b\": [1, {\"a\": null}], \"a\": \"é\\u0001\x7F\\\"\\\\/\\n\\t\\b\\f\\r😀\", \"\": {}}");
}

}  // namespace
}  // namespace ember
