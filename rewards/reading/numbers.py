r"""Numbers: the one literal that an answer states, with one unit phrase or at the end of a true chain.

One real input: `Tom has 5 * 12 = 60 apples.` states 60; `12 * 5` states nothing, because what is left to
compute is refused. Standard library alone. Not here: surds, variables and structures (formula.py).
"""

import dataclasses
from fractions import Fraction
import functools
import re

from rewards.reading import doubt
from rewards.reading.arithmetic import ANY_NUMBER_WORD
from rewards.reading.arithmetic import attempt
from rewards.reading.arithmetic import equal_or_rounded
from rewards.reading.arithmetic import equations
from rewards.reading.arithmetic import evaluate
from rewards.reading.arithmetic import EXPRESSION
from rewards.reading.arithmetic import literal_value
from rewards.reading.arithmetic import NUMBER
from rewards.reading.arithmetic import plain
from rewards.reading.arithmetic import SCALES
from rewards.reading.sentences import Kind
from rewards.reading.sentences import Refused

MAX_STATEMENT_CHARACTERS = 2_000


@dataclasses.dataclass(frozen=True)
class Value:
  """A number as written: `percent` with its sign, `value` what stands before it; `form` how it is spelled."""

  value: Fraction
  percent: bool = False
  form: str = "integer"  # or "fraction", "decimal"

  def __str__(self):
    short = self.value.denominator < 10**40 > abs(self.value)
    return f"{self.value}{'%' if self.percent else ''}" if short else "a long number"


# ---- What stands around a number -----------------------------------------------------------------

COMPUTES = re.compile(
    r"\b(?:more|less|fewer|times|dozens?|pairs?|scores?|hundred(?:th)?s?|thousand(?:th)?s|tens|lakhs?|crores?"
    r"|million(?:th)?s|half|halves|double[ds]?|twice|thrice|triple[ds]?|squared|cubed|sum|product|difference"
    r"|reciprocal|inverse|quotient|remainder|factorial|mod(?:ulo)?|plus|minus|divided|multipl\w+|add(?:ed)?"
    r"|subtract\w*|sqrt|root|(?:half|third|quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth)s|pi|log|sin"
    r"|cos|tan|hex\w*|binary|octal|base|(?:higher|lower|larger|smaller|older|younger|too \w+) than|power"
    r"|(?:is|are|was|were) (?:too|an?|what))\b",
    re.IGNORECASE,
)
_SCALED = re.compile(r"\s*(thousand|million|billion|trillion)\b", re.IGNORECASE)
_UNIT = (  # what may be glued to a literal, or be a letter alone behind it
    r"(?:[mgshlLAVWNJKCFa]|[kcmdnµ]m|kg|mg|m[lL]|k?Hz|st|nd|rd|th|ft|in|lbs?|oz|mph|kph|kmh?|am|pm"
    r"|hrs?|mins?|secs?)(?![A-Za-z])"
)
_BROKEN = re.compile(  # § is a number
    rf"[A-Za-z_.]§|§\s*§|§[,.:]§|§[!_:^(]|§(?!{_UNIT})[A-Za-z]|§\s+(?!{_UNIT})[A-Za-z](?![\w'/.])"
    r"|§\s*[+*^]|§\s+-\s"
    r"|§\s*[-/]\s*(?![mhsLlg]\b)[A-Za-z](?![A-Za-z])|[\\^_{}<>|*&#@=\[\]~]|[^\x00-\x7f°—…\w§]|[A-Za-z]\+"
    r"|(?<![A-Za-z\s§])/|/(?!\s*[A-Za-z])"
)
_LISTED = re.compile(r"§\s*[A-Za-z]*\s*(?:,|;|/|&|\band\b|\bor\b)\s*§")
_MEASURES = (
    "second minute hour day week month year", "cent dollar", "gram kilogram ounce pound ton",
    "centimeter meter kilometer inch foot feet yard mile", "milliliter liter gallon quart pint cup",
)
_ASKED = re.compile(r"\b(?:how many|in|number of|amount of)\s+([a-z]+?)s?\b", re.IGNORECASE)
_PERCENT = re.compile(r"%|\bpercent", re.IGNORECASE)


@dataclasses.dataclass
class _Found:
  """An expression of a text: its value, the operations that it leaves to do, and the word behind it."""

  value: Value
  work: int
  start: int
  end: int
  word: str


_WORD_BEHIND = re.compile(r"[\s-]*(?!(?:and|or|is|to|in|of|from|the|so|then)\b)([A-Za-z]{3,}?)s?\b")


@functools.lru_cache(maxsize=1024)
def _given(prompt: str) -> frozenset[tuple[Fraction, str]]:
  """The numbers that a prompt gives with a word behind them."""
  text, found = plain(prompt[:20_000]), set()
  for match in re.finditer(NUMBER, text):
    word = _WORD_BEHIND.match(text, match.end())
    if word and len(match[0]) <= 40 and "e" not in match[0].lower():
      found.add((literal_value(match[0]), word[1].lower()))
  return frozenset(found)


