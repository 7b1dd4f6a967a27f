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
    return f"{self.value}{'%' if self.percent else ''}" if self.value.denominator < 10**40 > abs(self.value) else "a long number"


# ---- What stands around a number -----------------------------------------------------------------

COMPUTES = re.compile(
    r"\b(?:more|less|fewer|times|dozens?|pairs?|scores?|hundred(?:th)?s?|thousand(?:th)?s|tens|lakhs?|crores?|million(?:th)?s|"
    r"half|halves|double[ds]?|twice|thrice|triple[ds]?|squared|square(?! [a-z])|cubed|sum|product|difference|reciprocal|inverse|"
    r"quotient|remainder|factorial|mod(?:ulo)?|plus|minus|divided|multipl\w+|add(?:ed)?|subtract\w*|sqrt|root|"
    r"(?:half|third|quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth)s|pi|log|sin|cos|tan|hex\w*|binary|octal|base|"
    r"(?:higher|lower|larger|smaller|bigger|older|younger|too \w+) than|power)\b",
    re.IGNORECASE,
)
_CALLED = re.compile(r"\b(?:is|are|was|were) (?:too|an?|what)\b", re.IGNORECASE)
_SCALED = re.compile(r"\s*(thousand|million|billion|trillion)\b", re.IGNORECASE)
_SQUARED_UNIT = re.compile(r"([0-9]\s*(?:m|in|ft|[a-z]{2,}))\s*\^\s*\(?[23]\)?")
_UNIT_LETTERS = re.compile(r"(?:[mgshlLAVWNJKCF]|[kcmdnµ]?m|k?g|mg|[mk]?[lL]|k?Hz|st|nd|rd|th|ft|in|lbs?|oz|mph|kph|kmh?|am|pm|hrs?|mins?|secs?|cc|kW|kWh)")
_STRAY = re.compile(r"[\\^_{}<>|*&#@=\[\]~]|[^\x00-\x7f°—…\w]|(?<![A-Za-z\s\d])/|/(?!\s*[A-Za-z])")
_MEASURES = [
    dict.fromkeys(words.split(), number)
    for number, words in enumerate((
        "second minute hour day week month year", "cent dollar", "millimeter centimeter meter kilometer inch foot feet yard mile",
        "gram kilogram ounce pound ton", "milliliter liter gallon quart pint cup",
    ))
]  # fmt: skip
_DIMENSION = {unit: number for units in _MEASURES for unit, number in units.items()}
_ASKED_UNIT = re.compile(r"\b(?:how many|in|number of|amount of)\s+([a-z]+)(?:\s+([a-z]+))?", re.IGNORECASE)
PERCENT = re.compile(r"%|\bpercent", re.IGNORECASE)


@functools.lru_cache(maxsize=1024)
def _given(prompt: str) -> frozenset[tuple[Fraction, str]]:
  """The numbers of a prompt, each with the word behind it, or "$"."""
  dollars = {m[1] for m in re.finditer(rf"\$\s?({NUMBER})", prompt[:20_000])}
  found = set()
  for match in re.finditer(rf"({NUMBER})[\s-]*([A-Za-z%]*)", plain(prompt[:20_000])):
    if len(match[1]) <= 40 and "e" not in match[1].lower():
      value = literal_value(match[1])
      found.add((value, match[2].lower().rstrip("s")))
      if match[1] in dollars:
        found.add((value, "$"))
  return frozenset(found)


@dataclasses.dataclass
class _Found:
  value: Value
  work: int
  start: int
  end: int
  word: str


