// SPDX-License-Identifier: Apache-2.0
// What of a generation reaches stdout, and in which form.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "engine/runtime/generator.h"
#include "engine/text/tokenizer.h"

namespace CLI {
class App;
}

namespace ember {

struct OutputFlags {
  std::string stats = "text";  // text, json, none; on stderr
  std::string json;            // a file, or "-"
  std::string logprobs_file;
  int64_t logprobs = 0;
  bool jsonl = false;
  bool no_stream = false;
  bool hide_thinking = false;
};
void add_output_flags(CLI::App& app, OutputFlags& flags);

class AnswerWriter {
 public:
  // Throws Error{kUsage} when two forms claim stdout, kBadInput when the logprobs file cannot be
  // opened. `tokenizer` must outlive the writer.
  AnswerWriter(const OutputFlags& flags, const Tokenizer& tokenizer);
  ~AnswerWriter();
  AnswerWriter(const AnswerWriter&) = delete;
  AnswerWriter& operator=(const AnswerWriter&) = delete;

  void text(std::string_view piece, TextKind kind);
  void token(const GeneratedToken& token);
  // Everything out; a line break where stdout is a terminal. Throws Error{kBadInput} when a write
  // failed.
  void finish();

  const std::string& answer() const { return answer_; }
  const std::string& thinking() const { return thinking_; }

 private:
  enum class Form { kText, kJsonl, kLogprobs, kJson };

  void out(std::string_view bytes);

  OutputFlags flags_;
  const Tokenizer& tokenizer_;
  Form form_ = Form::kText;
  std::FILE* logprobs_ = nullptr;
  std::string answer_, thinking_;
  std::string waiting_;  // with --no-stream
  bool dim_ = false;     // the terminal is set to dim
};

}  // namespace ember
