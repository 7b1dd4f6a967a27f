r"""Arithmetic: literals, plain expressions and chains of equations in a text, exact to the last digit.

One real input: `Tom has 5 * 12 = 60 apples.` holds one true equation whose last member is 60.
Not here: which number an answer states (numbers.py), surds and variables (exact.py), digits of other
scripts.
"""

import ast
import dataclasses
from fractions import Fraction
import functools
import math
import operator
import re

from rewards.reading.sentences import Refused

MAX_NUMBER_CHARACTERS = 400
MAX_EXPRESSION_CHARACTERS = 700
MAX_POWER_BITS = 20_000

# ---- Spelling: words and LaTeX as digits and operators -------------------------------------------

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SMALL = {w: n for n, w in enumerate(_ONES)} | {w: 10 * n for n, w in enumerate(_TENS, start=2)}
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
_ANY = "|".join([*_SMALL, *SCALES])
_NUMBER_WORDS = re.compile(
    rf"\b(?:an? (?:{'|'.join(SCALES)})|(?:{'|'.join(_SMALL)}))(?:(?:\s+and\s+|[\s-]+)(?:{_ANY})\b)*\b", re.I
)
_PART = re.compile(rf"\b(?:(an?|\d+)[ -])?({'|'.join(_PARTS)})s?\b(?!\s+of\b)", re.IGNORECASE)
ANY_NUMBER_WORD = re.compile(rf"\b(?:{_ANY}|{'|'.join(_PARTS)})s?\b", re.IGNORECASE)
_PLAIN = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<=\d)\s*\\frac\s*\{?(\d+)\}?\s*\{?(\d+)\}?", r" \1/\2"),
        (r"\\frac\s*(\d)\s*(\d)", r"\1/\2"),
        (r"\\frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}(?=\s*(?:[^\s*/^(\d-]|$))", r"\1/\2"),
        (r"\\frac\s*(?:\{([^{}]*)\}|(\d))\s*(?:\{([^{}]*)\}|(\d))", r"((\1\2)/(\3\4))"),
        (r"\\(?:text\w*|mbox|math(?:rm|bf|it|sf)|bf)\s*\{([^{}]*)\}", r" \1 "),
        (r"\\pmod\s*\{?\d+\}?|\(\\?mod\s*\{?\d+\}?\)", " "),  # a residue is a unit phrase
        (r"\\(?:times|cdot)(?![a-zA-Z])|(?<=[\d)])\s*x\s*(?=[$(]?\d)|(?<=\d) times (?=\d)", "*"),
        (r"(?<=\w)\s*\*\s*(?=\w)", "*"),
        (r"\\div(?![a-zA-Z])|(?<=\d) divided by (?=\d)", "/"),
        (r"(?<=\d) plus (?=\d)", "+"),
        (r"\b(?:minus|negative) (?=[$]?\d)", "-"),
        (r"\\[()\[\]]|(?:\b(?:US|CA?|A))?[$€£¥]|\b(?:USD|EUR|GBP)\b", ""),
        (r"\^\s*\{([^{}]*)\}", r"^(\1)"),
        (r"(?<=\d)\s*percent\b", "%"),
        (r"<<[^<>]*=\s*([-\d.]+)>>(?:\s*\1(?!\.?\d))?", r"\1"),
        (r"([*/+-]\s*\(?-?[\d.,]+\)?)\s+(?:is|equals|makes|gives)\s+(?=-?\d)", r"\1 = "),
        (r"(?<=\d) and 1/2\b", " 1/2"),
        (r"\\?sqrt\s*[{(]?\s*([0-9]{1,20})\s*[)}]?", lambda m: _root(m[0], int(m[1]))),
    )
]  # fmt: skip


def plain(text: str) -> str:
  """Returns a text with number words in digits, LaTeX fractions and signs in ASCII, currency left out."""
  if text.isdigit() and text.isascii():
    return text
  if ANY_NUMBER_WORD.search(text):
    text = _PART.sub(_part, digits(text))
  for pattern, replacement in _PLAIN:
    text = pattern.sub(replacement, text)
  return text


def digits(text: str) -> str:
  """Returns a text with its number words in digits: "twenty-one cells" is "21 cells"."""
  return _NUMBER_WORDS.sub(lambda match: str(_spelled(match[0])), text)