def _expressions(text: str) -> list[_Found]:
  found = []
  for match in EXPRESSION.finditer(text):
    raw = match[0]
    start = match.start() + len(raw) - len(raw.lstrip())
    before = text[:start].rstrip()[-1:]
    if raw.lstrip()[:1] in ("-", "+") and before and (before.isalnum() or before in ")%"):
      glued = len(text[:start]) == len(text[:start].rstrip()) or raw.lstrip()[1:2].isspace()
      if raw.lstrip()[0] == "+" or before.isdigit() or before in ")%" or glued and raw.lstrip()[1:2].isspace():
        raise Refused("unevaluated", "Number: nothing may be left to compute.")
      raw = " " + raw.lstrip()[1:] if glued else raw  # a hyphen: "sheep-60"
    balanced = raw.count("(") == raw.count(")")
    value, work, form = evaluate((raw if balanced else raw.replace("(", " ").replace(")", " ")).strip())
    scaled = _SCALED.match(text, match.end())
    end = scaled.end() if scaled else match.end()
    value *= SCALES[scaled[1].lower()] if scaled else 1
    percent = re.compile(r"\s*%").match(text, end)
    end = percent.end() if percent else end
    word = re.compile(r"[\s-]*([A-Za-z]*)").match(text, end)[1].lower().rstrip("s")
    found.append(_Found(Value(value, bool(percent), form), work, start, end, "%" if percent else word))
  return found


def _quantity(text: str, prompt: str) -> Value:
  """The one literal of a sentence or of the last member of a chain, with one unit phrase."""
  text = _SQUARED_UNIT.sub(r"\1", text)
  found = _expressions(text)
  given = _given(prompt)
  own = [f for f in found if (f.value.value, f.word) not in given and (f.value.value, "$") not in given] or found
  if not own:
    raise Refused("unreadable", f"Number: {text.strip()[:60]!r} states none.")
  if len({(f.value.value, f.value.percent) for f in own}) > 1:
    raise Refused("several", f"Number: {text.strip()[:60]!r} names several candidates.")
  one = own[-1]
  if any(f.work for f in own):
    raise Refused("unevaluated", f"Number: {text.strip()[:60]!r} leaves something to compute.")
  rest = text
  for f in reversed(found):
    tail = rest[f.end :]
    glued = re.match(r"([A-Za-z]+)", tail)
    if glued and not _UNIT_LETTERS.fullmatch(glued[1]) or tail[:1] in ("!", "_", ":", "^", "("):
      raise Refused("unreadable", f"Number: {text.strip()[:60]!r} is not one literal with a unit.")
    if re.match(r"\s+[A-Za-z](?![\w'/.])", tail) and not re.match(r"\s+(?:[mgshlLAVWNJKCFa])\b", tail):
      raise Refused("unreadable", f"Number: {text.strip()[:60]!r} has an unknown behind it.")
    if re.match(r"\s*[+*^]|\s+-\s|\s*[-/]\s*[A-Za-z](?![A-Za-z])", tail) and not re.match(r"\s*/\s*[mhsLlg]\b", tail):
      raise Refused("unevaluated", f"Number: {text.strip()[:60]!r} leaves something to compute.")
    if f.start and re.match(r"[A-Za-z_.]", rest[f.start - 1]) or re.search(r"\d\s*[,.:]\s*$", rest[: f.start]):
      raise Refused("unreadable", f"Number: {text.strip()[:60]!r} is not one literal with a unit.")
    rest = rest[: f.start] + " " + tail
  computes = COMPUTES.search(rest) or ANY_NUMBER_WORD.search(rest) or _CALLED.search(rest)
  if computes:
    raise Refused("unevaluated", f"Number: {computes[0]!r} multiplies or compares; one literal with one unit is read.")
  stray = _STRAY.search(rest)
  if stray:
    raise Refused("unreadable", f"Number: {stray[0]!r} is no part of a literal with a unit.")
  dimension = _DIMENSION.get(one.word)
  words = [w.lower().rstrip("s") for m in _ASKED_UNIT.finditer(prompt) for w in m.groups() if w] if dimension is not None else []
  asked = {w for w in words if w in _DIMENSION}
  if asked and one.word not in asked and dimension in {_DIMENSION[u] for u in asked}:
    raise Refused("unit", f"Number: the question asks for {'/'.join(sorted(asked))}, not {one.word}.")
  return one.value


