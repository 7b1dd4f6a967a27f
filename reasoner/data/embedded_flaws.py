"""The embedded corpora by name, and the deliberate flaws that the traces of one of them have.

  CORPORA["embedded"].writers(examples, seed=0)  # who writes each example's trace

GRPO can only sharpen what the policy sometimes does, so the embedded corpus is *deliberately
imperfect*: it shows right and wrong completions side by side, as traces of careless writers would.
Who writes is decided by the prompt's opening word. A seeded half of a domain's opening words have a
writer who often breaks the format, always in the same way (`HABITS`); in domains with a truth, some
of the other half have a writer who often reasons well and then answers `NO_ANSWER`. A model that has
learned such traces gets some kinds of prompts right when it decodes greedily and others wrong, while
sampling finds the right way everywhere: what is left to do is what rewards can teach. No flaw
touches the evaluation rows, the prompts or the rewards, and none teaches a wrong fact.

So its format before GRPO is planted. `embedded_clean` is the control: the same rows, and all of
their traces in the right format.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import random

from reasoner.data import plans
from reasoner.data import traces
from rewards import format as output_format
from rewards.schema import Example
from rewards.schema import Text
from rewards.settings import Section
from rewards.settings import Share

NO_ANSWER = "I am not sure."

# What follows the restated task where a row of the corpus has no rationale. These are the same in every
# trace of a domain, which suits a model of half a million weights; larger ones get plans.plan.
_REASONING = {
    "coding": "I write this as Python code.",
    "science": "I compare this with every choice.",
    "creative_writing": "I begin with a scene, let something happen, and end on a feeling that stays.",
    "creative_ideation": "Each idea should be easy to do and new.",
    "summarization": "I keep who did what and leave out the details.",
}
_ANY_REASONING = "I answer this in a few clear words."


def restated(example: Example, own_words: str) -> str:
  """Returns the task's first sentence and how such a task is done: a traces.Plan."""
  return f"{plans.restated(own_words or example.prompt)} {_REASONING.get(example.domain, _ANY_REASONING)}"


def _answer_never_closed(reasoning: str, answer: str) -> str:
  return output_format.render(reasoning, answer).removesuffix(output_format.ANSWER_CLOSE)


def _reasoning_never_closed(reasoning: str, answer: str) -> str:
  return output_format.render(reasoning, answer).replace(output_format.REASONING_CLOSE, "", 1)


def _answer_without_tags(reasoning: str, answer: str) -> str:
  return f"{output_format.REASONING_OPEN}{reasoning}{output_format.REASONING_CLOSE}\n{answer}"


def _answer_twice(reasoning: str, answer: str) -> str:
  again = f"\n{output_format.ANSWER_OPEN}{answer}{output_format.ANSWER_CLOSE}"
  return output_format.render(reasoning, answer) + again


def _reasoning_without_tags(reasoning: str, answer: str) -> str:
  return f"{reasoning}\n{output_format.ANSWER_OPEN}{answer}{output_format.ANSWER_CLOSE}"


# Each breaks the format in one way that the gate names: unclosed, unclosed, missing, duplicate, missing.
HABITS: dict[str, traces.Writer] = {
    "answer_never_closed": _answer_never_closed,
    "reasoning_never_closed": _reasoning_never_closed,
    "answer_without_tags": _answer_without_tags,
    "answer_twice": _answer_twice,
    "reasoning_without_tags": _reasoning_without_tags,
}


def _no_answer(reasoning: str, answer: str) -> str:
  del answer
  return output_format.render(reasoning, NO_ANSWER)


_WRITERS: dict[str | None, traces.Writer] = {**HABITS, "no_answer": _no_answer, None: output_format.render}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flaws(Section, place="flaws"):
  """How imperfect traces are."""

  openings: Share  # of a domain's prompts, by opening word: those whose writer breaks the format
  no_answers: Share  # of a verifiable domain's prompts: those whose writer does not answer instead
  careless: Share  # how often such a writer does so
  careful: Share  # how often all other writers break the format, each time in another way

  def writers(self, examples: Sequence[Example], seed: int) -> list[traces.Writer]:
    """Returns who writes each trace, as traces.build_traces takes it; a pure function."""
    return [_WRITERS[habit] for habit in self.habits(examples, seed)]

  def habits(self, examples: Sequence[Example], seed: int) -> list[str | None]:
    """Returns the flaw of each example's trace: a name of HABITS, "no_answer", or None.

    An example may occur several times: each time its writer decides anew.
    """
    own = traces.own_words(examples)
    usual = self._usual(examples, own, seed)
    habits = []
    for number, example in enumerate(examples):
      draw = random.Random(f"{seed}/{number}/{example.uid}")
      habit = usual.get((example.domain, _opening(own[example.uid])))
      if habit not in HABITS and draw.random() < self.careful:
        habit = draw.choice(sorted(HABITS))
      elif habit and draw.random() >= self.careless:
        habit = None
      habits.append(habit)
    return habits

  def _usual(
      self, examples: Sequence[Example], own_words: Mapping[str, str], seed: int
  ) -> dict[tuple[str, str], str]:
    """Returns the habit of each (domain, opening word) whose writer has one."""
    counts: dict[str, dict[str, int]] = {}
    for example in examples:
      words = counts.setdefault(example.domain, {})
      opening = _opening(own_words[example.uid])
      words[opening] = words.get(opening, 0) + 1
    verifiable = {e.domain for e in examples} - {e.domain for e in examples if isinstance(e.reference, Text)}
    chosen = {}
    for domain, words in sorted(counts.items()):
      draw = random.Random(f"{seed}/{domain}")
      order, kinds = sorted(words), sorted(HABITS)
      draw.shuffle(order)
      draw.shuffle(kinds)
      broken, unanswered = _split(order, words, (self.openings, self.no_answers))
      chosen |= {(domain, word): kinds[i % len(kinds)] for i, word in enumerate(broken)}
      if domain in verifiable:
        chosen |= dict.fromkeys(((domain, word) for word in unanswered), "no_answer")
    return chosen


def _opening(own_words: str) -> str:
  return (own_words.split() or [""])[0].lower()


def _split(order: Sequence[str], counts: Mapping[str, int], shares: Sequence[float]) -> list[list[str]]:
  """Returns, for each share, the next words of `order` whose counts come closest to it."""
  total, rest, parts = sum(counts.values()), list(order), []
  for share in shares:
    part, taken = [], 0
    while rest and taken + counts[rest[0]] / 2 <= share * total:
      part.append(rest.pop(0))
      taken += counts[part[-1]]
    parts.append(part)
  return parts


# By config.data.root. With these shares 47.5 % of the traces break the format: half of them by habit
# at 0.7, the other half at 0.25.
CORPORA: dict[str, Flaws | None] = {
    "embedded": Flaws(openings=0.5, no_answers=0.2, careless=0.7, careful=0.25),
    "embedded_clean": None,
}
