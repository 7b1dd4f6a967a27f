r"""Numbers: the one literal that an answer states, with one unit phrase or at the end of a true chain.

One real input: `Tom has 5 * 12 = 60 apples.` states 60; `12 * 5` states nothing, because what is left to
compute is refused. Standard library alone. Not here: surds and variables (formula.py).
"""

from fractions import Fraction
import re
import typing

from rewards.reading import algebra
from rewards.reading import words
from rewards.reading.dress import compiled
from rewards.reading.dress import respelled
from rewards.reading.sentences import Kind
from rewards.reading.sentences import MAX_ANSWER_CHARACTERS
from rewards.reading.words import Refused

MAX_STATEMENT_CHARACTERS = 2_000

_SPELLING = compiled(
    (r"(?:\b(?:US|CA?|A))?[$€£¥]|\b(?:USD|EUR|GBP)\b", ""),
    (r"(?<![\d.,])(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}|[1-9]\d{0,2}(?: \d{3})+)(?![\d,])(?! \d)",
     lambda m: re.sub("[, ]", "", m[0])),
    (rf"(?i)(?<![\d.])(\d+(?:\.\d+)?)\s*({'|'.join(words.SCALES)})\b",
     lambda m: f"{m[1]}e{len(str(words.SCALES[m[2].lower()])) - 1}"),
    (r"\\(?:times|cdot)(?![a-zA-Z])|(?<=[\d)])\s*[x×]\s*(?=\(?\d)|(?<=\d) times (?=\d)", "*"),
    (r"\\div(?![a-zA-Z])|(?<=\d) divided by (?=\d)", "/"),
    (r"(?<=\d) plus (?=\d)", "+"),
    (r"(?i)\b(?:minus|negative) (?=\d)", "-"),
    (r"(?i)(?<=\d)\s*percent\b", "%"),
    # A calculator's mark and the number that it repeats, or, where it does not, both.
    (r"<<[^<>]*=\s*(-?\d{1,15}(?:\.\d{1,9})?)>>(?:[^\S\n]*(-?\d{1,15}(?:\.\d{1,9})?(?![\d.]*\d)))?",
     lambda m: m[1] if not m[2] or float(m[1]) == float(m[2]) else f"{m[1]} {m[2]}"),
    (r"([*/+-]\s*\(?-?[\d.,]{1,40}\)?)\s+(?:is|equals|makes|gives)\s+(?=-?\d)", r"\1 = "),
    (r"(\d\s*(?:m|[a-z]{2,9}))\s*\^\s*[({]?[23][)}]?", r"\1"),  # a square unit
)  # fmt: skip
_NUMBER = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_EXPRESSION = (
    rf"(?:[-+({{]|[^\S\n]|\\frac|\\sqrt){{0,12}}{_NUMBER}"
    rf"(?:(?:[-+*/^(){{}}]|[^\S\n]|\\frac|\\sqrt){{1,12}}{_NUMBER})*(?:[^\S\n]*[)}}])*"
)
_MEMBER = re.compile(rf"({_EXPRESSION})(\s?%)?")
_CHAIN = re.compile(rf"{_EXPRESSION}(?:\s?%)?(?:[^\S\n]*=[^\S\n]*{_EXPRESSION}(?:\s?%)?)*")


class Value(typing.NamedTuple):
  """A number as written: `value` stands before its percent sign; `form` is "." for decimals, or "/"."""

  value: Fraction
  percent: bool = False
  form: str = ""

  def __str__(self):
    short = self.value.denominator < 10**40 > abs(self.value)
    return f"{self.value}{'%' if self.percent else ''}" if short else "a long number"


class Chain(typing.NamedTuple):
  """Arithmetic in a text, as `12 * 5 = 60` or `60`: whether all members are equal, what the last one is and
  how many operations it leaves to do."""

  text: str
  start: int
  end: int
  true: bool
  value: Value
  work: int


def spelled(text: str) -> str:
  """Returns a text with number words in digits and signs in ASCII, currency left out."""
  return respelled(words.digits(text), _SPELLING)


def _chain(match: re.Match) -> Chain:
  """The chain at a place of a spelled text; Refused where it cannot be parsed or computed."""
  members, equal = [], True
  for text, percent in _MEMBER.findall(match[0]):
    text = text.strip("() ") if text.count("(") != text.count(")") else text
    tree = algebra.parse(text)
    value = algebra.value(tree)
    if value is None:
      raise Refused("unevaluated", "Number: nothing may be left to compute.")
    form = tree.args[1] if tree.head == "number" else "/" * (tree.head == "/")
    members.append(Value(value, bool(percent), form))
    if len(members) > 1:
      first, second = (m.value / 100 if m.percent else m.value for m in members[-2:])
      is_percent = percent and not members[-2].percent and members[-2].value == value  # 5 / 20 * 100 = 25%
      equal = equal and (is_percent or _equal_or_rounded(first, second, text))
  start = match.end() - len(match[0].lstrip())
  return Chain(match[0].strip(), start, match.end(), equal, members[-1], algebra.work(tree))


