"""What an attack on one row may be made of, and the drafts that are made from it.

  Material(example, topics=("lighthouse keeper", "bottle"), source=("Write a story about ...",), ...)

Nothing in it answers the row's prompt: stock sentences, words and sentences of the prompt itself,
and texts of other rows whose prompts have little in common with this one's.
"""

from collections import Counter
from collections.abc import Callable, Sequence
import dataclasses
import random
import re

from rewards.attacks import stock
from rewards.measures import text as measures
from rewards.schema import Example

_SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_SLOT = re.compile(r"\{\}")

MOST_TOPICS, MOST_TOPIC_WORDS = 60, 3
MOST_FOREIGN = 12  # texts of other rows
MOST_COMMON_CONTENT = 0.25  # Jaccard index of two prompts' content words up to which they differ
MOST_WORDS, MOST_SENTENCES = 350, 40


@dataclasses.dataclass(frozen=True)
class Draft:
  """A text in pieces. layout: what stands before each piece but the first, "\\n- " for a list.

  other: what stands in the other tag; "" for the row's plain reasoning, or its right answer.
  edits: whether the search may change it. Pasted pieces stay as they are: who may choose among the
  source's sentences by their reward writes a summary after all.
  """

  pieces: tuple[str, ...]
  layout: str = " "
  other: str = ""
  edits: bool = True

  @property
  def text(self) -> str:
    first = self.layout.lstrip("\n") if self.layout.startswith("\n") else ""
    return first + self.layout.join(self.pieces)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Material:
  """topics: words of the prompt in runs of up to three. source: the prompt's sentences, or those of
  the text that stands below its instruction. foreign: other rows' texts, in sentences.
  """

  example: Example
  topics: tuple[str, ...]
  source: tuple[str, ...]
  foreign: tuple[tuple[str, ...], ...]
  stock: tuple[str, ...] = stock.EVERYTHING

  def fill(self, sentence: str, rng: random.Random) -> str:
    """Returns a stock sentence with topics in its slots."""
    filled = _SLOT.sub(lambda _: rng.choice(self.topics), sentence)
    return filled[:1].upper() + filled[1:]

  def sentence(self, rng: random.Random) -> str:
    """Returns any sentence that is not the prompt's: stock, or foreign with or without topics in it."""
    if not self.foreign or rng.random() < 0.5:
      return self.fill(rng.choice(self.stock), rng)
    sentence = rng.choice(rng.choice(self.foreign))
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
      sentence = self.with_topic(sentence, rng)
    return sentence

  def with_topic(self, sentence: str, rng: random.Random) -> str:
    """Returns the sentence with one of its longer words replaced by a topic."""
    found = [match.span() for match in _WORD.finditer(sentence) if len(match[0]) > 3]
    if not found:
      return sentence
    start, end = rng.choice(found)
    return sentence[:start] + rng.choice(self.topics) + sentence[end:]


def sentences(text: str) -> tuple[str, ...]:
  """Returns the sentences and lines of a text."""
  return tuple(s.strip() for s in _SENTENCE.split(text) if s and _WORD.search(s))


def collect(examples: Sequence[Example], texts: Sequence[str], seed: int) -> list[Material]:
  """Returns the material of each row of one domain, in order.

  texts: [n], what each row lends to the others whose prompts have little in common with its own.
  """
  content = [measures.content_stems(measures.words(e.prompt)) for e in examples]
  foreign = [sentences(text) for text in texts]
  found = []
  for i, example in enumerate(examples):
    others = [
        foreign[j] for j in range(len(examples)) if foreign[j] and _differ(content[i], content[j])
    ]
    rng = random.Random(f"{seed}/{example.uid}/foreign")
    found.append(
        Material(
            example=example,
            topics=_topics(example.prompt) or ("it",),
            source=sentences(_source(example.prompt)) or (example.prompt,),
            foreign=tuple(rng.sample(others, min(len(others), MOST_FOREIGN))),
        )
    )
  return found


