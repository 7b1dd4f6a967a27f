"""Three measures of free prose by its surface: length, variety of words, words of the prompt.

They are what a published project paid for open tasks, kept by name so that both can be compared
(experiments/published_rewards.py); our recipe pays likeness to a reference instead. Each is cheated
alone: a fluent text with the prompt's keywords earns all three.

Words copied from the prompt are not the completion's own, a refusal has no words of its own, and what
has no English word order (shuffled words, keyword salad, nonsense) has no variety and no relevance.
"""

from collections.abc import Sequence
import dataclasses
import functools
import math
import re

from rewards.measures import text
from rewards.registry import register
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score


_NOTHING = text.read("")


@functools.lru_cache(maxsize=256)
def own_text(answer: str, prompt: str) -> text.Text:
  """Returns the answer as read, without what it copies from the prompt; of a refusal, nothing."""
  said = text.read(answer)
  return _NOTHING if text.is_refusal(said) else text.without_copies(said, text.read(prompt))


@register("length_band", kind="quality")
def length_band(
    completion: Completion,
    example: Example,
    *,
    reasoning_min_words: int = 20,
    reasoning_max_words: int = 500,
    answer_min_words: int = 10,
    answer_max_words: int = 300,
) -> float:
  """Length of reasoning and answer in words, half each: 1 inside of its band, linear outside.

  Below a band the score is words / min, above it 2 - words / max: 0 with no words and from twice
  the maximum on. Words are separated by white space, so one endless token is one word. Padding
  reaches the band: it is a measure, not a virtue.
  """
  reasoning, answer = len(completion.reasoning.split()), len(completion.answer.split())
  score = (
      _band(reasoning, reasoning_min_words, reasoning_max_words)
      + _band(answer, answer_min_words, answer_max_words)
  ) / 2
  return Score(
      score,
      f"{reasoning} words of reasoning ({reasoning_min_words} to {reasoning_max_words} wanted), "
      f"{answer} of answer ({answer_min_words} to {answer_max_words}).",
  )


def _band(words: int, minimum: int, maximum: int) -> float:
  if words < minimum:
    return words / minimum
  return text.ramp(words, 2 * maximum, maximum) if words > maximum else 1.0


@register("lexical_diversity", kind="quality")
def lexical_diversity(
    completion: Completion, example: Example, *, mtld_target: float = 50.0, list_items: bool = False
) -> float:
  """Variety of words in the answer: MTLD / `mtld_target`, at most 1, times its word order's worth.

  MTLD (McCarthy and Jarvis 2010) does not fall with length, as the type/token ratio does, and is
  bounded here by the number of different words, so an answer of 12 words gets at most a quarter.
  Nine in ten human stories reach 54. Nonsense is endlessly various: word order, a factor, is what
  it lacks.
  """
  own = own_text(completion.answer, example.prompt)
  diversity = text.mtld(own.words)
  order = text.in_order(own, list_items)
  return Score(
      min(1.0, diversity / mtld_target) * order,
      f"MTLD {diversity:.0f} of {mtld_target:.0f} over {len(own.words)} own words, "
      f"word order {order:.2f}.",
  )


_TAG = re.compile(r"^\s*[\[(]\s*\w{1,4}\s*[\])]")  # "[ WP ]" and its kind head Reddit prompts


@dataclasses.dataclass(frozen=True, eq=False)
class _Request:
  """What a prompt asks for: its content words, and what each of their stems weighs."""

  words: tuple[str, ...]
  weights: dict[str, float]


# Words that say what to write, not what about: no story has to speak of stories.
_TASK = frozenset(
    map(
        text.stem,
        "write story tell poem haiku essay paragraph sentence word describe explain list bulleted "
        "name suggest suggestion recommend brainstorm idea create generate compose provide prompt "
        "short example please".split(),
    )
)


@functools.lru_cache(maxsize=256)
def _request(prompt: str) -> _Request:
  words = _content_words(text.read(_TAG.sub("", prompt)))
  words = tuple(word for word in words if text.stem(word) not in _TASK) or words
  return _Request(words, {text.stem(word): text.information(word) - 6.5 for word in words})


@functools.lru_cache(maxsize=256)
def _content_words(said: text.Text) -> tuple[str, ...]:
  return tuple(filter(text.is_content, said.words))


@dataclasses.dataclass(frozen=True, eq=False)
class _Uptake:
  """How an answer takes up its request, part by part.

  shared: for each part, the TF-IDF weight of the request's content words that it uses, as a share
  of all. own: 1 when the answer adds content words of its own in an order that is language, 0 for a
  salad, a copy or one sentence over and over.
  """

  shared: tuple[float, ...]
  own: float
  reason: str


_MOST_PARTS, _LEAST_WORDS = 4, 12


@functools.lru_cache(maxsize=256)
def _uptake(answer: str, prompt: str, list_items: bool) -> _Uptake:
  said, request = own_text(answer, prompt), _request(prompt)
  parts = _parts(said.words)
  found = [frozenset(map(text.stem, part)) for part in parts]
  stems = frozenset().union(*found)
  added = len(stems - request.weights.keys()) / len(stems) if stems else 0.0
  order = text.in_order(said, list_items)
  fresh = text.ramp(text.repeated_share(said), 0.5, 0.0)
  offered = sum(request.weights.values()) or 1.0
  return _Uptake(
      tuple(math.fsum(map(request.weights.get, part & request.weights.keys())) / offered for part in found),
      text.ramp(added, 0.2, 0.5) * order * fresh,
      f"{added:.0%} of its content words are new, word order {order:.2f}, freshness {fresh:.2f}",
  )


def _parts(words: tuple[str, ...]) -> list[tuple[str, ...]]:
  """Returns the content words of each quarter, or of fewer parts of at least twelve words."""
  count = min(_MOST_PARTS, max(1, len(words) // _LEAST_WORDS))
  bounds = [len(words) * i // count for i in range(count + 1)]
  parts = (words[start:end] for start, end in zip(bounds, bounds[1:]))
  return [tuple(filter(text.is_content, part)) for part in parts]


def _mean(values) -> float:
  values = tuple(values)
  return sum(values) / len(values)


@register("prompt_relevance", kind="quality")
def prompt_relevance(
    completion: Completion, example: Example, *, list_items: bool = False
) -> float:
  """Share of the prompt's content words that the answer takes up, by TF-IDF weight, stemmed.

  The mean over the answer's quarters, each 1 from 20 % on: no story repeats all of its prompt, and
  one sentence of its keywords in a fixed text serves one quarter. Only the answer counts. Copied
  runs are not read, the answer has to add content words of its own, and word order is a factor: so
  neither copying the prompt nor a salad of its keywords pays. Synonyms are missed.
  """
  uptake = _uptake(completion.answer, example.prompt, list_items)
  return Score(
      _mean(text.ramp(shared, 0.0, 0.2) for shared in uptake.shared) * uptake.own,
      f"parts take up {_percent(uptake.shared)} of the prompt's content, {uptake.reason}.",
  )


def _percent(shares: Sequence[float]) -> str:
  return ", ".join(f"{share:.0%}" for share in shares)
