// SPDX-License-Identifier: Apache-2.0
// Qwen's split pattern by hand. One piece at a time, as the regular expression's alternatives would
// take it from the left; every character belongs to exactly one piece:
//   (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N} | ?[^\s\p{L}\p{N}]+[\r\n]*
//   | \s*[\r\n]+ | \s+(?!\S) | \s+
#pragma once

#include <cstdint>

namespace ember {

extern const char* const kQwenSplitPattern;

// `text`: valid UTF-8, `at` < `end`. Returns the end of the piece that starts at `at`; `end` is the
// end of the text for the pattern's look-ahead. `classes` is code_classes().
const char* piece_end(const char* at, const char* end, const uint8_t* classes);

}  // namespace ember
