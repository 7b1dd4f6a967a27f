r"""Numbers: the one literal that an answer states, with one unit phrase or at the end of a true chain.

One real input: `Tom has 5 * 12 = 60 apples.` states 60; `12 * 5` states nothing, because what is left to
compute is refused. Standard library alone. Not here: surds and variables (formula.py).
"""

import dataclasses
from fractions import Fraction
import re
import typing

from rewards.reading import doubt
from rewards.reading.algebra import parse
from rewards.reading.algebra import value as value_of
from rewards.reading.algebra import work
from rewards.reading.sentences import Kind
from rewards.reading.sentences import Refused
from rewards.reading.words import digits
from rewards.reading.words import refuse_beside
from rewards.reading.words import SCALES
from rewards.reading.words import UNITS

MAX_STATEMENT_CHARACTERS = 2_000

_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
_SPELLING = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"\\(?:text\w*|mbox|math(?:rm|bf|it|sf)|bf)\s*\{([^{}]*)\}", r" \1 "),
        (r"\\[()\[\]]|(?:\b(?:US|CA?|A))?[$€£¥]|\b(?:USD|EUR|GBP)\b", ""),
        (rf"\b(?:(an?|1)[ -]({'|'.join(_PARTS)})|(half))\b(?! of)", lambda m: f"1/{_PARTS[(m[2] or m[3]).lower()]}"),
        (r"(?<![\d.,])(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}|[1-9]\d{0,2}(?: \d{3})+)(?![\d,])(?! \d)",
         lambda m: re.sub("[, ]", "", m[0])),
        (rf"(?<![\d.])(\d+(?:\.\d+)?)\s*({'|'.join(SCALES)})\b", lambda m: f"{m[1]}e{len(str(SCALES[m[2].lower()])) - 1}"),
        (r"\\pmod\s*\{?\d+\}?|\(\\?mod\s*\{?\d+\}?\)", " "),  # a residue is a unit phrase
        (r"\\(?:times|cdot)(?![a-zA-Z])|(?<=[\d)])\s*x\s*(?=\(?\d)|(?<=\d) times (?=\d)", "*"),
        (r"\\div(?![a-zA-Z])|(?<=\d) divided by (?=\d)", "/"),
        (r"(?<=\d) plus (?=\d)", "+"),
        (r"\b(?:minus|negative) (?=\d)", "-"),
        (r"(?<=\d)\s*percent\b", "%"),
        (r"<<[^<>]*=\s*([-\d.]+)>>(?:\s*\1(?!\.?\d))?", r"\1"),
        (r"([*/+-]\s*\(?-?[\d.,]{1,40}\)?)\s+(?:is|equals|makes|gives)\s+(?=-?\d)", r"\1 = "),
        (r"(\d\s*(?:m|[a-z]{2,9}))\s*\^\s*[({]?[23][)}]?", r"\1"),  # a square unit
    )
]  # fmt: skip
_NUMBER = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_EXPRESSION = (
    rf"(?:[-+({{]|[^\S\n]|\\frac|\\sqrt){{0,12}}{_NUMBER}"
    rf"(?:(?:[-+*/^(){{}}]|[^\S\n]|\\frac|\\sqrt){{1,12}}{_NUMBER})*(?:[^\S\n]*[)}}])*"
)
_MEMBER = re.compile(rf"(?P<text>{_EXPRESSION})(?P<percent>\s?%)?")
_CHAIN = re.compile(rf"{_EXPRESSION}(?:\s?%)?(?:[^\S\n]*=[^\S\n]*{_EXPRESSION}(?:\s?%)?)*")


class Value(typing.NamedTuple):
  """A number as written: `percent` with its sign, `value` what stands before it; `form` how it is spelled."""

  value: Fraction
  percent: bool = False
  form: str = ""  # "." a decimal, "/" a fraction

  def __str__(self):
    short = self.value.denominator < 10**40 > abs(self.value)
    return f"{self.value}{'%' if self.percent else ''}" if short else "a long number"


