# SPDX-License-Identifier: Apache-2.0
"""Story plots: each is a list of stages, each stage a list of sentences to choose from.

Slots: {N} hero, {F} friend, {he} {He} {him} {his} {His} for the hero, {fhe} {Fhe} {fhis} for the
friend, {kin} a relative of the hero, {place}, {animal} {a_animal}, {pet} {a_pet} {pname},
{color} {color2}, {object} {a_object}, {food} {food2}, {weather}, {day}, {num} {num2}. A stage may
start with None: then it is left out now and then.
"""

OPENINGS = [
    "Once upon a time, there was a {kind} named {N}.",
    "Once there was a little {kind} called {N}.",
    "{N} was a {adj} {kind} who lived in {town}.",
    "In {town} lived a {adj} {kind}. {His} name was {N}.",
    "There was once a {adj} {kind} named {N} who loved {food}.",
    "Long ago, a {kind} named {N} lived in {town}.",
    "{N} lived in {town} with {his} {kin}.",
]

ENDINGS = [
    "{N} was very happy.",
    "From that day on, {N} and {F} were the best of friends.",
    "That night, {N} went to bed with a smile.",
    "It was the best day of the year.",
    "{N} never forgot that day.",
    "And they all lived happily ever after.",
    "{N} told {his} {kin} the whole story at dinner.",
    '"What a lovely day," said {N}.',
    "Then {N} went home, ate some {food2}, and slept very well.",
    "And that was how {N} made a new friend.",
]

LESSONS = [
    "{N} learned that it is good to help others.",
    "{N} learned that friends are worth more than gold.",
    "{N} learned to be brave.",
    "{N} learned that it is good to share.",
    "{N} learned to be patient.",
    "{N} learned that small things can bring great joy.",
    "{N} learned to listen before {he} spoke.",
    "{N} learned that everyone makes mistakes.",
]

