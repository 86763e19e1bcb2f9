// SPDX-License-Identifier: Apache-2.0
#include "engine/text/pretokenize.h"

#include "engine/text/unicode.h"

namespace ember {

const char* const kQwenSplitPattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

namespace {

constexpr uint8_t kKinds = kLetter | kNumber | kSpace;

struct Char {
  uint8_t kind;  // kLetter, kNumber, kSpace, or 0 for anything else
  uint8_t length;
};

inline Char char_at(const char* at, const uint8_t* classes) {
  const auto lead = static_cast<unsigned char>(*at);
  if (lead < 0x80) {
    return {static_cast<uint8_t>(classes[lead] & kKinds), 1};
  }
  const int n = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return {static_cast<uint8_t>(classes[utf8_code(at, n)] & kKinds), static_cast<uint8_t>(n)};
}

inline const char* skip(const char* at, const char* end, uint8_t kind, const uint8_t* classes) {
  while (at < end) {
    const Char c = char_at(at, classes);
    if (c.kind != kind) {
      break;
    }
    at += c.length;
  }
  return at;
}

inline bool line_end(char c) {
  return c == '\r' || c == '\n';
}

// Length of an English contraction after the apostrophe at `at`, else 0. Folding case brings in
// U+017F, the long s, and no other character.
int contraction(const char* at, const char* end) {
  const auto lower = [&](int i) {
    return at + i < end ? static_cast<char>(at[i] | 0x20) : '\0';  // letters only matter
  };
  switch (lower(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return lower(2) == 'e' ? 3 : 0;
    case 'l':
      return lower(2) == 'l' ? 3 : 0;
    default:
      break;
  }
  return at + 2 < end && at[1] == '\xC5' && at[2] == '\xBF' ? 3 : 0;
}

const char* space_end(const char* at, const char* end, const uint8_t* classes) {
  const char* last = at;          // the last character of the run
  const char* newline = nullptr;  // after its last \r or \n
  const char* stop = at;
  while (stop < end) {
    const Char c = char_at(stop, classes);
    if (c.kind != kSpace) {
      break;
    }
    last = stop;
    stop += c.length;
    newline = line_end(*last) ? stop : newline;
  }
  if (newline != nullptr) {
    return newline;
  }
  return stop == end || last == at ? stop : last;
}

}  // namespace

const char* piece_end(const char* at, const char* end, const uint8_t* classes) {
  const Char first = char_at(at, classes);
  const char* next = at + first.length;
  if (first.kind == kLetter) {
    return skip(next, end, kLetter, classes);
  }
  if (first.kind == kNumber) {
    return next;
  }
  if (*at == '\'') {
    const int n = contraction(at, end);
    if (n != 0) {
      return at + n;
    }
  }
  if (next < end && !line_end(*at)) {
    const Char second = char_at(next, classes);
    if (second.kind == kLetter) {
      return skip(next + second.length, end, kLetter, classes);
    }
    if (*at == ' ' && second.kind == 0) {
      next = skip(next + second.length, end, 0, classes);
      while (next < end && line_end(*next)) {
        ++next;
      }
      return next;
    }
  }
  if (first.kind == kSpace) {
    return space_end(at, end, classes);
  }
  next = skip(next, end, 0, classes);
  while (next < end && line_end(*next)) {
    ++next;
  }
  return next;
}

}  // namespace ember
