// SPDX-License-Identifier: Apache-2.0
#include "engine/text/chat_template.h"

#include <algorithm>

#include "engine/io/mmap_file.h"
#include "engine/text/json_value.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

constexpr const char* kToolsBefore =
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>";
constexpr const char* kToolsAfter =
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments "
    "within <tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, "
    "\"arguments\": <args-json-object>}\n</tool_call><|im_end|>\n";

// Hash of the template's text, as template_hash() makes it.
constexpr uint64_t kQwen3Templates[] = {0x14675ADF2436CB8Cu};

bool starts_with(std::string_view text, std::string_view what) {
  return text.substr(0, what.size()) == what;
}

bool ends_with(std::string_view text, std::string_view what) {
  return text.size() >= what.size() && text.substr(text.size() - what.size()) == what;
}

std::string_view strip_front(std::string_view text) {
  const size_t at = text.find_first_not_of('\n');
  return at == std::string_view::npos ? std::string_view() : text.substr(at);
}

std::string_view strip_back(std::string_view text) {
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

// The user's last real question: what assistants said after it keeps its reasoning. A user message
// that only carries tool answers does not count.
size_t last_query(const std::vector<ChatMessage>& messages) {
  for (size_t i = messages.size(); i-- > 0;) {
    const ChatMessage& m = messages[i];
    if (m.role == "user" &&
        !(starts_with(m.content, "<tool_response>") && ends_with(m.content, "</tool_response>"))) {
      return i;
    }
  }
  return messages.size() - 1;
}

class Renderer {
 public:
  explicit Renderer(const ChatRequest& request)
      : request_(request), messages_(request.messages), last_query_(last_query(messages_)) {}

  std::vector<ChatPart> run() {
    const bool system = messages_[0].role == "system";
    if (!request_.tools.empty()) {
      tools(system);
    } else if (system) {
      turn("system", messages_[0].content);
    }
    for (size_t i = 0; i < messages_.size(); ++i) {
      const std::string& role = messages_[i].role;
      if (role == "user" || (role == "system" && i > 0)) {
        turn(role.c_str(), messages_[i].content);
      } else if (role == "assistant") {
        assistant(i);
      } else if (role == "tool") {
        tool_answer(i);
      }
    }
    if (request_.add_generation_prompt) {
      literal("<|im_start|>assistant\n");
      if (!request_.enable_thinking) {
        literal("<think>\n\n</think>\n\n");
      }
    }
    return std::move(parts_);
  }

 private:
  void add(std::string_view text, bool content) {
    if (text.empty()) {
      return;
    }
    if (parts_.empty() || parts_.back().content != content) {
      parts_.push_back({std::string(text), content});
    } else {
      parts_.back().text += text;
    }
  }
  void literal(std::string_view text) { add(text, false); }
  void content(std::string_view text) { add(text, true); }

  void turn(const char* role, std::string_view text) {
    literal("<|im_start|>");
    literal(role);
    literal("\n");
    content(text);
    literal("<|im_end|>\n");
  }

  void tools(bool system) {
    literal("<|im_start|>system\n");
    if (system) {
      content(messages_[0].content);
      literal("\n\n");
    }
    literal(kToolsBefore);
    for (const std::string& tool : request_.tools) {
      literal("\n");
      content(tool);
    }
    literal(kToolsAfter);
  }

  void assistant(size_t i) {
    const ChatMessage& m = messages_[i];
    std::string_view text = m.content;
    std::string_view reasoning;
    if (m.reasoning_content.has_value()) {
      reasoning = *m.reasoning_content;
    } else {
      split_reasoning(&text, &reasoning);
    }
    literal("<|im_start|>assistant\n");
    if (i > last_query_ && (i + 1 == messages_.size() || !reasoning.empty())) {
      literal("<think>\n");
      content(strip_back(strip_front(reasoning)));
      literal("\n</think>\n\n");
      content(strip_front(text));
    } else {
      content(text);
    }
    for (size_t k = 0; k < m.tool_calls.size(); ++k) {
      if (k > 0 || !text.empty()) {
        literal("\n");
      }
      literal("<tool_call>\n{\"name\": \"");
      content(m.tool_calls[k].name);
      literal("\", \"arguments\": ");
      content(m.tool_calls[k].arguments);
      literal("}\n</tool_call>");
    }
    literal("<|im_end|>\n");
  }

  // Content is what follows the last </think>, reasoning what stands between the first one and the
  // last <think> before it.
  static void split_reasoning(std::string_view* text, std::string_view* reasoning) {
    constexpr std::string_view kOpen = "<think>", kClose = "</think>";
    const size_t first = text->find(kClose);
    if (first == std::string_view::npos) {
      return;
    }
    *reasoning = strip_back(text->substr(0, first));
    const size_t open = reasoning->rfind(kOpen);
    if (open != std::string_view::npos) {
      *reasoning = reasoning->substr(open + kOpen.size());
    }
    *reasoning = strip_front(*reasoning);
    *text = strip_front(text->substr(text->rfind(kClose) + kClose.size()));
  }

  // A run of answers shares one turn.
  void tool_answer(size_t i) {
    if (i == 0 || messages_[i - 1].role != "tool") {
      literal("<|im_start|>user");
    }
    literal("\n<tool_response>\n");
    content(messages_[i].content);
    literal("\n</tool_response>");
    if (i + 1 == messages_.size() || messages_[i + 1].role != "tool") {
      literal("<|im_end|>\n");
    }
  }

  const ChatRequest& request_;
  const std::vector<ChatMessage>& messages_;
  size_t last_query_;
  std::vector<ChatPart> parts_;
};

// FNV-1a over the text without white space at line ends and without empty lines.
uint64_t template_hash(std::string_view text) {
  uint64_t h = 0xCBF29CE484222325u;
  const auto mix = [&h](char c) { h = (h ^ static_cast<uint8_t>(c)) * 0x100000001B3u; };
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t last = line.find_last_not_of(" \t\r");
    if (last == std::string_view::npos) {
      continue;
    }
    for (const char c : line.substr(0, last + 1)) {
      mix(c);
    }
    mix('\n');
  }
  return h;
}