_UNIT_BEFORE_SIGN = re.compile(r"(?<=[0-9)])\s*(?!times\b|plus\b|minus\b|and\b|or\b)(?:[A-Za-z]{2,}[ /]?)+(?=\s*(?:[-+*/)=]|$))")
_NAMED = re.compile(r"\b[A-Za-z]\s*\([^()]*\)|[A-Za-z]_\{?\w+\}?|\|[A-Z]{1,3}\||\\angle\s*[A-Z]*|\\triangle\s*[A-Z]*|\\(?:overline|text)\{[^{}]*\}|\\[a-z]+(?![a-zA-Z])")


def _statement(text: str, prompt: str) -> Value:
  """The value of a sentence: its one literal, or the last member of its true chain."""
  members = _NAMED.sub("N", text).split("=") if "=" in text else [text]
  if len(members) == 1:
    return _quantity(text, prompt)
  *others, last = members
  if not re.search(r"[0-9]", last) and len(others) == 1:  # 60 = x
    others, last = [last], others[0]
  value = _quantity(last, prompt)
  for other in others:
    name = other.strip()
    if not re.search(r"[0-9]", name):
      if re.search(r"[-+*/^]", name) and re.sub(r"\s", "", name) not in re.sub(r"\s", "", prompt):
        raise Refused("unevaluated", f"Number: {name[:40]!r} = ... is an equation still to be solved.")
      continue
    start = re.search(r"[-+(]*\s*\.?[0-9]", name).start()
    if start and (name[start - 1] in "/*^" or name[start] in "-+" and name[:start].strip()):
      raise Refused("unevaluated", f"Number: {name[:40]!r} = ... is an equation still to be solved.")
    side = attempt(_UNIT_BEFORE_SIGN.sub(" ", name[start:]).replace("%", "/100" if not value.percent else ""))
    if side is None:
      raise Refused("unevaluated", f"Number: {name[:40]!r} = ... is an equation still to be solved.")
    if not equal_or_rounded(side[0], value.value, str(last)) and not value.percent:
      raise Refused("false_equation", f"Number: {name[:40]!r} is not {last.strip()[:40]!r}.")
  return value


_END = re.compile(
    r"\s*(?:[;\n]|(?<!\d)!|\.(?=\s|$)|—|,?\s(?:because|since|as(?= there| we| each| the| it)|which|given that)\b|(?<=[\w%°])\s+\((?![^()]*\)\s*[-+*/^=]))",
    re.IGNORECASE,
)
_APPROXIMATELY = re.compile(r"\s*\\(?:approx|simeq)\s*([0-9.,]+[0-9])(?=\s|$|[^0-9])")
_INTRODUCTION = re.compile(r"\s*(?:(?:it|that|this)(?:'s| is| was)|they are)\s+", re.IGNORECASE)


def trusted(text: str) -> Value:
  """The number that a reference is: a literal alone, with a sign, a currency, a unit or a percent sign."""
  text = plain(text.strip().rstrip("\\").rstrip(". "))
  value = _statement(text, "")
  if re.search(r"[A-Za-z]\s*[=(]", text):
    raise Refused("unreadable", "Number: a reference with a name is a formula.")
  return value


