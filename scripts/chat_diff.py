#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares `ember tokenize --chat` with transformers' apply_chat_template on random conversations:
the text, and the ids of the whole text. Where no control token is spelled in a message, the ids
with messages as plain text (Ember's default) must be the same ids; where one is, they must hold
only the control tokens that the template writes. Exits 1 on any difference.
Needs: transformers, jinja2.

usage: python3 scripts/chat_diff.py [--count 5000] [--seed 1] [--model DIR]
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Conversations:
    def __init__(self, rng, texts):
        self.rng = rng
        self.texts = texts

    def chance(self, p):
        return self.rng.random() < p

    def text(self):
        r = self.rng.random()
        if r < .1:
            return ""
        if r < .5:
            return self.texts.prose()
        if r < .6:
            return self.rng.choice(["\n", " ", "\n\n"]) + self.texts.prose() + "\n\n"
        return self.texts.one()

    def thinking(self):
        think = lambda: (self.rng.choice(["", "\n", "\n\n"]) + self.text() +
                         self.rng.choice(["", "\n"]))
        return self.rng.choice([
            lambda: "<think>" + think() + "</think>" + think(),
            lambda: "<think>\n" + self.text() + "\n</think>\n\n" + self.text(),
            lambda: think() + "</think>" + think(),
            lambda: "<think>a<think>" + think() + "</think>b</think>" + think(),
            lambda: "<think>" + think(),
            lambda: "<think></think>",
            lambda: "</think>"])()

    def value(self, depth=0):
        kinds = ["text", "integer", "float", "null", "boolean", "big"]
        kind = self.rng.choice(kinds + ([] if depth > 3 else ["list", "object"]))
        if kind == "text":
            return self.text()
        if kind == "integer":
            return self.rng.randrange(-10**6, 10**6)
        if kind == "big":
            return self.rng.choice([2**63, 2**64, -2**63 - 1, 10**40, 2**53 + 1, 0, -1])
        if kind == "float":
            return self.rng.choice([
                self.rng.random(), self.rng.uniform(-1e20, 1e20), 1.0, -0.0, 1e16, 1e15, 1e-4,
                1e-5, 123456789012345680.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 100.0,
                float(self.rng.randrange(10**9)) / 10**self.rng.randrange(1, 12),
                self.rng.random() * 10.0**self.rng.randrange(-300, 300)])
        if kind == "null":
            return None
        if kind == "boolean":
            return self.chance(.5)
        n = self.rng.randrange(0, 4)
        if kind == "list":
            return [self.value(depth + 1) for _ in range(n)]
        return {self.text() if self.chance(.3) else "k" + str(i): self.value(depth + 1)
                for i in range(n)}

    def tool(self):
        return {"type": "function",
                "function": {"name": "f" + str(self.rng.randrange(9)), "description": self.text(),
                             "parameters": {"type": "object", "properties": self.value(),
                                            "required": [self.text()]}}}

    def call(self):
        arguments = self.rng.choice([
            lambda: {"a": self.value(), "b": self.value()}, lambda: self.value(),
            lambda: json.dumps({"x": self.value()}), lambda: ""])()
        call = {"name": "f" + str(self.rng.randrange(9)), "arguments": arguments}
        if self.chance(.6):
            call = {"id": "c1", "type": "function", "function": call}
        elif self.chance(.1):
            call["function"] = self.rng.choice([None, {}])
        return call

    def assistant(self):
        content = self.thinking() if self.chance(.4) else self.text()
        message = {"role": "assistant", "content": content}
        if self.chance(.3):
            message[self.rng.choice(["reasoning_content", "reasoning_content", "thinking",
                                     "reasoning"])] = self.rng.choice([None, "", self.text()])
        if self.chance(.4):
            message["tool_calls"] = self.rng.choice(
                [[], None, [self.call()], [self.call(), self.call()]])
        return message

    def message(self, role):
        if role == "assistant":
            return self.assistant()
        content = self.text()
        if role == "user" and self.chance(.15):
            content = "<tool_response>" + content + "</tool_response>"
        message = {"role": role, "content": content}
        if self.chance(.1):
            message.update({"name": "n", "tool_call_id": "c1"})
        return message

    def one(self):
        roles = []
        if self.chance(.5):
            roles.append("system")
        usual = self.chance(.6)
        for _ in range(self.rng.randrange(0 if roles else 1, 8)):
            if usual:
                last = roles[-1] if roles else ""
                roles.append({"user": "assistant", "tool": self.rng.choice(["tool", "assistant"])}
                             .get(last, self.rng.choice(["user", "user", "tool"])))
            else:
                roles.append(self.rng.choice(["user", "assistant", "tool", "system", "developer"]))
        out = {"messages": [self.message(r) for r in roles]}
        if self.chance(.4):
            out["tools"] = self.rng.choice([[], None, [self.tool() for _ in range(
                self.rng.randrange(1, 4))]])
        if self.chance(.3):
            out["add_generation_prompt"] = self.chance(.5)
        if self.chance(.5):
            out["enable_thinking"] = self.chance(.5)
        return out


def hugging_face(tokenizer, conversation):
    options = {"enable_thinking": conversation["enable_thinking"]} \
        if "enable_thinking" in conversation else {}
    text = tokenizer.apply_chat_template(
        conversation["messages"], tools=conversation.get("tools"), tokenize=False,
        add_generation_prompt=conversation.get("add_generation_prompt", True), **options)
    return text, tokenizer(text, add_special_tokens=False)["input_ids"]


def ember(args, conversations, *flags):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as source:
        for c in conversations:
            source.write(json.dumps(c, ensure_ascii=False) + "\n")
        source.flush()
        done = subprocess.run([args.ember, "tokenize", "-m", args.model, "--jsonl", "--chat",
                               source.name, *flags], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def given_texts(value):
    """Every string that a conversation gives."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for k, v in value.items():
            yield from given_texts(k)
            yield from given_texts(v)
    elif isinstance(value, list):
        for v in value:
            yield from given_texts(v)


def blank(value):
    """The same conversation where no text spells a control token."""
    if isinstance(value, str):
        return value.replace("<", "(").replace("|>", "|)") if "<" in value else value
    if isinstance(value, dict):
        return {blank(k): blank(v) for k, v in value.items()}
    return [blank(v) for v in value] if isinstance(value, list) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default=os.path.join(ROOT, "golden", "tokenizers", "qwen3"))
    parser.add_argument("--ember", default=os.path.join(ROOT, "build", "ember"))
    args = parser.parse_args()
    from tokenizer_diff import vocabulary
    from tokenizer_texts import Texts
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    added = {str(t): i for i, t in tokenizer.added_tokens_decoder.items()}
    rng = random.Random(args.seed)
    texts = Texts(rng, added, vocabulary(tokenizer.backend_tokenizer, set(added)))
    conversations = [Conversations(rng, texts).one() for _ in range(args.count)]
    conversations += [blank(c) for c in conversations[:args.count // 2]]
    whole = ember(args, conversations, "--special", "parse")
    plain = ember(args, conversations)
    counts = {"conversations": len(conversations), "text": 0, "ids": 0, "plain_ids": 0, "forged": 0,
              "seed": args.seed}

    def report(what, conversation, expected, got):
        counts[what] += 1
        if counts[what] <= 3:
            print(f"DIFFERENT {what}: {json.dumps(conversation)}\n  expected {expected!r}\n"
                  f"  got      {got!r}", file=sys.stderr)

    for c, w, p in zip(conversations, whole, plain):
        text, ids = hugging_face(tokenizer, c)
        if w["text"] != text or p["text"] != text:
            report("text", c, text, w["text"])
        if w["ids"] != ids:
            report("ids", c, ids, w["ids"])
        if not any(a in t for a in added for t in given_texts(c)):
            if p["ids"] != ids:
                report("plain_ids", c, ids, p["ids"])
        else:
            # What the template writes does not depend on what the texts say, apart from the
            # reasoning and the tool answers that it looks for in contents.
            if any("think>" in t or "tool_response>" in t for t in given_texts(c)):
                continue
            control = lambda got: [i for i in got if i in set(added.values())]
            _, clean = hugging_face(tokenizer, blank(c))
            if control(p["ids"]) != control(clean):
                report("forged", c, control(clean), control(p["ids"]))
    print(json.dumps(counts))
    sys.exit(1 if any(counts[k] for k in ("text", "ids", "plain_ids", "forged")) else 0)


if __name__ == "__main__":
    main()
