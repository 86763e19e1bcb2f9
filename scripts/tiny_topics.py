# SPDX-License-Identifier: Apache-2.0
"""Exchanges of the tiny model's conversations: each returns (user, reasoning, answer)."""

import tiny_quiz
import tiny_stories
import tiny_words as words
from tiny_memory import nonsense
from tiny_people import Person
from tiny_words import cap


def greet(t):
    user = t.rng.choice(["Hello!", "Hi!", "Hello", "Hi there!", "Good morning!", "Hey!"])
    think = t.rng.choice(
        [
            "The user says hello. I say hello too and ask how I can help.",
            "This is a greeting. I should be friendly.",
        ]
    )
    answer = t.rng.choice(
        [
            "Hello! How can I help you today?",
            "Hi! It is nice to meet you. What can I do for you?",
            "Hello! What would you like to talk about?",
        ]
    )
    return user, think, answer


def how_are_you(t):
    user = t.rng.choice(["How are you?", "How are you today?", "Hello, how are you?"])
    think = "The user asks how I am. I am well, and I can ask back."
    answer = t.rng.choice(
        [
            "I am fine, thank you. How are you?",
            "I am very well today. And you?",
            "I am well, thank you! What can I do for you?",
        ]
    )
    return user, think, answer


def who_are_you(t):
    user = t.rng.choice(
        ["Who are you?", "What is your name?", "What are you called?", "Tell me about yourself."]
    )
    think = f"The user asks who I am. My name is {t.bot}, and I am a small language model."
    answer = t.rng.choice(
        [
            f"My name is {t.bot}. I am a very small language model, and I like simple questions.",
            f"I am {t.bot}, a small language model. I can answer easy questions and tell stories.",
        ]
    )
    return user, think, answer


def what_can_you_do(t):
    user = t.rng.choice(
        ["What can you do?", "How can you help me?", "What do you know?", "Can you help me?"]
    )
    think = "The user wants to know what I can do. I can tell stories and answer easy questions."
    answer = t.rng.choice(
        [
            "I can tell you a short story, add numbers, and answer easy questions about animals.",
            "I can talk with you, count, name colors, and tell you a story. What would you like?",
        ]
    )
    return user, think, answer


def thanks(t):
    user = t.rng.choice(["Thank you!", "Thanks!", "Thank you very much.", "Thanks, that helps."])
    answer = t.rng.choice(["You are welcome!", "You are welcome. Is there anything else?"])
    return user, "The user says thank you. I answer politely.", answer


def goodbye(t):
    user = t.rng.choice(["Goodbye!", "Bye!", "See you later.", "I have to go now.", "Good night!"])
    name = f", {t.told['name']}" if "name" in t.told else ""
    answer = t.rng.choice([f"Goodbye{name}! Have a nice day.", f"See you soon{name}!"])
    return user, "The user wants to leave. I say goodbye.", answer


def fact(t):
    qa = tiny_quiz.any_fact(t.rng)
    return qa.question, qa.think, qa.short if t.one_word else qa.answer


def story(t):
    rng = t.rng
    kind = rng.randrange(4)
    if kind == 0:
        name = Person(rng).name
        user = rng.choice([f"Tell me a story about {name}.", f"Write a story about {name}."])
        think = f"The user wants a story about {name}. Something should happen, and it should end"
        return user, think + " well.", tiny_stories.short_story(rng, name=name)
    if kind == 1:
        a = rng.choice(words.ANIMALS)
        user = rng.choice([f"Tell me a story about {a['a_name']}.", f"A story about {a['a_name']}"])
        think = f"The user wants a story about {a['a_name']}. The {a['name']} can meet a child."
        return user, think, tiny_stories.short_story(rng, animal=a)
    user = rng.choice(
        [
            "Tell me a story.",
            "Tell me a short story.",
            "Can you tell me a story?",
            "Write a short story.",
            "I want to hear a story.",
            "Do you know a story?",
        ]
    )
    think = rng.choice(
        [
            "The user wants a story. I think of a child, a problem, and a happy end.",
            "I will tell a short story about a child and a friend.",
        ]
    )
    return user, think, tiny_stories.short_story(rng)


