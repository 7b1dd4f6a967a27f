"""Is the work shown? The reasoning of verifiable domains: of its own, about the task, leading to the answer.

One real input: the prompt "A box holds 12 eggs. How many do 5 boxes hold?", the reasoning "Each box
holds 12 eggs, so 5 boxes hold 5 * 12 = 60." and the answer "60". Without it a policy drops its reasoning,
because "." earns as much. The answer that counts is the completion's own, right or wrong: this pays for
work that leads there, correctness pays for being right. Whether a step follows from the one before is not
understood here.
"""

import functools
import re

from rewards import reading
from rewards.measures import text
from rewards.registry import register
from rewards.schema import Choice
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import Score
from rewards.schema import UnitTests
from rewards.schema import YesNo

_MOST_CHARACTERS = 8_000  # of reasoning that is read; the last ones, where it concludes
_SIGN = re.compile(r"(?<=[\d\s])[-+*/=<>×÷](?=[\s\d])")  # of arithmetic, which is work
_UNIT = re.compile(r"(?<=\d)\s*(?:[^\W\d_]+[\s.]{0,2}){1,4}(?=[-+*/=×÷])")  # "36 items / 2" is 36 / 2
_SENTENCE = re.compile(r"(?<=[.!?])\s+|[\n\r]+")

_VERDICT_WORD = re.compile(r"\b(?:[A-J]|(?i:yes|no|true|false|answer|option|choice|correct))\b")
_TIMES = re.compile(r"(?<=\d)\s*[xX]\s*(?=\d)")
_PLAIN = str.maketrans({"–": "-", "−": "-", "$": None, "€": None, "£": None})
_CONCLUDING = frozenset(
    "answer answers choice option correct true false yes no result therefore hence thus".split()
)

# What remains of a text that is of its own and about the task, and concludes otherwise, or nothing.
_CONTRADICTS, _WRITTEN, _SILENT, _LEADS = 0.2, 0.6, 0.8, 1.0


@register("reasoning", kind="quality", domains=("math", "coding", "science", "logic"))
def reasoning(completion: Completion, example: Example) -> Score:
  """Work shown: words of its own, about the task, that lead to the completion's own answer, in [0, 1].

  The product of four factors. Own: 1 from three content words, numbers and signs on that are not copied
  from the prompt in runs of five and not the answer; or a quotation of a part of the prompt that names the
  chosen answer, which is evidence. Fresh: 1 up to 30 % and 0 from 80 % that repeat. About: shares a content
  word or a number with the prompt, the choices or the program. Leading: math, 1 where the answer is the value
  of an expression or the last of a true chain in it and no equation of it is false, 0.6 where it stands
  behind the last equals sign of what arithmetic cannot read, else 0.2; choices and
  yes/no, 1 where its last sentence that states a verdict states the answer's, 0.2 where it states another,
  0.8 where none does; coding, from 0.2 to 1 for three content words shared with prompt and program.

  ".", "so 71" and the question again earn nothing; "5 times 12 is 71, so I say 71" a fifth. A chain of true
  but beside the point equations that ends in the answer is paid, and so is fluent talk about the topic of
  a yes/no question: it gates nothing, and its weight is small.
  """
  said = completion.reasoning[-_MOST_CHARACTERS:]
  known = _known(example)
  words = text.read(said)
  own = _own(said, words, completion, example)
  fresh = text.ramp(text.repeated_share(words), 0.8, 0.3)
  shared = len(known & _marks(words.words)) + _shares_program(completion, example, words.words)
  about = float(shared > 0)
  leading, why = _leading(said, shared, completion, example)
  return Score(
      own * fresh * about * leading, f"own {own:.2f}, fresh {fresh:.2f}, about the task {about:g}; {why}."
  )


_MOST_QUOTED = 0.6  # of the prompt's words; more is the question again


def _own(said: str, words: text.Text, completion: Completion, example: Example) -> float:
  asked = text.read(example.prompt)
  answer = frozenset(text.words(completion.answer[:_MOST_CHARACTERS]))
  answer = frozenset() if isinstance(example.reference, UnitTests) else answer
  rest = text.without_copies(words, asked).words
  own = {w for w in rest if (text.is_content(w) or w.isdigit()) and w not in answer | _CONCLUDING}
  score = text.ramp(len(own) + len(_SIGN.findall(said)), 0, 3)
  quoted = len(words.words) - len(rest)
  if isinstance(example.reference, Choice) and score < 1 and 0 < quoted <= _MOST_QUOTED * len(asked.words):
    answered = reading.read(completion.answer, example.reference, example.prompt)
    score = max(score, float(any(_names(s, example.reference) == getattr(answered, "stated", "")
                                 for s in words.sentences if len(s) > 4)))
  return score