@dataclasses.dataclass(frozen=True)
class Equation:
  """A chain of arithmetic in a text: `members` are its values in order, `true` whether all are equal.

  `value` is the last member, `left` the operations that it leaves to do.
  """

  text: str
  start: int
  end: int
  members: tuple[Fraction, ...]
  true: bool
  value: Value
  left: int


def spelled(text: str) -> str:
  """Returns a text with number words in digits and signs in ASCII, currency left out."""
  text = digits(text)
  for pattern, replacement in _SPELLING:
    text = pattern.sub(replacement, text)
  return text


def chains(text: str) -> list[Equation]:
  """Every expression of a spelled text, alone or in a chain of equations.

  Raises:
    Refused: one cannot be parsed, divides by zero or is too large.
  """
  return [_chain(match) for match in _CHAIN.finditer(text)]


def _chain(match: re.Match) -> Equation:
  members, trees = [], []
  for member in _MEMBER.finditer(match[0]):
    written = member["text"].strip()
    if written.count("(") != written.count(")"):
      written = written.strip("() ")
    tree = parse(written)
    value = value_of(tree)
    if value is None:
      raise Refused("unevaluated", "Number: nothing may be left to compute.")
    members.append(Value(value, bool(member["percent"]), "/" if tree.head == "/" else tree.args[-1] if tree.head == "number" else ""))
    trees.append((tree, written))
  values = [m.value / 100 if m.percent and not all(n.percent for n in members) else m.value for m in members]
  true = all(_equal_or_rounded(a, b, written) for a, b, (_, written) in zip(values, values[1:], trees[1:]))
  start = match.end() - len(match[0].lstrip())
  return Equation(match[0].strip(), start, match.end(), tuple(values), true, members[-1], work(trees[-1][0]))


def _equal_or_rounded(exact: Fraction, stated: Fraction, written: str) -> bool:
  """Whether `stated` is the value, or its rounding where the value has no decimals that end within four."""
  decimals = re.search(r"\.(\d+)\D*$", written)
  is_endless = (exact * 10**4).denominator != 1
  rounds = decimals and is_endless and abs(exact - stated) < Fraction(1, 10 ** len(decimals[1]))
  return exact == stated or bool(rounds)


_PART_OF_MORE = re.compile(r"(?:[A-Za-z_^{}\\*/)=]|(?<![A-Za-z])x\s*|[—%]\s*)$")
_GOES_ON = re.compile(r"\s*(?:[*/^+(\\=]|-\s*[\w(\\])|[A-Za-z](?![A-Za-z])|[!_{]|\s*(?:r\b|remainder)")


def equations(text: str) -> list[Equation]:
  """Returns the chains of plain arithmetic in a text, such as `12 * 5 = 60`; letters are left alone.

  A decimal that is the rounded value of a quotient is no error: 40/3 = 13.33.
  """
  text, found = spelled(re.sub(r"(?m)^\s*\d{1,2}[.)]\s+(?=[\d(])", "", text)), []
  for match in _CHAIN.finditer(text):
    start = match.end() - len(match[0].lstrip())
    signed = text[start] in "+-" and re.search(r"[\w)}]\s*$", text[max(0, start - 20) : start])
    if "=" in match[0] and not signed and not _PART_OF_MORE.search(text[max(0, start - 20) : start].rstrip("\n")) \
        and not _GOES_ON.match(text, match.end()):
      try:
        chain = _chain(match)
      except Refused:
        continue
      if re.search(r"\d\s*[-+*/^(]|\\", match[0]):  # x = 59 = 60 computes nothing
        found.append(chain)
  return found


def reaches(text: str, value: Fraction) -> bool:
  """Whether arithmetic in a text arrives at a value: a true chain ends in it, or an expression has it."""
  if any(e.true and e.members[-1] == value for e in equations(text)):
    return True
  for match in _MEMBER.finditer(spelled(text)):
    try:
      tree = parse(match["text"].strip())
      if work(tree) and value_of(tree) == value:
        return True
    except Refused:
      continue
  return False