def feeling(t):
    rng = t.rng
    bad = rng.choice(["sad", "tired", "afraid", "angry", "bored", "lonely", "sick"])
    good = rng.choice(["happy", "glad", "proud"])
    if rng.random() < 0.3:
        user = f"I am {good} today."
        think = f"The user is {good}. I am glad to hear it."
        return user, think, f"That is great! I am glad that you are {good}. What happened?"
    tips = {
        "sad": "Maybe a walk or a talk with a friend can help.",
        "tired": "Maybe you should rest and sleep a little.",
        "afraid": "Take a deep breath. You are not alone.",
        "angry": "Count to ten and take a deep breath.",
        "bored": "You could read a book, or I can tell you a story.",
        "lonely": "You can talk to me, or you can call a friend.",
        "sick": "Please drink some tea and rest. A doctor can help you.",
    }
    user = rng.choice([f"I am {bad}.", f"I feel {bad} today.", f"I am so {bad}."])
    think = f"The user is {bad}. I should be kind and say what may help."
    return user, think, f"I am sorry to hear that you are {bad}. {tips[bad]}"


ADVICE = words.rows(
    """
What should I do when it rains?|It is wet outside when it rains.|Take an umbrella, or stay at home.
What should I wear in winter?|Winter is cold.|Wear a warm coat, a hat, and a scarf.
What should I eat for breakfast?|Breakfast should be simple.|You could eat bread with honey.
What should I eat for lunch?|Lunch should not be too heavy.|You could eat rice with carrots.
What should I eat for dinner?|Something warm is good.|How about soup with some bread?
What should I eat?|I think of something simple.|You could eat bread with cheese.
What should I drink?|Something healthy is best.|You could drink water or tea.
What should I do?|I do not know much.|You could go for a walk or read a book.
What can I do today?|The user has time.|You could read a book, go for a walk, or call a friend.
How can I make a friend?|Friends are kind to each other.|Say hello, smile, and be kind.
How do I make tea?|Tea needs hot water.|Boil water, pour it over the tea, and wait three minutes.
What should I cook?|Something easy is best.|You could cook soup with potatoes and carrots.
I cannot sleep. What should I do?|The user needs rest.|Drink some warm milk and read a quiet book.
I am hungry.|The user wants to eat.|Then you should eat something. How about some bread and cheese?
I am thirsty.|The user wants to drink.|Then drink a glass of water.
I am cold.|The user is cold and needs something warm.|Put on a warm coat and drink some hot tea.
What should I give my friend?|A gift should be nice.|You could give your friend a good book.
How do I learn to read?|Reading needs time.|Start with short words and read a little every day.
""",
    *"user think answer".split(),
)


def advice(t):
    row = t.rng.choice(ADVICE)
    return row["user"], row["think"], row["answer"]


def opinion(t):
    rng = t.rng
    if rng.random() < 0.5:
        things = words.FOODS + [a["plural"] for a in words.ANIMALS] + list(words.SEASONS)
        x = rng.choice(things)
        be = "are" if x.endswith("s") or x in ("mice", "sheep") else "is"
        good = rng.choice(["very nice", "great", "wonderful"])
        user = rng.choice([f"What do you think about {x}?", f"Do you like {x}?"])
        think = f"The user wants to know what I think about {x}. I can say something nice."
        return user, think, f"I think that {x} {be} {good}. Do you like {x}?"
    kind, values = rng.choice(
        [
            ("color", ["blue", "green", "orange"]),
            ("animal", ["the cat", "the owl", "the elephant"]),
            ("season", ["spring", "summer", "autumn"]),
            ("food", ["soup", "cake", "bread"]),
            ("day", ["Sunday", "Friday"]),
        ]
    )
    user = rng.choice([f"What is your favorite {kind}?", f"Which {kind} do you like?"])
    think = f"The user asks for my favorite {kind}. I am a model, but I can name one that is nice."
    return user, think, f"I like {rng.choice(values)}. What is your favorite {kind}?"


JOKES = words.rows(
    """
Why did the cat sit on the clock?|It wanted to be on time.
What is white and jumps?|A rabbit in the snow.
Why did the book go to the doctor?|It had hurt its back.
What do you call a fish without an eye?|A fsh.
Why is six afraid of seven?|Because seven eight nine.
What has hands but cannot clap?|A clock.
What gets wet while it dries?|A towel.
""",
    *"question answer".split(),
)


def joke(t):
    row = t.rng.choice(JOKES)
    user = t.rng.choice(["Tell me a joke.", "Do you know a joke?", "Make me laugh."])
    return user, "The user wants to laugh. I know a joke.", f"{row['question']} {row['answer']}"


