# SPDX-License-Identifier: Apache-2.0
"""Loose sentences about things, moods and the weather: prose with no story in it."""

import tiny_words as words
from tiny_people import Person
from tiny_stories import story_slots

THINGS = (
    "car house boat tree table door bag box book hat ball train bus bridge tower shop cup plate"
    " window flower chair bike coat shoe letter picture cake"
).split()
MATERIALS = "wood stone glass paper metal".split()
SIZES = "big small heavy long short".split()
STATES = "old new beautiful clean strong broken expensive pretty".split()
GOOD_MOODS = "happy glad calm proud surprised".split()
GOOD_REASONS = [
    "it was {day}",
    "the sun was shining",
    "{F2} was there",
    "there was {food} for dinner",
    "school was over",
    "{he} had a new {object}",
    "{he} had slept well",
    "{he} had found a friend",
]
BAD_MOODS = "sad tired angry afraid worried".split()
BAD_REASONS = [
    "it was late",
    "the weather was bad",
    "the {pet} was sick",
    "{F2} was not there",
    "{he} had lost the {object}",
    "{he} had not slept well",
    "{he} had nothing to eat",
]


def sentence_choices(rng, slots):
    """Sentences about anything in sight, one of each form."""
    thing, other = rng.sample(THINGS, 2)
    color = rng.choice(words.COLORS)
    adjective, adjective2 = rng.choice(SIZES), rng.choice(STATES)
    who = rng.choice(["{N}", "{N}", "My {kin}", "The {kind}", "{N} and {F}", "The old man"])
    plural = who == "{N} and {F}"
    male = who == "The old man" or (who == "My {kin}" and slots["kin"] in words.MALE_KIN)
    female = who == "My {kin}" and not male
    he = "they" if plural else "he" if male else "she" if female else slots["he"]
    was = "were" if plural else "was"
    good = rng.random() < 0.6
    mood = rng.choice(GOOD_MOODS if good else BAD_MOODS)
    reason = rng.choice(GOOD_REASONS if good else BAD_REASONS).replace("{he}", he)
    where = rng.choice(["near the", "next to the", "in front of the", "behind the", "under the"])
    return [
        f"The {color} {thing} is {adjective} and {adjective2}.",
        f"The {thing} is {color}, but the {other} is {rng.choice(words.COLORS)}.",
        f"The {color} {thing} is {where} {other}.",
        f"There is {words.article(adjective)} {thing} {where} {other}.",
        f"There was {words.article(color)} {thing} in the {{place}}.",
        f"The {adjective} {thing} is made of {rng.choice(MATERIALS)}.",
        f"{who} {was} {mood} because {reason}.",
        f"{who} {was} very {mood} because {reason}.",
        f"{who} went to the {{place}} and saw {words.article(color)} {thing}.",
        f"{who} likes the {color} {thing}." if not plural else f"{who} like {{food}}.",
        "The weather is {weather} today, and the sky is {sky}.",
        "Today is {day}, and it is {weather}.",
        "In the {place}, people can see {a_animal}.",
        "People in {town} like to eat {food} and {food2}.",
        "It is important to be kind and to help other people.",
        "It is good to drink water and to sleep well.",
        "In the morning, {N} drinks tea, and in the evening, {he} reads a book.",
        "I think that {food} and {food2} are good.",
        "We want to go to the {place} on {day}.",
        f"They have a {{pet}}, {words.article(thing)}, and a garden.",
    ]


def sentences(rng):
    """A handful of sentences with no story in them."""
    slots = story_slots(rng)
    slots["F2"] = Person(rng, (slots["N"], slots["F"])).name
    slots["sky"] = "blue" if slots["weather"] in ("sunny", "warm", "windy") else "gray"
    picked = rng.sample(sentence_choices(rng, slots), rng.randint(3, 8))
    return " ".join(picked).format(**slots)