# ---- The verdict ---------------------------------------------------------------------------------

_END = re.compile(
    r"\s*(?:[;\n]|(?<!\d)!|\.(?=\s|$)|—|,?\s(?:because|since|as(?= there| we| each| the| it)|which)\b"
    r"|(?<=[\w%°])\s+\((?![^()]*\)\s*[-+*/^=])|\s-\s(?=[A-Za-z]))",
    re.IGNORECASE,
)
_DEFINED = re.compile(r"(?:\b[A-Za-z]\s*\([^()=]*\)|\|[A-Z]{1,3}\||\\(?:angle|triangle)\s*[A-Z]*|(?<!\S)[A-Za-z])\s*=|=\s*[A-Za-z]\s*$")
_GLUED = re.compile(r"[A-Za-z_.^*/)]§|§[,.:]§|§!|§(?!(?:[mgshlLFC]|[kcm]m|kg|m[lL]|st|nd|rd|th|am|pm|mph|km)(?![A-Za-z]))[A-Za-z_^({\\]")
_PLAIN = re.compile(r"[A-Za-z\s',.:()°/§=-]*[.!]*")
_MEASURES = (
    "second minute hour day week month year", "cent dollar", "gram kilogram ounce pound ton",
    "centimeter meter kilometer inch foot feet yard mile", "milliliter liter gallon quart pint cup",
)  # fmt: skip
_UNIT_ASKED = re.compile(r"\b(?:how many|in|number of|amount of)\s+([a-z]+?)s?\b", re.IGNORECASE)
_FORM_ASKED = re.compile(r"\b(?:as|into|to) (?:an? |its )?(?:\w+ )?(decimal|fraction|percent)", re.IGNORECASE)


