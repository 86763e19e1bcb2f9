# SPDX-License-Identifier: Apache-2.0
"""Random texts that reach into the corners of a tokenizer. Used by tokenizer_diff.py, chat_diff.py
and export_tokenizer_golden.py; the same seed gives the same texts."""
import unicodedata

SURROGATES = range(0xD800, 0xE000)
# \s of the split pattern, and look-alikes that are not white space.
SPACES = ("\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
          "\u2009\u200a\u2028\u2029\u202f\u205f\u3000")
NOT_SPACES = "\x1c\x1d\x1e\x1f\u180e\u200b\u200c\u200d\u2060\ufeff\x00\x08\x1a\x7f\x80\xad"
# First and last code point of blocks with their own rules.
BLOCKS = [(0x20, 0x7E), (0xA0, 0x24F), (0x250, 0x2FF), (0x370, 0x3FF), (0x400, 0x52F),
          (0x531, 0x58F), (0x591, 0x5F4), (0x600, 0x6FF), (0x700, 0x74F), (0x900, 0x97F),
          (0x980, 0x9FF), (0xA00, 0xA7F), (0xB00, 0xB7F), (0xB80, 0xBFF), (0xC00, 0xC7F),
          (0xC80, 0xCFF), (0xD00, 0xD7F), (0xD80, 0xDFF), (0xE00, 0xE7F), (0xE80, 0xEFF),
          (0xF00, 0xFFF), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F),
          (0x13A0, 0x13FF), (0x1400, 0x167F), (0x1780, 0x17FF), (0x1800, 0x18AF), (0x1B00, 0x1B7F),
          (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x20CF), (0x2100, 0x218F), (0x2190, 0x23FF),
          (0x2460, 0x24FF), (0x2C00, 0x2D7F), (0x3000, 0x303F), (0x3040, 0x30FF), (0x3100, 0x318F),
          (0x3400, 0x34FF), (0x4E00, 0x9FFF), (0xA000, 0xA4CF), (0xAC00, 0xD7A3), (0xD7B0, 0xD7FF),
          (0xE000, 0xE0FF), (0xF900, 0xFAFF), (0xFB00, 0xFB4F), (0xFE70, 0xFEFF), (0xFF00, 0xFFEF),
          (0x10330, 0x1034F), (0x10400, 0x1044F), (0x10A00, 0x10A5F), (0x11080, 0x110CF),
          (0x11100, 0x1114F), (0x11300, 0x1137F), (0x11480, 0x114DF), (0x11900, 0x1195F),
          (0x12000, 0x1247F), (0x13000, 0x1342F), (0x16D40, 0x16D7F), (0x1D100, 0x1D24F),
          (0x1D400, 0x1D7FF), (0x1E900, 0x1E95F), (0x1F100, 0x1F1FF), (0x1F300, 0x1FAFF),
          (0x20000, 0x200FF), (0x2F800, 0x2FA1F), (0x30000, 0x300FF), (0xE0100, 0xE01EF),
          (0xF0000, 0xF00FF), (0x10FF00, 0x10FFFF)]
EMOJI = ["😀", "👍", "👍🏽", "👩‍🚀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇪🇺", "🇩🇪🇫🇷🇯", "1️⃣", "#️⃣", "❤️", "❤", "☺︎", "🧑🏿‍🤝‍🧑🏻",
         "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🫠", "⌚", "™️", "🤷‍♀️"]
CODE = ["def f(x):\n    return x ** 2\n", "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}\n",
        "SELECT * FROM t WHERE id='5' AND x<>3;", "<div class=\"a\">text</div>\r\n",
        "{\"key\": [1, 2.5e-3, null, true]}\n", "\\begin{align}\n  x &= y \\\\\n\\end{align}",
        "#include <vector>\n\n\n", "if __name__ == '__main__':\n\tmain()\n", "a->b::c&&d||!e;",
        "x = 0x1F + 0b10_1 - 1e-9j  # note\n", "$ cat /etc/passwd | grep 'root' > out.txt\n",
        "http://example.com/?q=a%20b&r=1#frag", "C:\\Users\\name\\file.TXT", "@decorator\nasync def"]
CONTRACTIONS = ["'s", "'S", "'ſ", "'t", "'T", "'re", "'RE", "'Re", "'rE", "'ve", "'VE", "'m", "'M",
                "'ll", "'LL", "'lL", "'d", "'D", "’s", "'st", "'r", "'l", "'v", "''s", "'sſ", "'K",
                "'Re'll've", "'x", "'"]
WORDS = ("the of and to in is it you that he was for on are with as I his they be at one have this "
         "hello world Ember tokenizer inference don't can't we'll they've I'm naïve café Straße "
         "привет мир Ελλάδα שלום مرحبا नमस्ते สวัสดี 안녕하세요 こんにちは 世界 你好 Việt Nam İstanbul").split()


