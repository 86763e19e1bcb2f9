// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/prompt.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "engine/io/json.h"
#include "engine/text/chat_template.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

constexpr const char* kDefaultPrompt = "Hello, my name is";

// Editors and echo end a text with a line break that nobody means.
void drop_last_line_break(std::string& text) {
  if (!text.empty() && text.back() == '\n') {
    text.pop_back();
    if (!text.empty() && text.back() == '\r') {
      text.pop_back();
    }
  }
}

ChatMessage chat_message(const std::string& role, const std::string& content) {
  ChatMessage m;
  m.role = role;
  m.content = content;
  return m;
}

std::string prompt_text(const PromptFlags& flags) {
  if (flags.file || (flags.text && *flags.text == "-")) {
    std::string text = read_text(flags.file ? *flags.file : "-");
    drop_last_line_break(text);
    return text;
  }
  return flags.text.value_or(kDefaultPrompt);
}

}  // namespace

bool PromptFlags::uses_chat() const {
  return chat || system || think || no_think;
}

SpecialTokens PromptFlags::special_tokens() const {
  return special == "parse" ? SpecialTokens::kParse : SpecialTokens::kText;
}

void add_prompt_flags(CLI::App& app, PromptFlags& flags) {
  const std::string group = "Prompt";
  CLI::Option* text = app.add_option(
      "-p,--prompt", flags.text,
      std::string("the text, or - to read stdin; default \"") + kDefaultPrompt + "\"");
  CLI::Option* file = app.add_option("-f,--file", flags.file, "read the text from a file");
  CLI::Option* ids = app.add_option("--tokens-in", flags.tokens_in,
                                    "read token ids from a JSON file: a list, or {\"ids\": [...]}");
  CLI::Option* raw = app.add_flag("--raw", flags.raw, "continue the text as it is (the default)");
  CLI::Option* chat = app.add_flag("--chat", flags.chat, "the text is a user's message");
  CLI::Option* system = app.add_option("--system", flags.system, "system message; implies --chat");
  CLI::Option* think =
      app.add_flag("--think", flags.think, "let the model think first; implies --chat");
  CLI::Option* no_think =
      app.add_flag("--no-think", flags.no_think, "thinking off; implies --chat");
  app.add_option("--special", flags.special,
                 "control tokens spelled in the text: text (they stay text) or parse")
      ->check(CLI::IsMember({"text", "parse"}))
      ->type_name("HOW")
      ->capture_default_str()
      ->group(group);
  text->type_name("TEXT")->group(group)->excludes(file)->excludes(ids);
  file->type_name("FILE")->group(group)->excludes(ids);
  ids->type_name("FILE")->group(group);
  system->type_name("TEXT")->group(group);
  raw->group(group)->excludes(chat)->excludes(system)->excludes(think)->excludes(no_think);
  chat->group(group)->excludes(ids);
  ids->excludes(system)->excludes(think)->excludes(no_think);
  think->group(group)->excludes(no_think);
  no_think->group(group);
}

std::string read_text(const std::string& path) {
  if (path == "-") {
    return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  }
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in.is_open() || in.bad()) {
    fail(ErrorKind::kBadInput, path, ": cannot be read: ", std::strerror(errno));
  }
  return text;
}

std::vector<int32_t> read_ids(const std::string& path, int64_t vocab) {
  const std::string text = read_text(path);
  const JsonDocument document(text, path == "-" ? "stdin" : path);
  const JsonNode root = document.root();
  const JsonNode list = root.is_object() ? root.at("ids") : root;
  std::vector<int32_t> ids;
  for (size_t i = 0; i < list.array().size(); ++i) {
    const int64_t id = list.item(i).integer();
    if (id >= vocab) {
      list.item(i).fail("token id ", id, " at position ", i, " is outside the vocabulary 0..",
                        vocab - 1);
    }
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

Prompt make_prompt(const PromptFlags& flags, const Tokenizer& tokenizer, int64_t vocab) {
  Prompt prompt;
  if (flags.tokens_in) {
    prompt.ids = read_ids(*flags.tokens_in, vocab);
  } else if (flags.uses_chat()) {
    ChatRequest request;
    if (flags.system) {
      request.messages.push_back(chat_message("system", *flags.system));
    }
    request.messages.push_back(chat_message("user", prompt_text(flags)));
    request.enable_thinking = !flags.no_think;
    prompt.thinking = request.enable_thinking;
    prompt.text = render_chat(request);
    prompt.ids = encode_chat(tokenizer, request, flags.special_tokens());
  } else {
    prompt.text = prompt_text(flags);
    prompt.ids = tokenizer.encode(prompt.text, flags.special_tokens());
  }
  if (prompt.ids.empty()) {
    fail(ErrorKind::kUsage, "the prompt is empty: a model needs at least one token to continue");
  }
  return prompt;
}

}  // namespace ember
