#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes golden/tokenizers/qwen3/sample.json: texts and conversations with what Hugging Face makes
of them. tokenizer_golden_test checks all of it, without Python. Needs: transformers, tokenizers.

  texts  [text, ids, plain ids or null where equal, decoded text or null where it is the text]
         plain ids: by the same tokenizer without its added tokens
  chats  [request as JSON text, rendered text, ids of the whole text]

usage: python3 scripts/export_tokenizer_golden.py [--seed 1]
"""
import argparse
import json
import os
import random

import tokenizers
import transformers
from transformers import AutoTokenizer

from chat_diff import Conversations, hugging_face
from tokenizer_diff import vocabulary
from tokenizer_texts import Texts

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, "golden", "tokenizers", "qwen3")
TEXTS, CHATS = 2600, 160
CORNERS = [
    "I'ſx'Sx'sx 'ſt", "x'REx'Vex'LLx'lLx", "\rabc\nabc\u2028abc", "a\u0345\u0334b",
    "\u1fb3\u0334", "<\u0338|im_end|>\u0338", "\u1100\u1161\u11a8\u11a8",
    "\U00011935\U00011930 \u0c3c\u0334", " \r\n\t x", "\u00a0\u00a0x\u3000\n", "½Ⅷ1२३",
    "!\r\r\n!\n x", "e\u0301" * 200]
MOST_IDS = 70  # of a usual text; every 40th may be of any length


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    path = os.path.join(FOLDER, "tokenizer.json")
    hf = tokenizers.Tokenizer.from_file(path)
    with open(path, encoding="utf-8") as f:
        spec = json.load(f)
    added = [t["content"] for t in spec["added_tokens"]]
    spec["added_tokens"] = []
    plain = tokenizers.Tokenizer.from_str(json.dumps(spec))
    rng = random.Random(args.seed)
    texts = Texts(rng, added, vocabulary(hf, set(added)))
    rows = [""] + added + CORNERS
    while len(rows) < TEXTS:
        text = texts.one()
        if len(rows) % 40 == 0 or len(hf.encode(text).ids) <= MOST_IDS:
            rows.append(text)
    out = []
    for text in rows:
        ids = hf.encode(text, add_special_tokens=False).ids
        as_text = plain.encode(text, add_special_tokens=False).ids
        decoded = hf.decode(ids, skip_special_tokens=False)
        out.append([text, ids, as_text if as_text != ids else None,
                    decoded if decoded != text else None])
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    conversations = Conversations(rng, texts)
    chats = []
    while len(chats) < CHATS:
        request = conversations.one()
        text, ids = hugging_face(tokenizer, request)
        if len(ids) <= 400:
            chats.append([json.dumps(request, ensure_ascii=False), text, ids])
    dump = lambda v: json.dumps(v, ensure_ascii=False, separators=(",", ":"))
    block = lambda rows: "[\n" + ",\n".join(dump(r) for r in rows) + "\n]"
    target = os.path.join(FOLDER, "sample.json")
    with open(target, "w", encoding="utf-8", newline="\n") as f:
        f.write('{"tokenizers":' + dump(tokenizers.__version__) + ',"transformers":' +
                dump(transformers.__version__) + ',"seed":' + str(args.seed) + ',\n"texts":' +
                block(out) + ',\n"chats":' + block(chats) + "}\n")
    print(f"wrote {target}: {len(out)} texts, {len(chats)} chats, {os.path.getsize(target)} bytes")


if __name__ == "__main__":
    main()