class NumberKind(Kind):
  """How numbers are read, for sentences.settle."""

  name = "Number"

  def take(self, body: str) -> tuple[Value, str] | None:
    """The number that `body` states first, and the text behind it."""
    body = plain(body)
    pieces = [p.strip(" .,") for p in re.split(r"\n+|;|,(?=\s)|\.(?=\s|$)", body) if p.strip(" .,")]
    if len(pieces) > 1 and all("=" in p for p in pieces):
      self._derivation(pieces)
      return self._stated(pieces[-1]), ""
    skipped = re.match(r"[^0-9]*(?:[.!;]\s|\n)\s*", body)
    if skipped and len(skipped[0]) < len(body) and not doubt.in_verdict(skipped[0]):
      body = body[skipped.end() :]  # sentences without a number
    match = re.search("[0-9]", body)
    if not match:
      return None
    end = _END.search(body, match.end())
    return self._stated(body[: end.start()] if end else body), body[end.start() :] if end else ""

  def _stated(self, sentence: str) -> Value:
    if len(sentence) > MAX_STATEMENT_CHARACTERS:
      raise Refused("too_long", f"Number: a sentence has at most {MAX_STATEMENT_CHARACTERS} characters.")
    rounded = _APPROXIMATELY.search(sentence)
    if rounded and (exact := attempt(sentence[: rounded.start()].rpartition("=")[2])):
      if equal_or_rounded(exact[0], literal_value(rounded[1]), rounded[1]):
        sentence = sentence[: rounded.start()] + sentence[rounded.end() :]
    word = doubt.in_verdict(sentence, number=True)
    if word:
      raise Refused("hedged", f"Doubt: {word!r} beside the number.")
    return _statement(sentence, self.prompt)

  def _derivation(self, pieces: list[str]) -> None:
    name, last = pieces[-1].partition("=")[::2]
    for piece in pieces[:-1]:
      if piece.partition("=")[0].strip() == name.strip() and not re.search("[0-9]", name) and piece.partition("=")[2].strip() != last.strip():
        raise Refused("several", f"Number: {name.strip()!r} is given two values.")
      if doubt.in_verdict(piece, number=True):
        raise Refused("hedged", "Doubt: beside the number.")

  def bare(self, line: str) -> Value | None:
    """The value of a line that is nothing but a number, with or without a unit."""
    line = plain(_INTRODUCTION.sub("", line.strip(" .,;:!"), count=1))
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
    text = plain(re.sub(r"(?m)^\s*\d{1,2}[.)]\s+(?=[A-Za-z])", " ", reason))
    for equation in reversed(equations(text)):
      if equation.true and equation.members[-1] == value.value:
        text = text[: equation.start] + " " + text[equation.end :]
    given = _given(self.prompt)
    try:
      for found in _expressions(text):
        known = (found.value.value, found.word) in given or (found.value.value, "$") in given
        if not known and found.value.value != value.value:
          raise Refused("several", f"Reason: it names another number, {found.value}.")
    except Refused as refusal:
      raise Refused("several", f"Reason: it names another number. ({refusal})") from None


def equal(answer: Value, reference: Value, prompt: str = "") -> bool:
  """Whether two numbers are the same, and in the form that was asked for.

  p % is p/100, but a whole reference above 1 is no hundredth of anything; where the question or the
  reference has percent, the sign is a unit like any other and `p` and `p %` are one.
  """
  asked = reference.percent or bool(PERCENT.search(prompt))
  if answer.percent == reference.percent:
    same = answer.value == reference.value
  elif answer.percent:
    whole = reference.value.denominator == 1 and abs(reference.value) > 1
    same = asked and answer.value == reference.value or not whole and answer.value / 100 == reference.value
  else:
    same = answer.value in (reference.value / 100, reference.value)
  form = _FORM.search(prompt)
  if same and form and not (answer.percent and reference.percent):
    wanted = form[1].lower()
    has = "percent" if answer.percent else answer.form
    if wanted == "decimal" and (has == "fraction" or has == "percent") or wanted == "fraction" and has == "decimal":
      raise Refused("unevaluated", f"Number: the prompt asks for a {wanted}.")
    if wanted == "percent" and has == "fraction" and reference.percent:
      raise Refused("unevaluated", "Number: the prompt asks for a percentage.")
  return same


_FORM = re.compile(r"\b(?:as|into|to) (?:an? |its )?(?:\w+ )?(decimal|fraction|percent)", re.IGNORECASE)
