// SPDX-License-Identifier: Apache-2.0
// Ids to text one at a time, without ever handing out half a character.
#pragma once

#include <cstdint>
#include <string>

#include "engine/text/tokenizer.h"

namespace ember {

class StreamDecoder {
 public:
  enum class Broken {
    kKeep,     // bytes that no later token can complete pass as they are: the sum equals decode()
    kReplace,  // each becomes U+FFFD: the sum equals decode_text()
  };

  // `tokenizer` must outlive the decoder.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = false,
                         Broken broken = Broken::kKeep)
      : tokenizer_(tokenizer), skip_special_(skip_special), broken_(broken) {}

  // Text that this id completes; the start of a character waits for its rest. An id past the
  // tokenizer (models pad their vocabulary) reads as nothing, as in Hugging Face; a negative one
  // is kUsage.
  std::string push(int32_t id);
  // What still waits. The decoder can be used again for another text.
  std::string finish();

 private:
  std::string take(size_t size, bool broken);

  const Tokenizer& tokenizer_;
  bool skip_special_;
  Broken broken_;
  std::string held_;
};

}  // namespace ember
