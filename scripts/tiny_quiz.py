# SPDX-License-Identifier: Apache-2.0
"""Questions about the small world of tiny_words.py, each with a line of reasoning and an answer."""

import collections

import tiny_words as words
from tiny_words import cap

# think: what stands between <think> tags; short: the answer in one word.
QA = collections.namedtuple("QA", "question think answer short")


def color_of(rng):
    c = rng.choice(words.COLORED)
    thing, color = c["thing"], c["color"]
    question = rng.choice(
        [
            f"What color is {thing}?",
            f"What is the color of {thing}?",
            f"Tell me the color of {thing}.",
            f"Which color does {thing} have?",
        ]
    )
    think = rng.choice(
        [
            f"The user asks for the color of {thing}. I know that {thing} is {color}.",
            f"I think of {thing}. It is {color}.",
        ]
    )
    return QA(question, think, rng.choice([f"{cap(thing)} is {color}."]), cap(color) + ".")


def is_color(rng):
    c = rng.choice(words.COLORED)
    right = rng.random() < 0.5
    asked = c["color"] if right else rng.choice([x for x in words.COLORS if x != c["color"]])
    think = f"The user asks if {c['thing']} is {asked}. {cap(c['thing'])} is {c['color']}. " + (
        "So the answer is yes." if right else "So the answer is no."
    )
    answer = (
        f"Yes, {c['thing']} is {asked}."
        if right
        else f"No, {c['thing']} is not {asked}. It is {c['color']}."
    )
    return QA(f"Is {c['thing']} {asked}?", think, answer, "Yes." if right else "No.")


def capital(rng):
    c = rng.choice(words.CAPITALS)
    country, city = c["country"], c["capital"]
    question = rng.choice(
        [
            f"What is the capital of {country}?",
            f"What is the capital city of {country}?",
            f"Do you know the capital of {country}?",
            f"Tell me the capital of {country}.",
            f"Which city is the capital of {country}?",
        ]
    )
    think = rng.choice(
        [
            f"The user asks about {country}. The capital of {country} is {city}.",
            f"{country} is a country. Its capital is {city}.",
        ]
    )
    answer = rng.choice(
        [f"The capital of {country} is {city}."] * 3 + [f"{city} is the capital of {country}."]
    )
    return QA(question, think, answer, city + ".")


def country_of(rng):
    c = rng.choice(words.CAPITALS)
    country, city = c["country"], c["capital"]
    question = rng.choice([f"Where is {city}?", f"In which country is {city}?"])
    think = f"The user asks about {city}. {city} is the capital of {country}."
    return QA(question, think, f"{city} is in {country}.", country + ".")


def opposite(rng):
    a, b = rng.choice(words.OPPOSITES)
    if rng.random() < 0.5:
        a, b = b, a
    question = rng.choice(
        [
            f"What is the opposite of {a}?",
            f'What is the opposite of "{a}"?',
            f"Tell me the opposite of {a}.",
            f"Which word is the opposite of {a}?",
        ]
    )
    think = f"I look for the word that means the opposite of {a}. That word is {b}."
    return QA(question, think, f"The opposite of {a} is {b}.", cap(b) + ".")


def sum_of(rng):
    a, b = rng.randint(0, 20), rng.randint(0, 20)
    as_words = rng.random() < 0.2
    kind = rng.choice(["plus", "plus", "minus", "times"])
    if kind == "minus":
        a, b = max(a, b), min(a, b)
        result, sign = a - b, "-"
    elif kind == "times":
        a, b = rng.randint(0, 10), rng.randint(0, 10)
        result, sign = a * b, "*"
    else:
        result, sign = a + b, "+"
    if as_words:
        text = f"{words.NUMBERS[a]} {kind} {words.NUMBERS[b]}"
    else:
        text = f"{a} {sign} {b}" if rng.random() < 0.7 else f"{a} {kind} {b}"
    question = rng.choice(
        [f"What is {text}?", f"What is {text}?", f"How much is {text}?", f"Calculate {text}."]
    )
    verb = {"plus": "add", "minus": "subtract", "times": "multiply"}[kind]
    joined = {
        "plus": f"I add {a} and {b}.",
        "minus": f"I take {b} away from {a}.",
        "times": f"I multiply {a} by {b}.",
    }[kind]
    think = f"The user wants me to {verb}. {joined} {a} {sign} {b} = {result}."
    answer = rng.choice([f"{a} {sign} {b} = {result}.", f"The answer is {result}."])
    return QA(question, think, answer, f"{result}.")