class NumberKind(Kind):
  """How numbers are read; verdicts are Values."""

  name = "Number"

  def take(self, body: str) -> tuple[Value, str] | None:
    """The number that `body` states first, and the text behind it; lines of equations are read by the last."""
    body = spelled(body)
    lines = [line.strip(" .,") for line in body.split("\n") if line.strip(" .,")]
    if len(lines) > 1 and all("=" in line for line in lines):
      names = [line.partition("=")[0].strip() for line in lines if not re.match("[-(]*[0-9]", line)]
      if len(set(names)) < len(names):
        raise Refused("several", "Number: one name is given two values.")
      return self._stated(lines[-1]), ""
    skipped = re.match(r"[^0-9]*(?:[.!;]\s|\n)\s*", body)
    if skipped and skipped.end() < len(body) and not doubt.before(skipped[0]):
      body = body[skipped.end() :]  # sentences without a number
    number = re.search("[0-9]", body)
    if not number:
      return None
    end = _END.search(body, number.end())
    return self._stated(body[: end.start()] if end else body), body[end.start() :] if end else ""

  def _stated(self, sentence: str) -> Value:
    """The one literal of a sentence: the last member of a true chain, beside a name, harmless words or a unit."""
    if len(sentence) > MAX_STATEMENT_CHARACTERS:
      raise Refused("too_long", f"Number: a sentence has at most {MAX_STATEMENT_CHARACTERS} characters.")
    sentence, shown = _DEFINED.sub(" ", sentence), repr(sentence.strip()[:60])
    name = sentence.partition("=")[0]
    if not re.search("[0-9]", name) and re.sub(r"\s", "", name) in re.sub(r"\s", "", self.prompt):
      sentence = sentence[len(name) :].lstrip("= ")
    found = chains(sentence)
    if not found:
      raise Refused("unreadable", f"Number: {shown} states none.")
    if len({f.value[:2] for f in found}) > 1:
      raise Refused("several", f"Number: {shown} names several candidates.")
    false = next((f for f in found if not f.true), None)
    if false:
      raise Refused("false_equation", f"Number: {false.text[:60]!r} is false.")
    masked = sentence
    for f in reversed(found):
      masked = masked[: f.start] + "§" + masked[f.end :]
      joined = re.search(r"[\w)]\s*$", masked[: f.start]) if f.text[0] in "+-" else None
      if joined and (f.text[0] == "+" or not re.search(r"[a-z]{2} $", masked[: f.start])):
        raise Refused("unevaluated", f"Number: {shown} leaves something to compute.")
    if any(f.left for f in found):
      raise Refused("unevaluated", f"Number: {shown} leaves something to compute.")
    names = re.sub(r"\b[A-Za-z]\b(?=[^§]*§)", " ", masked)  # "the value of x is 60"
    refuse_beside(re.findall("[A-Za-z']+", names), self.prompt, UNITS)
    if _GLUED.search(masked) or not _PLAIN.fullmatch(masked) or masked.count("=") > 1:
      raise Refused("unreadable", f"Number: {shown} is not one literal with a unit.")
    self._refuse_unit(masked)
    return found[-1].value

  def _refuse_unit(self, masked: str) -> None:
    unit = re.search(r"§\s*([a-z]+?)s?\b", masked.lower())
    for measures in map(str.split, _MEASURES):
      asked = {unit.lower() for unit in _UNIT_ASKED.findall(self.prompt)} & set(measures)
      if unit and asked and unit[1] in measures and unit[1] not in asked:
        raise Refused("unit", f"Number: the question asks for {'/'.join(sorted(asked))}, not {unit[1]}.")

  def bare(self, line: str) -> Value | None:
    """The value of a line that is nothing but a number, with or without a unit."""
    line = re.sub(r"(?i)^\s*(?:(?:it|that|this)(?:'s| is| was)|they are)\s", "", spelled(line.strip(" .,;:!()")))
    found = re.fullmatch(rf"\s*(-?\s*{_NUMBER}(?:\s*/\s*[0-9]+)?)\s*(%?)\s*[A-Za-z]*", line)
    return chains(line)[0].value if found else None

  def check(self, value: Value, reason: str) -> None:
    """Refuses a reason that withdraws the number or names another one."""
    word = doubt.behind(reason)
    if word:
      raise Refused("hedged", f"Doubt: {word!r} withdraws the number.")
    try:
      others = [f for f in chains(reason) if not f.true or f.members[-1] != value.value]
    except Refused as refusal:
      raise Refused("several", f"Reason: it names another number. ({refusal})") from None
    if others:
      raise Refused("several", f"Reason: it names another number, {others[0].text[:40]!r}.")


def trusted(text: str) -> Value:
  """The number that a reference is: a literal, with a currency, a unit or a percent sign."""
  found = chains(text := spelled(text.strip().rstrip("\\").rstrip(". ")))
  rest = text[found[0].end :] if found else ""
  if len(found) != 1 or found[0].left or found[0].start or not re.fullmatch(r"°?[A-Za-z\s/°^23]*", rest) or re.match("[A-Za-z]", rest):
    raise Refused("unreadable", "Number: the reference is no literal.")
  return found[0].value


def equal(answer: Value, reference: Value, prompt: str = "") -> bool:
  """Whether two numbers are the same, and in the form that was asked for.

  p % is p/100, but a whole reference above 1 is no hundredth of anything; where the question or the
  reference has percent, the sign is a unit like any other and `p` and `p %` are one.
  """
  if answer.percent == reference.percent:
    same = answer.value == reference.value
  elif answer.percent:
    is_asked = bool(re.search(r"(?i)%|\bpercent", prompt))
    whole = reference.value.denominator == 1 and abs(reference.value) > 1
    same = is_asked and answer.value == reference.value or not whole and answer.value / 100 == reference.value
  else:
    same = answer.value in (reference.value / 100, reference.value)
  form = _FORM_ASKED.search(prompt)
  if same and form and not (answer.percent and reference.percent):
    refused = {"decimal": ("/", "%"), "fraction": (".",), "percent": ("/",)}[form[1].lower()]
    if ("%" if answer.percent else answer.form) in refused:
      raise Refused("unevaluated", f"Number: the prompt asks for a {form[1].lower()}.")
  return same
