// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/runtime/generator.h"
#include "engine/runtime/stop_matcher.h"
#include "engine/text/stream_decoder.h"

namespace ember {

// Tokens in, shown text out: decodes, tells thinking from answer, looks for stop strings (in the
// answer only: a model that thinks about "\n" must not be cut there).
class TextStream {
 public:
  using Sink = std::function<void(std::string_view, TextKind)>;

  TextStream(const Tokenizer& tokenizer, const ThinkIds& think,
             const std::vector<std::string>& stops, Sink sink);

  void push(int32_t id);
  void finish();  // shows what was held back
  bool stopped() const { return matcher_.stopped(); }
  const std::string& matched() const { return matcher_.matched(); }
  bool thinking() const { return thinking_; }

 private:
  void show(std::string text);
  void emit(std::string_view text, TextKind kind);
  void end_segment();

  StreamDecoder decoder_;
  ThinkIds think_;
  StopMatcher matcher_;
  Sink sink_;
  bool thinking_ = false;
  bool after_thinking_ = false;  // line breaks that follow </think> are still thinking
};

}  // namespace ember
