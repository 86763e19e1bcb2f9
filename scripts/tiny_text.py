# SPDX-License-Identifier: Apache-2.0
"""Generates the plain half of the tiny model's training text: simple English from templates.

Every document comes from a seeded random.Random, so a seed names a text. Word lists are in
tiny_words.py, story plots in tiny_plots.py, conversations in tiny_chat.py. Nothing is taken from
any other text.

`python3 scripts/tiny_text.py --seed 1 --count 5` prints samples. Needs nothing but Python 3.9.
"""

import argparse
import random

import tiny_quiz
import tiny_words as words
from tiny_people import Person, describe_person, introduction
from tiny_sentences import sentences
from tiny_stories import story
from tiny_words import cap


def in_order(rng, items, count):
    """`count` items in their list order: a text that lists them never comes back to one."""
    return [items[i] for i in sorted(rng.sample(range(len(items)), count))]


def letter(rng):
    a = Person(rng)
    b = Person(rng, other_than=(a.name,))
    place = rng.choice(words.OUTINGS)
    weather = rng.choice(words.WEATHER)
    hello = rng.choice(["How are you?", "How are you today?", "I hope you are well."])
    middle = rng.sample(
        [
            f"Yesterday I went to the {place}, and it was {weather}.",
            f"My {a.pet} {a.pet_name} is well and says hello.",
            f"I think of you when I {a.hobby['do']}.",
            f"Next {a.day}, I will bake a cake. Can you come?",
            f"I have a new {rng.choice(words.OBJECTS)}. It is {a.color}.",
            f"Here we eat a lot of {a.food}.",
            "I have read a good book about the sea.",
        ],
        rng.randint(2, 4),
    )
    bye = rng.choice(["Your friend", "Best wishes", "With love", "See you soon"])
    return f"Dear {b.name},\n\n{hello} {' '.join(middle)}\n\n{bye},\n{a.name}"


def dialog(rng):
    """Two people talk; speech is marked by names."""
    a = Person(rng)
    b = Person(rng, other_than=(a.name,))
    place = rng.choice(words.PLACES)
    country = rng.choice(words.CAPITALS)
    lines = [
        (a, f"Hello, {b.name}! How are you?"),
        (b, rng.choice(["I am fine, thank you. And you?", "Very well, thanks. How are you?"])),
        (a, rng.choice(["I am fine too.", f"I am well. Today it is {rng.choice(words.WEATHER)}."])),
    ]
    topics = [
        [
            (b, "What did you do yesterday?"),
            (a, f"I went to the {place} and met {Person(rng, (a.name, b.name)).name}."),
            (b, "That sounds nice."),
        ],
        [
            (a, "What is your favorite food?"),
            (b, f"I like {b.food} the most. And you?"),
            (a, f"I like {a.food}."),
        ],
        [
            (b, "Do you have a pet?"),
            (a, f"Yes, I have a {a.pet}. Its name is {a.pet_name}."),
            (b, f"{a.pet_name} is a good name for a {a.pet}!"),
        ],
        [
            (a, f"Do you know the capital of {country['country']}?"),
            (b, f"Yes, it is {country['capital']}."),
            (a, "You are right!"),
        ],
        [
            (b, "What do you like to do?"),
            (a, f"I like {a.hobby['doing']}. And you?"),
            (b, f"I like {b.hobby['doing']}."),
        ],
        [
            (a, f"Do you want to come to the {place} with me?"),
            (b, f"Yes, on {b.day} I have time."),
            (a, f"Good! We will meet on {b.day} then."),
        ],
    ]
    for topic in rng.sample(topics, rng.randint(2, 3)):
        lines += topic
    lines += [(b, f"Goodbye, {a.name}!"), (a, f"See you soon, {b.name}!")]
    return "\n".join(f"{who.name}: {text}" for who, text in lines)


