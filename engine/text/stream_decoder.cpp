// SPDX-License-Identifier: Apache-2.0
#include "engine/text/stream_decoder.h"

#include "engine/text/unicode.h"

namespace ember {

std::string StreamDecoder::push(int32_t id) {
  if (id >= tokenizer_.vocab_size()) {
    return {};
  }
  held_ += tokenizer_.decode(&id, 1, skip_special_);
  std::string out;
  while (!held_.empty()) {
    out += take(static_cast<size_t>(utf8_valid_prefix(held_)), false);
    if (held_.empty()) {
      break;
    }
    bool cut = false;
    const int n = utf8_broken_length(held_.data(), static_cast<int64_t>(held_.size()), &cut);
    if (cut) {
      break;
    }
    out += take(static_cast<size_t>(n), true);
  }
  return out;
}

std::string StreamDecoder::finish() {
  return take(held_.size(), !held_.empty());
}

std::string StreamDecoder::take(size_t size, bool broken) {
  std::string out = broken && broken_ == Broken::kReplace ? "\xEF\xBF\xBD" : held_.substr(0, size);
  held_.erase(0, size);
  return out;
}

}  // namespace ember