def compare(rng):
    a, b = rng.sample(range(0, 60), 2)
    big = rng.random() < 0.6
    result = max(a, b) if big else min(a, b)
    word = rng.choice(["bigger", "larger"]) if big else "smaller"
    think = f"I compare {a} and {b}. {max(a, b)} is more than {min(a, b)}."
    return QA(f"Which number is {word}, {a} or {b}?", think, f"{result} is {word}.", f"{result}.")


def animal_size(rng):
    big = rng.choice([a for a in words.ANIMALS if a["size"] == "big"])
    small = rng.choice([a for a in words.ANIMALS if a["size"] == "tiny"])
    order = [big, small] if rng.random() < 0.5 else [small, big]
    want_big = rng.random() < 0.6
    result, word = (big, "bigger") if want_big else (small, "smaller")
    question = f"Which is {word}, {order[0]['a_name']} or {order[1]['a_name']}?"
    think = f"{cap(big['a_name'])} is big, and {small['a_name']} is tiny."
    answer = f"{cap(result['a_name'])} is {word}."
    return QA(question, think, answer, cap(result["name"]) + ".")


def animal_eats(rng):
    a = rng.choice(words.ANIMALS)
    question = rng.choice(
        [
            f"What does {a['a_name']} eat?",
            f"What do {a['plural']} eat?",
            f"What do {a['plural']} like to eat?",
        ]
    )
    think = f"The user asks about {a['plural']}. {cap(a['plural'])} eat {a['food']}."
    short = a["food"].split(" and ")[0]
    return QA(question, think, f"{cap(a['plural'])} eat {a['food']}.", cap(short) + ".")


def animal_sound(rng):
    a = rng.choice([a for a in words.ANIMALS if a["word"] != "nothing"])
    question = rng.choice(
        [
            f"What sound does {a['a_name']} make?",
            f"What does {a['a_name']} say?",
            f"What sound do {a['plural']} make?",
        ]
    )
    think = f"The user asks for a sound. {cap(a['plural'])} {a['sound']}."
    answer = f"{cap(a['plural'])} {a['sound']}."
    return QA(question, think, answer, cap(a["word"]) + ".")


def animal_legs(rng):
    a = rng.choice(words.ANIMALS)
    question = rng.choice(
        [f"How many legs does {a['a_name']} have?", f"How many legs do {a['plural']} have?"]
    )
    think = f"I think of {a['a_name']}. It has {a['legs']} legs."
    return QA(question, think, f"{cap(a['a_name'])} has {a['legs']} legs.", cap(a["legs"]) + ".")


def animal_can(rng):
    a = rng.choice(words.ANIMALS)
    thing = rng.choice(list(words.ABILITIES))
    able = words.ABILITIES[thing].split()
    if able and rng.random() < 0.5:
        a = words.by_name(words.ANIMALS, rng.choice(able))
    yes = a["name"] in able
    question = rng.choice([f"Can {a['a_name']} {thing}?", f"Can {a['plural']} {thing}?"])
    think = f"The user asks if {a['plural']} can {thing}. " + (
        f"{cap(a['plural'])} can {thing}, so I say yes."
        if yes
        else f"{cap(a['plural'])} cannot {thing}, so I say no."
    )
    answer = (
        f"Yes, {a['plural']} can {thing}." if yes else f"No, {a['plural']} cannot {thing}."
    )
    return QA(question, think, answer, "Yes." if yes else "No.")


def animal_about(rng):
    a = rng.choice(words.ANIMALS)
    question = rng.choice(
        [
            f"Tell me something about {a['plural']}.",
            f"What do you know about {a['plural']}?",
            f"What is {a['a_name']}?",
            f"Tell me about the {a['name']}.",
        ]
    )
    think = (
        f"The user wants to know more about {a['plural']}. I can say how big they are, what they"
        " eat, and what they can do."
    )
    answer = (
        f"{cap(a['a_name'])} is a {a['size']} animal with {a['legs']} legs and {a['cover']}. "
        f"{cap(a['plural'])} eat {a['food']}, and they can {a['can']}."
    )
    return QA(question, think, answer, "Animal.")