def _spelled(words: str) -> int:
  total = current = 0
  for word in re.findall("[a-z]+", words.lower()):
    if word == "hundred":
      current = max(current, 1) * 100
    elif word in SCALES:
      total, current = total + max(current, 1) * SCALES[word], 0
    else:
      current += _SMALL.get(word, 0)
  return total + current


def _root(text: str, number: int) -> str:
  """A whole root as arithmetic that is left to do: \\sqrt{3600} is (60*1)."""
  root = math.isqrt(number)
  return f"({root}*1)" if root * root == number else text


def _part(match: re.Match) -> str:
  name = match[2].lower()
  if not match[1] and name != "half":
    return match[0]
  return f"{match[1] if match[1] and match[1].isdigit() else 1}/{_PARTS[name]}"


# ---- Arithmetic ----------------------------------------------------------------------------------

_GROUPED = (
    r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3})(?![0-9])(?:\.[0-9]+)?"
    r"|[1-9][0-9]{0,2}(?: [0-9]{3})+(?![0-9.])"
)
NUMBER = rf"(?:{_GROUPED}|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+(?![0-9.]))?(?![0-9])"
_TOKEN = re.compile(
    rf"(?P<whole>[0-9]+)\s+(?P<part>[0-9]+\s*/\s*[0-9]+)(?![0-9.])"
    rf"|(?P<mantissa>{NUMBER}\s*\*\s*)?10\s*\^\s*\(?(?P<exponent>[-+]?[0-9]+)\)?|(?P<number>{NUMBER})"
)
# A run of digits, signs and brackets in one line, from a sign, a bracket or a digit to a digit or a bracket.
EXPRESSION = re.compile(rf"[-+(]*[^\S\n]*(?:{NUMBER})(?:(?:[()*/^+-]|[^\S\n])+(?:{NUMBER}))*(?:[^\S\n]*\))*")
_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def literal_value(text: str) -> Fraction:
  """The value of one number as written, with its exponent and the commas that group it."""
  written = re.sub("[, ]", "", text)
  exponent = re.search(r"[eE]([-+]?[0-9]+)$", written)
  if len(written) > MAX_NUMBER_CHARACTERS or exponent and abs(int(exponent[1])) > MAX_NUMBER_CHARACTERS:
    raise Refused("too_long", f"Number: a literal has at most {MAX_NUMBER_CHARACTERS} digits.")
  return Fraction(written)


@functools.lru_cache(maxsize=4096)
def evaluate(text: str) -> tuple[Fraction, int, str]:
  """Returns (value, operations left to do, form) of plain arithmetic.

  A literal leaves none: a sign, brackets, one fraction in lowest terms, a mixed number, a power of ten.

  Raises:
    Refused: it is no arithmetic, divides by zero, or is too large to compute.
  """
  if len(text) > MAX_EXPRESSION_CHARACTERS:
    raise Refused("too_long", f"Number: an expression has at most {MAX_EXPRESSION_CHARACTERS} characters.")
  no_literal = Refused("unreadable", f"Number: {text[:40]!r} is not one literal.")
  values, forms = [], []

  def take(match: re.Match) -> str:
    form = "decimal" if "." in match[0] else "integer"
    if match["whole"]:
      above, below = map(literal_value, match["part"].split("/"))
      if not 0 < above < below:
        raise no_literal  # no mixed number
      value, form = literal_value(match["whole"]) + above / below, "fraction"
    elif match["exponent"]:
      value = literal_value(f"1e{match['exponent']}") * literal_value((match["mantissa"] or "1").rstrip("* "))
    else:
      value = literal_value(match["number"])
    values.append(value)
    forms.append(form)
    return f"n{len(values) - 1}"

  source = _TOKEN.sub(take, text).strip()
  if re.search(r"[^\s()*/^+-]", _TOKEN.sub("", text)) or re.search(r"n\d+\s*n|[)\d]\s*\(", source):
    raise no_literal
  try:
    tree = ast.parse(re.sub(r"\s+", " ", source.replace("^", "**")), mode="eval").body
  except (SyntaxError, RecursionError, MemoryError):
    raise no_literal from None

  def walk(node) -> tuple[Fraction, int]:
    if isinstance(node, ast.Name):
      return values[int(node.id[1:])], 0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
      value, work = walk(node.operand)
      work += isinstance(node.operand, ast.UnaryOp)
      return (-value if isinstance(node.op, ast.USub) else value), work
    if not isinstance(node, ast.BinOp):
      raise no_literal
    (left, before), (right, after) = walk(node.left), walk(node.right)
    if isinstance(node.op, ast.Pow):
      bits = max(left.numerator.bit_length(), left.denominator.bit_length())
      if right.denominator != 1 or bits * abs(right) > MAX_POWER_BITS or left == 0 and right < 0:
        raise Refused("too_long", "Number: a power is whole and of modest size.")
      return left ** int(right), before + after + 1
    if isinstance(node.op, ast.Div):
      if right == 0:
        raise Refused("unreadable", "Number: the answer divides by zero.")
      whole = left.denominator == right.denominator == 1 and before + after == 0 and "decimal" not in forms
      plain_sides = not any(isinstance(side, ast.BinOp) for side in (node.left, node.right))
      is_lowest = whole and plain_sides and math.gcd(left.numerator, right.numerator) == 1
      forms[:] = ["fraction"] if is_lowest else forms
      return left / right, before + after + (not is_lowest)
    if type(node.op) not in _OPERATORS:
      raise no_literal
    return _OPERATORS[type(node.op)](left, right), before + after + 1

  value, work = walk(tree)
  return value, work, forms[0] if forms else "integer"


