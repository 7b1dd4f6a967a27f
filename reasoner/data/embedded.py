r"""The embedded corpus: rows written for this project, so that the default needs no download.

`write(root)` lays out the same folders, columns and splits as the hub's data sets, and the same
adapters read them. One row, as `openai__gsm8k/main/train.jsonl` has it:

  {"question": "Today Nora has 27 shells and gets 3 more. How many shells does Nora have now?",
   "answer": "Count on from 27: 1 is 28, 2 is 29, 3 is 30, so 27+3=<<27+3=30>>30.\n#### 30"}

Every row is a phrasing filled with an entity: a pair of operands, a creature, a function's name, a
town and what happened there. Three kinds of split:

  train             the data set's own name for it; sizes are half of the real pool's (SIZES), so
                    science is large and coding small.
  test/validation   the data set's own evaluation split: the same phrasings, entities that no
                    training row has (Dolly has one split, where each entity occurs once).
  unseen_templates  entities and phrasings that no training row has.

The creatures, stones and plants are invented: what is true of them stands in the prompt, so a
science answer must be read there and cannot be remembered. All text is original. The corpus is the
same on every machine and under every seed of a run; it is made in about a second.
It does not teach English or facts: it is as large as two CPU cores can learn in minutes.
"""

from collections.abc import Callable, Iterator
import hashlib
import json
import pathlib
import random
import tempfile

# Half of the real pool: science 13,610, summarization 10,000, math 7,473, creative_writing 5,968,
# creative_ideation 2,831, logic 2,260, coding 974.
SIZES = {
    "math": 3736,
    "coding": 487,
    "science": 6805,
    "logic": 1130,
    "creative_writing": 2984,
    "creative_ideation": 1415,
    "summarization": 5000,
}
EVALUATION_SIZE = 160
UNSEEN_TEMPLATES_SIZE = 64
UNSEEN_TEMPLATES = "unseen_templates"
HELD_OUT_SHARE = 8  # one entity in eight is kept for evaluation

NAMES = (
    "Nora Liam Tess Omar Ruth Hugo Mina Axel Cleo Ivan Lena Noah Sara Finn Dora Karl Anna Jude Elsa "
    "Theo Rosa Glen Iris Paul"
).split()


def _math(draw: random.Random, phrasings) -> tuple[tuple, dict]:
  """A two-digit number and a small one, added or taken away by counting."""
  sign, text = draw.choice(phrasings)
  a, b = draw.randint(12, 89), draw.randint(2, 6)
  direction, step = ("on", 1) if sign == "+" else ("back", -1)
  total = a + step * b
  counted = ", ".join(f"{n} is {a + step * n}" for n in range(1, b + 1))
  item = draw.choice(
      "shells stamps pears coins books cards beads stones plums pens cups keys nuts eggs".split()
  )
  answer = f"Count {direction} from {a}: {counted}, so {a}{sign}{b}=<<{a}{sign}{b}={total}>>{total}.\n#### {total}"
  question = text.format(name=draw.choice(NAMES), a=a, b=b, item=item)
  return (a, b), {"question": question, "answer": answer}


_MATH = (
    ("+", "Today {name} has {a} {item} and gets {b} more. How many {item} does {name} have now?"),
    ("+", "After school {name} picks up {a} {item}, then {b} more. How many {item} is that in all?"),
    ("+", "There are {a} {item} in a box and {name} adds {b}. How many {item} are in the box?"),
    ("+", "One shelf holds {a} {item} and another holds {b}. How many {item} do both hold?"),
    ("-", "Once {name} had {a} {item} and gave away {b}. How many {item} are left?"),
    ("-", "From a pile of {a} {item} {name} takes {b}. How many {item} stay in the pile?"),
    ("-", "Yesterday {name} made {a} {item} and sold {b}. How many {item} are left?"),
    ("-", "If {name} needs {a} {item} and has {b}, how many {item} are missing?"),
)
_MATH_UNSEEN = (
    ("+", "A jar with {a} {item} is filled up with {b} others. Count the {item} in the jar."),
    ("+", "{name} reads two lists of {item}, one of {a} and one of {b}. How many {item} in total?"),
    ("-", "Out of {a} {item}, {b} are broken. How many {item} can {name} still use?"),
)


