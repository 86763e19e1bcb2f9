// SPDX-License-Identifier: Apache-2.0
#include "engine/text/unicode.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/text/unicode_tables.h"

namespace ember {
namespace {

constexpr uint32_t kHangulFirst = 0xAC00, kHangulCount = 11172;
constexpr uint32_t kLeadFirst = 0x1100, kLeadCount = 19;
constexpr uint32_t kVowelFirst = 0x1161, kVowelCount = 21;
constexpr uint32_t kTailFirst = 0x11A7, kTailCount = 28;  // the first means "no tail"

bool within(uint32_t code, uint32_t first, uint32_t count) {
  return code >= first && code - first < count;
}

// What UnicodeData and CompositionExclusions say, unpacked for direct lookup.
struct Tables {
  std::vector<uint8_t> classes = std::vector<uint8_t>(kCodePoints, 0);
  Tables() {
    mark(kLetterRanges, kLetterRangesCount, kLetter);
    mark(kNumberRanges, kNumberRangesCount, kNumber);
    mark(kSpaceRanges, kSpaceRangesCount, kSpace);
    mark(kCombiningRanges, kCombiningRangesCount, kUnstable);
    for (int i = 0; i < kCompositionsCount; ++i) {
      classes[kCompositions[i].second] |= kUnstable;
    }
    const CodeRange jamo[] = {{kVowelFirst, kVowelFirst + kVowelCount - 1},
                              {kTailFirst + 1, kTailFirst + kTailCount - 1}};
    mark(jamo, 2, kUnstable);
    mark_decomposed();
  }

