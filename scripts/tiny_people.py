# SPDX-License-Identifier: Apache-2.0
"""People of the tiny model's small world: they introduce themselves and are described."""

import tiny_words as words
from tiny_words import cap


def two_hobbies(rng):
    """Two that begin with different words, so that no text says the same thing twice."""
    while True:
        a, b = rng.sample(words.HOBBIES, 2)
        if a["doing"].split()[0] != b["doing"].split()[0]:
            return a, b


class Person:
    """A character who stays the same through a text."""

    def __init__(self, rng, other_than=(), name=None):
        while True:
            self.girl = name in words.GIRLS if name else rng.random() < 0.5
            self.name = name or rng.choice(words.GIRLS if self.girl else words.BOYS)
            if self.name not in other_than:
                break
        self.he, self.him, self.his = ("she", "her", "her") if self.girl else ("he", "him", "his")
        self.child = rng.random() < 0.5
        self.age = rng.randint(5, 14) if self.child else rng.randint(20, 70)
        self.noun = (
            ("girl" if self.girl else "boy")
            if self.child
            else ("woman" if self.girl else "man")
        )
        self.town = rng.choice(words.TOWNS)
        self.job = rng.choice(words.JOBS)
        self.color = rng.choice(words.COLORS)
        self.food, self.food2 = rng.sample(words.FOODS, 2)
        self.drink = rng.choice(words.DRINKS)
        self.hobby, self.hobby2 = two_hobbies(rng)
        self.pet = rng.choice(words.PETS)
        self.pet_name = rng.choice("Lucky Coco Teddy Snow Star Momo Pip Fluffy Spot Berry".split())
        self.day = rng.choice(words.DAYS)


def about_family(rng, p):
    other = Person(rng, other_than=(p.name,))
    kin = rng.choice(["sister", "brother"])
    name = rng.choice(words.GIRLS if kin == "sister" else words.BOYS)
    he = "She" if kin == "sister" else "He"
    if p.child:
        age = rng.randint(2, 16)
        return rng.choice(
            [
                f"I have a {kin}. {he} is called {name}.",
                f"My {kin} {name} is {age} years old.",
                f"I live with my mother, my father, and my {kin} {name}.",
                f"My best friend is {other.name}. We go to the same school.",
            ]
        )
    count = words.NUMBERS[rng.randint(2, 4)]
    return rng.choice(
        [
            f"I have {count} children, and the youngest is called {name}.",
            f"My {kin} {name} lives not far from here.",
            f"My best friend is {other.name}. We have known each other since school.",
        ]
    )


def about_work(rng, p):
    job = p.job
    if p.child:
        return rng.choice(
            [
                f"When I grow up, I want to be {job['job']}.",
                f"I want to be {job['job']} one day, because I want to {job['does']}.",
                "I go to school every day, and I like my teacher.",
                f"At school, I like {rng.choice(['music', 'art', 'sports', 'reading'])} the most.",
            ]
        )
    return rng.choice(
        [
            f"I am {job['job']}, and I work {job['where']}.",
            f"I work {job['where']}. Every day I {job['does']}.",
            f"I am {job['job']}. I {job['does']}, and I like my work.",
        ]
    )


def about_likes(rng, p):
    return rng.choice(
        [
            f"I like {p.hobby['doing']} and {p.hobby2['doing']}.",
            f"In my free time, I like to {p.hobby['do']}.",
            f"My favorite thing to do is {p.hobby['doing']}.",
            f"On {p.day}, I often {p.hobby['do']} with my friends.",
        ]
    )


def about_pet(rng, p):
    sound = words.by_name(words.ANIMALS, p.pet)
    return rng.choice(
        [
            f"I have a {p.pet} named {p.pet_name}.",
            f"My {p.pet} is called {p.pet_name}, and it likes to eat {sound['food']}.",
            f"I also have a little {p.pet}. Its name is {p.pet_name}, and it has {sound['cover']}.",
            f"My {p.pet} {p.pet_name} sleeps next to my bed.",
        ]
    )


def about_food(rng, p):
    return rng.choice(
        [
            f"My favorite food is {p.food}, but I also like {p.food2}.",
            f"I love {p.food}, and I drink {p.drink} every morning.",
            f"For breakfast, I eat {p.food2} and drink {p.drink}.",
            f"I can eat {p.food} every day.",
        ]
    )


def about_color(rng, p):
    thing = rng.choice(words.OBJECTS)
    return rng.choice(
        [
            f"My favorite color is {p.color}.",
            f"I like the color {p.color}, and my {thing} is {p.color} too.",
            f"My room is {p.color}, because {p.color} is my favorite color.",
        ]
    )


def about_home(rng, p):
    place = rng.choice(words.PLACES)
    return rng.choice(
        [
            f"I live in {p.town}.",
            f"I live in {p.town} with my family.",
            f"My home is in {p.town}, and I like it very much.",
            f"I come from {p.town}. There is a {place} near my home.",
        ]
    )