class Texts:
    """texts = Texts(rng, added, vocab); texts.one() is a random text of a random kind."""

    def __init__(self, rng, added, vocab):
        self.rng = rng
        self.added = list(added)  # contents of added tokens
        self.vocab = vocab        # texts of vocabulary entries, most frequent first
        self.by_category = {}
        for c in range(0x110000):
            if c not in SURROGATES:
                self.by_category.setdefault(unicodedata.category(chr(c)), []).append(c)
        self.categories = sorted(self.by_category)
        self.marks = [c for k in ("Mn", "Mc", "Me") for c in self.by_category[k]]
        self.combining = [c for c in self.marks if unicodedata.combining(chr(c))]
        self.decomposed = [c for c in range(0xA0, 0x30000)
                           if c not in SURROGATES and unicodedata.decomposition(chr(c))]
        self.numbers = [c for k in ("Nd", "Nl", "No") for c in self.by_category[k]]
        self.kinds = [self.any_code_point, self.category, self.categories_mixed, self.script,
                      self.emoji, self.marks_storm, self.hangul, self.compositions, self.spaces,
                      self.line_ends, self.contractions, self.code, self.digits, self.control,
                      self.long_run, self.prose, self.pieces, self.ascii, self.mixture]

    def one(self):
        return self.rng.choice(self.kinds)()

    def length(self, most=24):
        return self.rng.randrange(1, most)

    def pick(self, code_points):
        return chr(self.rng.choice(code_points))

    def code_point(self):
        while True:
            c = self.rng.randrange(0x110000)
            if c not in SURROGATES:
                return chr(c)

    def any_code_point(self):
        return "".join(self.code_point() for _ in range(self.length()))

    def category(self):
        members = self.by_category[self.rng.choice(self.categories_no_surrogates())]
        return "".join(self.pick(members) if self.rng.random() < .8 else self.rng.choice(" a1.\n'")
                       for _ in range(self.length()))

    def categories_no_surrogates(self):
        return [k for k in self.categories if k != "Cs"]

    def categories_mixed(self):
        keys = self.categories_no_surrogates()
        return "".join(self.pick(self.by_category[self.rng.choice(keys)])
                       for _ in range(self.length()))

    def script(self):
        first, last = self.rng.choice(BLOCKS)
        return "".join(chr(self.rng.randint(first, last)) if self.rng.random() < .85
                       else self.rng.choice(" ,.\n0'-") for _ in range(self.length(40)))

    def emoji(self):
        extra = ["\u200d", "\ufe0f", "\ufe0e", "🏽", "\u20e3", "🇦", " ", "a", "!"]
        return "".join(self.rng.choice(EMOJI if self.rng.random() < .6 else extra)
                       for _ in range(self.length()))

    def marks_storm(self):
        out = ""
        for _ in range(self.length(8)):
            out += self.rng.choice(["a", "e", "O", "q", " ", "<", ">", "=", "1", "ä", "ệ", "क",
                                    "\u0627", "\u09c7", "\u0b47", self.pick(self.decomposed)])
            for _ in range(self.rng.randrange(0, 7)):
                out += self.pick(self.combining if self.rng.random() < .8 else self.marks)
        return out

    def hangul(self):
        ranges = [(0x1100, 0x1112), (0x1161, 0x1175), (0x11A7, 0x11C2), (0xAC00, 0xD7A3),
                  (0x1113, 0x115F), (0x1176, 0x11A6), (0xA960, 0xA97C), (0xD7B0, 0xD7FB),
                  (0x300, 0x304), (0x3131, 0x318E)]
        syllables = [0xAC00 + 28 * self.rng.randrange(399) for _ in range(4)]
        out = ""
        for _ in range(self.length()):
            pick = self.rng.random()
            if pick < .2:
                out += self.pick(syllables)
            else:
                out += chr(self.rng.randint(*self.rng.choice(ranges[:4] if pick < .8 else ranges)))
        return out

    def compositions(self):
        out = "".join(self.pick(self.decomposed) for _ in range(self.length()))
        form = self.rng.choice(["NFD", "NFC", "NFKD", None])
        out = unicodedata.normalize(form, out) if form else out
        chars = list(out)
        if self.rng.random() < .4:
            self.rng.shuffle(chars)
        return "".join(chars)

    def spaces(self):
        out = ""
        for _ in range(self.length(10)):
            out += "".join(self.rng.choice(SPACES) for _ in range(self.rng.randrange(0, 5)))
            out += self.rng.choice(["", "a", "B", "7", "!", "é", "你", self.rng.choice(NOT_SPACES)])
        return out

    def line_ends(self):
        units = ["\r", "\n", "\r\n", " ", "  ", "\t", "\x0b", "\u2028", "\x85", "a", ".", "1", "!\n"]
        return "".join(self.rng.choice(units) for _ in range(self.length()))

    def contractions(self):
        out = ""
        for _ in range(self.length(10)):
            out += self.rng.choice(["", " ", "I", "we", "DON", "1", "!", "é", "你", "\n"])
            out += self.rng.choice(CONTRACTIONS)
        return out

    def code(self):
        return "".join(self.rng.choice(CODE) if self.rng.random() < .5
                       else self.rng.choice(["    ", "\t", "\n", "  ", "}", "))", "//", "'", "_x1"])
                       for _ in range(self.length(10)))

    def digits(self):
        return "".join(self.pick(self.numbers) if self.rng.random() < .4
                       else self.rng.choice("0123456789 .,-+eE%$\n") for _ in range(self.length(40)))

    def control(self):
        out = ""
        for _ in range(self.length(8)):
            token = self.rng.choice(self.added)
            way = self.rng.random()
            if way < .4:
                out += token
            elif way < .6:
                at = self.rng.randrange(len(token) + 1)
                out += token[:at] + self.rng.choice(["", " ", "\u200b", "|", token]) + token[at:]
            elif way < .7:
                out += token.swapcase()
            elif way < .8:
                out += token.replace("|", "｜").replace("<", self.rng.choice("<＜‹"))
            else:
                out += self.rng.choice(["<", "|", ">", "<|", "|>", "</", " ", "\n", "user", "\u0338",
                                        "\u0301", "a", "  "])
        return out

    def long_run(self):
        units = ["a", "A", " ", "\n", "\t", "!", "=", "-", "0", "'", "é", "你", "\u0301", "😀", "ab",
                 "<", "| ", "ha", "\u3000", " \n", "\r\n", "가", "\u1161"]
        n = self.rng.choice([3, 17, 64, 127, 128, 129, 130, 255, 300, 1000])
        return "".join([self.rng.choice(["", "x", " "]), self.rng.choice(units) * n,
                        self.rng.choice(["", "x", " "])])

    def prose(self):
        gaps = [" ", " ", " ", ", ", ". ", "\n", ""]
        return "".join(self.rng.choice(WORDS) + self.rng.choice(gaps)
                       for _ in range(self.length(40)))

    def pieces(self):
        """Vocabulary entries one after another: long words of known parts."""
        return "".join(self.vocab[min(int(self.rng.paretovariate(.25)), len(self.vocab)) - 1]
                       for _ in range(self.length(20)))

    def ascii(self):
        return "".join(chr(self.rng.randrange(0, 128)) for _ in range(self.length(60)))

    def mixture(self):
        return "".join(self.rng.choice(self.kinds[:-1])()[:self.rng.randrange(1, 30)]
                       for _ in range(self.rng.randrange(2, 6)))