PLOTS = [
    [  # a lost thing
        [
            "One day, {N} could not find {his} {color} {object}.",
            "One morning, {N} lost {his} {color} {object} in the {place}.",
            "On {day}, the {color} {object} of {N} was gone.",
        ],
        [
            "{He} looked under the bed, but it was not there.",
            "{He} looked in the kitchen and in the garden, but {he} did not find it.",
            "{He} looked behind every door and under every chair.",
        ],
        [
            '"Where can it be?" {he} asked.',
            "{N} sat down and began to cry.",
            '"I must find it before night," {he} said.',
        ],
        [
            "Then {his} friend {F} came to help.",
            "{F} heard this and came at once.",
            "Just then, {F} knocked on the door.",
        ],
        [
            "Together they went to the {place} and looked behind the old tree.",
            "They walked back to the {place}, step by step.",
            "They asked {num} people in the {place}, and at last an old man pointed to a bench.",
        ],
        [
            "There was the {object}, and a small {animal} was sleeping next to it.",
            "The {object} was lying in the grass, a little wet but not broken.",
            '"Look!" said {F}. "Here is your {object}!"',
        ],
        [
            '"Thank you, {F}," said {N}. "You are a true friend."',
            "{N} thanked {F} and gave {fhim} half of {his} {food}.",
            "They laughed and ran home together.",
        ],
    ],
    [  # a lost animal
        [
            "One {weather} day, {N} was walking in the {place}.",
            "On {day}, {N} went to the {place} with {his} {kin}.",
            "One afternoon, {N} was playing near the {place}.",
        ],
        [
            "There {he} saw a little {color} {pet} under a tree.",
            "Suddenly {he} heard a soft sound. It was a small {pet}.",
            "{He} found a {pet} that was alone and cold.",
        ],
        [
            '"Are you lost?" {N} asked.',
            "The little {pet} was hungry and afraid.",
            "The {pet} looked at {N} with big eyes.",
        ],
        [
            "{N} gave the {pet} some water and a soft bed.",
            "{N} took the {pet} home and gave it something to eat.",
            "{N} put the {pet} in {his} coat to keep it warm.",
        ],
        [
            None,
            '"Can we keep it?" asked {N}. {His} {kin} thought for a long time.',
            '"We must ask if it has a home," said {his} {kin}.',
        ],
        [
            "They asked all the people in the street, but no one knew the {pet}.",
            "They put a picture of the {pet} on the door of the shop.",
            "The next day, they went from house to house.",
        ],
        [
            "So {N} kept the {pet} and named it {pname}.",
            "In the end, the {pet} could stay, and {N} called it {pname}.",
            "Then {F} came and said, \"That is my {pet}! Thank you for helping {pname}.\"",
        ],
    ],
    [  # baking
        [
            "One day, {N} wanted to bake a cake for {his} {kin}.",
            "It was the birthday of {F}, and {N} wanted to make a cake.",
            "On {day}, {N} and {his} {kin} were in the kitchen.",
        ],
        [
            "{He} took eggs, milk, sugar, and flour.",
            "First {he} washed {his} hands. Then {he} took {num} eggs and some milk.",
            "{He} put {num} cups of flour into a big {color} bowl.",
        ],
        [
            "But there was no sugar in the house.",
            "But {he} dropped one egg on the floor.",
            "But the oven was still cold.",
        ],
        [
            '"Do not worry," said {his} {kin}. "We will find a way."',
            "{N} asked {F} for help, and {F} came at once.",
            "So {N} stopped, took a deep breath, and began again.",
        ],
        [
            "They used honey and {food} instead.",
            "They mixed everything with a long spoon.",
            "They waited and sang a song.",
        ],
        [
            "After one hour, the kitchen smelled sweet.",
            "Soon the cake was brown and warm.",
            "When the cake was ready, it was big and soft.",
        ],
        [
            "Everyone ate a piece, and nothing was left.",
            '"This is the best cake in the world," said {F}.',
            "{N} cut the cake into {num2} pieces, one for each friend.",
        ],
    ],
    [  # the storm
        [
            "One night, there was a big storm.",
            "One evening, the sky turned dark and the wind began to blow.",
            "It was late, and heavy rain fell on the roof.",
        ],
        [
            "{N} was in bed and could not sleep.",
            "{N} was afraid of the loud thunder.",
            "The light went out, and {N} could not see.",
        ],
        [
            "{He} held {his} {object} and called for {his} {kin}.",
            '"Is someone there?" {N} asked in the dark.',
            "{He} hid under the blanket and counted to {num}.",
        ],
        [
            "{His} {kin} came with a small lamp and sat down on the bed.",
            "The door opened, and {his} {kin} came in with a cup of hot milk.",
            "Then {he} heard a voice. It was {his} {kin}.",
        ],
        [
            '"The storm is only rain and wind," said {his} {kin}. "It cannot hurt you here."',
            '"When you are afraid, think of something nice," said {his} {kin}.',
            "They told each other stories about a brave {animal}.",
        ],
        [
            "{N} thought of the {place} and of {his} friend {F}.",
            "Soon the wind was quiet, and the moon came out.",
            "After some time, the rain stopped.",
        ],
        [
            "In the morning, the sun was shining and the world was clean.",
            "The next morning, there was a rainbow over the {place}.",
            "{N} fell asleep and dreamed of a {color} boat.",
        ],
    ],
    [  # a race
        [
            "One day, there was a race in the {place}.",
            "Every year, the children ran a race to the {place}.",
            "On {day}, {N} and {F} had a race.",
        ],
        [
            "{N} wanted to win more than anything.",
            "{F} was very fast, and {N} was a little slow.",
            "{N} had trained for {num} days.",
        ],
        [
            '"One, two, three, go!" called the teacher.',
            "They started when the bell rang.",
            "Everyone ran as fast as they could.",
        ],
        [
            "After a short time, {F} fell and hurt {fhis} knee.",
            "Near the end, {F} stopped, because {fhis} shoe was broken.",
            "Then {F} fell into the mud.",
        ],
        [
            "{N} could win now, but {he} stopped and went back.",
            "{N} saw this and ran back to help.",
            '"Wait, I will help you," said {N}.',
        ],
        [
            "They walked to the end together, hand in hand.",
            "{N} helped {F} to stand up, and they finished together.",
            "They came last, but they came together.",
        ],
        [
            "All the people clapped, and the teacher gave both of them a {color} medal.",
            '"You are the real winner," said {F}.',
            "They did not win, but they were proud.",
        ],
    ],
    [  # the seed
        [
            "One spring day, {N} found a small seed.",
            "In spring, {his} {kin} gave {N} a seed.",
            "At the market, an old man gave {N} {num} seeds.",
        ],
        [
            "{He} put it into the ground behind the house.",
            "{He} planted it in a {color} pot near the window.",
            "{He} made a hole in the garden and planted it.",
        ],
        [
            "Every day {he} gave it water, but nothing happened.",
            "{He} waited for one week, but there was nothing to see.",
            '"When will it grow?" {he} asked every morning.',
        ],
        [
            '"Good things need time," said {his} {kin}.',
            "{F} laughed and said it was only a stone.",
            '"Do not give up," said {F}.',
        ],
        [
            "Then, one warm morning, there was a tiny green leaf.",
            "After {num2} days, something green came out of the ground.",
            "At last, it rained, and the next day the plant was there.",
        ],
        [
            "It grew and grew until it was taller than {N}.",
            "Soon it had {num} leaves and a big {color} flower.",
            "In summer, it was a beautiful {color} flower.",
        ],
        [
            "Bees came to visit it, and {N} gave the first flower to {his} {kin}.",
            "{N} saved the new seeds and gave some of them to {F}.",
            "Everyone who came by stopped to look at it.",
        ],
    ],
    [  # sharing
        [
            "One day, {N} had {num2} {fruits}.",
            "{N} got a basket of {fruits} from {his} {kin}.",
            "At the market, {N} bought {num2} {fruits}.",
        ],
        [
            "{He} wanted to eat all of them alone.",
            "{He} sat down on a bench to eat them.",
            "They were sweet and smelled very good.",
        ],
        [
            "Then {F} came by. {Fhe} looked hungry.",
            "Next to {him} sat {F}, who had nothing to eat.",
            "A small {animal} came and looked at the {fruits}.",
        ],
        [
            '"I have nothing to eat today," said {F}.',
            '"Those look good," said {F} in a quiet voice.',
            "{N} thought about it for a moment.",
        ],
        [
            '"You can have half of them," said {N}.',
            "So {N} gave {F} half of the {fruits}.",
            '"Let us share," said {N}.',
        ],
        [
            "They ate together and talked about the {place}.",
            "The {fruits} tasted even better than before.",
            "{F} smiled and gave {N} a {color} {object}.",
        ],
    ],
    [  # the kite
        [
            "It was a windy day, and {N} took {his} {color} kite to the {place}.",
            "{N} made a kite out of {color} paper.",
            "On {day}, {N} got a new {color} kite from {his} {kin}.",
        ],
        [
            "The kite went up, higher and higher.",
            "{He} ran across the grass, and the kite flew up into the sky.",
            "The wind was strong and pulled the kite up to the clouds.",
        ],
        [
            "But the string broke, and the kite flew away.",
            "But then the kite got stuck in a tall tree.",
            "Suddenly a big {animal} ran by, and {N} let the kite go.",
        ],
        [
            '"Oh no, my kite!" cried {N}.',
            "{N} ran after it, but {he} was too slow.",
            "{He} looked up and did not know what to do.",
        ],
        [
            "{F} saw it and brought a long ladder.",
            "{F} was good at climbing and went up very carefully.",
            "A friendly man with a ladder came to help.",
        ],
        [
            "After a while, {N} had the kite back in {his} hands.",
            "Soon the kite was back, with only a small hole in it.",
            "Together they got the kite and fixed it with tape.",
        ],
        [
            "Then they let it fly again until the sun went down.",
            "{N} let {F} hold the string, and both laughed.",
            '"Next time we will use a stronger string," said {N}.',
        ],
    ],
    [  # a trip to the sea
        [
            "In summer, {N} and {his} {kin} went to the sea.",
            "One hot day, {N} took the train to the beach.",
            "On the first day of the holidays, {N} saw the sea for the first time.",
        ],
        [
            "The water was blue and very big.",
            "The sand was warm under {his} feet.",
            "{He} could hear the waves and the birds.",
        ],
        [
            "{N} built a castle out of sand with {num} towers.",
            "{N} looked for shells and found {num} of them.",
            "{N} ran into the water and jumped over the waves.",
        ],
        [
            "There {he} met {F}, who had a {color} bucket.",
            "A child named {F} came and asked, \"Can I play with you?\"",
            "Next to {him}, {F} was looking for shells too.",
        ],
        [
            "Then a big wave came and took the castle away.",
            "Suddenly they saw a turtle in the sand. It could not find the water.",
            "Then {F} found a bottle with a letter in it.",
        ],
        [
            None,
            "They laughed and started again from the beginning.",
            "Together they made a path to the water, and everything was fine.",
        ],
        [
            "In the evening, they ate {food} and looked at the red sun.",
            "When the sun went down, they were tired and happy.",
            "They promised to meet again the next summer.",
        ],
    ],
    [  # the first school day
        [
            "It was the first day of school for {N}.",
            "On {day}, {N} went to a new school.",
            "{N} had moved to a new town and did not know anyone.",
        ],
        [
            "{He} had a new {color} bag and a book.",
            "{He} was a little afraid and held the hand of {his} {kin}.",
            "The school was big, and there were many children.",
        ],
        [
            '"What if no one likes me?" {he} asked.',
            "{He} sat down in the last row and said nothing.",
            '"You will find a friend," said {his} {kin}.',
        ],
        [
            'The teacher was kind and said, "Welcome, {N}!"',
            "The teacher asked everyone to say their names.",
            "In the first lesson, they learned to count to {num2}.",
        ],
        [
            'Then {F} sat down next to {him} and said, "Hello, my name is {F}."',
            '"Do you want to play with us?" asked {F}.',
            "At noon, {F} gave {him} some {food}.",
        ],
        [
            "They found out that they both liked {hobby}.",
            "They played with a {color2} ball until the bell rang.",
            "They talked about {hobby} and laughed a lot.",
        ],
        [
            'At home, {N} said, "I cannot wait for tomorrow!"',
            "After school, they walked home together.",
            "{N} was not afraid anymore.",
        ],
    ],
    [  # the talking animal
        [
            "One day, {N} met {a_animal} in the {place}.",
            "In the {place}, there lived {a_animal} that could talk.",
            "One {weather} morning, {a_animal} knocked on the door.",
        ],
        [
            '"Good morning," said the {animal}. "Can you help me?"',
            'The {animal} looked sad and said, "I have lost my way."',
            '"Please do not be afraid," said the {animal}. "I only want to talk."',
        ],
        [
            "{N} was surprised, but {he} was also polite.",
            '"Of course," said {N}. "What can I do for you?"',
            "{N} had never heard {a_animal} talk before.",
        ],
        [
            '"I want to see the sea," said the {animal}, "but I do not know where it is."',
            '"I am hungry, and I cannot find any {food}," said the {animal}.',
            '"I have no friends," said the {animal}. "Everyone is afraid of me."',
        ],
        [
            "So {N} and the {animal} went up the hill together.",
            "{N} gave the {animal} some {food} and a cup of tea.",
            '"I can be your friend," said {N}. "And {F} will like you too."',
        ],
        [
            "They talked until the stars came out.",
            "The {animal} was so happy that it began to dance.",
            "The {animal} sang a song that no one had heard before.",
        ],
        [
            'The {animal} gave {N} a {color} stone and said, "Keep it, and think of me."',
            "After that, the {animal} came to visit {N} every {day}.",
            '"You have a good heart," said the {animal}.',
        ],
    ],
    [  # the broken toy
        [
            "{N} had a {color} {object} that {he} loved very much.",
            "For {his} birthday, {N} got a {color} {object}.",
            "{F} had a new {color} {object}, and {N} wanted to play with it.",
        ],
        [
            "One day, it fell down and broke.",
            "But {N} was not careful, and it broke.",
            "{He} ran too fast, fell, and broke it.",
        ],
        [
            "{N} did not know what to say.",
            '"I am so sorry," said {N}.',
            "At first, {N} wanted to hide it.",
        ],
        [
            "But then {he} told {his} {kin} the truth.",
            "But {F} was not angry at all.",
            '"It is good that you told me," said {his} {kin}.',
        ],
        [
            "They took some glue and worked for one hour.",
            "Together they fixed it with glue and {color2} paint.",
            "{His} {kin} had an idea and brought a box with tools.",
        ],
        [
            "In the end, it looked better than before.",
            "Now it had a small line, but it worked again.",
            "It was not perfect, but it was beautiful.",
        ],
    ],
    [  # snow
        [
            "One winter morning, everything was white.",
            "In winter, {N} waited for the snow every day.",
            "It snowed all night, and in the morning {N} looked out of the window.",
        ],
        [
            "{N} put on {his} {color} hat and ran outside.",
            "{He} took {his} coat, {his} scarf, and {his} hat.",
            '"Snow!" called {N}. "Come and look!"',
        ],
        [
            "{F} was already there and threw a snowball.",
            "{N} and {F} made a big snowman.",
            "{N} called {F}, and they went to the hill.",
        ],
        [
            "They used a carrot for the nose and {num} stones for the mouth.",
            "They gave the snowman a {color2} scarf.",
            "They went down the hill {num} times.",
        ],
        [
            "Soon their hands were cold and their faces were red.",
            "A small bird sat down on the snowman and sang.",
            "Then it began to snow again.",
        ],
        [
            "At home, they drank hot chocolate and ate {food}.",
            '"Will the snowman be here tomorrow?" asked {N}. "If it stays cold," said {his} {kin}.',
            "In the evening, they sat by the fire and told stories.",
        ],
    ],
    [  # the old neighbour
        [
            "Next to {N} lived an old woman. She was always alone.",
            "An old man lived at the end of the street, and he had a heavy bag.",
            "One {weather} day, {N} saw an old woman with two heavy bags.",
        ],
        [
            '"Can I help you?" asked {N}.',
            "{N} ran to the door and carried the bag.",
            "{N} asked {his} {kin} if {he} could help.",
        ],
        [
            "They walked slowly to the small {color} house.",
            "In the house, there were many books and a {pet}.",
            "The house was old, but the garden was full of flowers.",
        ],
        [
            '"Thank you, my child," said the old voice. "Would you like some {food}?"',
            "They sat down, drank tea, and ate {food}.",
            "There {N} heard a story from long ago.",
        ],
        [
            "It was about {a_animal} that found its way home.",
            "It was about a boat that sailed to a far island.",
            "It was about two friends who never lost each other.",
        ],
        [
            "After that, {N} came back every {day}.",
            "{N} brought {F} too, and they listened together.",
            "{N} learned many things there.",
        ],
    ],
    [  # fishing
        [
            "On {day}, {N} and {his} {kin} went to the river.",
            "One {weather} morning, {N} and {F} sat in a small {color} boat.",
            "{N} wanted to catch a fish for dinner.",
        ],
        [
            "They waited and waited, but no fish came.",
            "The water was quiet, and the birds were singing.",
            "For {num} hours, nothing happened.",
        ],
        [
            "Then something pulled very hard.",
            '"I have one!" called {N}.',
            "Suddenly the line moved.",
        ],
        [
            "It was a big silver fish with sad eyes.",
            "It was not a fish. It was an old shoe!",
            "It was a tiny fish, no longer than a finger.",
        ],
        [
            "{N} laughed and put it back into the water.",
            '"Let us give it back to the river," said {N}.',
            "They looked at it for a while, and then they let it go.",
        ],
        [
            "So they had {food} for dinner.",
            '"We did not catch a fish," said {N}, "but we had a good time."',
            "On the way home, they bought some {food} at the market.",
        ],
    ],
    [  # the map
        [
            "In an old book, {N} found a map.",
            "Under the floor, {N} found a small box with a map in it.",
            "One day, the wind brought an old map to the feet of {N}.",
        ],
        [
            "On the map, there was a {color} cross near the {place}.",
            "It showed the way to the {place}.",
            "It was yellow and very old.",
        ],
        [
            '"Maybe there is a treasure," said {F}.',
            "{N} showed it to {F}, and they took a lamp and some {food}.",
            '"Let us go and find it," said {N}.',
        ],
        [
            "They walked over the bridge and along the river.",
            "They went {num} steps to the left and {num2} steps to the right.",
            "They climbed the hill and looked behind a big stone.",
        ],
        [
            "There they began to dig, and soon they found a wooden box.",
            "Under a tree, there was a {color2} box.",
            "At the end of the way, there was a little door.",
        ],
        [
            "In the box were {num} old coins and a letter.",
            "Inside was a {object}, and it was as good as new.",
            'Inside was a letter. It said, "The real treasure is the friend at your side."',
        ],
        [
            "{N} looked at {F} and laughed.",
            "They shared everything and ran home.",
            "They put the map back for the next child.",
        ],
    ],
]
