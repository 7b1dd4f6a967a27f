"""Brainstorms: whether the ideas of a list differ, and whether other completions have them too.

One real input: the prompt "How can a small town get more people to cycle?" with a list or a few
sentences as the answer. An item is known by its content words; whether it is good, or feasible, is
not judged here (see reference.py and judge.py).
"""

from collections.abc import Sequence
import functools
import re

from rewards.measures import text
from rewards.registry import register
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score

_ITEM = re.compile(r"[\n\r;]+|(?:^|(?<=\s))(?:\(?\d{1,3}[.):](?=\s)|[-*•–](?=\s))")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_COMMA = re.compile(r",|\band\b|\bor\b")

_SAME_WORDS = 0.5  # Jaccard index of two items' stems from which they are one
_SAME_MEANING = 0.9  # cosine of their vectors; "table salt" and "sea salt" have 0.87


@functools.lru_cache(maxsize=64)
def _asked(prompt: str) -> frozenset[str]:
  return frozenset(map(text.stem, text.words(prompt)))


@functools.lru_cache(maxsize=256)
def find_items(answer: str, prompt: str) -> tuple[tuple[str, ...], ...]:
  """Returns the words of each item of a list, of a text in prose, or of a sentence with commas.

  Of an item count the content words that the prompt lacks; where it has none, all its words but
  numbers: so "Idea 1" and "Idea 2" are the same, and two names are not.
  """
  asked = _asked(prompt)
  for separator in (_ITEM, _SENTENCE, _COMMA):
    pieces = [piece for piece in separator.split(answer) if re.search(r"[^\W\d_]", piece)]
    if len(pieces) > 2 or separator is _COMMA:
      break
  items = []
  for piece in pieces[:_MOST_ITEMS]:
    words = tuple(word for word in text.words(piece) if not word.isdigit())
    own = tuple(w for w in words if text.is_content(w) and text.stem(w) not in asked)
    items.append(own or words)
  return tuple(filter(None, items))


def distinct(items: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
  """Returns the first of each set of items that share most words or mean nearly the same."""
  kept, stems_of_kept, vectors_of_kept = [], [], []
  for item in items:
    stems, vector = frozenset(map(text.stem, item)), text.sentence_vector(item)
    if not any(
        len(stems & other) >= _SAME_WORDS * len(stems | other) or vector @ known >= _SAME_MEANING
        for other, known in zip(stems_of_kept, vectors_of_kept)
    ):
      kept.append(item)
      stems_of_kept.append(stems)
      vectors_of_kept.append(vector)
  return kept


_MOST_ITEMS = 60  # more than that in one answer are not read: comparing them is quadratic


@register("distinct_items", kind="guard")
def distinct_items(completion: Completion, example: Example) -> float | None:
  """Share of a list's items that say something of their own: 1 from 90 % on, 0 up to 30 %.

  Items are list items, or sentences, or what commas part; two are one when they share half of their
  words beyond the prompt's, or nearly their meaning, so one idea in other order does not make two, nor does
  numbered emptiness ("Idea 1", "Idea 2"). None below three items: there is nothing to compare. A list of
  different but useless things passes, and so does one idea in other words.
  """
  items = find_items(completion.answer, example.prompt)
  if len(items) < 3:
    return None
  share = len(distinct(items)) / len(items)
  return Score(text.ramp(share, 0.3, 0.9), f"{share:.0%} of {len(items)} items are distinct.")


@register(
    "group_difference",
    kind="quality",
    domains=("creative_ideation", "creative_writing"),
    scope="group",
)
def group_difference(
    completions: Sequence[Completion | None], examples: Sequence[Example]
) -> list[float | None]:
  """Difference from the other completions of the same prompt: 1 when little is shared, 0 for twins.

  The mean, over the others, of the Dice index of content words beyond the prompt's: up to 0.3 is
  free, as two people's answers to one question share as much, 0.9 is a copy. Keeps a policy from
  collapsing onto one answer per prompt. Noise differs from everything, so word order is a factor.
  None where no other completion passed the gate: there is nothing to differ from.
  """
  if sum(c is not None for c in completions) < 2:
    return [None] * len(completions)
  asked = _asked(examples[0].prompt)
  stems = [
      None if c is None else text.content_stems(text.read(c.answer).words) - asked
      for c in completions
  ]
  scores = []
  for i, (completion, own) in enumerate(zip(completions, stems)):
    others = [other for j, other in enumerate(stems) if j != i and other is not None]
    if completion is None:
      scores.append(None)
      continue
    dice = [2 * len(own & other) / (len(own) + len(other) or 1) for other in others]
    shared = sum(dice) / len(dice)
    order = text.in_order(text.read(completion.answer), True)
    scores.append(
        Score(
            text.ramp(shared, 0.9, 0.3) * order if own else 0.0,
            f"shares {shared:.0%} of its content with {len(others)} others, order {order:.2f}.",
        )
    )
  return scores