def animal_facts(rng):
    a = rng.choice(words.ANIMALS)
    parts = [
        f"{cap(a['a_name'])} has {a['legs']} legs and {a['cover']}.",
        f"{cap(a['plural'])} eat {a['food']}.",
        f"{cap(a['a_name'])} can {a['can']}, but it cannot {a['cannot']}.",
        f"{cap(a['plural'])} {a['sound']}.",
        f"The {a['name']} is a {a['size']} animal.",
    ]
    if a["home"] not in ("water", "grass", "cold south", "ground"):
        parts.append(f"You can find {a['a_name']} in a {a['home']}.".replace("a sea", "the sea"))
    rng.shuffle(parts)
    picked = parts[: rng.randint(3, len(parts))]
    return " ".join([f"This is a text about {a['plural']}."] * (rng.random() < 0.3) + picked)


def simple_facts(rng):
    """Some unconnected true sentences about one kind of thing."""
    count = rng.randint(3, 6)
    kind = rng.randrange(8)
    if kind == 0:
        picks = in_order(rng, words.COLORED, count)
        return " ".join(f"{cap(c['thing'])} is {c['color']}." for c in picks)
    if kind == 1:
        picks = in_order(rng, words.OPPOSITES, count)
        return " ".join(f"The opposite of {a} is {b}." for a, b in picks)
    if kind == 2:
        picks = in_order(rng, words.CAPITALS, count)
        return " ".join(f"The capital of {c['country']} is {c['capital']}." for c in picks)
    if kind == 3:
        picks = in_order(rng, words.USES, count)
        return " ".join(f"We use {u['thing']} {u['use']}." for u in picks)
    if kind == 4:
        picks = [(rng.randint(0, 20), rng.randint(0, 20)) for _ in range(count)]
        return " ".join(f"{a} + {b} = {a + b}." for a, b in picks)
    if kind == 5:
        picks = sorted(rng.sample(range(7), count))
        return " ".join(f"After {words.DAYS[i]} comes {words.DAYS[(i + 1) % 7]}." for i in picks)
    if kind == 6:
        picks = in_order(rng, words.ANIMALS, count)
        return " ".join(f"{cap(a['plural'])} eat {a['food']}." for a in picks)
    season = rng.choice(list(words.SEASONS))
    whys = ". ".join(f"In {season}, {why}" for why in words.SEASONS[season])
    return f"{cap(season)} is a season. {whys}."


def counting(rng):
    kind = rng.randrange(5)
    if kind == 0:
        a = rng.randint(0, 30)
        return ", ".join(str(n) for n in range(a, a + rng.randint(8, 25))) + "."
    if kind == 1:
        a = rng.randint(0, 6)
        return ", ".join(words.NUMBERS[a : a + rng.randint(7, 14)]) + "."
    if kind == 2:
        return "The days of the week are " + ", ".join(words.DAYS[:-1]) + ", and Sunday."
    if kind == 3:
        return "The months of the year are " + ", ".join(words.MONTHS[:-1]) + ", and December."
    thing = rng.choice(words.OBJECTS)
    n = rng.randint(3, 9)
    one = ("An " if thing[0] in "aeiou" else "A ") + thing
    plural = {"box": "boxes", "scarf": "scarves"}.get(thing, thing + "s")
    return " ".join(
        f"{cap(words.NUMBERS[i])} {plural}." if i > 1 else f"{one}." for i in range(1, n + 1)
    )


def day_in_life(rng):
    p = Person(rng)
    place = rng.choice(words.PLACES)
    breakfast = rng.choice(["bread", "eggs", "pancakes", "an apple", "rice"])
    hour = rng.choice(["six", "seven", "eight"])
    other = Person(rng, (p.name,)).name
    work = "go to school" if p.child else f"go to work. I work {p.job['where']}"
    parts = [
        rng.choice([f"Every morning, I get up at {hour}.", f"I wake up at {hour} o'clock."]),
        rng.choice(["First I wash my face.", "I open the window and look at the sky."]),
        f"Then I eat {breakfast} and drink {p.drink}.",
        f"After breakfast, I {work}.",
        rng.choice([f"At noon, I eat {p.food}.", f"At noon, I meet my friend {other}."]),
        rng.choice([f"In the afternoon, I {p.hobby['do']}.", f"Later I go to the {place}."]),
        rng.choice(["In the evening, I help my family.", f"In the evening, I {p.hobby2['do']}."]),
        rng.choice(["At ten, I go to bed.", "At night, I read a book and fall asleep."]),
    ]
    return " ".join(parts)