 private:
  template <class Range>
  void mark(const Range* ranges, int n, uint8_t bit) {
    for (int i = 0; i < n; ++i) {
      for (uint32_t c = ranges[i].first; c <= ranges[i].last; ++c) {
        classes[c] |= bit;
      }
    }
  }
  // Stable only where the composition comes back and nothing before it can reach in.
  void mark_decomposed() {
    std::vector<uint32_t> composed;
    for (int i = 0; i < kCompositionsCount; ++i) {
      composed.push_back(kCompositions[i].composed);
    }
    std::sort(composed.begin(), composed.end());
    for (int i = 0; i < kDecompositionsCount; ++i) {
      const Decomposition& d = kDecompositions[i];
      const bool returns = std::binary_search(composed.begin(), composed.end(), d.code);
      if (!returns || (classes[d.full[0]] & kUnstable) != 0) {
        classes[d.code] |= kUnstable;
      }
    }
  }
};

const Tables& tables() {
  static const Tables instance;
  return instance;
}

uint8_t combining_class(uint32_t code) {
  if (code < 0x300) {
    return 0;
  }
  const ClassRange* end = kCombiningRanges + kCombiningRangesCount;
  const ClassRange* at = std::upper_bound(
      kCombiningRanges, end, code, [](uint32_t c, const ClassRange& r) { return c < r.first; });
  return at != kCombiningRanges && code <= at[-1].last ? at[-1].combining_class : 0;
}

// 0 where the pair does not compose.
uint32_t compose(uint32_t first, uint32_t second) {
  if (within(first, kLeadFirst, kLeadCount) && within(second, kVowelFirst, kVowelCount)) {
    return kHangulFirst +
           ((first - kLeadFirst) * kVowelCount + (second - kVowelFirst)) * kTailCount;
  }
  if (within(first, kHangulFirst, kHangulCount) && (first - kHangulFirst) % kTailCount == 0 &&
      within(second, kTailFirst + 1, kTailCount - 1)) {
    return first + (second - kTailFirst);
  }
  const Composition* end = kCompositions + kCompositionsCount;
  const Composition* at =
      std::lower_bound(kCompositions, end, std::make_pair(first, second),
                       [](const Composition& c, const std::pair<uint32_t, uint32_t>& key) {
                         return c.first != key.first ? c.first < key.first : c.second < key.second;
                       });
  return at != end && at->first == first && at->second == second ? at->composed : 0;
}

struct Mark {
  uint32_t code;
  uint8_t combining;
};

void decompose(uint32_t code, std::vector<Mark>* out) {
  if (within(code, kHangulFirst, kHangulCount)) {
    const uint32_t index = code - kHangulFirst;
    out->push_back({kLeadFirst + index / (kVowelCount * kTailCount), 0});
    out->push_back({kVowelFirst + index / kTailCount % kVowelCount, 0});
    if (index % kTailCount != 0) {
      out->push_back({kTailFirst + index % kTailCount, 0});
    }
    return;
  }
  const Decomposition* end = kDecompositions + kDecompositionsCount;
  const Decomposition* at = std::lower_bound(
      kDecompositions, end, code, [](const Decomposition& d, uint32_t c) { return d.code < c; });
  if (at == end || at->code != code) {
    out->push_back({code, combining_class(code)});
    return;
  }
  for (int i = 0; i < 4 && at->full[i] != 0; ++i) {
    out->push_back({at->full[i], combining_class(at->full[i])});
  }
}

void reorder(std::vector<Mark>* marks) {
  for (size_t i = 0; i < marks->size();) {
    if ((*marks)[i].combining == 0) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < marks->size() && (*marks)[end].combining != 0) {
      ++end;
    }
    std::stable_sort(marks->begin() + static_cast<std::ptrdiff_t>(i),
                     marks->begin() + static_cast<std::ptrdiff_t>(end),
                     [](const Mark& a, const Mark& b) { return a.combining < b.combining; });
    i = end;
  }
}

// In place. A mark is blocked from the last starter by a kept mark of the same or a higher class.
void recompose(std::vector<Mark>* marks) {
  std::vector<Mark>& m = *marks;
  size_t kept = 0;
  size_t starter = m.size();  // index of the last starter among the kept ones; size() = none
  int last_class = -1;        // of the last kept mark after the starter; -1 = none between
  for (size_t i = 0; i < m.size(); ++i) {
    const Mark mark = m[i];
    if (starter < m.size() && last_class < static_cast<int>(mark.combining)) {
      const uint32_t composed = compose(m[starter].code, mark.code);
      if (composed != 0) {
        m[starter].code = composed;
        continue;
      }
    }
    if (mark.combining == 0) {
      starter = kept;
      last_class = -1;
    } else {
      last_class = mark.combining;
    }
    m[kept++] = mark;
  }
  m.resize(kept);
}

// Where to cut: the next character that nothing before it can change, at or after `at`.
size_t next_stable(std::string_view text, size_t at, const uint8_t* classes) {
  while (at < text.size()) {
    const int n = utf8_length(text.data() + at, static_cast<int64_t>(text.size() - at));
    if ((classes[utf8_code(text.data() + at, n)] & kUnstable) == 0) {
      break;
    }
    at += static_cast<size_t>(n);
  }
  return at;
}

}  // namespace

const uint8_t* code_classes() {
  return tables().classes.data();
}

