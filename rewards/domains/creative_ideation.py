"""Rewards for brainstorming: how many ideas there are, and whether other completions have them too.

One real input: the prompt "How can a small town get more people to cycle?" with a list or a few
sentences as the answer. An idea is known by its content words; whether it is good, or feasible, is
not judged here (see judge.py). Length, relevance and the rest are creative_writing.py's.
"""

from collections.abc import Sequence
import functools
import re

from rewards.domains import creative_writing
from rewards.measures import text
from rewards.registry import register
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score

_ITEM = re.compile(r"[\n\r;]+|(?:^|(?<=\s))(?:\(?\d{1,3}[.):](?=\s)|[-*•–](?=\s))")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_COMMA = re.compile(r",|\band\b|\bor\b")

_SAME_WORDS = 0.5  # Jaccard index of two ideas' stems from which they are one
_SAME_MEANING = 0.9  # cosine of their vectors; "table salt" and "sea salt" have 0.87


@functools.lru_cache(maxsize=256)
def find_ideas(answer: str, prompt: str) -> tuple[tuple[str, ...], ...]:
  """Returns the content words of each idea in a list, in prose, or in a sentence with commas.

  Words of the prompt, and tokens that are no English words, make no idea; a piece of text that has
  nothing else ("Idea 1", "Here are some ideas:") is none.
  """
  asked = frozenset(map(text.stem, text.read(prompt).words))
  known = text.word_frequencies()
  for separator in (_ITEM, _SENTENCE, _COMMA):
    pieces = [piece for piece in separator.split(answer) if piece.strip()]
    if len(pieces) > 2 or separator is _COMMA:
      break
  ideas = []
  for piece in pieces[:_MOST_PIECES]:
    words = [w for w in text.words(piece) if text.is_content(w) and w in known]
    words = [w for w in words if text.stem(w) not in asked]
    if words and set(map(text.stem, words)) - _NO_IDEA:
      ideas.append(tuple(words))
  return tuple(ideas)


_NO_IDEA = frozenset(
    map(text.stem, "idea option item point suggestion example thing list number another".split())
)


def distinct(ideas: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
  """Returns the first of each set of ideas that share most words or mean nearly the same."""
  kept, stems_of_kept, vectors_of_kept = [], [], []
  for idea in ideas:
    stems, vector = frozenset(map(text.stem, idea)), text.sentence_vector(idea)
    if not any(
        len(stems & other) >= _SAME_WORDS * len(stems | other) or vector @ known >= _SAME_MEANING
        for other, known in zip(stems_of_kept, vectors_of_kept)
    ):
      kept.append(idea)
      stems_of_kept.append(stems)
      vectors_of_kept.append(vector)
  return kept


_MOST_IDEAS = 60  # more than that in one answer are not compared: the comparison is quadratic
_MOST_PIECES = 300  # nor more than that read


@register("distinct_ideas", kind="quality", domains=("creative_ideation",))
def distinct_ideas(completion: Completion, example: Example, *, target: int = 5) -> float:
  """Number of different ideas: distinct / `target`, at most 1, times the share that is distinct.

  Ideas are list items, or sentences, or what commas part. Two are one when they share half of
  their words or nearly their meaning, so rewording does not pay and padding a list with more of the
  same costs. Numbered emptiness, the prompt's own words and invented words are no ideas; the
  order factor keeps shuffled words from being many, the topic factor a list for another question.
  """
  ideas = find_ideas(completion.answer, example.prompt)[:_MOST_IDEAS]
  kept = distinct(ideas)
  own = creative_writing.own_text(completion.answer, example.prompt)
  order = creative_writing.in_order(own, True)
  topic = text.ramp(creative_writing.on_topic(completion, example, True)[0], 0.0, 0.4)
  score = min(1.0, len(kept) / target) * (len(kept) / len(ideas) if ideas else 0.0)
  return Score(
      score * order * topic,
      f"{len(kept)} distinct of {len(ideas)} ideas ({target} wanted), word order {order:.2f}, "
      f"on topic {topic:.2f}.",
  )


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
  asked = frozenset(map(text.stem, text.read(examples[0].prompt).words))
  stems = [
      None if c is None else text.content_stems(text.read(c.answer).words) - asked
      for c in completions
  ]
  scores = []
  for i, (completion, own) in enumerate(zip(completions, stems)):
    others = [other for j, other in enumerate(stems) if j != i and other is not None]
    if completion is None or not others:
      scores.append(None)
      continue
    dice = [2 * len(own & other) / (len(own) + len(other) or 1) for other in others]
    shared = sum(dice) / len(dice)
    order = creative_writing.in_order(text.read(completion.answer), True)
    scores.append(
        Score(
            text.ramp(shared, 0.9, 0.3) * order if own else 0.0,
            f"shares {shared:.0%} of its content with {len(others)} others, order {order:.2f}.",
        )
    )
  return scores
