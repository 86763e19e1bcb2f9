// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/text/chat_template.h"
#include "engine/text/json_value.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

using Kind = JsonValue::Kind;

class ChatReader {
 public:
  explicit ChatReader(const std::string& where) : where_(where) {}

  ChatRequest request(const JsonValue& root) const {
    ChatRequest out;
    const JsonValue* messages = &root;
    if (root.kind == Kind::kObject) {
      for (const auto& [name, value] : root.members) {
        if (name == "tools") {
          out.tools = tools(value);
        } else if (name == "add_generation_prompt") {
          out.add_generation_prompt = flag(name, value);
        } else if (name == "enable_thinking") {
          out.enable_thinking = flag(name, value);
        } else if (name != "messages") {
          fail(ErrorKind::kBadInput, where_, ": unknown member \"", name,
               "\"; known are messages, ", "tools, add_generation_prompt and enable_thinking");
        }
      }
      messages = root.find("messages");
    }
    if (messages == nullptr || messages->kind != Kind::kArray) {
      fail(ErrorKind::kBadInput, where_, ": expected a list of messages, or an object with the ",
           "member messages");
    }
    if (messages->items.empty()) {
      fail(ErrorKind::kBadInput, where_, ": messages is empty; at least one is needed");
    }
    for (size_t i = 0; i < messages->items.size(); ++i) {
      out.messages.push_back(message("messages[" + std::to_string(i) + "]", messages->items[i]));
    }
    return out;
  }

 private:
  [[noreturn]] void refuse(const std::string& path, const char* expected,
                           const JsonValue& got) const {
    fail(ErrorKind::kBadInput, where_, ": ", path, ": expected ", expected, ", found ",
         got.kind_name());
  }

  bool flag(const std::string& path, const JsonValue& v) const {
    if (v.kind != Kind::kBoolean) {
      refuse(path, "true or false", v);
    }
    return v.text == "true";
  }

  static bool absent(const JsonValue* v) { return v == nullptr || v->kind == Kind::kNull; }

  std::vector<std::string> tools(const JsonValue& v) const {
    std::vector<std::string> out;
    if (v.kind == Kind::kNull) {
      return out;
    }
    if (v.kind != Kind::kArray) {
      refuse("tools", "a list", v);
    }
    for (size_t i = 0; i < v.items.size(); ++i) {
      if (v.items[i].kind != Kind::kObject) {
        refuse("tools[" + std::to_string(i) + "]", "an object", v.items[i]);
      }
      out.push_back(python_json(v.items[i]));
    }
    return out;
  }

  std::string text(const std::string& path, const JsonValue& v) const {
    if (v.kind != Kind::kString) {
      refuse(path, "a string", v);
    }
    return v.text;
  }

  ChatMessage message(const std::string& path, const JsonValue& v) const {
    if (v.kind != Kind::kObject) {
      refuse(path, "an object", v);
    }
    ChatMessage out;
    const JsonValue* role = v.find("role");
    if (role == nullptr) {
      fail(ErrorKind::kBadInput, where_, ": ", path, ".role is missing");
    }
    out.role = text(path + ".role", *role);
    const JsonValue* content = v.find("content");
    if (!absent(content)) {
      out.content = text(path + ".content", *content);
    }
    for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
      const JsonValue* reasoning = v.find(name);
      if (!absent(reasoning)) {
        out.reasoning_content = text(path + "." + name, *reasoning);
        break;
      }
    }
    const JsonValue* calls = v.find("tool_calls");
    if (!absent(calls)) {
      if (calls->kind != Kind::kArray) {
        refuse(path + ".tool_calls", "a list", *calls);
      }
      for (size_t i = 0; i < calls->items.size(); ++i) {
        out.tool_calls.push_back(
            tool_call(path + ".tool_calls[" + std::to_string(i) + "]", calls->items[i]));
      }
    }
    return out;
  }

  // {"name", "arguments"}, or the same inside {"type": "function", "function": …}.
  ToolCall tool_call(std::string path, const JsonValue& v) const {
    if (v.kind != Kind::kObject) {
      refuse(path, "an object", v);
    }
    const JsonValue* call = &v;
    const JsonValue* function = v.find("function");
    if (!absent(function) && !(function->kind == Kind::kObject && function->members.empty())) {
      path += ".function";
      if (function->kind != Kind::kObject) {
        refuse(path, "an object", *function);
      }
      call = function;
    }
    const JsonValue* name = call->find("name");
    const JsonValue* arguments = call->find("arguments");
    if (name == nullptr || arguments == nullptr) {
      fail(ErrorKind::kBadInput, where_, ": ", path, ".", name == nullptr ? "name" : "arguments",
           " is missing");
    }
    const bool spelled = arguments->kind == Kind::kString;
    return {text(path + ".name", *name), spelled ? arguments->text : python_json(*arguments)};
  }

  const std::string& where_;
};

}  // namespace

ChatRequest parse_chat_json(std::string_view json, const std::string& where) {
  return ChatReader(where).request(parse_json_value(json, where));
}

std::vector<std::string> chat_warnings(const ChatRequest& request) {
  std::vector<std::string> out;
  for (size_t i = 0; i < request.messages.size(); ++i) {
    const std::string& role = request.messages[i].role;
    const auto known = {"system", "user", "assistant", "tool"};
    if (std::none_of(known.begin(), known.end(), [&](const char* k) { return role == k; })) {
      out.push_back("messages[" + std::to_string(i) +
                    "]: Qwen3's chat template leaves out the role \"" + role +
                    "\"; it knows system, user, assistant and tool");
    }
  }
  return out;
}

}  // namespace ember