def _expressions(text: str) -> list[_Found]:
  found = []
  for match in EXPRESSION.finditer(text):
    raw = match[0].lstrip()
    start = match.end() - len(raw)
    before = text[:start].rstrip()[-1:]
    if raw[0] in "+-" and before and (before.isalnum() or before in ")%"):
      if raw[0] == "+" or not before.isalpha() or raw[1].isspace():
        raise Refused("unevaluated", "Number: nothing may be left to compute.")
      raw = raw[1:] if text[start - 1] == before else raw  # a hyphen: "sheep-60"
    if raw.count("(") != raw.count(")"):
      raw = raw.replace("(", " ").replace(")", " ")
    value, work, form = evaluate(raw.strip())
    scaled = _SCALED.match(text, match.end())
    end = scaled.end() if scaled else match.end()
    percent = re.compile(r"\s*%").match(text, end)
    end = percent.end() if percent else end
    word = _WORD_BEHIND.match(text, end)
    value *= SCALES[scaled[1].lower()] if scaled else 1
    found.append(_Found(Value(value, bool(percent), form), work, start, end, word[1].lower() if word else ""))
  return found


def _quantity(text: str, prompt: str) -> Value:
  """The one literal of a sentence or of the last member of a chain, with one unit phrase."""
  text = re.sub(r"([0-9]\s*(?:m|in|ft|[a-z]{2,}))\s*\^\s*\(?[23]\)?", r"\1", text)  # a square unit
  shown = repr(text.strip()[:60])
  found = _expressions(text)
  own = [f for f in found if (f.value.value, f.word) not in _given(prompt)] or found
  if not own:
    raise Refused("unreadable", f"Number: {shown} states none.")
  if len({(f.value.value, f.value.percent) for f in own}) > 1:
    raise Refused("several", f"Number: {shown} names several candidates.")
  one = own[-1]
  if any(f.work for f in own):
    raise Refused("unevaluated", f"Number: {shown} leaves something to compute.")
  masked = text
  for f in reversed(found):
    masked = masked[: f.start] + "§" + masked[f.end :]
  if len({f.value.value for f in found}) > 1 and _LISTED.search(masked):
    raise Refused("several", f"Number: {shown} lists several candidates.")
  computes = COMPUTES.search(masked) or ANY_NUMBER_WORD.search(masked)
  if computes:
    raise Refused("unevaluated", f"Number: {computes[0]!r} multiplies or compares; one literal is read.")
  if _BROKEN.search(masked):
    raise Refused("unreadable", f"Number: {shown} is not one literal with a unit.")
  for measures in map(str.split, _MEASURES):
    asked = {unit.lower() for unit in _ASKED.findall(prompt)} & set(measures)
    if asked and one.word in measures and one.word not in asked:
      raise Refused("unit", f"Number: the question asks for {'/'.join(sorted(asked))}, not {one.word}.")
  return one.value


_FUNCTION_NAME = re.compile(r"[A-Za-z]\s*\([^()=]*\)|\|[A-Z]{1,3}\||\\(?:angle|triangle)\s*[A-Z]*")


def _statement(text: str, prompt: str) -> Value:
  """The value of a sentence: its one literal, or the last member of a true chain, behind a name or not."""
  *others, last = text.split("=")
  if len(others) == 1 and not re.search("[0-9]", last):
    others, last = [last], others[0]  # 60 = x
  value = _quantity(last, prompt)
  for member in map(str.strip, others):
    number = re.search(r"[-+(]*\s*\.?[0-9]", member)
    is_name = not number and not re.search(r"[-+*/^]", member) or _FUNCTION_NAME.fullmatch(member)
    if is_name or not number and re.sub(r"\s", "", member) in re.sub(r"\s", "", prompt):
      continue
    words, computed = (member[: number.start()], member[number.start() :]) if number else (member, "")
    side = attempt(computed.replace("%", "" if value.percent else "/100"))
    if side is None or words[-1:] in tuple("/*^") or words and computed[0] in "-+":
      raise Refused("unevaluated", f"Number: {member[:40]!r} = ... is an equation still to be solved.")
    if not equal_or_rounded(side[0], value.value, last) and not value.percent:
      raise Refused("false_equation", f"Number: {member[:40]!r} is not {last.strip()[:40]!r}.")
  return value


_END = re.compile(
    r"\s*(?:[;\n]|(?<!\d)!|\.(?=\s|$)|—|,?\s(?:because|since|as(?= there| we| each| the| it)|which)\b"
    r"|(?<=[\w%°])\s+\((?![^()]*\)\s*[-+*/^=]))",
    re.IGNORECASE,
)
_APPROXIMATELY = re.compile(r"\s*\\(?:approx|simeq)\s*([0-9.,]+[0-9])(?=\s|$|[^0-9])")
_INTRODUCTION = re.compile(r"\s*(?:(?:it|that|this)(?:'s| is| was)|they are)\s+", re.IGNORECASE)


