# SPDX-License-Identifier: Apache-2.0
"""Generates the conversations of the tiny model's training text.

conversation(rng) returns (messages, thinking): messages as a chat template takes them, the last
one from the assistant. Its "reasoning_content" is set when thinking is on. Earlier turns carry no
reasoning, as Qwen3's template strips it from history.

`python3 scripts/tiny_chat.py --seed 1 --count 5` prints samples.
"""

import argparse
import random

import tiny_words as words
from tiny_memory import Talk, nonsense, recall, tell, tell_two
from tiny_topics import (
    advice,
    fact,
    feeling,
    goodbye,
    greet,
    how_are_you,
    joke,
    opinion,
    poem,
    reading,
    repeat_words,
    story,
    thanks,
    unknown,
    what_can_you_do,
    who_are_you,
)
from tiny_words import cap

# (weight, maker)
EXCHANGES = [
    (4, greet),
    (3, how_are_you),
    (5, who_are_you),
    (3, what_can_you_do),
    (2, thanks),
    (2, goodbye),
    (9, tell),
    (4, tell_two),
    (9, recall),
    (36, fact),
    (8, story),
    (3, feeling),
    (3, advice),
    (3, opinion),
    (2, joke),
    (2, poem),
    (6, reading),
    (2, repeat_words),
    (7, unknown),
]


def system_prompt(t):
    """A system message or None; some of them change what follows."""
    rng = t.rng
    pick = rng.random()
    if pick < 0.55:
        return None
    if pick < 0.72:
        return rng.choice(
            [
                "You are a helpful assistant.",
                "You are a friendly assistant.",
                "You are a helpful assistant. Answer in short sentences.",
                "You are a kind helper for children.",
                "Be polite and helpful.",
            ]
        )
    if pick < 0.84:
        t.bot = rng.choice(words.GIRLS + words.BOYS + ["Coco", "Sunny", "Pixel", "Nova", "Robo"])
        if rng.random() < 0.25:
            t.bot = cap(nonsense(rng))
        t.extra = [who_are_you]
        return rng.choice(
            [
                f"Your name is {t.bot}.",
                f"You are {t.bot}, a helpful assistant.",
                f"You are {t.bot}. You answer simple questions.",
                f"You are a friendly robot named {t.bot}.",
            ]
        )
    if pick < 0.92:
        t.one_word = True
        t.extra = [fact] * 20
        return rng.choice(["Answer with one word.", "Give only a short answer.", "Use one word."])
    if pick < 0.96:
        t.told["name"] = t.user.name
        t.extra = [lambda talk: recall(talk, "name")]
        return rng.choice([f"The user is called {t.user.name}.", f"You talk to {t.user.name}."])
    day = rng.choice(words.DAYS)
    t.extra = [
        lambda _: ("What day is it today?", f"I was told that today is {day}.", f"It is {day}.")
    ]
    return f"Today is {day}. You are a helpful assistant."


def rough(rng, text):
    """People type carelessly: some lower case, some without an end mark, some with a greeting."""
    if rng.random() < 0.08:
        text = rng.choice(["Hello! ", "Hi, ", "Please: ", "OK. ", "One question: "]) + text
    if rng.random() < 0.06 and text[-1] in ".?!":
        text = text[:-1] + rng.choice([", please", " please"]) + text[-1]
    if rng.random() < 0.08:
        text = text.lower()
    if rng.random() < 0.1 and text[-1] in ".?!":
        text = text[:-1]
    return text


def conversation(rng):
    t = Talk(rng)
    system = system_prompt(t)
    turns = rng.choice([1, 1, 1, 1, 2, 2, 3, 4])
    weights = [weight for weight, _ in EXCHANGES]
    makers = [maker for _, maker in EXCHANGES]
    thinking = rng.random() < 0.5
    messages = [{"role": "system", "content": system}] if system else []
    for i in range(turns):
        last = i == turns - 1
        maker = rng.choices(makers, weights)[0]
        if t.one_word:
            maker = fact
        elif t.extra and rng.random() < 0.5:
            maker = rng.choice(t.extra)
        elif not last and maker is story and rng.random() < 0.7:
            maker = tell  # long answers belong at the end
        elif last and turns > 1 and rng.random() < 0.4:
            maker = recall
        user, think, answer = maker(t)
        messages.append({"role": "user", "content": rough(rng, user)})
        reply = {"role": "assistant", "content": answer}
        if last and thinking:
            reply["reasoning_content"] = think
        messages.append(reply)
    return messages, thinking


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=5)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    for _ in range(args.count):
        messages, thinking = conversation(rng)
        print(f"thinking {thinking}")
        for m in messages:
            reasoning = f"({m['reasoning_content']}) " if "reasoning_content" in m else ""
            print(f"{m['role']}: {reasoning}{m['content']}")
        print("-----")


if __name__ == "__main__":
    main()
