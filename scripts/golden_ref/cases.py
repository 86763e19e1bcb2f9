# SPDX-License-Identifier: Apache-2.0
"""The prompts of a model's references: ids of awkward lengths, real text, chat, greedy prompts."""

import numpy as np
import transformers

LENGTHS = (1, 2, 15, 16, 17, 63, 64, 65, 300, 1000)
LONG_LIMIT = 1024  # a case near the context limit is made where the limit is at most this
LONG_SPARE = 12    # positions that it leaves free, so that decoding has somewhere to go
GREEDY_STEPS = 64

TEXTS = {
    "text_hello": "Hello, my name is",
    "text_story": "Once upon a time there was a small cat. The cat lived in a warm house near the sea, "
                  "and every morning it sat by the door and waited for the sun.",
}
CHATS = {
    "chat_plain": ([{"role": "user", "content": "What is your name?"}], False),
    "chat_think": ([{"role": "system", "content": "You are kind and brief."},
                    {"role": "user", "content": "Tell me about the sea."},
                    {"role": "assistant", "content": "The sea is wide and blue."},
                    {"role": "user", "content": "And the sky?"}], True),
}
GREEDY_PROMPTS = (
    "Hello, my name is", "Once upon a time", "The little dog", "In the morning", "My friend and I",
    "She opened the door and", "The sun was", "One day a boy", "I like to", "There was a big tree",
    "The cat sat on", "He said that", "At night the moon", "We went to the sea", "It was cold, so",
    "The old man had", "A bird can", "The girl smiled because", "They wanted to", "Why is the sky",
)


class Case:
    def __init__(self, name, ids, tier="quick", deep=False, greedy_steps=0, text=None):
        self.name, self.ids, self.tier, self.deep = name, [int(i) for i in ids], tier, deep
        self.greedy_steps, self.text = greedy_steps, text


def random_ids(seed, n, vocab):
    return np.random.default_rng(seed).integers(0, vocab, n)


def make_cases(model_dir, config):
    limit, vocab = config.max_position_embeddings, config.vocab_size
    room = lambda n: max(0, min(GREEDY_STEPS, limit - n))
    lengths = [n for n in LENGTHS if n <= limit - LONG_SPARE]
    if limit <= LONG_LIMIT:
        lengths.append(limit - LONG_SPARE)
    cases = [Case(f"ids_{n}", random_ids(1000 + n, n, vocab), deep=n == 17, greedy_steps=room(n))
             for n in sorted(set(lengths))]
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_dir, local_files_only=True)
    encode = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    for name, text in TEXTS.items():
        ids = encode(text)
        cases.append(Case(name, ids, deep=name == "text_hello", greedy_steps=room(len(ids)),
                          text=text))
    for name, (messages, thinking) in CHATS.items():
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True,
                                             enable_thinking=thinking)
        ids = encode(text)
        cases.append(Case(name, ids, greedy_steps=room(len(ids)), text=text))
    for i, text in enumerate(GREEDY_PROMPTS):
        ids = encode(text)
        cases.append(Case(f"greedy_{i:02d}", ids, tier="greedy", greedy_steps=room(len(ids)),
                          text=text))
    return cases


def spread(n, count):
    """At most `count` of the positions 0..n-1: the ends, and evenly between."""
    if n <= count:
        return list(range(n))
    return sorted({round(i * (n - 1) / (count - 1)) for i in range(count)})
