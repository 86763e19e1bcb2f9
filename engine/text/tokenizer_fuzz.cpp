// SPDX-License-Identifier: Apache-2.0
// Any bytes as tokenizer.json: refused with a message, or a tokenizer that encodes and decodes
// anything. The bytes after the first NUL are the text (JSON holds no NUL). Bytes that start with
// '[' or an object of messages also go through the reader of conversations.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/text/chat_template.h"
#include "engine/text/stream_decoder.h"
#include "engine/text/tokenizer.h"
#include "engine/text/unicode.h"
#include "kernels/base/error.h"

namespace {

void require(bool good) {
  if (!good) {
    std::abort();
  }
}

template <class Run>
void refuse_or(const Run& run) {
  try {
    run();
  } catch (const ember::Error& e) {
    require(e.kind() == ember::ErrorKind::kBadInput);
  }
}

void check(const ember::Tokenizer& tokenizer, const std::string& text) {
  for (const auto mode : {ember::SpecialTokens::kParse, ember::SpecialTokens::kText}) {
    const std::vector<int32_t> ids = tokenizer.encode(text, mode);
    const std::string whole = tokenizer.decode(ids);
    ember::StreamDecoder stream(tokenizer);
    std::string sum;
    for (const int32_t id : ids) {
      sum += stream.push(id);
    }
    require(sum + stream.finish() == whole);
    for (const int32_t id : ids) {
      require(mode == ember::SpecialTokens::kParse || !tokenizer.is_special(id));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const size_t cut = std::min(bytes.find('\0'), bytes.size());
  const std::string json = bytes.substr(0, cut);
  const std::string text = bytes.substr(std::min(cut + 1, bytes.size()));
  refuse_or([&] { check(*ember::Tokenizer::parse(json, "fuzz"), text); });
  refuse_or([&] { ember::render_chat(ember::parse_chat_json(json, "fuzz")); });
  std::string buffer;
  if (ember::utf8_valid_prefix(text) == static_cast<int64_t>(text.size())) {
    const std::string once(ember::normalize_nfc(text, &buffer));
    require(ember::normalize_nfc(once, &buffer) == once);
  }
  return 0;
}
