# SPDX-License-Identifier: Apache-2.0
"""Word lists for the generated text: what the tiny model's small world contains.

Rows are written as compact strings and split here, so that the world can be read at a glance.
"""


def rows(text, *keys):
    """One dict a line; fields are separated by '|'."""
    out = []
    for line in text.strip().splitlines():
        fields = [field.strip() for field in line.split("|")]
        assert len(fields) == len(keys), line
        out.append(dict(zip(keys, fields)))
    return out


GIRLS = (
    "Anna Mia Lily Emma Sara Lucy Rose Nina Ella Clara Maria Julia Zoe Ruby Alice Mary Amy Kate Ivy"
    " Grace Hana Lena Olivia Sophie Eva Tina Molly Jane Bella Daisy"
).split()
BOYS = (
    "Tom Ben Sam Max Leo Jack Peter Paul Tim Oscar Noah Adam David Henry Luke Mark Hugo Finn Omar"
    " Ali Ken Jim Bob Dan Eric Felix George Ivan John Nick"
).split()

# plural takes its sound as a verb; "word" is the sound as one hears it.
ANIMALS = rows(
    """
cat|a cat|cats|meow|meow|house|fish and milk|four|soft fur|climb trees|fly|small
dog|a dog|dogs|bark|woof|house|meat and bones|four|warm fur|run fast|fly|small
cow|a cow|cows|moo|moo|farm|grass|four|short hair|give milk|climb trees|big
horse|a horse|horses|neigh|neigh|farm|grass and hay|four|short hair|run fast|fly|big
pig|a pig|pigs|oink|oink|farm|corn and apples|four|pink skin|roll in the mud|fly|big
sheep|a sheep|sheep|baa|baa|farm|grass|four|white wool|give wool|climb trees|big
goat|a goat|goats|bleat|baa|farm|grass and leaves|four|short hair|climb rocks|fly|big
hen|a hen|hens|cluck|cluck|farm|corn and seeds|two|brown feathers|lay eggs|swim|small
duck|a duck|ducks|quack|quack|pond|plants and bugs|two|soft feathers|swim and fly|climb trees|small
frog|a frog|frogs|croak|croak|pond|flies|four|smooth skin|jump far|fly|small
fish|a fish|fish|make no sound|nothing|water|small plants|no|shiny scales|swim|walk|small
bird|a bird|birds|sing|tweet|nest|seeds and worms|two|light feathers|fly|read|small
owl|an owl|owls|hoot|hoo|forest|mice|two|soft feathers|see in the dark|swim|small
bee|a bee|bees|buzz|buzz|hive|honey|six|tiny hairs|make honey|bark|tiny
ant|an ant|ants|make no sound|nothing|ground|sugar and leaves|six|a hard shell|carry food|sing|tiny
lion|a lion|lions|roar|roar|grassland|meat|four|golden fur|run fast|fly|big
bear|a bear|bears|growl|grr|forest|berries and fish|four|thick fur|climb trees|fly|big
wolf|a wolf|wolves|howl|awoo|forest|meat|four|gray fur|run far|fly|big
fox|a fox|foxes|bark|yip|forest|mice and berries|four|red fur|hide well|fly|small
mouse|a mouse|mice|squeak|squeak|hole|cheese and seeds|four|gray fur|hide well|fly|tiny
rabbit|a rabbit|rabbits|make no sound|nothing|garden|carrots and grass|four|soft fur|hop|fly|small
elephant|an elephant|elephants|trumpet|toot|grassland|leaves|four|gray skin|carry water|jump|big
monkey|a monkey|monkeys|chatter|ooh ooh|jungle|bananas|two|brown hair|climb trees|fly|small
snake|a snake|snakes|hiss|hiss|grass|mice|no|smooth scales|move without legs|walk|small
turtle|a turtle|turtles|make no sound|nothing|sea|grass|four|a hard shell|live long|run fast|small
whale|a whale|whales|sing|a long song|sea|tiny sea animals|no|smooth skin|dive deep|walk|big
penguin|a penguin|penguins|honk|honk|cold south|fish|two|feathers|swim|fly|small
spider|a spider|spiders|make no sound|nothing|web|flies|eight|tiny hairs|make webs|fly|tiny
""",
    *"name a_name plural sound word home food legs cover can cannot size".split(),
)
PETS = ["cat", "dog", "rabbit", "mouse", "turtle", "duck", "goat", "bird"]