def about_season(rng, _):
    season = rng.choice(list(words.SEASONS))
    why = rng.choice(words.SEASONS[season])
    return rng.choice(
        [
            f"My favorite season is {season}, because {why}.",
            f"I like {season} the most. In {season}, {why}.",
        ]
    )


def about_weekend(rng, p):
    place = rng.choice(words.OUTINGS)
    other = Person(rng, other_than=(p.name,))
    return rng.choice(
        [
            f"Last {p.day}, I went to the {place} with my friend {other.name}.",
            f"When the weather is good, I go to the {place}.",
            f"Yesterday it was {rng.choice(words.WEATHER)}, so I went to the {place}.",
            f"Every {p.day}, I go to the {place} and meet {other.name} there.",
        ]
    )


def about_wish(rng, _):
    country = rng.choice(words.CAPITALS)
    return rng.choice(
        [
            f"One day, I want to visit {country['capital']}, the capital of {country['country']}.",
            "I want to see the sea and the mountains.",
            "My dream is to travel around the world.",
            "I wish for a big garden with many flowers.",
        ]
    )


def about_self(rng, p):
    return rng.choice(
        [
            f"People say that I am {rng.choice(['kind', 'quiet', 'funny', 'friendly', 'brave'])}.",
            "I like to laugh, and I like to meet new people.",
            "I am a little shy at first, but I like to talk to people.",
            f"My hair is {rng.choice(['brown', 'black', 'red', 'short', 'long'])}, and I am "
            f"{rng.choice(['tall', 'small', 'not very tall'])}.",
        ]
    )


ABOUT = [
    about_family,
    about_work,
    about_likes,
    about_pet,
    about_food,
    about_color,
    about_season,
    about_weekend,
    about_wish,
    about_self,
]

CLOSINGS = [
    "It is nice to meet you!",
    "I am happy to meet you.",
    "Thank you for listening to me.",
    "What about you? What is your name?",
    "That is all about me. Now tell me about you!",
    "I hope that we can be friends.",
    "Please write to me soon.",
]


def introduction(rng, person=None):
    """A person speaks about herself or himself; every fact is said once and none disagree."""
    p = person or Person(rng)
    age = words.NUMBERS[p.age] if p.age <= 20 and rng.random() < 0.3 else p.age
    noun = p.noun
    first = rng.choice(
        [
            f"my name is {p.name} and I am {age} years old.",
            f"my name is {p.name}. I am {age} years old.",
            f"my name is {p.name}, and I live in {p.town}.",
            f"my name is {p.name} and I am a {noun} from {p.town}.",
            f"my name is {p.name} and I like {p.hobby['doing']}.",
            f"I am {p.name}, and I am {age} years old.",
        ]
    )
    lead = rng.choice(["Hello, ", "Hello, ", "Hello! ", "Hi, ", "Hi! ", "Good morning, ", ""])
    if lead.endswith("! ") or not lead:
        first = cap(first)
    parts = [lead + first]
    if p.town not in first:
        parts.append(about_home(rng, p))
    if p.hobby["doing"] in first:
        picks = [f for f in ABOUT if f is not about_likes]
    else:
        picks = list(ABOUT)
    chosen = rng.sample(picks, rng.randint(5, 9))
    # Work or school comes early, as people say it.
    chosen.sort(key=lambda f: f is not about_work)
    parts += [f(rng, p) for f in chosen]
    parts.append(rng.choice(CLOSINGS))
    cut = rng.randint(3, len(parts) - 2) if rng.random() < 0.4 else 0
    text = " ".join(parts[:cut]) + ("\n\n" if cut else "") + " ".join(parts[cut:])
    return text


def describe_person(rng):
    p = Person(rng)
    place = rng.choice(words.PLACES)
    other = Person(rng, other_than=(p.name,))
    doing = p.hobby["doing"].replace(" my ", f" {p.his} ")
    do2 = p.hobby2["do"].replace(" my ", f" {p.his} ")
    parts = [
        f"{p.name} is a {p.noun} who lives in {p.town}.",
        f"{cap(p.he)} is {p.age} years old.",
        f"{cap(p.his)} favorite color is {p.color}, and {p.his} favorite food is {p.food}.",
        f"{cap(p.he)} likes {doing}, and on {p.day} {p.he} likes to {do2}.",
        f"{p.name} has a {p.pet} called {p.pet_name}.",
        f"{cap(p.he)} often goes to the {place} with {p.his} friend {other.name}.",
    ]
    if not p.child:
        parts.insert(2, f"{cap(p.he)} is {p.job['job']} and works {p.job['where']}.")
    head, tail = parts[:2], parts[2:]
    rng.shuffle(tail)
    return " ".join(head + tail[: rng.randint(2, len(tail))])