def _equal_or_rounded(exact: Fraction, stated: Fraction, written: str) -> bool:
  """Whether `stated` is the value, or its rounding where the value has no decimals that end within four."""
  decimals = re.search(r"\.(\d+)\D*$", written)
  is_endless = (exact * 10**4).denominator != 1
  rounds = decimals and is_endless and abs(exact - stated) < Fraction(1, 10 ** len(decimals[1]))
  return exact == stated or bool(rounds)


_PART_OF_MORE = re.compile(r"(?:[A-Za-z_^{}\\*/)=]|(?<![A-Za-z])x\s*|[—%]\s*)$")
_GOES_ON = re.compile(r"\s*(?:[*/^+(\\=]|-\s*[\w(\\])|[A-Za-z](?![A-Za-z])|[!_{]|\s*(?:r\b|remainder)")


def equations(text: str, least: int = 1) -> list[Chain]:
  """Returns the chains of plain arithmetic in a text, such as `12 * 5 = 60`; letters are left alone.

  A decimal that is the rounded value of a quotient is no error: 40/3 = 13.33.

  Args:
    least: how many equals signs a chain has at least; with 0, `5 * 12` is one.
  """
  text, found = spelled(re.sub(r"(?m)^[^\S\n]*+\d{1,2}[.)]\s+(?=[\d(])", "", text)), []
  for match in _CHAIN.finditer(text):
    before = text[max(0, match.end() - len(match[0].lstrip()) - 20) : match.end() - len(match[0].lstrip())]
    signed = match[0].lstrip()[0] in "+-" and re.search(r"[\w)}]\s*$", before)
    computes = re.search(r"\d\s*[-+*/^(]|\\", match[0])  # x = 59 = 60 computes nothing
    alone = not signed and not _PART_OF_MORE.search(before) and not _GOES_ON.match(text, match.end())
    if computes and match[0].count("=") >= least and (alone or not least):
      try:
        found.append(_chain(match))
      except Refused:
        continue
  return found


# ---- The verdict ---------------------------------------------------------------------------------

