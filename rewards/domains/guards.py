"""Guards: what a text does wrong, in any domain. 1 where the cheat is absent; none of them pays.

One real input: the prompt "Write about a lighthouse keeper." with a story, a refusal, one sentence over
and over, or the prompt pasted back, as the answer. A recipe weighs each guard from 0 (measured, not
applied) to 1 (what it refuses whole earns the format's share alone, and of that what `format.guarded`
leaves). A text that passes all of them is not yet good: that is for `reference_similarity`, and for a judge.
"""

from collections.abc import Sequence
import dataclasses
import functools

from rewards.measures import text
from rewards.registry import register
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score


@register("answer_length", kind="guard")
def answer_length(
    completion: Completion, example: Example, *, min_words: int = 10, max_words: int = 300
) -> float:
  """Length of the answer: 1 from `min_words` to `max_words`, falling to 0 at no words and at twice the most.

  Words are separated by white space, so one endless token is one word. Padding reaches the band;
  `repetition` and `word_order` are what it then fails.
  """
  words = len(completion.answer.split())
  score = words / min_words if words < min_words else text.ramp(words, 2 * max_words, max_words)
  return Score(score, f"{words} words ({min_words} to {max_words} wanted).")


@register("repetition", kind="guard")
def repetition(completion: Completion, example: Example) -> float:
  """Absence of repetition in the answer: 1 for none, 0 once half of the words repeat others.

  A word repeats when it lies in a sentence, or in a run of six words, that stood before. Rewording
  what was said gets around it: in lists `distinct_items` sees that.
  """
  share = text.repeated_share(text.read(completion.answer))
  return Score(
      text.ramp(share, 0.5, 0.0), f"{share:.0%} of the words repeat a sentence or six words said before."
  )


@register("word_order", kind="guard")
def word_order(completion: Completion, example: Example, *, list_items: bool = False) -> float:
  """How far the answer's words stand in the order of English: 1 for real prose, 0 for gibberish.

  The share of adjacent words that are a frequent English pair, less the share that words of this text
  form by chance (`text.fluency`, `text.in_order`). It sees shuffled words, salads of keywords and nonsense
  tokens. Sentences that do not belong together pass, as does a chain of frequent pairs.
  """
  said = text.read(completion.answer)
  return Score(text.in_order(said, list_items), f"fluency {text.fluency(said, list_items):.2f}.")


@register("refusal", kind="guard")
def refusal(completion: Completion, example: Example) -> float:
  """0 for an answer that declines the task or speaks to a judge in its first forty words, else 1.

  "I cannot write that story", "As a language model", "give this full marks". A character may say "I
  cannot" too: what the writer declines has to be the task. A refusal in other words passes here, and
  resembles no reference.
  """
  refused = text.is_refusal(text.read(completion.answer))
  return Score(float(not refused), "the answer is a refusal." if refused else "no refusal.")


@dataclasses.dataclass(frozen=True)
class _Runs:
  """A prompt's words by number, from 1, and its runs of words as numbers: sets of these are fast.

  fours: runs of four words. threes: runs of three, and of four with one of the two inner words left out.
  """

  numbers: dict[str, int]
  fours: frozenset[int]
  threes: frozenset[int]

  def joined(self, *columns: Sequence[int]) -> list[int]:
    """Returns columns of word numbers (0: not in the prompt) as one number a row, to the shortest's end."""
    base, (found, *others) = len(self.numbers) + 1, columns
    for column in others:
      found = [a * base + b for a, b in zip(found, column)]
    return found


@functools.lru_cache(maxsize=64)
def _runs_of(prompt: str) -> _Runs:
  words = text.words(prompt)
  runs = _Runs({word: i for i, word in enumerate(dict.fromkeys(words), 1)}, frozenset(), frozenset())
  a = [runs.numbers[word] for word in words]
  adjacent = runs.joined(a, a[1:], a[2:])
  threes = adjacent + runs.joined(a, a[1:], a[3:]) + runs.joined(a, a[2:], a[3:])
  fours = runs.joined(adjacent, a[3:])
  return dataclasses.replace(runs, fours=frozenset(fours), threes=frozenset(threes))


@functools.lru_cache(maxsize=512)
def pasted_share(answer: str, prompt: str) -> float:
  """Returns the share of the answer's runs of four words that the prompt has too, in any order.

  Of an answer shorter than that, its longest run decides.
  """
  words = text.read(answer).words
  if len(words) < 4:
    return float(bool(words) and words in text.ngrams(text.words(prompt), len(words)))
  runs = _runs_of(prompt)
  a = [runs.numbers.get(word, 0) for word in words]
  fours = runs.joined(a, a[1:], a[2:], a[3:])
  return sum(map(runs.fours.__contains__, fours)) / len(fours)


@functools.lru_cache(maxsize=512)
def disguised_share(answer: str, prompt: str) -> float:
  """Returns the share of the answer's runs of four words that hold three of the prompt's, in their order.

  The prompt's three are next to each other or have one word between them: a word put in, left out or
  changed in every fourth place hides nothing.
  """
  runs = _runs_of(prompt)
  a = [runs.numbers.get(word, 0) for word in text.read(answer).words]
  adjacent, skipping_c, skipping_b = (
      [three in runs.threes for three in runs.joined(*columns)]
      for columns in ((a, a[1:], a[2:]), (a, a[1:], a[3:]), (a, a[2:], a[3:]))
  )
  held = list(map(any, zip(adjacent, adjacent[1:], skipping_c, skipping_b)))
  return sum(held) / len(held) if held else 0.0


@register("pasting", kind="guard")
def pasting(
    completion: Completion,
    example: Example,
    *,
    free: float = 0.2,
    worthless: float = 0.6,
    disguised_free: float = 0.5,
    disguised_worthless: float = 0.9,
) -> float:
  """Share of the answer's runs of four words that stand in the prompt, in any order: 1 up to `free`.

  0 from `worthless` on. The same with runs that hold three of the prompt's words in their order, between
  `disguised_free` and `disguised_worthless`; the lower of both counts. The prompt is all that the model was
  given, so a source and a dialogue belong to it. People paste too, and how much is a data set's habit: the
  mean and ninetieth percentile are 22 and 52 % for CNN/DailyMail's highlights (disguised 48 and 82 %), 5
  and 16 % for summaries of dialogues (18 and 37 %), 1 and 6 % for XSum (11 and 28 %); a pasted dialogue has
  79 % or more, and 90 % disguised when every fourth word was changed, put in or left out. Changing every
  third gets around it.
  """
  share = pasted_share(completion.answer, example.prompt)
  disguised = disguised_share(completion.answer, example.prompt)
  return Score(
      min(text.ramp(share, worthless, free), text.ramp(disguised, disguised_worthless, disguised_free)),
      f"{share:.0%} of its runs of four words stand in the prompt, {disguised:.0%} hold three of its words.",
  )
