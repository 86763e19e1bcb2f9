// SPDX-License-Identifier: Apache-2.0
// Unicode data as Hugging Face `tokenizers` has it. Its regular expressions and its normalizer
// carry different Unicode versions, neither that of any system library, so the tables are made by
// asking it (scripts/make_unicode_tables.py) and ids stay equal for every code point.
#pragma once

#include <cstdint>

namespace ember {

struct CodeRange {
  uint32_t first, last;  // both included
};
struct ClassRange {
  uint32_t first, last;
  uint8_t combining_class;  // never 0
};
struct Decomposition {
  uint32_t code;
  uint32_t full[4];  // canonical, complete, in canonical order; unused places are 0
};
struct Composition {
  uint32_t first, second, composed;
};

// Sorted. Hangul syllables are left out of both tables: they are arithmetic.
extern const CodeRange kLetterRanges[];  // \p{L}
extern const int kLetterRangesCount;
extern const CodeRange kNumberRanges[];  // \p{N}
extern const int kNumberRangesCount;
extern const CodeRange kSpaceRanges[];  // \s
extern const int kSpaceRangesCount;
extern const ClassRange kCombiningRanges[];
extern const int kCombiningRangesCount;
extern const Decomposition kDecompositions[];
extern const int kDecompositionsCount;
extern const Composition kCompositions[];
extern const int kCompositionsCount;

}  // namespace ember
