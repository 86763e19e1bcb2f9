// SPDX-License-Identifier: Apache-2.0
// UTF-8, the character classes of the split pattern, and Unicode normalization form C (UAX #15).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ember {

enum CodeClass : uint8_t {
  kLetter = 1,    // \p{L}
  kNumber = 2,    // \p{N}
  kSpace = 4,     // \s
  kUnstable = 8,  // may change under NFC, or join what stands before it
};

constexpr uint32_t kCodePoints = 0x110000;

// CodeClass bits of each code point: kCodePoints entries.
const uint8_t* code_classes();

// Bytes of the valid character at `text[0]`, or 0 where no valid UTF-8 character starts (overlong
// forms, surrogates, values past U+10FFFF and cut characters are invalid). `size` > 0.
int utf8_length(const char* text, int64_t size);

// The code point of a valid character of `length` bytes.
uint32_t utf8_code(const char* text, int length);

void append_utf8(uint32_t code, std::string* out);

// Length of the longest prefix that is valid UTF-8.
int64_t utf8_valid_prefix(std::string_view text);

// Length of the broken character at the start of `text`, which does not start a valid one: the
// longest start of one, at least 1 (the "maximal subpart" that U+FFFD stands for).
// *cut says that more bytes could still complete it.
int utf8_broken_length(const char* text, int64_t size, bool* cut);

// `bytes` with each broken character replaced by U+FFFD.
std::string utf8_lossy(std::string_view bytes);

// NFC of valid UTF-8. Returns `text` itself where nothing changes, else a view of *buffer.
std::string_view normalize_nfc(std::string_view text, std::string* buffer);

}  // namespace ember