def _logic(draw: random.Random, phrasings) -> tuple[tuple, dict]:
  relation, term, text = draw.choice(phrasings)
  a, b = draw.sample(range(10, 100), 2)
  while abs(a // 10 - b // 10) < 3:  # the tens decide, and clearly: a small model learns order, not a table
    a, b = draw.sample(range(10, 100), 2)
  more = a > b
  word = "more" if more else "less"
  first = f"Of the tens {a // 10} is {word} than {b // 10}"
  answer = more == (relation == "more")
  return tuple(sorted((a, b))), {
      "term": term,
      "description": f"a comparison of {a} and {b}",
      "question": text.format(a=a, b=b),
      "answer": answer,
      "facts": [
          f"{first}, so {a} is {word} than {b}.",
          f"The question asks for {relation}, so {'yes' if answer else 'no'}.",
      ],
      "decomposition": ["What are the two numbers?", f"Is the first {relation} than the second?"],
  }


_LOGIC = (
    ("more", "rope", "Is a rope of {a} feet longer than a rope of {b} feet?"),
    ("more", "dog", "Would a dog of {a} pounds be heavier than a dog of {b} pounds?"),
    ("more", "jug", "Can a jug of {a} cups hold more than a jug of {b} cups?"),
    ("more", "team", "Did a team with {a} points beat a team with {b} points?"),
    ("less", "train", "Will a train that needs {a} hours be faster than one that needs {b} hours?"),
    ("less", "tree", "Could a tree of {a} years be younger than a tree of {b} years?"),
    ("less", "book", "Are {a} books a smaller load than {b} books?"),
    ("less", "wall", "Does a wall of {a} bricks need fewer bricks than a wall of {b}?"),
)
_LOGIC_UNSEEN = (
    ("more", "hill", "Suppose one hill has {a} steps and the next has {b}. Is the first one higher?"),
    ("less", "coat", "Among coats at {a} and {b} coins, is the first one cheaper?"),
)


def _coding(draw: random.Random, phrasings) -> tuple[tuple, dict]:
  task, expression, arguments = draw.choice(_OPERATIONS)
  k = draw.randint(2, 9)
  inputs = [k - 1, k, k + 1, 2 * k] if arguments == _NEAR_K else arguments
  name = f"{draw.choice(_COLOURS)}_{draw.choice(_TOOLS)}"
  task, expression = task.format(k=k), expression.format(k=k)
  text = draw.choice(phrasings).format(name=name, task=task)
  function = eval(f"lambda x: {expression}")  # our own literal from the table below
  tests = [f"assert {name}({a!r}) == {function(a)!r}" for a in draw.sample(inputs, 3)]
  return (name,), {
      "text": text,
      "code": f"def {name}(x):\n  return {expression}",
      "test_list": tests,
      "test_setup_code": "",
      "challenge_test_list": [],
  }


_COLOURS = "red blue green gold gray pink black white amber brown".split()
_TOOLS = "lamp door bell drum boat gate kite nest pump rake sail wheel".split()
_NEAR_K = "numbers about k"  # where x > k, max(x, k) and their likes differ from each other
_TEXTS = ["a", "sun", "moon", "of", "red"]
_LISTS = [[1, 2], [4], [5, 9], [7, 1], [8, 0], [3, 3]]
_OPERATIONS = (
    ("adds {k} to x", "x + {k}", _NEAR_K),
    ("takes {k} from x", "x - {k}", _NEAR_K),
    ("multiplies x by {k}", "x * {k}", _NEAR_K),
    ("says if x is more than {k}", "x > {k}", _NEAR_K),
    ("says if x equals {k}", "x == {k}", _NEAR_K),
    ("gives the rest of x divided by {k}", "x % {k}", _NEAR_K),
    ("gives the larger of x and {k}", "max(x, {k})", _NEAR_K),
    ("gives the smaller of x and {k}", "min(x, {k})", _NEAR_K),
    ("adds {k} to the sum of the list x", "sum(x) + {k}", _LISTS),
    ("adds {k} to the length of x", "len(x) + {k}", _TEXTS),
)
_CODING = (
    "Write a function {name} that {task}.",
    "Define a function {name} that {task}.",
    "Make a function {name} which {task}.",
    "Build the function {name}, which {task}.",
    "Code a function {name} that {task}.",
    "Implement the function {name}, which {task}.",
)
_CODING_UNSEEN = (
    "We need Python for this: a function called {name} that {task}.",
    "The function {name} {task}. Write it in Python.",
)


def _fact(draw: random.Random, phrasings) -> tuple[tuple, dict]:
  """Returns an entity and what `_sciq` and `_arc` make rows of; a creature's facts never change."""
  firsts, seconds, attributes = draw.choice(_KINDS)
  entity = f"{draw.choice(firsts)} {draw.choice(seconds)}"
  nature = random.Random(entity)
  values = {verb: nature.choice(values) for verb, _, values in attributes}
  told = draw.sample(attributes, 2)
  verb, question, choices = draw.choice(told)
  support, asking = draw.choice(phrasings)
  return (entity,), {
      "support": support.format(
          entity=entity, facts=" and ".join(f"{verb} {values[verb]}" for verb, *_ in told)
      ),
      "question": asking.format(question=question.format(entity=entity)),
      "right": values[verb],
      "wrong": draw.sample([value for value in choices if value != values[verb]], 3),
  }


_KINDS = (
    (  # animals
        "marsh reed hill sand snow river moss cave dune cliff fog dawn".split(),
        "finch otter newt hare moth crab lark mole toad seal shrew heron gecko stoat wren".split(),
        (
            ("eats", "what does the {entity} eat", "seeds beetles roots berries snails moss eggs".split()),
            ("lives in", "where does the {entity} live", "burrows trees ponds caves meadows cliffs".split()),
            ("fears", "what does the {entity} fear", "owls foxes snakes storms fire wolves".split()),
        ),
    ),
    (  # plants
        "silver dwarf night winter golden thorn velvet giant royal swamp honey lace".split(),
        "fern lily clover ivy thistle poppy orchid sage palm vine maple daisy tulip cedar aster".split(),
        (
            ("needs", "what does the {entity} need", "shade sun rain sand clay frost".split()),
            ("attracts", "what does the {entity} attract", "bees moths wasps birds ants bats".split()),
            ("cures", "what does the {entity} cure", "coughs burns fevers cramps rashes colds".split()),
        ),
    ),
    (  # stones
        "star blood milk smoke water iron cloud ghost sky rose lime ash".split(),
        "quartz agate opal jade flint slate topaz garnet onyx beryl pyrite chalk basalt amber zircon".split(),
        (
            ("contains", "what does the {entity} contain", "copper zinc tin lead nickel carbon".split()),
            ("forms in", "where does the {entity} form", "lava rivers lakes deserts glaciers swamps".split()),
            ("turns", "what colour does the {entity} turn", "red blue green white black yellow".split()),
        ),
    ),
)
_SCIENCE = (
    ("In nature the {entity} {facts}.", "So {question}?"),
    ("Experts agree that the {entity} {facts}.", "Now {question}?"),
    ("Books say that the {entity} {facts}.", "Then {question}?"),
    ("Tests show that the {entity} {facts}.", "Tell me, {question}?"),
    ("We know that the {entity} {facts}.", "Given this, {question}?"),
    ("Long ago people saw that the {entity} {facts}.", "Today, {question}?"),
)
_SCIENCE_UNSEEN = (
    ("The {entity} {facts}, as a report explains.", "According to it, {question}?"),
    ("Children learn that the {entity} {facts}.", "On a quiz: {question}?"),
)


def _sciq(draw: random.Random, phrasings) -> tuple[tuple, dict]:
  entity, fact = _fact(draw, phrasings)
  distractors = {f"distractor{n}": wrong for n, wrong in enumerate(fact["wrong"], start=1)}
  return entity, {
      "question": fact["question"],
      "correct_answer": fact["right"],
      "support": fact["support"],
  } | distractors


def _arc(draw: random.Random, phrasings) -> tuple[tuple, dict]:
  entity, fact = _fact(draw, phrasings)
  texts = [fact["right"], *fact["wrong"]]
  draw.shuffle(texts)
  return entity, {
      "question": f"{fact['support']} {fact['question']}",
      "choices": {"text": texts, "label": list("ABCD")},
      "answerKey": "ABCD"[texts.index(fact["right"])],
  }


def _story(draw: random.Random, phrasings) -> tuple[tuple, dict]:
  trait, who = draw.choice(_TRAITS), draw.choice(_WHO)
  stuff, thing, place = draw.choice(_STUFF), draw.choice(_THINGS), draw.choice(_PLACES)
  fields = dict(trait=trait, who=who, stuff=stuff, thing=thing, place=place, name=draw.choice(NAMES))
  story = " ".join(draw.choice(part) for part in (_OPENINGS, _TURNS, _ENDINGS))
  return (trait, who, thing), {
      "prompt": f"[ WP ] {draw.choice(phrasings).format(**fields)}\n",
      "story": story.format(**fields),
  }


_TRAITS = "quiet young tired brave clever lonely proud gentle".split()
_WHO = "baker sailor painter farmer tailor hunter teacher miller".split()
_STUFF = "silver wooden broken golden frozen glass".split()
_THINGS = "key clock mirror lantern bell ring compass flute".split()
_PLACES = (
    "under the bridge", "in the garden", "behind the mill", "on the island", "near the tower",
    "inside the well",
)
_STORIES = (
    "When night falls, a {trait} {who} finds a {stuff} {thing} {place}.",
    "Every morning a {trait} {who} looks for a {stuff} {thing} {place}.",
    "Nobody believes the {trait} {who} who saw a {stuff} {thing} {place}.",
    "Once a year a {trait} {who} must hide a {stuff} {thing} {place}.",
    "Write about a {trait} {who} who lost a {stuff} {thing} {place}.",
    "After the storm a {trait} {who} hears a {stuff} {thing} {place}.",
)
_STORIES_UNSEEN = (
    "A {stuff} {thing} waits {place} until a {trait} {who} comes.",
    "You are a {trait} {who}, and the {stuff} {thing} {place} speaks your name.",
)
_OPENINGS = (
    "The {trait} {who} {name} came to the {stuff} {thing} {place} before the sun rose.",
    "{name} was a {trait} {who}, and the {stuff} {thing} {place} called softly.",
    "All winter the {trait} {who} {name} dreamed of the {stuff} {thing} {place}.",
)
_TURNS = (
    "The {who} held the {thing} close and told it the truth.",
    "With shaking hands the {who} turned the {thing} once.",
    "Then the {who} gave the {thing} back to the water.",
)
_ENDINGS = (
    "Since that day no one in the village has been afraid.",
    "At last {name} could walk home and sleep.",
    "What was lost came back, and {name} laughed.",
)


def _ideas(draw: random.Random, phrasings) -> tuple[tuple, dict]:
  style, event = draw.choice(_STYLES), draw.choice(sorted(_IDEAS))
  group, place = draw.choice(_GROUPS), draw.choice(_SITES)
  fields = dict(style=style, event=event, group=group, place=place)
  ideas = [idea.format(**fields) for idea in draw.sample(_IDEAS[event], 3)]
  return (style, event, group, place), {
      "instruction": draw.choice(phrasings).format(**fields),
      "context": "",
      "response": "\n".join(f"{number}. {idea}" for number, idea in enumerate(ideas, start=1)),
      "category": "brainstorming",
  }


_STYLES = "cheap green indoor winter summer silent colorful royal".split()
_GROUPS = "children neighbors students sailors families artists".split()
_SITES = "school park library barn museum harbor kitchen".split()
_IDEAS = {
    "party": (
        "Bake a {style} cake shaped like the {place}.",
        "Let the {group} paint masks before the party starts.",
        "Play old songs and dance around the {place}.",
        "Hang {style} lanterns made of paper.",
        "Hold a treasure hunt for all {group}.",
    ),
    "picnic": (
        "Spread {style} blankets beside the {place}.",
        "Ask the {group} to bring one picnic dish each.",
        "Fly kites after the meal.",
        "Make lemonade with mint for the {group}.",
        "Read short poems aloud near the {place}.",
    ),
    "workshop": (
        "Carve {style} toys out of soft wood.",
        "Teach the {group} how to bind a book.",
        "Build a model of the {place} from clay.",
        "Invite a weaver to lead the workshop.",
        "Repair bicycles together with the {group}.",
    ),
    "contest": (
        "Give a prize for the best {style} hat.",
        "Let the {group} race paper boats.",
        "Draw the {place} from memory in ten minutes.",
        "Judge soups in a blind contest.",
        "Ask riddles to teams of {group}.",
    ),
    "parade": (
        "Build a {style} float with flowers.",
        "Dress the {group} as birds for the parade.",
        "March twice around the {place} with drums.",
        "Throw ribbons from the roof.",
        "Let the {group} carry a giant puppet.",
    ),
}
_IDEATION = (
    "Suggest three ideas for a {style} {event} with {group} at the {place}.",
    "Give me three plans for a {style} {event} with {group} at the {place}.",
    "List three ways to hold a {style} {event} with {group} at the {place}.",
    "What could a {style} {event} with {group} at the {place} look like? Name three ideas.",
    "How would you run a {style} {event} with {group} at the {place}? Name three ideas.",
    "Brainstorm three thoughts for a {style} {event} with {group} at the {place}.",
)
_IDEATION_UNSEEN = (
    "Our {group} want a {style} {event} at the {place}. Help us with three ideas.",
    "For the {group} at the {place}: three ideas for a {style} {event}, please.",
)


def _news(draw: random.Random, phrasings) -> tuple[tuple, dict]:
  town, person = draw.choice(_TOWNS), draw.choice(NAMES)
  event = draw.choice(_EVENTS)
  fields = dict(
      town=town, person=person, thing=draw.choice(event["things"]), day=draw.choice(_DAYS),
      number=draw.randint(2, 9),
  )
  details = [detail.format(**fields) for detail in draw.sample(_DETAILS, 2)]
  lead = draw.choice(phrasings).format(lead=event["lead"].format(**fields), **fields)
  return (town, fields["thing"]), {
      "document": " ".join([lead, *details]),
      "summary": event["summary"].format(**fields),
  }


_TOWNS = (
    "Ashford Bexley Corwen Dunmore Elstow Farley Grimsby Halton Ilford Kelso Lowick Marston Norwell "
    "Oakham Penrith Selby"
).split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_EVENTS = (
    dict(lead="the town of {town} opened a new {thing}", summary="{town} has opened a new {thing}.",
         things="library school bridge market theatre stadium".split()),
    dict(lead="a storm in {town} destroyed the old {thing}", summary="The old {thing} of {town} was destroyed by a storm.",
         things="mill pier church barn tower fence".split()),
    dict(lead="workers in {town} found a lost {thing}", summary="A lost {thing} has been found in {town}.",
         things="painting sword letter statue crown map".split()),
    dict(lead="the people of {town} saved a {thing} from a flood", summary="People in {town} have saved a {thing} from a flood.",
         things="horse dog swan lamb fox deer".split()),
)
_DETAILS = (
    "{person} said that it had been a long day.",
    "It took {number} hours until all was over.",
    "About {number} hundred people came to see it.",
    "The mayor thanked {person} and her friends.",
    "Rain is expected again later this week.",
)
_SUMMARIES = (
    "On {day} {lead}.",
    "Last {day} {lead}.",
    "Early on {day} {lead}.",
    "Reports say that on {day} {lead}.",
    "This week {lead}.",
    "It was {day} when {lead}.",
)
_SUMMARIES_UNSEEN = (
    "Many were surprised on {day}, as {lead}.",
    "{person} could hardly believe that on {day} {lead}.",
)

# What makes a row distinct: the first of these columns that it has.
_TEXT_COLUMNS = ("question", "text", "prompt", "instruction", "document")

Maker = Callable[[random.Random, tuple], tuple[tuple, dict]]
# domain, folder, evaluation split, id columns, how a row is made, phrasings, unseen phrasings. Two
# folders of one domain share its size. Dolly has a single split: each of its entities occurs once.
_FILES: tuple[tuple[str, str, str | None, tuple[str, ...], Maker, tuple, tuple], ...] = (
    ("math", "openai__gsm8k/main", "test", (), _math, _MATH, _MATH_UNSEEN),
    ("coding", "google-research-datasets__mbpp/full", "test", ("task_id",), _coding, _CODING, _CODING_UNSEEN),
    ("science", "allenai__sciq", "test", (), _sciq, _SCIENCE, _SCIENCE_UNSEEN),
    ("science", "allenai__ai2_arc/ARC-Easy", "test", ("id",), _arc, _SCIENCE, _SCIENCE_UNSEEN),
    ("logic", "strategyqa", "validation", ("qid",), _logic, _LOGIC, _LOGIC_UNSEEN),
    ("creative_writing", "euclaise__writingprompts", "test", (), _story, _STORIES, _STORIES_UNSEEN),
    ("creative_ideation", "databricks__databricks-dolly-15k", None, (), _ideas, _IDEATION, _IDEATION_UNSEEN),
    ("summarization", "EdinburghNLP__xsum", "test", ("id",), _news, _SUMMARIES, _SUMMARIES_UNSEEN),
)


def held_out(entity: tuple) -> bool:
  """Says whether an entity belongs to evaluation; a pure function of its words and numbers."""
  return hashlib.sha256(repr(entity).encode()).digest()[0] % HELD_OUT_SHARE == 0


def rows(folder: str, split: str) -> Iterator[dict]:
  """Yields the rows of one file, distinct and always the same; `split` as in the file's name.

  Raises:
    KeyError: the corpus has no such file.
  """
  domain, _, evaluation, id_columns, make, seen, unseen = next(f for f in _FILES if f[1] == folder)
  parts = sum(entry[0] == domain for entry in _FILES)
  size = {
      "train": SIZES[domain] // parts,
      evaluation: EVALUATION_SIZE // parts,
      UNSEEN_TEMPLATES: UNSEEN_TEMPLATES_SIZE // parts,
  }[split]
  single_split = evaluation is None and split == "train"
  draw = random.Random(f"{folder}/{split}")
  taken: set = set()
  while len(taken) < size:
    entity, row = make(draw, unseen if split == UNSEEN_TEMPLATES else seen)
    text = next(row[column] for column in _TEXT_COLUMNS if column in row)
    key = entity if single_split else text
    if key not in taken and held_out(entity) == (split != "train"):
      taken.add(key)
      number = len(taken)
      ids = {"id": f"{split}-{number}", "qid": f"{split}-{number}", "task_id": number}
      yield {column: ids[column] for column in id_columns} | row


def folder(cache: pathlib.Path) -> pathlib.Path:
  """Returns the corpus as a folder below `cache`, written at the first call of this version."""
  version = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:12]
  target = cache / f"corpus-{version}"
  if not target.is_dir():
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
      write(pathlib.Path(scratch, "corpus"))
      try:
        pathlib.Path(scratch, "corpus").rename(target)
      except OSError:
        if not target.is_dir():  # not merely another process that was faster
          raise
  return target


def write(root: str | pathlib.Path) -> None:
  """Writes the whole corpus below `root`, one `<folder>/<split>.jsonl` for each file."""
  for _, folder, evaluation, *_ in _FILES:
    for split in filter(None, ("train", evaluation, UNSEEN_TEMPLATES)):
      path = pathlib.Path(root) / folder / f"{split}.jsonl"
      path.parent.mkdir(parents=True, exist_ok=True)
      with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows(folder, split))
