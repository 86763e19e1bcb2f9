#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares `ember tokenize` with Hugging Face `tokenizers` on random Unicode text.

Checked for every text: the ids; the ids as plain text (--special text) against the same tokenizer
without its added tokens; the text that the ids decode to; where no added token is spelled, that
this is the NFC of the text. Exits 1 on any difference. Needs: tokenizers.

With --speed: both encode the same mixed text on one thread, the best of some rounds each.

usage: python3 scripts/tokenizer_diff.py [--count 200000] [--seed 1] [--tokenizer FILE]
                                       [--every] [--speed]
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BATCH = 20000


def ember(binary, tokenizer, lines, *flags):
    """One process, one JSON value a line in and out."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as sink:
        for line in lines:
            source.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        source.seek(0)
        subprocess.run([binary, "tokenize", "-m", tokenizer, "--jsonl", *flags], stdin=source,
                       stdout=sink, check=True)
        sink.seek(0)
        return [json.loads(line) for line in sink]


def vocabulary(hf, added):
    """Texts of the vocabulary's entries in id order, where they are whole characters."""
    texts = (hf.decode([i], skip_special_tokens=False) for i in range(hf.get_vocab_size()))
    return [t for t in texts if t and "\ufffd" not in t and t not in added]


class Comparison:
    def __init__(self, args):
        from tokenizers import Tokenizer, normalizers
        with open(args.tokenizer, encoding="utf-8") as f:
            spec = json.load(f)
        self.args = args
        self.hf = Tokenizer.from_file(args.tokenizer)
        self.added = [t["content"] for t in spec["added_tokens"]]
        spec["added_tokens"] = []
        self.plain = Tokenizer.from_str(json.dumps(spec))
        self.nfc = normalizers.NFC().normalize_str
        self.counts = {"texts": 0, "tokens": 0, "ids": 0, "plain_ids": 0, "decode": 0,
                       "round_trip": 0}

    def report(self, what, text, expected, got):
        self.counts[what] += 1
        if self.counts[what] <= 5:
            print(f"DIFFERENT {what}: {text!r}\n  expected {expected!r}\n  got      {got!r}",
                  file=sys.stderr)

    def batch(self, texts):
        run = lambda lines, *flags: ember(self.args.ember, self.args.tokenizer, lines, *flags)
        want = [e.ids for e in self.hf.encode_batch(texts, add_special_tokens=False)]
        want_plain = [e.ids for e in self.plain.encode_batch(texts, add_special_tokens=False)]
        got = [r["ids"] for r in run(texts)]
        got_plain = [r["ids"] for r in run(texts, "--special", "text")]
        back = [r["text"] for r in run(want, "--decode")]
        assert len(got) == len(got_plain) == len(back) == len(texts)
        decoded = self.hf.decode_batch(want, skip_special_tokens=False)
        for i, text in enumerate(texts):
            if got[i] != want[i]:
                self.report("ids", text, want[i], got[i])
            if got_plain[i] != want_plain[i]:
                self.report("plain_ids", text, want_plain[i], got_plain[i])
            if back[i] != decoded[i]:
                self.report("decode", text, decoded[i], back[i])
            if not any(t in text for t in self.added) and back[i] != self.nfc(text):
                self.report("round_trip", text, self.nfc(text), back[i])
            self.counts["tokens"] += len(want[i])
        self.counts["texts"] += len(texts)


def every_code_point():
    """Each code point alone, beside a letter, a number, a space and an apostrophe, and with marks."""
    for c in range(0x110000):
        if 0xD800 <= c < 0xE000:
            continue
        x = chr(c)
        yield (f"{x} a{x}b {x}c 1{x} \n{x}\r\n'{x}e{x}{x} !{x}s {x}\u0301 e{x}\u0301 "
               f"\u1100{x}\u11a8 a\u0345{x}\u0334 <{x}|")


