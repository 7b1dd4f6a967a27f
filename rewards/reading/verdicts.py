"""One entry for all kinds: what an answer states, and whether that is the reference.

One real input: `read("**B) carbon dioxide**", Choice(...), prompt)` is Verdict(stated="B", correct=True).
Not here: scores and components (rewards/domains).
"""

import dataclasses
import functools
import re

from rewards.reading import formula
from rewards.reading import numbers
from rewards.reading import sentences
from rewards.reading.choices import ChoiceKind
from rewards.reading.choices import choices_of
from rewards.reading.choices import ShortTextKind
from rewards.reading.doubt import Refused
from rewards.reading.dress import wordy
from rewards.reading.yesno import YesNoKind
from rewards.schema import Choice
from rewards.schema import Number
from rewards.schema import Reference
from rewards.schema import Text
from rewards.schema import YesNo


@dataclasses.dataclass(frozen=True)
class Verdict:
  """What an answer states: a label, "yes" or "no", a number, or a text; and whether the reference says so."""

  stated: str
  correct: bool


@dataclasses.dataclass(frozen=True)
class Refusal:
  """An answer that states no one verdict; `reason` names the rule, `cause` is one word for the metrics."""

  cause: str
  reason: str


_LETTERS = tuple((letter, "") for letter in "ABCDEFGHIJ")


def read(text: str, reference: Reference, prompt: str = "") -> Verdict | Refusal:
  """Returns what `text` states in reply to `prompt`, by the rules of this package's docstring.

  Args:
    text: what stands in the answer's tags; any text at all.
    reference: Number, Choice, YesNo or Text; a Text of one capital letter is a choice without texts.

  Raises:
    TypeError: another kind of reference, which has no short answer.
  """
  if isinstance(reference, (Number, Text)) and text.strip() == reference.text.strip() != "":
    return Verdict(text.strip(), True)  # to the letter
  try:
    if isinstance(reference, Number):
      return _number(text, reference.text, prompt)
    words = sentences.prepared(text, sentences.MAX_WORDS_CHARACTERS)
    if isinstance(reference, YesNo):
      value = sentences.settle(words, YesNoKind(prompt))
      return Verdict("yes" if value else "no", value == reference.value)
    if isinstance(reference, Text) and re.fullmatch("[A-J]", reference.text.strip()):
      reference = Choice(label=reference.text.strip(), text="", choices=_LETTERS)
    if isinstance(reference, Choice):
      label = sentences.settle(words, ChoiceKind(prompt, reference.choices))
      own = [pair[0] for pair in reference.choices].index(reference.label)
      return Verdict(label, label == choices_of(reference.choices).labels[own])
    if isinstance(reference, Text):
      kind = ShortTextKind(prompt, (reference.text, *reference.aliases))
      return Verdict(reference.text, sentences.settle(words, kind))
  except Refused as refusal:
    return Refusal(refusal.cause, str(refusal))
  raise TypeError(f"a reference of type {type(reference).__name__} has no short answer")


def _number(text: str, expected: str, prompt: str) -> Verdict:
  reference, answer = reference_of(expected), sentences.prepared(text)
  if isinstance(reference, numbers.Value):
    false = next((e for e in numbers.equations(answer) if not e.true), None)
    if false:
      raise Refused("false_equation", f"Number: {false.text[:60]!r} is false.")
    value = sentences.settle(answer, numbers.NumberKind(prompt))
    return Verdict(str(value), numbers.equal(value, reference, prompt))
  if _WORDS.fullmatch(wordy(reference)):
    return Verdict(reference, sentences.settle(answer, ShortTextKind(prompt, (reference,))))
  formula_ = sentences.settle(answer, formula.FormulaKind(prompt))
  return Verdict(formula_, formula.equal(formula_, reference, prompt))


_WORDS = re.compile(r"\([A-Za-z ]+\)|[A-Za-z][a-z ]{2,}[A-Za-z ]*|\d{1,2}:\d\d[ apmAPM.]*")


@functools.lru_cache(maxsize=4096)
def reference_of(text: str) -> numbers.Value | str:
  """A reference as a number, else as a formula; what follows its last lead or box, on trust."""
  prepared = sentences.prepared(text)
  boxed, leads = sentences.boxes(prepared), sentences.leads(prepared)
  stated = ", ".join(dict.fromkeys(content for _, _, content in boxed))
  stated = stated or prepared[leads[-1].end() if leads else 0 :].strip(" :\n")
  stated = stated + "%" if boxed and re.match(r"[\s$]*(?:%|percent\b)", prepared[boxed[-1][1] :]) else stated
  try:
    return numbers.trusted(stated)
  except Refused:
    return formula.bare(stated)


def stated(sentence: str, reference: Choice | YesNo, prompt: str = "") -> str | None:
  """Returns what one sentence of reasoning states: a label, "yes" or "no"; None where it states nothing."""
  verdict = read(sentence, reference, prompt)
  return verdict.stated if isinstance(verdict, Verdict) else None


def reaches(text: str, number: str) -> bool:
  """Says whether arithmetic in `text` arrives at `number`: a true chain or an expression has its value.

  Args:
    text: reasoning of any kind; what cannot be read in it is passed over.
    number: a number as an answer or a reference writes it.
  """
  try:
    value = reference_of(number)
  except Refused:
    return False
  found = [*numbers.equations(text), *(e for e in numbers.equations(text, 0) if "=" not in e.text)]
  return isinstance(value, numbers.Value) and any(e.true and e.value.value == value.value for e in found)
