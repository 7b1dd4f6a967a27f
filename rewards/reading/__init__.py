r"""How a short answer is read: the page of rules. Who knows it can tell any verdict.

    answer  := [work lead] verdict [reason] [courtesy]

Strict on purpose: reinforcement teaches what is asked for, and a kind reader is an exploit for ever. What
is not on this page is refused with score 0.0 and a reason that begins with the rule's name.

Dress     Markdown, HTML, quotes, pictures, LaTeX layout and `<think>...</think>` say nothing. A cross or a
          thumb down is the word "not", a tilde before a verdict "about". A closing courtesy ("I
          hope this helps!") is left out.
Size      20,000 characters are read for mathematics, 4,000 elsewhere; a literal has 400 digits, a sentence
          with a number 2,000 characters, a formula 1,000; brackets, roots and fractions go 20 deep.
Lead      "the answer is", "answer:", "A:", "####", the correct/best/final answer, option or choice is, or
          `\boxed{`; the last one counts. Where there is none, the last "so", "thus", "hence", "therefore",
          "finally", "in total", "altogether", "together", "total:" at the start of a clause, if a verdict
          follows it. What stands before is work and not read, unless an earlier lead, or a line or clause
          that is nothing else, states another verdict, or its last clause has a word that Beside or Doubt
          refuses ("I don't think the answer is"). Several boxes are a list for a Formula and rivals for all
          else. To the letter, a Number's or text's own reference is always right. The reasoning is no part
          of the answer, but its last lead or box, else the "so" of its last sentence, must not state
          another verdict.
Beside    In the verdict's own sentence stand, beside the verdict, small words (the, it, is, has, there, of,
          total, left, answer, makes, costs, needs ...), words of the question (by stem: "takes" is
          "taken") and, for a Number or Formula, units of measure and money. Any other word refuses. So
          do, even where the question has them: not, or, if, maybe, about, least, more, half, times,
          dozen, think, wrong, another ... words.py holds the lists.
Doubt     In a reason these withdraw: hedges and retractions (not sure, unclear, probably, wrong, mistaken,
          lying, kidding, actually, instead, also known as, in theory), "?", "it could be", and a reason
          that opens with but, though, although, however, except, unless, if, only, when, or. There "not",
          "may" and "if" further on explain and are no doubt. words.py holds the closed list.
Number    one literal: 60, 60.00, 1,000, 1/2 in lowest terms, 3 1/2, 50%, $60, 6e1, 6 \times 10^1, sixty,
          1.45 million, with a sign or brackets around; alone, behind a name (x =, f(2) =), or the one
          candidate of its sentence: "He has 60 apples." Every other number is a rival, even one that the
          prompt gives; the same number again is none. Without a lead it is the first sentence with a
          number. Or the last member of a true chain of equations; lines of equations are read by the last.
          A false equation anywhere refuses the answer. Refused: what is left to compute (12 * 5, 6/8), a
          number behind to, from, by, into or "sum of", a letter that is no unit behind it (60 x), a unit
          of the dimension asked for that is another one, a fraction where a decimal is asked.
          p% is p/100; where the question or the reference has percent, it is p too. Exact: no tolerance.
Formula   one formula in its delimiters or alone, or a list joined by commas, "and", "or"; a leading name
          (x =, f(x) =) and a unit or \pmod{} behind it may be left out. Lists and sets in any order,
          intervals, tuples, matrices, equations (up to a constant factor), inequalities in one symbol as
          intervals. Equal is what is proved equal; nothing may be left to compute (3*3*\pi, 2/2^{150}:
          factors that reduce), nor functions used that the reference has not. Where the prompt says
          simplify, expand, factor or rationalize, the answer has the reference's form, order aside; the
          prompt's own expression is no answer. A condition behind it may only name a variable's domain
          ($k \in \mathbb{Z}$, "where n is the number of sides"). A value has at most 200,000 bits.
Choice    a label (B, (b), "Option B"), the choice's text (by key: case, articles, hyphens and plural aside),
          or both where they agree, alone or in a sentence that names one choice; "B is correct". Its
          reason names no other choice, by label or text, unless it dismisses it: "not C", "unlike C",
          "rather than C", "A and C are wrong".
YesNo     yes, no, true or false first, then an end or a pronoun or "the" ("no one" is no verdict); "it is
          true". Its reason never says the other word or judgement ("it is false"), and a clause in the
          question's own words has the verdict's polarity: "No, it cannot" is no doubt.
ShortText the reference or an alias by key, alone or once in a sentence, which has commas only where the
          question has some and, where the question says "or", small words alone. Other candidates are
          unknown, so what follows must show that it is a reason: because, since, as, which, "It makes
          ...", "(plural: ...)", the question's own words, or "not X". A second name is refused. A list is
          right in any order. Keys know number words, but neither ordinals in words nor British spelling.
          A Number's reference in words ("even", "3:30 pm") is read so.
Reason    (Number, Formula) names no other number: expressions and true equations of the verdict's value
          are none.

`read` tells what an answer states, `score` says it as a component does, `stated`, `equations` and `reaches`
read reasoning. Pure, picklable, linear in the text; sympy is only imported to compare formulas.
"""

