# SPDX-License-Identifier: Apache-2.0
"""What a user tells in a conversation, and questions about it later."""

import tiny_words as words
from tiny_people import Person
from tiny_words import cap


class Talk:
    """One conversation: who talks, what the user has told so far."""

    def __init__(self, rng):
        self.rng = rng
        self.user = Person(rng)
        self.bot = "Ember"
        self.told = {}
        self.one_word = False
        self.extra = []  # exchanges that the system prompt makes possible


def nonsense(rng):
    letters = "".join(
        rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou") for _ in range(rng.randint(2, 4))
    )
    return letters if rng.random() < 0.5 else cap(letters)


TELL = {
    "name": (
        [
            "My name is {v}.",
            "Hello, my name is {v}.",
            "Hi, I am {v}.",
            "Hi! My name is {v}. What can you do?",
            "I am called {v}.",
            "You can call me {v}.",
        ],
        ["Hello, {v}! It is nice to meet you.", "Nice to meet you, {v}! How can I help you?"],
        ["What is my name?", "Do you know my name?", "Do you remember my name?", "Who am I?"],
        ["Your name is {v}."],
        "name",
    ),
    "age": (
        ["I am {v} years old.", "I am {v} years old today.", "My age is {v}."],
        ["Thank you for telling me. {v} is a good age!", "So you are {v} years old. That is nice."],
        ["How old am I?", "Do you remember how old I am?", "What is my age?"],
        ["You are {v} years old."],
        "age",
    ),
    "color": (
        ["My favorite color is {v}.", "I like the color {v}.", "I like {v}.", "I love {v} things."],
        ["{V} is a beautiful color.", "I like {v} too!"],
        ["What is my favorite color?", "Which color do I like?"],
        ["Your favorite color is {v}."],
        "favorite color",
    ),
    "food": (
        ["My favorite food is {v}.", "I like to eat {v}.", "I like {v}.", "I love {v}."],
        ["{V}? That sounds good!", "That is tasty. Many people like {v}."],
        ["What is my favorite food?", "What do I like to eat?"],
        ["You like to eat {v}.", "Your favorite food is {v}."],
        "favorite food",
    ),
    "pet": (
        ["I have a {v}.", "I have a {v} at home.", "My pet is a {v}."],
        ["A {v} is a lovely animal.", "How nice! What does your {v} like to eat?"],
        ["What pet do I have?", "Which animal do I have?", "What is my pet?"],
        ["You have a {v}."],
        "pet",
    ),
    "town": (
        ["I live in {v}.", "I come from {v}.", "My home is in {v}."],
        ["That sounds like a nice place to live.", "I would like to see {v} one day."],
        ["Where do I live?", "Do you remember where I live?"],
        ["You live in {v}."],
        "home",
    ),
    "hobby": (
        ["I like {v}.", "My hobby is {v}.", "In my free time, I like {v}."],
        ["{V} is fun!", "That is a nice thing to do."],
        ["What do I like to do?", "What is my hobby?"],
        ["You like {v}."],
        "hobby",
    ),
}


def value_of(t, key):
    p = t.user
    # Invented names teach the model to copy any name, not only those of the lists.
    values = {
        "name": cap(nonsense(t.rng)) if t.rng.random() < 0.25 else p.name,
        "age": str(p.age),
        "color": p.color,
        "food": p.food,
        "pet": p.pet,
        "town": t.rng.choice([p.town, t.rng.choice(words.CAPITALS)["capital"]]),
        "hobby": p.hobby["doing"].replace(" my ", " your "),
    }
    return values[key]


def tell(t, key=None):
    key = key or t.rng.choice(["name", "name", "name"] + list(TELL))
    if key in t.told:
        return recall(t, key)
    says, replies, _, _, noun = TELL[key]
    v = t.told[key] = value_of(t, key)
    user = t.rng.choice(says).format(v=v.replace(" your ", " my "))
    think = t.rng.choice(
        [
            f"The user tells me the {noun}: {v}. I will remember it.",
            f"The user says something about the {noun}. It is {v}. I should say something kind.",
        ]
    )
    answer = t.rng.choice(replies).format(v=v, V=cap(v))
    if user.endswith("What can you do?"):
        answer = f"Hello, {v}! I can tell you a story or answer easy questions."
    return user, think, answer


def tell_two(t):
    """Two facts in one message, or a fact and a question about it."""
    rng = t.rng
    if "name" in t.told or "age" in t.told:
        return tell(t)
    name = t.told["name"] = value_of(t, "name")
    if rng.random() < 0.4:
        user = rng.choice([f"My name is {name}.", f"Hello, my name is {name}."])
        ask = rng.choice(["What is my name?", "Can you say my name?"])
        think = f"The user says that the name is {name}, and asks for it."
        return f"{user} {ask}", think, f"Your name is {name}."
    if rng.random() < 0.4:
        del t.told["name"]
        return tell_pair(t, *rng.sample([key for key in TELL if key != "name"], 2))
    return tell_pair(t, "name", rng.choice(["age", "color", "food", "hobby", "town", "pet"]))


def tell_pair(t, first, second):
    rng = t.rng
    says = []
    for key in (first, second):
        v = t.told.setdefault(key, value_of(t, key))
        choice = rng.choice([say for say in TELL[key][0] if not say.endswith("?")])
        says.append(choice.format(v=v.replace(" your ", " my ")))
    joined = rng.choice([" and ", " ", ", and "])
    if joined != " ":
        says[0] = says[0][:-1]
        if not says[1].startswith("I "):
            says[1] = says[1][0].lower() + says[1][1:]
    a, b = t.told[first], t.told[second]
    think = f"The user tells me the {TELL[first][4]}, {a}, and the {TELL[second][4]}, {b}."
    hello = f"Hello, {a}! " if first == "name" else ""
    return joined.join(says), think, hello + rng.choice(TELL[second][1]).format(v=b, V=cap(b))


def recall(t, key=None):
    known = list(t.told)
    key = key or (t.rng.choice(known) if known and t.rng.random() < 0.9 else None)
    key = key or t.rng.choice(list(TELL))
    _, _, asks, answers, noun = TELL[key]
    user = t.rng.choice(asks)
    if key not in t.told:
        think = f"The user asks for the {noun}. But the user has not told me. So I do not know it."
        answer = t.rng.choice(["I do not know that. You have not told me yet. Can you tell me?"])
        return user, think, answer
    v = t.told[key]
    think = t.rng.choice(
        [
            f"The user asks for the {noun}. Before, the user told me: {v}.",
            f"I look back at what the user said. The {noun} is {v}.",
        ]
    )
    return user, think, t.rng.choice(answers).format(v=v)
