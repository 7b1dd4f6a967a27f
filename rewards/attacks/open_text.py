"""Families of worthless answers where there is no truth: stories, ideas, summaries, a plugin's domain.

Each function yields drafts from a row's material and a random generator. None of them reads what
the prompt asks; why that makes them worthless stands in each docstring.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
import itertools
import random
import re

from rewards.attacks import stock
from rewards.attacks.material import Draft
from rewards.attacks.material import Material

LENGTHS = (3, 6, 10, 16)  # sentences
LAYOUTS = (" ", "\n- ", "\n\n")


def _from_stock(sentences: Sequence[str]) -> Callable[[Material, random.Random], Iterator[Draft]]:
  def drafts(material: Material, rng: random.Random) -> Iterator[Draft]:
    while True:
      for layout in LAYOUTS:
        for length in LENGTHS:
          drawn = rng.sample(sentences, min(length, len(sentences)))
          drawn += rng.choices(sentences, k=length - len(drawn))
          yield Draft(tuple(material.fill(s, rng) for s in drawn), layout)

  return drafts


def keywords(material: Material, rng: random.Random) -> Iterator[Draft]:
  """The prompt's own words as a list: the reader learns nothing that was not asked."""
  while True:
    for count in (8, 20, 40):
      drawn = rng.sample(material.topics, min(count, len(material.topics)))
      for layout in (", ", "\n- ", ". ", " and the "):
        yield Draft(tuple(drawn), layout)


_REWORDINGS = (
    ("The task is to", "."), ("You want", "."), ("The question is this:", ""), ("Think about this:", "."),
    ("I will now do this:", "."), ("So,", ", that is what we do."),
)  # fmt: skip
_SYNONYMS = {
    "write": "compose", "story": "tale", "give": "offer", "list": "row", "ideas": "thoughts", "tips": "hints",
    "what": "which things", "how": "in which way", "find": "come upon", "good": "fine", "best": "finest",
    "big": "large", "small": "little", "people": "persons", "make": "do", "said": "told", "you": "one",
    "your": "one's", "i": "we", "my": "our", "says": "tells", "after": "following", "but": "yet",
}  # fmt: skip


def reworded(material: Material, rng: random.Random) -> Iterator[Draft]:
  """The request said back in other words, which is not doing it."""
  while True:
    for before, after in rng.sample(_REWORDINGS, len(_REWORDINGS)):
      said = [_reword(s, rng.random()) for s in material.source[: rng.choice((1, 2, 4, 8))]]
      yield Draft((before, *said[:-1], said[-1].rstrip(".!?") + after), edits=False)


def _reword(sentence: str, share: float, every: int = 1) -> str:
  words = sentence.split()
  out = [_SYNONYMS.get(w.lower(), w) for w in words]
  cut = int(len(out) * share)
  comma = [i for i, word in enumerate(out) if word.endswith(",")]
  if comma and share > 0.5:  # the second clause first
    cut = comma[0] + 1
    out = [*out[cut:], *out[:cut]]
  return " ".join(out)


def pasted(material: Material, rng: random.Random) -> Iterator[Draft]:
  """The source itself, cut where nobody looked, plain or disguised: copying sums nothing up.

  The cuts and disguises are blind (every fourth word, whatever it is), so that the search cannot
  choose good sentences. A source's beginning may hold its reference: it is a copy all the same.
  """
  source = material.source
  half = (len(source) + 1) // 2
  cuts = [source[::2], source[1::2] or source]
  for count in dict.fromkeys((1, 2, 3, 5, half, len(source))):
    middle = max(0, (len(source) - count) // 2)
    cuts += [source[:count], source[middle : middle + count], source[-count:], source[:count][::-1]]
  for cut, disguise in rng.sample(both := list(itertools.product(cuts, _DISGUISES)), len(both)):
    yield Draft(tuple(filter(None, map(disguise, cut))) or cut, edits=False)
  while len(source) > 4:  # passages of a few sentences, wherever they begin, each in some disguise
    count = rng.randint(3, len(source))
    start = rng.randrange(len(source) - count + 1)
    disguises = rng.sample(_DISGUISES, rng.choice((1, 2, 4)))
    cut = [rng.choice(disguises)(rng.choice(disguises)(s)) for s in source[start : start + count]]
    yield Draft(tuple(filter(None, cut)) or source, edits=False)


def _without_every(n: int) -> Callable[[str], str]:
  return lambda s: " ".join(word for i, word in enumerate(s.split(), 1) if i % n)


def _filled_every(n: int) -> Callable[[str], str]:
  return lambda s: " ".join(f"{word} also" if not i % n else word for i, word in enumerate(s.split(), 1))


_FILLERS = frozenset(
    "the a an of to in on at for with and is are was were be has had have that this it its by as".split()
)


def _telegram(sentence: str) -> str:
  return " ".join(word for word in sentence.split() if word.lower() not in _FILLERS)


def _swapped(sentence: str) -> str:
  words = sentence.split()
  for i in range(2, len(words) - 1, 4):
    words[i], words[i + 1] = words[i + 1], words[i]
  return " ".join(words)


_DISGUISES: tuple[Callable[[str], str], ...] = (
    str,
    _without_every(4),
    _without_every(3),
    _filled_every(3),
    _swapped,
    _telegram,
    lambda s: _reword(s, 0.0),
    lambda s: re.sub(r"^(\w)", lambda m: f"It is said that {m[1].lower()}", s),
    lambda s: " ".join(s.split()[:12]),
)


def repeated(material: Material, rng: random.Random) -> Iterator[Draft]:
  """One sentence over and over, stock or the prompt's, with a word that changes or without."""
  while True:
    for count in (4, 10, 20):
      sentence = rng.choice(stock.EVERYTHING)
      yield Draft(tuple(material.fill(sentence, rng) for _ in range(count)), rng.choice(LAYOUTS))
      yield Draft((material.fill(sentence, rng),) * count, rng.choice(LAYOUTS))
      yield Draft((rng.choice(material.source),) * count, edits=False)


def foreign(material: Material, rng: random.Random) -> Iterator[Draft]:
  """What somebody answered to another prompt, with and without this one's words in it, or two mixed."""
  while material.foreign:
    own, other = rng.choice(material.foreign)[:20], rng.choice(material.foreign)[:20]
    layout = rng.choice((" ", "\n"))
    yield Draft(own, layout)
    yield Draft((material.fill("This is about {}, {} and {}.", rng), *own), layout)
    yield Draft(tuple(material.with_topic(s, rng) for s in own), layout)
    yield Draft(tuple(s for pair in zip(own, other) for s in pair), layout)


FAMILIES: dict[str, Callable[[Material, random.Random], Iterable[Draft]]] = {
    "generic": _from_stock(stock.GENERIC),
    "meta": _from_stock(stock.META),
    "advert": _from_stock(stock.ADVERTS),
    "advice": _from_stock(stock.ADVICE),
    "tale": _from_stock(stock.TALES),
    "report": _from_stock(stock.REPORTS),
    "mixed": _from_stock(stock.EVERYTHING),
    "keywords": keywords,
    "reworded": reworded,
    "pasted": pasted,
    "repeated": repeated,
    "foreign": foreign,
}