def how_to(rng):
    texts = [
        "How to make tea: First, boil some water. Then put the tea into a cup. Pour the hot water"
        " over it and wait for three minutes. At last, add some honey if you like it sweet.",
        "How to plant a flower: First, make a hole in the ground. Then put the seed into it and"
        " cover it with earth. Give it water every day. After some weeks, the flower will grow.",
        "How to make a snowman: First, roll a big ball of snow. Then make a second ball and put it"
        " on top. Use a carrot for the nose and stones for the eyes. At last, give it a hat.",
        "How to wash your hands: First, make your hands wet. Then take some soap and count to"
        " twenty. Wash off the soap and dry your hands with a clean towel.",
        "How to make a sandwich: First, take two slices of bread. Then put some cheese on one slice"
        " and a piece of tomato on top. Put the other slice on it. Now you can eat it.",
        "How to draw a cat: First, draw a circle for the head. Then add two ears, two eyes, and a"
        " small nose. Draw a long body, four legs, and a tail. Do not forget the whiskers.",
    ]
    return rng.choice(texts)


def scene(rng):
    """A description of a room or a place with colours that stay put."""
    things = rng.sample(words.OBJECTS, 4)
    colors = rng.sample(words.COLORS, 4)
    where = rng.choice(["on the table", "on the bed", "near the door", "under the window"])
    where2 = rng.choice(["on the floor", "in the corner", "behind the chair", "on the wall"])
    p = Person(rng)
    articles = ["an" if c[0] in "aeiou" else "a" for c in colors]
    return (
        f"{p.name} is in {p.his} room. {cap(where)} there is {articles[0]} {colors[0]} {things[0]}."
        f" {cap(where2)} there is {articles[1]} {colors[1]} {things[1]}. {p.name} also has "
        f"{articles[2]} {colors[2]} {things[2]} and {articles[3]} {colors[3]} {things[3]}. "
        + rng.choice(
            [
                f"The {things[0]} is {colors[0]}, and the {things[1]} is {colors[1]}.",
                f"{cap(p.he)} likes the {colors[1]} {things[1]} the most.",
                f"{cap(p.he)} takes the {colors[2]} {things[2]} and goes out.",
                f"Which one do you like? I like the {colors[0]} {things[0]}.",
            ]
        )
    )


def question_answer(rng):
    pairs = [tiny_quiz.any_fact(rng) for _ in range(rng.randint(2, 5))]
    return "\n".join(f"Question: {qa.question}\nAnswer: {qa.answer}" for qa in pairs)


# (weight, maker)
KINDS = [
    (30, story),
    (26, introduction),
    (5, describe_person),
    (5, letter),
    (5, dialog),
    (5, animal_facts),
    (5, simple_facts),
    (2, counting),
    (4, day_in_life),
    (1, how_to),
    (3, scene),
    (4, question_answer),
    (9, sentences),
]


def document(rng):
    """One plain document, without an end token."""
    weights = [weight for weight, _ in KINDS]
    maker = rng.choices([maker for _, maker in KINDS], weights)[0]
    text = maker(rng)
    # Some texts begin in the middle, so that any sentence may follow nothing.
    starts = [i + 2 for i in range(len(text) - 60) if text[i : i + 2] in (". ", "! ", "? ")]
    starts = [i for i in starts if text[i].isupper()]
    return text[rng.choice(starts) :] if starts and rng.random() < 0.2 else text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=5)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    for _ in range(args.count):
        print(document(rng) + "\n\n-----\n")


if __name__ == "__main__":
    main()