def _marks(words: tuple[str, ...]) -> frozenset[str]:
  """Returns the stems of content words, and the numbers."""
  return text.content_stems(words) | {w for w in words if w.isdigit()}


@functools.lru_cache(maxsize=64)
def _known_words(passage: str) -> frozenset[str]:
  return _marks(text.words(passage))


def _known(example: Example) -> frozenset[str]:
  choices = example.reference.choices if isinstance(example.reference, Choice) else ()
  return _known_words(" ".join([example.prompt, *(choice for _, choice in choices)]))


def _shares_program(completion: Completion, example: Example, words: tuple[str, ...]) -> int:
  if not isinstance(example.reference, UnitTests):
    return 0
  names = re.findall(r"[A-Za-z]{3,}", completion.answer[:_MOST_CHARACTERS])
  stems = frozenset(text.stem(name.lower()) for name in names) - _known(example)
  return len(stems & frozenset(map(text.stem, words)))


def _leading(said: str, shared: int, completion: Completion, example: Example) -> tuple[float, str]:
  reference, prompt = example.reference, example.prompt
  if isinstance(reference, UnitTests):
    return text.ramp(shared, -0.75, 3), f"names {shared} things of the task and the program"
  answer = reading.read(completion.answer, reference, prompt)
  if isinstance(answer, reading.Refusal):
    return _CONTRADICTS, "the answer states no verdict that it could lead to"
  if isinstance(reference, Number):
    false = next((e for e in reading.equations(said) if not e.true), None)
    if false:
      return _CONTRADICTS, f"{false.text[:60]!r} is false"
    # A formula is no value that arithmetic arrives at: it has to be written down.
    written = not re.fullmatch(r"[-+\d.,/ ]*", answer.stated) and _bare(answer.stated) in _bare(said)
    plain = _TIMES.sub(" * ", _UNIT.sub(" ", said.translate(_PLAIN)))
    works = {said, plain} if re.search(r"\d", said) else ()
    led = written or any(reading.reaches(work, answer.stated) for work in works)
    if led:
      return _LEADS, "it arrives at the answer"
    last = plain.rpartition("=")[2].split()  # algebra and units that arithmetic cannot read
    if last and last[0].rstrip(".,;") == answer.stated and re.search(r"\d\D*[-+*/(]", plain):
      return _WRITTEN, "the answer stands behind its last equals sign"
    return _CONTRADICTS, "it does not arrive at the answer"
  last = next(filter(None, (_states(s, reference, prompt) for s in reversed(_SENTENCE.split(said)))), None)
  if last is None:
    return _SILENT, "no sentence of it states a verdict"
  stated = answer.stated
  if last == stated:
    return _LEADS, f"it states {last!r}"
  return _CONTRADICTS, f"it states {last!r}, not {stated!r}"


def _bare(passage: str) -> str:
  return re.sub(r"[\s$\\{}]|left|right", "", passage)


def _states(sentence: str, reference, prompt: str) -> str | None:
  """Returns what a sentence states: a verdict as an answer would, or the one choice that it names."""
  verdict = _VERDICT_WORD.search(sentence)  # reading takes a millisecond, and most sentences state nothing
  readable = verdict and isinstance(reference, (Choice, YesNo))
  if readable and (stated := reading.stated(sentence, reference, prompt)):
    return stated
  return _names(text.words(sentence), reference) if isinstance(reference, Choice) else None


def _names(sentence: tuple[str, ...], reference: Choice) -> str | None:
  """Returns the label of the one choice whose text stands in a sentence's words."""
  words = f" {' '.join(sentence)} "
  named = [label for label, choice in _choices(reference.choices) if choice in words]
  return named[0] if len(named) == 1 else None


@functools.lru_cache(maxsize=64)
def _choices(choices: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
  return [(label, f" {' '.join(text.words(choice))} ") for label, choice in choices]