def attempt(text: str) -> tuple[Fraction, int, str] | None:
  """`evaluate`, or None where the text is no arithmetic."""
  try:
    return evaluate(text.strip())
  except Refused:
    return None


@dataclasses.dataclass(frozen=True)
class Equation:
  """A chain of arithmetic in a text: `members` are its values in order, `true` whether all are equal."""

  text: str
  start: int
  end: int
  members: tuple[Fraction, ...]
  true: bool


_PART_OF_MORE = re.compile(r"(?:[A-Za-z_^{}\\*/]|(?<![A-Za-z])x\s*|[—%]\s*)$")
_GOES_ON = re.compile(r"\s*(?:[*/^+(\\]|-\s*[\w(\\])|[A-Za-z](?![A-Za-z])|[!_{%]|\s*(?:r\b|remainder)")


def equations(text: str) -> list[Equation]:
  """Returns the chains of plain arithmetic in a text, such as `12 * 5 = 60`; letters are left alone.

  A decimal that is the rounded value of a quotient is no error: 40/3 = 13.33.
  """
  if "=" not in text and not re.search(r"\b(?:is|equals|makes|gives)\b", text):
    return []
  text = plain(re.sub(r"(?m)^\s*\d{1,2}[.)]\s+(?=[\d(])", "", text))
  chains: list[list[re.Match]] = []
  for match in EXPRESSION.finditer(text):
    gap = text[chains[-1][-1].end() : match.start()] if chains else ""
    if gap.strip() == "=":
      chains[-1].append(match)
    else:
      chains.append([match])
  return [e for e in (_equation(text, chain) for chain in chains if len(chain) > 1) if e]


def _equation(text: str, chain: list[re.Match]) -> Equation | None:
  """The equation of these expressions, or None where what stands beside makes it part of something else."""
  start, end = chain[0].end() - len(chain[0][0].lstrip()), chain[-1].end()
  parts = [match[0].strip() for match in chain]
  if parts[0].count("(") > parts[0].count(")"):
    parts[0] = parts[0].lstrip("(")
  if parts[-1].count(")") > parts[-1].count("("):
    parts[-1] = parts[-1].rstrip(") ")
  before = text[max(0, start - 20) : start]
  signed = parts[0][0] in "+-" and re.search(r"[\w)}]\s*$", before)
  values = [attempt(part) for part in parts]
  if None in values or signed or _PART_OF_MORE.search(before) or _GOES_ON.match(text, end):
    return None
  if not any(work or form == "fraction" for _, work, form in values):
    return None  # x = 59 = 60 computes nothing
  members = tuple(value for value, _, _ in values)
  true = all(equal_or_rounded(a, b, part) for a, b, part in zip(members, members[1:], parts[1:]))
  return Equation(" = ".join(parts), start, end, members, true)


def equal_or_rounded(exact: Fraction, stated: Fraction, written: str) -> bool:
  """Whether `stated` is the value, or its rounding where the value has no decimals that end within four."""
  decimals = re.search(r"\.(\d+)\D*$", written)
  is_endless = (exact * 10**4).denominator != 1
  rounds = decimals and is_endless and abs(exact - stated) < Fraction(1, 10 ** len(decimals[1]))
  return exact == stated or bool(rounds)
