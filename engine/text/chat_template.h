// SPDX-License-Identifier: Apache-2.0
// Conversations as the text that Qwen3 was trained on. The checkpoint's Jinja template written as
// code: for what it accepts the text equals transformers' apply_chat_template
// (scripts/chat_diff.py). Source: chat_template of Qwen3's tokenizer_config.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer.h"

namespace ember {

struct ToolCall {
  std::string name;
  std::string arguments;  // JSON text, put into the prompt as it is
};

struct ChatMessage {
  std::string role;  // system, user, assistant, tool; the template drops any other
  std::string content;
  std::optional<std::string> reasoning_content;  // of an assistant; else looked for in content
  std::vector<ToolCall> tool_calls;              // of an assistant
};

struct ChatRequest {
  std::vector<ChatMessage> messages;  // at least one
  std::vector<std::string> tools;     // JSON text of each definition
  bool add_generation_prompt = true;
  bool enable_thinking = true;  // false: the prompt ends in an empty think block
};

// A list of messages, or an object with messages and, if wanted, tools, add_generation_prompt and
// enable_thinking. A message may name its reasoning reasoning_content, thinking or reasoning. Null
// or missing content counts as empty, as in the later Qwen3 templates (this one cannot render it).
// Arguments of a tool call are JSON text, or any JSON value, which is written as Python would.
// Throws kBadInput naming `where` and the field.
ChatRequest parse_chat_json(std::string_view json, const std::string& where);

// What would surprise: messages of a role that the template leaves out. For the user to read.
std::vector<std::string> chat_warnings(const ChatRequest& request);

// A stretch of the prompt: written by the template, or given by the conversation.
struct ChatPart {
  std::string text;
  bool content;
};

// Throws kUsage where there is no message.
std::vector<ChatPart> render_chat_parts(const ChatRequest& request);
std::string render_chat(const ChatRequest& request);

// With kText only the template's own control tokens count: none in a message, a tool's definition
// or an answer becomes one. With kParse the ids are those of Hugging Face for the whole text. The
// two agree wherever no control token is spelled in the conversation.
std::vector<int32_t> encode_chat(const Tokenizer& tokenizer, const ChatRequest& request,
                                 SpecialTokens content = SpecialTokens::kText);

enum class TemplateKind {
  kQwen3,  // the one that render_chat writes
  kOther,  // some other: prompts would differ from what its model expects
  kNone,   // none given
};

// Of a template's own text (chat_template.jinja). Differences in white space at line ends do not
// count.
TemplateKind classify_template(std::string_view template_text);
// Of tokenizer_config.json. Throws kBadInput where that is not JSON.
TemplateKind classify_tokenizer_config(std::string_view json, const std::string& where);
// Of a checkpoint's directory: chat_template.jinja where it exists, else tokenizer_config.json.
TemplateKind classify_checkpoint_template(const std::string& dir);

}  // namespace ember