_END = re.compile(
    r"\s*(?:[;\n]|(?<!\d)!|\.(?=\s|$)|—|,?\s(?:because|since|as(?= there| we| each| the| it)|which)\b"
    r"|(?<=[\w%°])\s+\((?![^()]*\)\s*[-+*/^=])|\s-\s(?=[A-Za-z]))",
    re.IGNORECASE,
)
_DEFINED = re.compile(
    r"(?:\b[A-Za-z]\s*\([^()=]*\)|\|[A-Z]{1,3}\||\\(?:angle|triangle)\s*[A-Z]*|(?<!\S)[A-Za-z])\s*="
    r"|=\s*[A-Za-z]\s*$"
)
_GLUED = re.compile(
    r"[A-Za-z_.^*/)]§|\b(?:to|from|by|into|(?:sum|product|difference|root|square|m..imum|multiple) of)\s+§"
    r"|§[,.:]§|§!|§(?!(?:[mgshlLFC]|[kcm]m|kg|m[lL]|am|pm|mph)(?![A-Za-z]))[A-Za-z_^({\\]"
)
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
  most_characters = MAX_ANSWER_CHARACTERS

  def same(self, verdict: Value, other: Value) -> bool:
    return equal(verdict, other, self.prompt)

  def take(self, body: str) -> tuple[Value, str] | None:
    """The number that `body` states first, and the text behind it; of lines of equations the last."""
    body = spelled(body)
    lines = [line.strip(" .,") for line in body.split("\n") if line.strip(" .,")]
    if len(lines) > 1 and all("=" in line for line in lines):
      names = [side.strip() for line in lines for side in line.split("=") if not re.search("[0-9]", side)]
      if len(set(names)) < len(names):
        raise Refused("several", "Number: one name is given two values.")
      return self._stated(lines[-1]), ""
    skipped = re.match(r"[^0-9]*(?:[.!;]\s|\n)\s*", body)
    if skipped and skipped.end() < len(body):
      words.refuse_before(skipped[0])
      body = body[skipped.end() :]  # sentences without a number
    number = re.search("[0-9]", body)
    if not number:
      return None
    end = _END.search(body, number.end())
    return self._stated(body[: end.start()] if end else body), body[end.start() :] if end else ""

  def _stated(self, sentence: str) -> Value:
    """The one literal of a sentence, or the last member of its true chain, beside harmless words."""
    if len(sentence) > MAX_STATEMENT_CHARACTERS:
      raise Refused("too_long", f"Number: a sentence has at most {MAX_STATEMENT_CHARACTERS} characters.")
    shown, sentence = repr(sentence.strip()[:60]), _DEFINED.sub(" ", sentence)
    name = sentence.partition("=")[0]
    if not re.search("[0-9]", name) and re.sub(r"\s", "", name) in re.sub(r"\s", "", self.prompt):
      sentence = sentence[len(name) :].lstrip("= ")
    found, masked = [_chain(match) for match in _CHAIN.finditer(sentence)], sentence
    if len({f.value[:2] for f in found}) > 1:
      raise Refused("several", f"Number: {shown} names several candidates.")
    for f in reversed(found):
      before, masked = masked[: f.start], masked[: f.start] + "§" + masked[f.end :]
      joined = re.search(r"[\w)]\s*$", before) if f.text[0] in "+-" else None
      if f.work or joined and (f.text[0] == "+" or not re.search("[a-z]{2} $", before)):
        raise Refused("unevaluated", f"Number: {shown} leaves something to compute.")
      if not f.true:
        raise Refused("false_equation", f"Number: {f.text[:60]!r} is false.")
    names = re.sub(r"\b[A-Za-z]\b(?=[^§]*§)", " ", masked)  # "the value of x is 60"
    words.refuse_beside(re.findall("[A-Za-z']+", names), self.prompt, words.UNITS)
    if not found or _GLUED.search(masked) or not _PLAIN.fullmatch(masked) or masked.count("=") > 1:
      raise Refused("unreadable", f"Number: {shown} is not one literal with a unit.")
    unit = re.search(r"§\s*([a-z]+?)s?\b", masked.lower())
    for measures in map(str.split, _MEASURES):
      asked = {unit.lower() for unit in _UNIT_ASKED.findall(self.prompt)} & set(measures)
      if unit and asked and unit[1] in measures and unit[1] not in asked:
        raise Refused("unit", f"Number: the question asks for {'/'.join(sorted(asked))}, not {unit[1]}.")
    return found[-1].value

  def bare(self, line: str) -> Value | None:
    """The value of a line that is nothing but a number, with or without a unit."""
    line = spelled(line.strip(" .,;:!()"))
    line = re.sub(r"(?i)^\s*(?:(?:it|that|this)(?:'s| is| was)|they are)\s", "", line)
    found = re.fullmatch(rf"(\s*-?\s*{_NUMBER}(?:\s*/\s*[0-9]+)?\s*%?)\s*[A-Za-z]*", line)
    return _chain(_CHAIN.match(found[1])).value if found else None

  def check(self, value: Value, reason: str, answer: str) -> None:
    """Refuses a false equation anywhere, and a reason that withdraws the number or names another one."""
    false = next((e for e in equations(answer) if not e.true), None)
    if false:
      raise Refused("false_equation", f"Number: {false.text[:60]!r} is false.")
    words.refuse_behind(reason)
    for match in _CHAIN.finditer(spelled(reason)):
      try:
        chain = _chain(match)
        is_same = chain.true and chain.value.value == value.value
      except Refused:
        is_same = False
      if not is_same:
        raise Refused("several", f"Reason: it names another number, {match[0].strip()[:40]!r}.")


def trusted(text: str) -> Value:
  """The number that a reference is: a literal, with a currency, a unit or a percent sign."""
  text = spelled(text.strip().rstrip("\\").rstrip(". "))
  match = _CHAIN.match(text)
  is_alone = match and re.fullmatch(r"(?:[\s°/][A-Za-z\s/°^23]*)?", text[match.end() :])
  chain = _chain(match) if is_alone else None
  if not chain or chain.work or "=" in chain.text:
    raise Refused("unreadable", "Number: the reference is no literal.")
  return chain.value


def equal(answer: Value, reference: Value, prompt: str = "") -> bool:
  """Whether two numbers are the same, and in the form that was asked for.

  p % is p/100, but a whole reference above 1 is no hundredth of anything; where the question or the
  reference has percent, the sign is a unit like any other and `p` and `p %` are one.
  """
  hundredth = answer.value / 100 if answer.percent else answer.value * 100
  is_whole = answer.percent and reference.value.denominator == 1 and abs(reference.value) > 1
  is_asked = reference.percent or bool(re.search(r"(?i)%|\bpercent", prompt))
  same = answer.value == reference.value and (answer.percent == reference.percent or is_asked)
  same = same or answer.percent != reference.percent and hundredth == reference.value and not is_whole
  form = _FORM_ASKED.search(prompt)
  if same and form and not (answer.percent and reference.percent):
    refused = {"decimal": ("/", "%"), "fraction": (".",), "percent": ("/",)}[form[1].lower()]
    if ("%" if answer.percent else answer.form) in refused:
      raise Refused("unevaluated", f"Number: the prompt asks for a {form[1].lower()}.")
  return same