def poem(t):
    rng = t.rng
    first, second = rng.sample(words.RHYMES[:7], 2)
    lines = [
        f"I see a {first['a']}, I see a {first['b']},",
        "I think of you, and that is that.",
        f"I sing of the {second['a']} and the {second['b']} too,",
        "and all of my songs are songs for you.",
    ]
    user = rng.choice(["Write a poem.", "Tell me a poem.", "Can you write a short poem?"])
    return user, "The user wants a poem. It should have four short lines.", "\n".join(lines)


def reading(t):
    """A question about a text that the user gives."""
    rng = t.rng
    things = rng.sample(words.OBJECTS, 3)
    colors = rng.sample(words.COLORS, 3)
    p = Person(rng)
    q = Person(rng, (p.name,))
    listed = [f"{words.article(c)} {o}" for c, o in zip(colors, things)]
    kind = rng.randrange(3)
    if kind == 0:
        i = rng.randrange(3)
        text = f"{p.name} has {listed[0]}, {listed[1]}, and {listed[2]}."
        question = f"What color is the {things[i]}?"
        think = f"The text says that {p.name} has {listed[i]}."
        return f"{text} {question}", think, f"The {things[i]} is {colors[i]}."
    if kind == 1:
        text = f"{p.name} has {listed[0]}. {q.name} has {listed[1]}."
        i = rng.randrange(2)
        who = (p, q)[i]
        question = f"Who has the {things[i]}?"
        think = f"I read the text again. {who.name} has {listed[i]}."
        return f"{text} {question}", think, f"{who.name} has the {things[i]}."
    a, b = rng.randint(1, 10), rng.randint(1, 10)
    fruit = rng.choice(words.FRUITS)
    if rng.random() < 0.5 or a <= b:
        text = f"{p.name} has {a} {fruit} and gets {b} more."
        result, think = a + b, f"{p.name} gets more, so I add. {a} + {b} = {a + b}."
    else:
        text = f"{p.name} has {a} {fruit} and eats {b} of them."
        result, think = a - b, f"{p.name} eats some, so I subtract. {a} - {b} = {a - b}."
    question = f"How many {fruit} does {p.name} have now?"
    return f"{text} {question}", think, f"{p.name} has {result} {fruit} now."


def repeat_words(t):
    rng = t.rng
    picks = rng.sample(words.OBJECTS + words.COLORS + words.FRUITS + words.GIRLS, rng.randint(1, 4))
    text = " ".join(picks)
    user = rng.choice([f"Say: {text}", f"Repeat after me: {text}", f"Please repeat: {text}"])
    return user, f"The user wants me to say the same words: {text}.", text


def unknown(t):
    """Anything outside the small world is declined in a friendly way."""
    rng = t.rng
    pick = rng.random()
    x = rng.choice(words.UNKNOWN) if pick < 0.3 else nonsense(rng)
    if pick > 0.5:
        a, b = rng.sample(words.FAR_WORDS, 2)
        x = rng.choice([a, f"{a} {b}", f"{a} {b}", f"the {a} of {b}", f"the {a} {b}", f"the {a}"])
    user = rng.choice(
        [
            f"What is {x}?",
            f"Tell me about {x}.",
            f"How does {x} work?",
            f"Can you explain {x}?",
            f"What do you think about {x}?",
            f"Write a text about {x}.",
            f"Who invented {x}?",
            f"Why is {x} important?",
            f"I want to learn more about {x}.",
            f"Please help me with {x}.",
            f"Explain {x} to me.",
            f"Write {rng.choice(['a text', 'a haiku', 'an essay', 'code'])} about {x}",
            f"What is the best {x}?",
            f"Give me a list of {x}.",
            f"How do I {x}?",
            f"Translate {x} into German.",
            f"{cap(x)}?",
        ]
    )
    think = rng.choice(
        [
            f"The user asks about {x}. I am a small model, and I do not know this.",
            f"I do not know anything about {x}. I should say so and offer something else.",
            "This is a hard question. I am a small model, and I should say that I do not know.",
            "I do not understand this well. It is best to say so and to offer a story.",
            "This is not something that I know. I should be honest about it.",
        ]
    )
    answer = rng.choice(
        [
            f"I am sorry, but I do not know anything about {x}. I am only a very small model.",
            f"I do not know much about {x}. But I can tell you a story, if you like.",
            f"Sorry, {x} is too hard for me. You can ask me about animals, colors, or numbers.",
            "I am sorry, I do not know that. I am only a very small model.",
            "That is too hard for me. You can ask me about animals, colors, or numbers.",
            "I do not know much about that. But I can tell you a story, if you like.",
        ]
    )
    return user, think, answer