def trusted(text: str) -> Value:
  """The number that a reference is: a literal alone, with a sign, a currency, a unit or a percent sign."""
  text = plain(text.strip().rstrip("\\").rstrip(". "))
  if re.search(r"[A-Za-z]\s*[=(]", text):
    raise Refused("unreadable", "Number: a reference with a name is a formula.")
  return _statement(text, "")


class NumberKind(Kind):
  """How numbers are read, for sentences.settle."""

  name = "Number"

  def take(self, body: str) -> tuple[Value, str] | None:
    """The number that `body` states first, and the text behind it."""
    body = plain(body)
    lines = [line.strip(" .,") for line in body.split("\n") if line.strip(" .,")]
    if len(lines) > 1 and all("=" in line for line in lines):
      names = [line.partition("=")[0].strip() for line in lines if not re.match("[-(]*[0-9]", line)]
      if len(set(names)) < len(names):
        raise Refused("several", "Number: one name is given two values.")
      if doubt.in_verdict(" ".join(lines), number=True):
        raise Refused("hedged", "Doubt: beside the number.")
      return self._stated(lines[-1]), ""
    skipped = re.match(r"[^0-9]*(?:[.!;]\s|\n)\s*", body)
    if skipped and skipped.end() < len(body) and not doubt.in_verdict(skipped[0]):
      body = body[skipped.end() :]  # sentences without a number
    number = re.search("[0-9]", body)
    if not number:
      return None
    end = _END.search(body, number.end())
    return self._stated(body[: end.start()] if end else body), body[end.start() :] if end else ""

  def _stated(self, sentence: str) -> Value:
    if len(sentence) > MAX_STATEMENT_CHARACTERS:
      raise Refused("too_long", f"Number: a sentence has at most {MAX_STATEMENT_CHARACTERS} characters.")
    rounded = _APPROXIMATELY.search(sentence)
    exact = attempt(sentence[: rounded.start()].rpartition("=")[2]) if rounded else None
    if exact and equal_or_rounded(exact[0], literal_value(rounded[1]), rounded[1]):
      sentence = sentence[: rounded.start()] + sentence[rounded.end() :]
    word = doubt.in_verdict(sentence, number=True)
    if word:
      raise Refused("hedged", f"Doubt: {word!r} beside the number.")
    return _statement(sentence, self.prompt)

  def bare(self, line: str) -> Value | None:
    """The value of a line that is nothing but a number, with or without a unit."""
    line = plain(_INTRODUCTION.sub("", line.strip(" .,;:!()"), count=1))
    found = re.fullmatch(rf"(-?\s*(?:{NUMBER})(?:\s*/\s*[0-9]+)?)\s*(%?)\s*[A-Za-z]*", line)
    value = attempt(found[1]) if found else None
    return Value(value[0], bool(found[2])) if value else None

  def same(self, first: Value, second: Value) -> bool:
    return first.value == second.value

  def check(self, value: Value, reason: str) -> None:
    """Refuses a reason that withdraws the number or names another one."""
    word = doubt.in_reason(reason)
    if word:
      raise Refused("hedged", f"Doubt: {word!r} withdraws the number.")
    text = plain(re.sub(r"(?m)^\s*\d{1,2}[.)]\s+", " ", reason))
    for equation in reversed(equations(text)):
      if equation.true and equation.members[-1] == value.value:
        text = text[: equation.start] + " " + text[equation.end :]
    alone = [self.bare(line) for line in re.split(r"[.,;!?](?=\s|$)|\n", text[:4_000])]
    try:
      others = [f.value for f in _expressions(text) if (f.value.value, f.word) not in _given(self.prompt)]
    except Refused as refusal:
      raise Refused("several", f"Reason: it names another number. ({refusal})") from None
    if any(other and other.value != value.value for other in others + alone):
      raise Refused("several", "Reason: it names another number.")


_FORM = re.compile(r"\b(?:as|into|to) (?:an? |its )?(?:\w+ )?(decimal|fraction|percent)", re.IGNORECASE)


def equal(answer: Value, reference: Value, prompt: str = "") -> bool:
  """Whether two numbers are the same, and in the form that was asked for.

  p % is p/100, but a whole reference above 1 is no hundredth of anything; where the question or the
  reference has percent, the sign is a unit like any other and `p` and `p %` are one.
  """
  if answer.percent == reference.percent:
    same = answer.value == reference.value
  elif answer.percent:
    is_asked = bool(_PERCENT.search(prompt))
    whole = reference.value.denominator == 1 and abs(reference.value) > 1
    same = is_asked and answer.value == reference.value or not whole and answer.value / 100 == reference.value
  else:
    same = answer.value in (reference.value / 100, reference.value)
  form = _FORM.search(prompt)
  if same and form and not (answer.percent and reference.percent):
    wanted, has = form[1].lower(), "percent" if answer.percent else answer.form
    refused = {"decimal": ("fraction", "percent"), "fraction": ("decimal",), "percent": ("fraction",)}
    if has in refused[wanted]:
      raise Refused("unevaluated", f"Number: the prompt asks for a {wanted}.")
  return same