import dataclasses
import functools
import re

from rewards.reading import choices
from rewards.reading import formula
from rewards.reading import numbers
from rewards.reading import sentences
from rewards.reading.dress import undress
from rewards.reading.dress import wordy
from rewards.reading.words import Refused
from rewards.schema import Choice
from rewards.schema import Number
from rewards.schema import Reference
from rewards.schema import Score
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
_WORDS = re.compile(r"\([A-Za-z ]+\)|[A-Za-z][a-z ]{2,}[A-Za-z ]*|\d{1,2}:\d\d[ apmAPM.]*")


def read(text: str, reference: Reference, prompt: str = "", reasoning: str = "") -> Verdict | Refusal:
  """Returns what `text` states in reply to `prompt`, by the rules of this package's docstring.

  Args:
    text: what stands in the answer's tags; any text at all.
    reference: Number, Choice, YesNo or Text; a Text of one capital letter is a choice without texts.
    reasoning: what stands in the reasoning's tags; it may conclude nothing else.

  Raises:
    TypeError: another kind of reference, which has no short answer.
  """
  kind = _kind(reference, prompt)
  is_letter = isinstance(reference, (Number, Text)) and text.strip() == reference.text.strip() != ""
  try:
    said = "" if is_letter else sentences.prepared(text, kind.most_characters)
    verdict = kind.expected if is_letter else sentences.settle(said, kind)
    sentences.refuse_other_conclusion(reasoning, kind, verdict)
    return Verdict(kind.shown(verdict), is_letter or kind.same(verdict, kind.expected))
  except Refused as refusal:
    return Refusal(refusal.cause, str(refusal))


def score(text: str, reference: Reference, prompt: str, reasoning: str = "") -> Score:
  """Returns 1.0 when `text` states the reference, else 0.0, with the reason; see `read`."""
  verdict = read(text, reference, prompt, reasoning)
  expected = reference.text[-80:] or getattr(reference, "label", "")
  if isinstance(verdict, Refusal):
    return Score(0.0, reason=f"{verdict.reason} Expected {expected!r}.", cause=verdict.cause)
  agrees = "is" if verdict.correct else "is not"
  reason = f"The answer states {verdict.stated[:80]!r}, which {agrees} {expected!r}."
  return Score(float(verdict.correct), reason=reason)


def _kind(reference: Reference, prompt: str) -> sentences.Kind:
  """How answers to a question with this reference are read."""
  if isinstance(reference, YesNo):
    return choices.YesNoKind(prompt, reference.value)
  if isinstance(reference, Text) and re.fullmatch("[A-J]", reference.text.strip()):
    reference = Choice(label=reference.text.strip(), text="", choices=_LETTERS)
  if isinstance(reference, Choice):
    return choices.ChoiceKind(prompt, reference)
  if isinstance(reference, Text):
    return choices.ShortTextKind(prompt, (reference.text, *reference.aliases))
  if not isinstance(reference, Number):
    raise TypeError(f"a reference of type {type(reference).__name__} has no short answer")
  expected = reference_of(reference.text)
  if isinstance(expected, numbers.Value):
    return numbers.NumberKind(prompt, expected)
  if _WORDS.fullmatch(wordy(expected)):
    return choices.ShortTextKind(prompt, (expected,))
  return formula.FormulaKind(prompt, expected)


@functools.lru_cache(maxsize=4096)
def reference_of(text: str) -> numbers.Value | str:
  """A reference as a number, else as a formula; what follows its last lead or box, on trust."""
  stated = text
  try:
    prepared = sentences.prepared(text)
    boxed, leads = sentences.boxes(prepared), sentences.leads(prepared)
    stated = ", ".join(dict.fromkeys(content for _, _, content in boxed))
    stated = stated or prepared[leads[-1].end() if leads else 0 :].strip(" :\n")
    is_percent = boxed and re.match(r"[\s$]*(?:%|percent\b)", prepared[boxed[-1][1] :])
    stated += "%" if is_percent else ""
    return numbers.trusted(stated)
  except Refused:
    return formula.bare(stated)


def stated(sentence: str, reference: Choice | YesNo, prompt: str = "") -> str | None:
  """Returns what one sentence of reasoning states: a label, "yes" or "no"; None where it states nothing."""
  verdict = read(sentence, reference, prompt)
  return verdict.stated if isinstance(verdict, Verdict) else None


def equations(text: str, least: int = 1) -> list[numbers.Chain]:
  """Returns the chains of plain arithmetic in reasoning; `numbers.equations` of what its dress leaves."""
  return numbers.equations(undress(text), least)


def reaches(text: str, number: str) -> bool:
  """Says whether arithmetic in `text` arrives at `number`: a true chain or an expression has its value.

  Args:
    text: reasoning of any kind; what cannot be read in it is passed over.
    number: a number as an answer or a reference writes it.
  """
  value = reference_of(number)
  found = [*equations(text), *(e for e in equations(text, 0) if "=" not in e.text)]
  return isinstance(value, numbers.Value) and any(e.true and e.value.value == value.value for e in found)
