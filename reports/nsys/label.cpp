// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>

#include "engine/io/json.h"
#include "reports/nsys/trace.h"

namespace ember::report::nsys {
namespace {

// Bytes of the UTF-8 character at `at`, 0 where none begins there.
size_t character(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = byte(at), second = byte(at + 1);
  const size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (n < 2) {
    return n;
  }
  // Overlong forms, surrogates, beyond U+10FFFF.
  if (first > 0xf4 || (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) {
    return 0;
  }
  for (size_t i = 1; i < n; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  return n;
}

std::string valid(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t n = character(text, i);
    out += n == 0 ? std::string("?") : std::string(text.substr(i, n));
    i += n == 0 ? 1 : n;
  }
  return out;
}

uint32_t hash(std::string_view text) {
  uint32_t h = 2166136261u;  // FNV-1a: tells names apart, guards nothing
  for (const char c : text) {
    h = (h ^ static_cast<unsigned char>(c)) * 16777619u;
  }
  return h;
}

std::string without(std::string_view text, std::string_view what) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t found = std::min(text.find(what, at), text.size());
    out += text.substr(at, found - at);
    at = found + what.size();
  }
  return out;
}

}  // namespace

std::string label(std::string_view text) {
  const std::string whole = printable(valid(text), text.size() * 4 + 1);
  if (whole.size() <= kMaxName) {
    return whole;
  }
  char tail[16];
  std::snprintf(tail, sizeof tail, "...%08x", static_cast<unsigned>(hash(text)));
  size_t keep = kMaxName - 11;
  while ((static_cast<unsigned char>(whole[keep]) & 0xc0) == 0x80) {
    --keep;  // never cut inside a character
  }
  return whole.substr(0, keep) + tail;
}

std::string kernel_label(std::string_view demangled) {
  std::string name(demangled);
  if (name.rfind("void ", 0) == 0) {
    name.erase(0, 5);
  }
  if (!name.empty() && name.back() == ')') {
    int depth = 0;
    for (size_t i = name.size(); i-- > 1;) {
      depth += name[i] == ')' ? 1 : name[i] == '(' ? -1 : 0;
      if (depth == 0) {
        name.resize(i);
        break;
      }
    }
  }
  name = without(without(name, "(anonymous namespace)::"), "<unnamed>::");
  return label(name.empty() ? "(no name)" : name);
}

}  // namespace ember::report::nsys