# thing, its colour, verb form
COLORED = rows(
    """
the sky|blue|is
grass|green|is
the sun|yellow|is
snow|white|is
a banana|yellow|is
a tomato|red|is
a carrot|orange|is
a lemon|yellow|is
an orange|orange|is
coal|black|is
milk|white|is
the sea|blue|is
a frog|green|is
a pig|pink|is
an elephant|gray|is
chocolate|brown|is
a strawberry|red|is
a leaf|green|is
the night|black|is
blood|red|is
a cloud|white|is
a mouse|gray|is
wood|brown|is
a cucumber|green|is
""",
    *"thing color verb".split(),
)
COLORS = "red blue green yellow white black brown orange pink purple gray".split()

OPPOSITES = [
    tuple(pair.split("/"))
    for pair in (
        "hot/cold big/small tall/short fast/slow happy/sad up/down left/right day/night old/new"
        " open/closed full/empty light/dark good/bad early/late hard/soft wet/dry long/short"
        " clean/dirty loud/quiet near/far rich/poor high/low strong/weak in/out on/off first/last"
        " young/old heavy/light easy/difficult thick/thin brave/afraid"
    ).split()
]

CAPITALS = rows(
    """
France|Paris
Germany|Berlin
Spain|Madrid
Italy|Rome
England|London
Japan|Tokyo
China|Beijing
Russia|Moscow
Egypt|Cairo
Greece|Athens
Portugal|Lisbon
Poland|Warsaw
Austria|Vienna
Ireland|Dublin
Norway|Oslo
Sweden|Stockholm
Finland|Helsinki
Canada|Ottawa
Brazil|Brasilia
Mexico|Mexico City
India|New Delhi
Turkey|Ankara
Kenya|Nairobi
Cuba|Havana
""",
    *"country capital".split(),
)

FRUITS = "apples bananas oranges grapes pears cherries plums peaches lemons strawberries".split()
FOODS = (
    "soup|bread|rice|pizza|pancakes|cheese|eggs|noodles|cake|ice cream|honey|apples|bananas|pears|"
    "cherries|strawberries|potatoes|carrots|fish|chicken"
).split("|")
DRINKS = "water|milk|tea|apple juice|orange juice|hot chocolate|lemonade".split("|")
TOWNS = [
    "a small town",
    "a big city",
    "a quiet village",
    "a town by the sea",
    "a village near the mountains",
    "a small town near the forest",
    "an old town on a river",
    "a town with many gardens",
    "a village in a green valley",
    "a city with old houses",
]
# Places that one can be in; OUTINGS are places that one goes to.
PLACES = "park forest garden market library school zoo museum meadow yard bakery castle".split()
OUTINGS = PLACES + "lake beach river farm theater".split()
OBJECTS = "ball kite book hat cup boat box lamp bag drum doll robot bike key umbrella scarf".split()

# what one does, the -ing form
HOBBIES = rows(
    """
read books|reading books
paint pictures|painting pictures
play football|playing football
sing songs|singing songs
ride my bike|riding my bike
swim in the lake|swimming in the lake
cook with my family|cooking with my family
dance|dancing
play the piano|playing the piano
clean my room|cleaning my room
draw animals|drawing animals
grow flowers|growing flowers
fly my kite|flying my kite
look at the stars|looking at the stars
build small houses from wood|building small houses from wood
walk in the forest|walking in the forest
play chess|playing chess
write stories|writing stories
""",
    *"do doing".split(),
)

# job, where, what one does there
JOBS = rows(
    """
a teacher|at a school|teach children to read and write
a doctor|in a hospital|help sick people
a nurse|in a hospital|take care of people
a baker|in a bakery|bake bread and cakes
a farmer|on a farm|grow corn and feed the animals
a cook|in a kitchen|make soup and pies
a gardener|in a big garden|plant trees and flowers
a driver|on a bus|take people to work
a pilot|at an airport|fly a big plane
a painter|in a bright room|paint pictures of the sea
a singer|in a theater|sing for many people
a fisher|on a boat|catch fish in the sea
a builder|in the city|build houses and bridges
an artist|in an old house|draw and paint all day
a writer|at home|write books for children
a shop owner|in a small shop|sell fruit and bread
""",
    *"job where does".split(),
)

