// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/text_stream.h"

#include <utility>

namespace ember {

TextStream::TextStream(const Tokenizer& tokenizer, const ThinkIds& think,
                       const std::vector<std::string>& stops, Sink sink)
    : decoder_(tokenizer, /*skip_special=*/true, StreamDecoder::Broken::kReplace),
      think_(think),
      matcher_(stops),
      sink_(std::move(sink)) {}

void TextStream::emit(std::string_view text, TextKind kind) {
  if (!text.empty() && sink_) {
    sink_(text, kind);
  }
}

void TextStream::show(std::string text) {
  if (thinking_) {
    emit(text, TextKind::kThinking);
    return;
  }
  if (after_thinking_) {
    const size_t end = text.find_first_not_of('\n');
    emit(text.substr(0, end), TextKind::kThinking);
    if (end == std::string::npos) {
      return;
    }
    text.erase(0, end);
    after_thinking_ = false;
  }
  emit(matcher_.push(text), TextKind::kAnswer);
}

// A tag is a whole token: nothing before it can be completed by anything after it.
void TextStream::end_segment() {
  show(decoder_.finish());
  if (!thinking_) {
    emit(matcher_.finish(), TextKind::kAnswer);
  }
}

void TextStream::push(int32_t id) {
  if (id == think_.open && !thinking_) {
    end_segment();
    thinking_ = true;
    show(decoder_.push(id));
  } else if (id == think_.close && thinking_) {
    end_segment();
    show(decoder_.push(id));
    thinking_ = false;
    after_thinking_ = true;
  } else {
    show(decoder_.push(id));
  }
}

void TextStream::finish() {
  show(decoder_.finish());
  if (!matcher_.stopped()) {
    emit(matcher_.finish(), TextKind::kAnswer);
  }
}

}  // namespace ember