def compare(args):
    from tokenizer_texts import Texts
    comparison = Comparison(args)
    if args.every:
        texts = list(every_code_point())
        for at in range(0, len(texts), BATCH):
            comparison.batch(texts[at:at + BATCH])
            print(f"{comparison.counts['texts']} texts", file=sys.stderr)
    rng = random.Random(args.seed)
    texts = Texts(rng, comparison.added, vocabulary(comparison.hf, set(comparison.added)))
    left = args.count
    while left > 0:
        comparison.batch([texts.one() for _ in range(min(left, BATCH))])
        left -= BATCH
        print(f"{comparison.counts['texts']} texts", file=sys.stderr)
    result = dict(comparison.counts, seed=args.seed)
    print(json.dumps(result))
    return any(result[k] for k in ("ids", "plain_ids", "decode", "round_trip"))


def speed(args):
    from tokenizer_texts import corpus
    from tokenizers import Tokenizer, __version__
    start = time.perf_counter()
    hf = Tokenizer.from_file(args.tokenizer)
    hf_load = time.perf_counter() - start
    documents = corpus(random.Random(args.seed), vocabulary(hf, set()), args.bytes)
    text = "".join(documents)
    size = len(text.encode())
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="") as whole, \
            tempfile.NamedTemporaryFile("w", encoding="utf-8") as lines:
        whole.write(text)
        whole.flush()
        for document in documents:
            lines.write(json.dumps(document, ensure_ascii=False) + "\n")
        lines.flush()
        best = {}
        for _ in range(args.rounds):
            for name, flags in (("whole", ["-f", whole.name, "--json"]),
                                ("documents", ["-f", lines.name, "--jsonl"])):
                done = subprocess.run([args.ember, "tokenize", "-m", args.tokenizer, "--stats",
                                       *flags], capture_output=True, check=True)
                stats = json.loads(done.stderr)
                rows = [json.loads(row)["ids"] for row in done.stdout.splitlines()]
                best.setdefault("ember " + name, []).append(stats["work_s"])
                best.setdefault("ember load", []).append(stats["load_s"])
                start = time.perf_counter()
                encoded = hf.encode_batch([text] if name == "whole" else documents,
                                          add_special_tokens=False)
                best.setdefault("tokenizers " + name, []).append(time.perf_counter() - start)
                if rows != [e.ids for e in encoded]:
                    sys.exit("the ids of the speed text differ")
    seconds = {k: min(v) for k, v in best.items()}
    result = {"bytes": size, "documents": len(documents), "tokenizers": __version__,
              "tokenizers load_s": round(hf_load, 3),
              "ember load_s": round(seconds.pop("ember load"), 3)}
    for name, s in seconds.items():
        result[name + " MB/s"] = round(size / s / 1e6, 2)
    slowest = min(size / seconds["ember " + n] for n in ("whole", "documents"))
    fastest = max(size / seconds["tokenizers " + n] for n in ("whole", "documents"))
    result["ratio"] = round(slowest / fastest, 2)  # Ember's slower way over theirs that is faster
    print(json.dumps(result))
    return result["ratio"] < 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokenizer", default=os.path.join(
        ROOT, "golden", "tokenizers", "qwen3", "tokenizer.json"))
    parser.add_argument("--ember", default=os.path.join(ROOT, "build", "ember"))
    parser.add_argument("--every", action="store_true",
                        help="besides, every code point in a dozen surroundings")
    parser.add_argument("--speed", action="store_true", help="measure throughput as well")
    parser.add_argument("--bytes", type=int, default=10_000_000, help="of the text of --speed")
    parser.add_argument("--rounds", type=int, default=3, help="of --speed")
    args = parser.parse_args()
    if args.speed:  # before tokenizers is imported
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        os.environ["RAYON_NUM_THREADS"] = "1"
    wrong = (args.count > 0 or args.every) and compare(args)
    slow = args.speed and speed(args)
    sys.exit(1 if wrong or slow else 0)


if __name__ == "__main__":
    main()