MALE_KIN = ("father", "grandfather", "brother")

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = (
    "January February March April May June July August September October November December"
).split()
SEASONS = {
    "spring": ["the flowers grow", "the trees turn green", "the birds come back"],
    "summer": ["the days are long and hot", "people swim in the sea", "we eat ice cream"],
    "autumn": ["the leaves turn red and brown", "the wind is strong", "we pick apples"],
    "winter": ["it is cold", "snow falls", "we drink hot chocolate"],
}
WEATHER = ["sunny", "rainy", "windy", "cloudy", "snowy", "warm", "cold"]
NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty"
).split()

# Who can do what; every other animal cannot.
ABILITIES = {
    "fly": "duck bird owl bee",
    "swim": "dog duck frog fish turtle whale penguin elephant bear wolf horse snake",
    "bark": "dog fox",
    "meow": "cat",
    "read": "",
    "talk": "",
    "write letters": "",
    "play the piano": "",
    "lay eggs": "hen duck frog fish bird owl bee ant snake turtle penguin spider",
    "climb trees": "cat bear monkey snake mouse ant spider",
    "give milk": "cow goat sheep",
    "make honey": "bee",
    "live in the water": "fish whale turtle frog duck",
}

# What an object is for.
USES = rows(
    """
a knife|to cut bread
a spoon|to eat soup
a cup|to drink tea
a bed|to sleep
a chair|to sit
a pen|to write
a brush|to paint
a key|to open a door
an umbrella|to stay dry in the rain
a lamp|to see in the dark
a clock|to know the time
a boat|to cross the water
a bike|to ride to school
a book|to read
a coat|to stay warm
a broom|to clean the floor
a phone|to talk to people far away
a map|to find the way
soap|to wash our hands
a ladder|to reach high places
""",
    *"thing use".split(),
)

# The first seven pairs are things that one can see.
RHYMES = rows(
    """
cat|hat
dog|frog
tree|bee
star|car
moon|spoon
house|mouse
cake|lake
sun|fun
day|play
night|light
snow|grow
king|sing
bed|red
sky|fly
""",
    *"a b".split(),
)

# Things outside the small world: asked about only to be declined.
UNKNOWN = (
    "the stock market|quantum physics|the law|computers|politics|a programming language|chemistry|"
    "the history of Rome|football results|the latest news|a car engine|space travel|black holes|"
    "philosophy|medicine|taxes|the internet|electric cars|a war|old kings|the human brain|money|"
    "mathematics|a famous film|a rock band|opera|the universe|genes|atoms|machine learning|GPUs|"
    "banks|the economy|a recipe from Peru|cameras|satellites|volcanoes|dinosaurs|the pyramids|"
    "robots in factories|Shakespeare|Einstein|the moon landing|electricity|gravity|Python code"
).split("|")


# Words that questions outside the small world may hold, combined at random.
FAR_WORDS = (
    "meaning life theory energy problem system science computer network software engine cloud data"
    " number function program version model matrix vector code server power market price company"
    " government election president history century empire nation language grammar culture music"
    " guitar concert movie actor novel author poetry haiku essay summary article report email"
    " meeting project manager office contract tax interest loan budget planet galaxy rocket orbit"
    " mars climate weather ocean island desert volcano earthquake metal oil plastic glass cell"
    " protein virus vaccine disease muscle heart blood sugar vitamin diet exercise football tennis"
    " olympic chess strategy game player team coach travel hotel flight ticket passport visa"
    " religion freedom justice truth beauty love happiness dream memory mind future past time speed"
    " quantum digital global modern ancient deep artificial solar nuclear electric machine learning"
    " computing translate explain compare describe define calculate design develop improve"
).split()


def cap(text):
    return text[:1].upper() + text[1:]


def article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def by_name(items, name, key="name"):
    return next(item for item in items if item[key] == name)
