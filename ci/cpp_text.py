# SPDX-License-Identifier: Apache-2.0
"""C++ source text with its comments and literals blanked, line for line."""
import re

# Order matters: a raw string before an ordinary one, a digit separator before a character literal.
TOKEN = re.compile(
    r"""
    //(?:[^\n\\]|\\.|\\\n)*                                     # line comment
  | /\*.*?(?:\*/|\Z)                                            # block comment
  | \b(?:u8|[uUL])?R"(?P<delim>[^ ()\\\t\n]{0,16})\(.*?\)(?P=delim)"   # raw string
  | "(?:[^"\\\n]|\\.|\\\n)*"                                    # string
  | (?<=[0-9a-fA-F])'(?=[0-9a-fA-F])                            # digit separator
  | '(?:[^'\\\n]|\\.)+'                                         # character
    """,
    re.VERBOSE | re.DOTALL)


def blank(match):
    """The same number of lines, nothing else: positions by line survive."""
    text = match.group(0)
    if text.startswith("//") or text.startswith("/*"):
        return " " + "\n" * text.count("\n")
    if text == "'":
        return ""
    return text[0] + "\n" * text.count("\n") + text[-1] if text[0] in "\"'" else \
        '""' + "\n" * text.count("\n")


def code_lines(text):
    """The lines of `text` with comments and the insides of literals removed.

    Include directives keep their path: it is read from the original line where the code line still
    begins with #include, so that an include inside a comment is not one.
    """
    original = text.split("\n")
    lines = TOKEN.sub(blank, text).split("\n")
    for i, line in enumerate(lines):
        if re.match(r"\s*#\s*include\b", line):
            lines[i] = original[i]
    return lines