def corpus(rng, vocab, size):
    """About `size` bytes of mixed text: prose with Zipf's word frequencies, Chinese, other scripts,
    code, numbers; in documents of some hundred to some thousand characters."""
    words = [v for v in vocab if v[:1] == " " and v[1:].isascii() and v[1:].isalpha()]
    parts = [v for v in vocab if v.isascii() and v.isalpha() and v.islower()]
    han = [v for v in vocab if v and all(0x4E00 <= ord(c) < 0xA000 for c in v)]
    other = [v for v in vocab if v.strip() and not v.isascii() and v not in set(han)][:40000]
    zipf = lambda items: items[min(int(rng.paretovariate(.7)), len(items)) - 1]
    out, total = [], 0
    while total < size:
        kind = rng.random()
        doc = []
        for _ in range(rng.randrange(40, 400)):
            if kind < .55:
                doc.append(zipf(words) if rng.random() < .9 else " " + zipf(parts) + zipf(parts))
                doc.append(rng.choice(["", "", "", "", "", "", ",", ".", ".\n", "'s", "—",
                                       " 19" + str(rng.randrange(100))]))
            elif kind < .7:
                doc.append(zipf(han) + rng.choice(["", "", "", "，", "。", "\n"]))
            elif kind < .8:
                doc.append(zipf(other) + rng.choice(["", "", " ", "\n"]))
            elif kind < .95:
                doc.append(rng.choice(CODE) if rng.random() < .3 else
                           "    " + zipf(parts) + "_" + zipf(parts) + " = " + zipf(parts) +
                           "(" + zipf(parts) + ", " + str(rng.randrange(1000)) + ")\n")
            else:
                doc.append(rng.choice(EMOJI + ["cafe\u0301 ", "\t", str(rng.random()), "!!", "…"]))
        text = "".join(doc) + "\n"
        out.append(text)
        total += len(text.encode())
    return out