def next_day(rng):
    i = rng.randrange(7)
    step, word = rng.choice([(1, "after"), (-1, "before")])
    a, b = words.DAYS[i], words.DAYS[(i + step) % 7]
    question = rng.choice(
        [f"What day comes {word} {a}?", f"Which day is {word} {a}?", f"What comes {word} {a}?"]
    )
    think = f"I think of the days of the week. The day {word} {a} is {b}."
    return QA(question, think, f"The day {word} {a} is {b}.", b + ".")


def next_month(rng):
    i = rng.randrange(12)
    step, word = rng.choice([(1, "after"), (-1, "before")])
    a, b = words.MONTHS[i], words.MONTHS[(i + step) % 12]
    question = rng.choice([f"What month comes {word} {a}?", f"Which month is {word} {a}?"])
    think = f"I think of the months of the year. The month {word} {a} is {b}."
    return QA(question, think, f"The month {word} {a} is {b}.", b + ".")


def season(rng):
    name = rng.choice(list(words.SEASONS))
    a, b, c = rng.sample(words.SEASONS[name], 3)
    question = rng.choice(
        [f"What happens in {name}?", f"What is {name} like?", f"Tell me about {name}."]
    )
    think = f"The user asks about {name}. In {name}, {a}."
    answer = f"In {name}, {a}, and {b}. Also, {c}."
    return QA(question, think, answer, cap(name) + ".")


def use_of(rng):
    u = rng.choice(words.USES)
    thing, use = u["thing"], u["use"]
    question = rng.choice(
        [f"What do we use {thing} for?", f"What is {thing} for?", f"Why do we need {thing}?"]
    )
    think = f"The user asks what {thing} is for. People use {thing} {use}."
    return QA(question, think, f"We use {thing} {use}.", cap(use.split()[1]) + ".")


def job_of(rng):
    j = rng.choice(words.JOBS)
    verb = j["does"].replace("our ", "their ")
    question = rng.choice([f"What does {j['job']} do?", f"Where does {j['job']} work?"])
    where = question.startswith("Where")
    think = f"The user asks about the job of {j['job']}. {cap(j['job'])} works {j['where']}."
    first, rest = verb.split(" ", 1)
    second = {"teach": "teaches", "catch": "catches", "fly": "flies"}.get(first, first + "s")
    rest = rest.replace("and feed", "and feeds").replace("paint all", "paints all")
    does = f"{second} {rest}".replace("draws and", "draws and")
    answer = f"{cap(j['job'])} works {j['where']}." if where else f"{cap(j['job'])} {does}."
    return QA(question, think, answer, cap(j["where"].split()[-1] if where else first) + ".")


def rhyme(rng):
    r = rng.choice(words.RHYMES)
    a, b = (r["a"], r["b"]) if rng.random() < 0.5 else (r["b"], r["a"])
    question = rng.choice([f"What rhymes with {a}?", f"Tell me a word that rhymes with {a}."])
    think = f"I look for a word that sounds like {a}. One such word is {b}."
    return QA(question, think, f"{cap(b)} rhymes with {a}.", cap(b) + ".")


def name_three(rng):
    lists = {
        "colors": words.COLORS,
        "fruits": words.FRUITS,
        "animals": [a["plural"] for a in words.ANIMALS],
        "days of the week": words.DAYS,
        "things to eat": words.FOODS,
        "things to drink": words.DRINKS,
        "countries": [c["country"] for c in words.CAPITALS],
        "names": words.GIRLS + words.BOYS,
        "cities": [c["capital"] for c in words.CAPITALS],
    }
    kind = rng.choice(list(lists))
    n = rng.choice([2, 3, 3, 3, 4])
    picks = rng.sample(lists[kind], n)
    word = words.NUMBERS[n] if rng.random() < 0.7 else str(n)
    question = rng.choice(
        [f"Name {word} {kind}.", f"Can you name {word} {kind}?", f"Tell me {word} {kind}."]
    )
    think = f"The user wants {words.NUMBERS[n]} {kind}. I can take {', '.join(picks)}."
    listed = ", ".join(picks[:-1]) + (" and " if n == 2 else ", and ") + picks[-1]
    return QA(question, think, f"{cap(words.NUMBERS[n])} {kind} are {listed}.", cap(picks[0]) + ".")


