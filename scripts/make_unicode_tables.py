#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes engine/text/unicode_tables.cpp: the Unicode data of Hugging Face `tokenizers`.

Ids must equal those of `tokenizers`, whose regular expressions and normalizer each carry their own
Unicode version. So the library itself is asked, for every code point, what it takes for \\p{L},
\\p{N} and \\s and how it decomposes, orders and composes. Needs: tokenizers. Run it again when
Hugging Face moves to newer tables, and commit the result.

usage: python3 scripts/make_unicode_tables.py [--check]
"""
import argparse
import os
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

OUT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                   "engine", "text", "unicode_tables.cpp")
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xAC00 + 11172)
nfd = normalizers.NFD().normalize_str
nfc = normalizers.NFC().normalize_str


def members(pattern):
    split = pre_tokenizers.Split(Regex(pattern), behavior="removed").pre_tokenize_str
    return [c for c in CODE_POINTS if not split(chr(c))]


def ranges(code_points):
    out = []
    for c in code_points:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def combining_classes():
    """Code point -> canonical combining class, found by which marks it changes places with."""
    # U+0334 has class 1, U+0345 class 240. A mark stands for its class only where the library knows
    # it: its tables may be older than Python's.
    low, high = "\u0334", "\u0345"
    marks = {1: low, 240: high}
    for c in CODE_POINTS:
        k, x = unicodedata.combining(chr(c)), chr(c)
        if k and nfd(x) == x and nfd("a" + high + x) == "a" + x + high:
            marks.setdefault(k, x)
    out = {}
    for c in CODE_POINTS:
        x = chr(c)
        if nfd(x) != x:
            continue
        if nfd("a" + high + x) == "a" + high + x and nfd("a" + x + low) == "a" + x + low:
            continue
        classes = [k for k, m in marks.items()
                   if nfd("a" + x + m) == "a" + x + m and nfd("a" + m + x) == "a" + m + x]
        if len(classes) != 1:
            sys.exit(f"U+{c:04X}: combining class not determined: {classes}")
        out[c] = classes[0]
    return out


def decompositions():
    return {c: nfd(chr(c)) for c in CODE_POINTS if c not in HANGUL and nfd(chr(c)) != chr(c)}


def compositions(decomposed):
    out = []
    for c, full in decomposed.items():
        if nfc(chr(c)) != chr(c):
            continue
        first = nfc(full[:-1])
        if len(first) != 1 or nfc(first + full[-1]) != chr(c):
            sys.exit(f"U+{c:04X}: no pair composes to it")
        out.append((ord(first), ord(full[-1]), c))
    return sorted(out)


def array(kind, name, rows):
    lines, line = [], ""
    for row in rows:
        number = lambda v: str(v) if v < 256 else f"0x{v:X}"
        item = "{" + ", ".join("{" + ", ".join(map(number, v)) + "}" if isinstance(v, list)
                               else number(v) for v in row) + "}, "
        if len(line) + len(item) > 96:
            lines.append("    " + line.rstrip())
            line = ""
        line += item
        if len(line) > 84:
            lines.append("    " + line.rstrip())
            line = ""
    lines.append("    " + line.rstrip())
    body = "\n".join(lines)
    return (f"const {kind} {name}[] = {{\n{body}\n}};\n"
            f"const int {name}Count = {len(rows)};\n")


def render():
    ccc = combining_classes()
    decomposed = decompositions()
    if max(len(d) for d in decomposed.values()) > 4:
        sys.exit("a decomposition is longer than 4")
    runs = []
    for c in sorted(ccc):
        if runs and runs[-1][1] == c - 1 and runs[-1][2] == ccc[c]:
            runs[-1][1] = c
        else:
            runs.append([c, c, ccc[c]])
    parts = [
        "// SPDX-License-Identifier: Apache-2.0\n"
        "// Made by scripts/make_unicode_tables.py from Hugging Face tokenizers "
        f"{tokenizers.__version__}; not edited by hand.\n"
        "// clang-format off\n"
        '#include "engine/text/unicode_tables.h"\n\nnamespace ember {\n',
        array("CodeRange", "kLetterRanges", ranges(members(r"\p{L}"))),
        array("CodeRange", "kNumberRanges", ranges(members(r"\p{N}"))),
        array("CodeRange", "kSpaceRanges", ranges(members(r"\s"))),
        array("ClassRange", "kCombiningRanges", runs),
        array("Decomposition", "kDecompositions",
              [[c, [ord(x) for x in d]] for c, d in sorted(decomposed.items())]),
        array("Composition", "kCompositions", compositions(decomposed)),
        "}  // namespace ember\n",
    ]
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the file, write nothing")
    args = parser.parse_args()
    text = render()
    if args.check:
        with open(OUT, encoding="ascii") as f:
            if f.read() != text:
                sys.exit("unicode_tables.cpp differs from what tokenizers "
                         f"{tokenizers.__version__} does: run scripts/make_unicode_tables.py")
        print("unicode_tables.cpp is up to date", file=sys.stderr)
        return
    with open(OUT, "w", encoding="ascii") as f:
        f.write(text)
    print(f"wrote {OUT}", file=sys.stderr)


if __name__ == "__main__":
    main()
