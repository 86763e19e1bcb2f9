# SPDX-License-Identifier: Apache-2.0
"""Puts the plots of tiny_plots.py together into stories."""

import tiny_words as words
from tiny_people import Person
from tiny_plots import ENDINGS, LESSONS, OPENINGS, PLOTS
from tiny_words import cap

TALKERS = "cat dog cow horse pig goat hen duck frog owl lion bear wolf fox mouse rabbit".split()


def story_slots(rng, name=None):
    hero = Person(rng, name=name)
    hero.child = True
    friend = Person(rng, other_than=(hero.name,))
    animal = words.by_name(words.ANIMALS, rng.choice(TALKERS))
    pet = words.by_name(words.ANIMALS, rng.choice("cat dog rabbit mouse bird duck".split()))
    color, color2 = rng.sample(words.COLORS, 2)
    num, num2 = rng.sample(range(3, 13), 2)
    obj = rng.choice(words.OBJECTS)
    return {
        "N": hero.name,
        "he": hero.he,
        "He": cap(hero.he),
        "him": hero.him,
        "his": hero.his,
        "His": cap(hero.his),
        "F": friend.name,
        "fhe": friend.he,
        "Fhe": cap(friend.he),
        "fhim": friend.him,
        "fhis": friend.his,
        "kind": rng.choice(["girl" if hero.girl else "boy", "child"]),
        "adj": rng.choice("little kind brave clever young happy curious quiet friendly".split()),
        "town": hero.town,
        "kin": rng.choice("mother father grandmother grandfather sister brother".split()),
        "place": rng.choice(words.PLACES),
        "animal": animal["name"],
        "a_animal": animal["a_name"],
        "pet": pet["name"],
        "a_pet": pet["a_name"],
        "pname": hero.pet_name,
        "color": color,
        "color2": color2,
        "object": obj,
        "a_object": ("an " if obj[0] in "aeiou" else "a ") + obj,
        "food": hero.food,
        "food2": hero.food2,
        "fruits": rng.choice(words.FRUITS),
        "hobby": hero.hobby["doing"].replace(" my ", " their "),
        "weather": rng.choice(words.WEATHER),
        "day": hero.day,
        "num": words.NUMBERS[num],
        "num2": words.NUMBERS[num2],
    }


def ending(rng, parts):
    """An ending that names the friend only where the story has one."""
    has_friend = any("{F}" in part for part in parts)
    return rng.choice([e for e in ENDINGS if has_friend or ("{F}" not in e and "friend" not in e)])


def story(rng, title_chance=0.15):
    """A whole story: opening, one plot, an ending, sometimes a lesson."""
    slots = story_slots(rng)
    parts = [rng.choice(OPENINGS)]
    for stage in rng.choice(PLOTS):
        if stage[0] is None:
            if rng.random() < 0.5:
                continue
            stage = stage[1:]
        parts.append(rng.choice(stage))
    if rng.random() < 0.5:
        parts.append(rng.choice(LESSONS))
    parts.append(ending(rng, parts))
    breaks = set(rng.sample(range(1, len(parts)), rng.choice([0, 1, 2])))
    text = parts[0]
    for i, part in enumerate(parts[1:], 1):
        text += ("\n\n" if i in breaks else " ") + part
    has_friend = "{F}" in text
    text = text.format(**slots)
    if rng.random() < title_chance:
        title = rng.choice(["The story of {N}", "{N} and {F}" if has_friend else "A day with {N}"])
        text = title.format(**slots) + "\n\n" + text
    return text


def short_story(rng, name=None, animal=None):
    """A story without breaks, for answers in a chat; about `name` or `animal` where given."""
    slots = story_slots(rng, name)
    plot = rng.choice(PLOTS)
    if animal:
        slots.update(animal=animal["name"], a_animal=animal["a_name"])
        plot = next(p for p in PLOTS if "{a_animal} in the {place}" in p[0][0])
    parts = [rng.choice(OPENINGS)] + [rng.choice(s) for s in plot if s[0] is not None]
    parts.append(ending(rng, parts))
    return " ".join(parts).format(**slots)