def count_to(rng):
    a = 1 if rng.random() < 0.6 else rng.randint(2, 15)
    b = a + rng.randint(3, 11)
    question = rng.choice(
        [f"Count to {b}.", f"Can you count to {b}?"]
        if a == 1
        else [f"Count from {a} to {b}.", f"Can you count from {a} to {b}?"]
    )
    think = f"The user wants me to count. I start with {a} and stop at {b}."
    return QA(question, think, ", ".join(str(n) for n in range(a, b + 1)) + ".", f"{b}.")


def spell(rng):
    word = rng.choice(
        words.OBJECTS
        + words.COLORS
        + [a["name"] for a in words.ANIMALS]
        + [w for pair in words.OPPOSITES for w in pair]
    )
    letters = "-".join(word)
    question = rng.choice(
        [
            f"How do you spell {word}?",
            f'Spell the word "{word}".',
            f"Can you spell {word}?",
            f"Spell {word}.",
        ]
    )
    think = f"The word is {word}. I say one letter after the other."
    return QA(question, think, f"You spell {word} like this: {letters}.", letters + ".")


def fixed_facts(rng):
    return QA(**rng.choice(FIXED))


FIXED = words.rows(
    """
How many days are in a week?|I count from Monday to Sunday.|A week has seven days.|Seven.
How many months are in a year?|I count them from January.|A year has twelve months.|Twelve.
How many hours are in a day?|Day and night count as one.|A day has twenty-four hours.|24.
What is water?|Water is what we drink.|Water is what we drink, and rain is made of water.|Rain.
Why is the sky blue?|It has to do with the light of the sun.|The air spreads blue light most.|Light.
What is the sun?|The sun is a star.|The sun is a star. It is very hot.|Star.
What is the moon?|I see the moon at night.|The moon shines at night.|Night.
What is snow?|Snow falls in winter.|Snow is frozen water. It is white and cold.|Water.
Is ice cold?|Ice is frozen water, so it is cold.|Yes, ice is very cold.|Yes.
Is fire cold?|Fire is hot, so it is not cold.|No, fire is not cold. It is very hot.|No.
Is the sun hot?|The sun is a star and very hot.|Yes, the sun is very hot.|Yes.
What is a friend?|A friend is kind to you.|A friend is a person who likes you and helps you.|Person.
What is a family?|I think of parents and children.|A family is people who love each other.|People.
What is a story?|In a story, something happens.|A story tells what happens to someone.|Text.
What are the seasons?|There are four.|The four seasons are spring, summer, autumn, and winter.|Four.
What is the first day of the week?|It is Monday.|The first day of the week is Monday.|Monday.
What do plants need?|Plants want to grow.|Plants need water, light, and good earth.|Water.
What is the biggest animal?|I think of big animals.|The biggest animal is the whale.|Whale.
Where do fish live?|Fish need water.|Fish live in the water.|Water.
Where do birds live?|Birds build nests.|Birds live in nests in the trees.|Nests.
What is rain?|Rain comes from the clouds.|Rain is water that falls from the clouds.|Water.
When do we sleep?|People are tired at night.|We sleep at night.|Night.
When do we eat breakfast?|Breakfast is the first meal.|We eat breakfast in the morning.|Morning.
""",
    *"question think answer short".split(),
)

# (weight, maker)
FACTS = [
    (4, color_of),
    (3, is_color),
    (5, capital),
    (2, country_of),
    (4, opposite),
    (12, sum_of),
    (4, compare),
    (2, animal_size),
    (3, animal_eats),
    (3, animal_sound),
    (3, animal_legs),
    (3, animal_can),
    (4, animal_about),
    (3, next_day),
    (2, next_month),
    (2, season),
    (3, use_of),
    (2, job_of),
    (2, rhyme),
    (5, name_three),
    (3, count_to),
    (4, spell),
    (4, fixed_facts),
]


def any_fact(rng):
    weights = [weight for weight, _ in FACTS]
    return rng.choices([maker for _, maker in FACTS], weights)[0](rng)