int utf8_length(const char* text, int64_t size) {
  const auto* b = reinterpret_cast<const unsigned char*>(text);
  const auto follows = [&](int i) { return (b[i] & 0xC0) == 0x80; };
  if (b[0] < 0x80) {
    return 1;
  }
  if (b[0] < 0xC2) {
    return 0;
  }
  if (b[0] < 0xE0) {
    return size >= 2 && follows(1) ? 2 : 0;
  }
  if (b[0] < 0xF0) {
    const bool overlong = b[0] == 0xE0 && size >= 2 && b[1] < 0xA0;
    const bool surrogate = b[0] == 0xED && size >= 2 && b[1] >= 0xA0;
    return size >= 3 && follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (b[0] < 0xF5) {
    const bool overlong = b[0] == 0xF0 && size >= 2 && b[1] < 0x90;
    const bool beyond = b[0] == 0xF4 && size >= 2 && b[1] >= 0x90;
    return size >= 4 && follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

uint32_t utf8_code(const char* text, int length) {
  const auto* b = reinterpret_cast<const unsigned char*>(text);
  switch (length) {
    case 1:
      return b[0];
    case 2:
      return (b[0] & 0x1Fu) << 6 | (b[1] & 0x3Fu);
    case 3:
      return (b[0] & 0x0Fu) << 12 | (b[1] & 0x3Fu) << 6 | (b[2] & 0x3Fu);
    default:
      return (b[0] & 0x07u) << 18 | (b[1] & 0x3Fu) << 12 | (b[2] & 0x3Fu) << 6 | (b[3] & 0x3Fu);
  }
}

void append_utf8(uint32_t code, std::string* out) {
  const auto put = [&](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

int64_t utf8_valid_prefix(std::string_view text) {
  const auto size = static_cast<int64_t>(text.size());
  int64_t at = 0;
  while (at < size) {
    uint64_t eight;
    if (at + 8 <= size) {
      std::memcpy(&eight, text.data() + at, 8);
      if ((eight & 0x8080808080808080u) == 0) {
        at += 8;
        continue;
      }
    }
    const int n = utf8_length(text.data() + at, size - at);
    if (n == 0) {
      break;
    }
    at += n;
  }
  return at;
}

int utf8_broken_length(const char* text, int64_t size, bool* cut) {
  const auto* b = reinterpret_cast<const unsigned char*>(text);
  *cut = false;
  if (b[0] < 0xC2 || b[0] > 0xF4) {
    return 1;
  }
  const int want = b[0] < 0xE0 ? 2 : b[0] < 0xF0 ? 3 : 4;
  int n = 1;
  while (n < want && n < size) {
    unsigned low = 0x80, high = 0xBF;
    if (n == 1) {
      low = b[0] == 0xE0 ? 0xA0 : b[0] == 0xF0 ? 0x90 : 0x80;
      high = b[0] == 0xED ? 0x9F : b[0] == 0xF4 ? 0x8F : 0xBF;
    }
    if (b[n] < low || b[n] > high) {
      return n;
    }
    ++n;
  }
  *cut = n == size && n < want;
  return n;
}

std::string utf8_lossy(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const auto valid = static_cast<size_t>(utf8_valid_prefix(bytes));
    out.append(bytes.substr(0, valid));
    bytes.remove_prefix(valid);
    if (!bytes.empty()) {
      bool cut = false;
      out += "\xEF\xBF\xBD";
      bytes.remove_prefix(static_cast<size_t>(
          utf8_broken_length(bytes.data(), static_cast<int64_t>(bytes.size()), &cut)));
    }
  }
  return out;
}

std::string_view normalize_nfc(std::string_view text, std::string* buffer) {
  const uint8_t* classes = code_classes();
  std::vector<Mark> marks;
  size_t copied = 0;  // text up to here is in *buffer, if anything changed at all
  size_t stable = 0;  // the last stable character seen starts here
  bool changed = false;
  for (size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0xCC) {  // below U+0300 everything is stable
      stable = at;
      at += lead < 0x80 ? 1 : 2;
      continue;
    }
    const int n = utf8_length(text.data() + at, static_cast<int64_t>(text.size() - at));
    if ((classes[utf8_code(text.data() + at, n)] & kUnstable) == 0) {
      stable = at;
      at += static_cast<size_t>(n);
      continue;
    }
    const size_t end = next_stable(text, at, classes);
    marks.clear();
    for (size_t i = stable; i < end;) {
      const int k = utf8_length(text.data() + i, static_cast<int64_t>(end - i));
      decompose(utf8_code(text.data() + i, k), &marks);
      i += static_cast<size_t>(k);
    }
    reorder(&marks);
    recompose(&marks);
    if (!changed) {
      buffer->clear();
      changed = true;
    }
    buffer->append(text.substr(copied, stable - copied));
    for (const Mark& mark : marks) {
      append_utf8(mark.code, buffer);
    }
    copied = stable = at = end;
  }
  if (!changed) {
    return text;
  }
  buffer->append(text.substr(copied));
  return *buffer;
}

}  // namespace ember
