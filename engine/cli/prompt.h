// SPDX-License-Identifier: Apache-2.0
// From the prompt flags to token ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/text/tokenizer.h"

namespace CLI {
class App;
}

namespace ember {

struct PromptFlags {
  std::optional<std::string> text;       // -p; "-" reads stdin
  std::optional<std::string> file;       // -f
  std::optional<std::string> tokens_in;  // --tokens-in
  std::optional<std::string> system;
  bool chat = false, raw = false;
  bool think = false, no_think = false;
  std::string special = "text";

  // --chat, --system, --think and --no-think each ask for the chat template.
  bool uses_chat() const;
  SpecialTokens special_tokens() const;
};
void add_prompt_flags(CLI::App& app, PromptFlags& flags);

struct Prompt {
  std::vector<int32_t> ids;
  std::string text;       // as rendered; empty with --tokens-in
  bool thinking = false;  // the chat template leaves thinking on
};
// Throws Error{kUsage} for contradictions and an empty prompt, kBadInput for files.
Prompt make_prompt(const PromptFlags& flags, const Tokenizer& tokenizer, int64_t vocab);

// Whole file, or stdin for "-".
std::string read_text(const std::string& path);
// A JSON list of ids, or {"ids": […]}. Throws Error{kBadInput} with file, field and position for
// what is not an id of the vocabulary.
std::vector<int32_t> read_ids(const std::string& path, int64_t vocab);

}  // namespace ember