def _differ(a: frozenset[str], b: frozenset[str]) -> bool:
  return bool(a and b) and len(a & b) / len(a | b) <= MOST_COMMON_CONTENT


def _source(prompt: str) -> str:
  """Returns what stands below the prompt's first blank line, if that is most of it."""
  below = measures.split_at_blank_line(prompt)[1]
  return below if len(below) > len(prompt) / 2 else prompt


def _topics(prompt: str) -> tuple[str, ...]:
  """Returns runs of content words and each of their words, the most frequent first."""
  counts: Counter[str] = Counter()
  run: list[str] = []
  for token in re.findall(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]", f"{prompt}."):
    if _WORD.fullmatch(token) and measures.is_content(token.lower()):
      run.append(token)
      counts[token] += 1
    else:
      if len(run) > 1:
        counts[" ".join(run[:MOST_TOPIC_WORDS])] += 1
      run = []
  return tuple(topic for topic, _ in counts.most_common(MOST_TOPICS))


def shares_run(text: str, reference: str, words: int = 8) -> bool:
  """Tells whether a text says the reference again: that many words of it in a row."""
  said, known = measures.words(text), measures.words(reference)
  words = min(words, len(known))
  return bool(words) and bool(set(measures.ngrams(said, words)) & set(measures.ngrams(known, words)))


# Random edits ---------------------------------------------------------------------------------


def edit(draft: Draft, mate: Draft, material: Material, rng: random.Random) -> Draft:
  """Returns the draft after one to three random edits; `mate` lends its second half."""
  for _ in range(rng.choice((1, 1, 2, 3))):
    draft = rng.choice(_EDITS)(draft, mate, material, rng)
  kept, count = [], 0
  for piece in draft.pieces[:MOST_SENTENCES]:
    count += len(piece.split())
    if kept and count > MOST_WORDS:
      break
    kept.append(piece)
  return dataclasses.replace(draft, pieces=tuple(kept))


def _at(draft: Draft, i: int, *pieces: str, drop: int = 1) -> Draft:
  return dataclasses.replace(draft, pieces=draft.pieces[:i] + pieces + draft.pieces[i + drop :])


def _replace(draft, mate, material, rng):
  return _at(draft, rng.randrange(len(draft.pieces)), material.sentence(rng))


def _insert(draft, mate, material, rng):
  return _at(draft, rng.randint(0, len(draft.pieces)), material.sentence(rng), drop=0)


def _delete(draft, mate, material, rng):
  return _at(draft, rng.randrange(len(draft.pieces))) if len(draft.pieces) > 1 else draft


def _swap(draft, mate, material, rng):
  pieces = list(draft.pieces)
  i, j = rng.randrange(len(pieces)), rng.randrange(len(pieces))
  pieces[i], pieces[j] = pieces[j], pieces[i]
  return dataclasses.replace(draft, pieces=tuple(pieces))


def _put_topic(draft, mate, material, rng):
  i = rng.randrange(len(draft.pieces))
  return _at(draft, i, material.with_topic(draft.pieces[i], rng))


def _add_topic(draft, mate, material, rng):
  i = rng.randrange(len(draft.pieces))
  body, end = re.fullmatch(r"(.*?)([.!?]*)", draft.pieces[i], re.DOTALL).groups()
  link = rng.choice(("with the", "of the", "and the", "for the"))
  return _at(draft, i, f"{body} {link} {rng.choice(material.topics)}{end}")


def _lay_out(draft, mate, material, rng):
  return dataclasses.replace(draft, layout=rng.choice((" ", " ", "\n", "\n\n", "\n- ")))


def _cross(draft, mate, material, rng):
  pieces = draft.pieces[: len(draft.pieces) // 2] + mate.pieces[len(mate.pieces) // 2 :]
  return dataclasses.replace(draft, pieces=pieces)


_EDITS: tuple[Callable[..., Draft], ...] = (
    _replace, _replace, _insert, _insert, _delete, _swap, _put_topic, _put_topic, _add_topic, _lay_out,
    _cross,
)  # fmt: skip
