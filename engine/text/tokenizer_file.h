// SPDX-License-Identifier: Apache-2.0
// tokenizer.json (Hugging Face `tokenizers` 1.0) read and checked: everything outside Qwen's
// pipeline (NFC, its Split, ByteLevel, BPE, added tokens) is refused by the name of its field, so
// that no file is ever encoded in another way than its author meant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/bpe.h"

namespace ember {

struct AddedToken {
  int32_t id;
  std::string content;
  bool lstrip, rstrip;  // the token also takes the white space on that side
  bool normalized;      // looked for after NFC instead of before
  bool special;
};

struct TokenizerFile {
  std::vector<std::string> spellings;  // by id: a vocabulary entry as the file spells it
                                       // (byte-level letters), or an added token's content
  int64_t vocabulary = 0;              // entries of model.vocab; added tokens may come on top
  std::vector<Merge> merges;           // in rank order
  std::vector<AddedToken> added;       // in id order, contents distinct
  int32_t byte_ids[256] = {};
  bool nfc = true;
};

// Throws kBadInput naming `where` and the field.
TokenizerFile parse_tokenizer_file(std::string_view json, const std::string& where);

// The byte-level alphabet of GPT-2: every byte has a printable code point.
uint32_t byte_level_code(uint8_t byte);

// The bytes that a token stands for, by Hugging Face's ByteLevel decoder: where every character is
// a letter of the byte-level alphabet the bytes they name, else its own UTF-8.
std::string token_bytes(std::string_view spelling);

}  // namespace ember