std::optional<std::string> read_if_there(const std::string& path) {
  constexpr int64_t kMaxBytes = int64_t{1} << 26;
  return file_exists(path) ? std::optional(read_text_file(path, kMaxBytes)) : std::nullopt;
}

}  // namespace

std::vector<ChatPart> render_chat_parts(const ChatRequest& request) {
  if (request.messages.empty()) {
    fail(ErrorKind::kUsage, "a conversation needs at least one message");
  }
  return Renderer(request).run();
}

std::string render_chat(const ChatRequest& request) {
  std::string out;
  for (const ChatPart& part : render_chat_parts(request)) {
    out += part.text;
  }
  return out;
}

std::vector<int32_t> encode_chat(const Tokenizer& tokenizer, const ChatRequest& request,
                                 SpecialTokens content) {
  if (content == SpecialTokens::kParse) {
    return tokenizer.encode(render_chat(request), SpecialTokens::kParse);
  }
  const std::vector<ChatPart> parts = render_chat_parts(request);
  std::vector<TextPart> pieces;
  for (const ChatPart& part : parts) {
    pieces.push_back({part.text, part.content ? SpecialTokens::kText : SpecialTokens::kParse});
  }
  return tokenizer.encode_parts(pieces);
}

TemplateKind classify_template(std::string_view template_text) {
  const uint64_t hash = template_hash(template_text);
  for (const uint64_t known : kQwen3Templates) {
    if (hash == known) {
      return TemplateKind::kQwen3;
    }
  }
  return TemplateKind::kOther;
}

TemplateKind classify_tokenizer_config(std::string_view json, const std::string& where) {
  const JsonValue root = parse_json_value(json, where);
  const JsonValue* value = root.find("chat_template");
  if (value == nullptr || value->kind == JsonValue::Kind::kNull) {
    return TemplateKind::kNone;
  }
  if (value->kind == JsonValue::Kind::kString) {
    return classify_template(value->text);
  }
  for (const JsonValue& named : value->items) {  // [{"name": "default", "template": …}, …]
    const JsonValue* name = named.find("name");
    const JsonValue* text = named.find("template");
    if (name != nullptr && name->text == "default" && text != nullptr) {
      return classify_template(text->text);
    }
  }
  return TemplateKind::kOther;
}

TemplateKind classify_checkpoint_template(const std::string& dir) {
  if (const auto text = read_if_there(dir + "/chat_template.jinja")) {
    return classify_template(*text);
  }
  const std::string config = dir + "/tokenizer_config.json";
  const auto json = read_if_there(config);
  return json ? classify_tokenizer_config(*json, config) : TemplateKind::kNone;
}

}  // namespace ember
