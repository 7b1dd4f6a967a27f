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
MAX_EXPRESSION_CHARACTERS = 300
MAX_POWER_BITS = 20_000


# ---- Spelling: words and LaTeX as digits and operators -------------------------------------------

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SPELLED = {w: n for n, w in enumerate(_ONES)} | {w: 10 * n for n, w in enumerate(_TENS, start=2)}
_PARTS = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
_WORD = "|".join([*_SPELLED, *SCALES])
_NUMBERWORDS = re.compile(rf"\b(?:an? (?={'|'.join(SCALES)}))?(?:{'|'.join(_SPELLED)}|(?<=a )(?:{'|'.join(SCALES)}))(?:(?:\s+and\s+|[\s-]+)(?:{_WORD})\b)*\b", re.IGNORECASE)
_PART = re.compile(rf"\b(?:(an?|\d+)[ -])?({'|'.join(_PARTS)})s?\b(?!\s+of\b)", re.IGNORECASE)
ANY_NUMBER_WORD = re.compile(rf"\b(?:{_WORD}|{'|'.join(_PARTS)})s?\b", re.IGNORECASE)
_PLAIN = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<=\d)\s*\\frac\s*\{?(\d+)\}?\s*\{?(\d+)\}?", r" \1/\2"),
        (r"\\frac\s*(\d)\s*(\d)", r"\1/\2"),
        (r"\\frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}(?=\s*(?:[^\s*/^(\d-]|$))", r"\1/\2"),
        (r"\\frac\s*(?:\{([^{}]*)\}|(\d))\s*(?:\{([^{}]*)\}|(\d))", r"((\1\2)/(\3\4))"),
        (r"\\(?:text\w*|mbox|math(?:rm|bf|it|sf)|operatorname|bf)\s*\{([^{}]*)\}", r" \1 "),
        (r"\\pmod\s*\{?\d+\}?|\(\\?mod\s*\{?\d+\}?\)", " "),  # a residue is a unit phrase
        (r"\\(?:times|cdot|ast)(?![a-zA-Z])|(?<=[\d)])\s*[x]\s*(?=[$(]?\d)|(?<=\d) times (?=\d)|(?<=\w)\s*\*\s*(?=\w)", "*"),
        (r"\\div(?![a-zA-Z])|(?<=\d) divided by (?=\d)", "/"),
        (r"(?<=\d) plus (?=\d)", "+"),
        (r"\b(?:minus|negative) (?=[$]?\d)", "-"),
        (r"\\[()\[\]]|(?:\b(?:US|CA?|A))?[$€£¥]|\b(?:USD|EUR|GBP)\b", ""),
        (r"\^\s*\{([^{}]*)\}", r"^(\1)"),
        (r"(?<=\d)\s*percent\b", "%"),
        (r"<<[^<>]*=\s*([-\d.]+)>>(?:\s*\1(?!\.?\d))?", r"\1"),
        (r"([*/+-]\s*\(?-?[\d.,]+\)?)\s+(?:is|equals|makes|gives)\s+(?=-?\d)", r"\1 = "),
        (r",?\s*\b(?:(?:and|or)\s+)?(?<=\d )and 1/2\b", " 1/2"),
    )
]  # fmt: skip


_ROOT = re.compile(r"\\?\bsqrt\s*[{(]?\s*([0-9]+)\s*[)}]?")


def plain(text: str) -> str:
  """Returns a text with number words in digits, LaTeX fractions and signs in ASCII, currency left out."""
  if text.isdigit() and text.isascii():
    return text
  if ANY_NUMBER_WORD.search(text):
    text = _PART.sub(_part, _NUMBERWORDS.sub(lambda m: str(_spelled(m[0])), text))
  for pattern, replacement in _PLAIN:
    text = pattern.sub(replacement, text)
  return _ROOT.sub(_root, text) if "sqrt" in text else text


def _spelled(words: str) -> int:
  total = current = 0
  for word in re.findall("[a-z]+", words.lower()):
    if word == "hundred":
      current = max(current, 1) * 100
    elif word in SCALES:
      total, current = total + max(current, 1) * SCALES[word], 0
    elif word in _SPELLED:
      current += _SPELLED[word]
  return total + current


def _root(match: re.Match) -> str:
  """A whole root as arithmetic that is left to do: \sqrt{3600} is (60*1)."""
  number = int(match[1]) if len(match[1]) < 40 else 2
  root = math.isqrt(number)
  return f"({root}*1)" if root * root == number else match[0]


def _part(match: re.Match) -> str:
  name = match[2].lower()
  if not match[1] and name != "half":
    return match[0]
  count = match[1] if match[1] and match[1].isdigit() else "1"
  return f"{count}/{_PARTS[name]}"


# ---- Arithmetic ----------------------------------------------------------------------------------

_GROUPED = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3})(?![0-9])(?:\.[0-9]+)?|[1-9][0-9]{0,2}(?: [0-9]{3})+(?![0-9.])"
NUMBER = rf"(?:{_GROUPED}|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+(?![0-9.]))?(?![0-9])"
_TOKEN = re.compile(
    rf"(?P<whole>[0-9]+)\s+(?P<part>[0-9]+\s*/\s*[0-9]+)(?![0-9.])"
    rf"|(?P<mantissa>{NUMBER}\s*\*\s*)?10\s*\^\s*\(?(?P<exponent>[-+]?[0-9]+)\)?|(?P<number>{NUMBER})"
)
# A run of digits, signs and brackets: from a sign, a bracket or a digit to a digit, a bracket or a percent sign.
EXPRESSION = re.compile(rf"[-+(]*\s*(?:{NUMBER})(?:[\s()*/^+-]+(?:{NUMBER}))*(?:\s*\))*")
_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def literal_value(text: str) -> Fraction:
  """The value of one number as written, with its exponent and the commas that group it."""
  digits = re.sub("[, ]", "", text)
  exponent = re.search(r"[eE]([-+]?[0-9]+)$", digits)
  if len(digits) > MAX_NUMBER_CHARACTERS or exponent and abs(int(exponent[1])) > MAX_NUMBER_CHARACTERS:
    raise Refused("too_long", "Number: a literal has at most 400 digits.")
  return Fraction(digits)


@functools.lru_cache(maxsize=4096)
def evaluate(text: str) -> tuple[Fraction, int, str]:
  """Returns (value, operations left to do, form) of plain arithmetic.

  A literal leaves none: a sign, brackets, one fraction in lowest terms, a mixed number, a power of ten.

  Raises:
    Refused: it is no arithmetic, divides by zero, or is too large to compute.
  """
  if len(text) > MAX_EXPRESSION_CHARACTERS + MAX_NUMBER_CHARACTERS:
    raise Refused("too_long", "Number: an expression has at most 300 characters.")
  values, forms = [], []

  def take(match: re.Match) -> str:
    if match["whole"]:
      part = _fraction(*match["part"].split("/"))
      if part >= 1:
        raise Refused("several", f"Number: {match[0]!r} is not a mixed number.")
      value, form = literal_value(match["whole"]) + part, "fraction"
    elif match["exponent"]:
      value, form = literal_value(f"1e{match['exponent']}"), "integer"
      value *= literal_value(match["mantissa"].rstrip("* ")) if match["mantissa"] else 1
    else:
      value, form = literal_value(match["number"]), "decimal" if "." in match["number"] else "integer"
    values.append(value)
    forms.append(form)
    return f"n{len(values) - 1}"

  source = _TOKEN.sub(take, text).strip()
  if re.search(r"[^\s()*/^+-]", _TOKEN.sub("", text)) or re.search(r"n\d+\s*n|[)\d]\s*\(", source):
    raise Refused("unreadable", f"Number: {text[:40]!r} is not one literal.")
  try:
    tree = ast.parse(re.sub(r"\s+", " ", source.replace("^", "**")), mode="eval").body
  except (SyntaxError, RecursionError, MemoryError):
    raise Refused("unreadable", f"Number: {text[:40]!r} is not one literal.") from None

  def walk(node) -> tuple[Fraction, int]:
    if isinstance(node, ast.Name):
      return values[int(node.id[1:])], 0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
      value, work = walk(node.operand)
      work += isinstance(node.operand, ast.UnaryOp)
      return (-value if isinstance(node.op, ast.USub) else value), work
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, (*_OPERATORS, ast.Pow)):
      raise Refused("unreadable", f"Number: {text[:40]!r} is not one literal.")
    (left, before), (right, after) = walk(node.left), walk(node.right)
    if isinstance(node.op, ast.Pow):
      bits = max(left.numerator.bit_length(), left.denominator.bit_length())
      if right.denominator != 1 or bits * abs(right) > MAX_POWER_BITS or left == 0 and right < 0:
        raise Refused("too_long", "Number: a power is whole and of modest size.")
      return left ** int(right), before + after + 1
    if isinstance(node.op, ast.Div):
      whole = left.denominator == right.denominator == 1 and before + after == 0
      if right == 0:
        raise Refused("unreadable", "Number: the answer divides by zero.")
      left_is_fraction = isinstance(node.left, ast.BinOp) or isinstance(node.right, ast.BinOp)
      lowest = whole and not left_is_fraction and math.gcd(left.numerator, right.numerator) == 1 and "decimal" not in forms
      forms[:] = ["fraction"] if lowest else forms
      return left / right, before + after + (not lowest)
    return _OPERATORS[type(node.op)](left, right), before + after + 1

  value, work = walk(tree)
  return value, work, forms[0] if forms else "integer"


def _fraction(numerator: str, denominator: str) -> Fraction:
  below = literal_value(denominator.strip())
  if not below:
    raise Refused("unreadable", "Number: the answer divides by zero.")
  return literal_value(numerator.strip()) / below


def attempt(text: str) -> tuple[Fraction, int, str] | None:
  """`evaluate`, or None where the text is no arithmetic."""
  try:
    return evaluate(text.strip())
  except Refused:
    return None


_ARITHMETIC = frozenset("0123456789.,()*/^+-% \t")


@dataclasses.dataclass(frozen=True)
class Equation:
  """A chain of arithmetic in a text: `members` are its values in order, `true` whether all are equal."""

  text: str
  start: int
  end: int
  members: tuple[Fraction, ...]
  true: bool


def equations(text: str) -> list[Equation]:
  """Returns the chains of plain arithmetic in a text, such as `12 * 5 = 60`; those with letters are left alone.

  A decimal that is the rounded value of a quotient is no error: 40/3 = 13.33.
  """
  if "=" not in text and not re.search(r"\b(?:is|equals|makes|gives)\b", text):
    return []
  text = plain(text)
  chains: list[list[tuple[int, int]]] = [[]]
  at = 0
  for piece in text.split("="):
    head = next((i for i, c in enumerate(piece) if c not in _ARITHMETIC), len(piece))
    tail = next((i for i in range(len(piece), 0, -1) if piece[i - 1] not in _ARITHMETIC), 0)
    chains[-1].append((at, at + head))
    if head < len(piece):
      chains.append([(at + tail, at + len(piece))])
    at += len(piece) + 1
  found = [_equation(text, spans) for spans in chains if len(spans) > 1]
  return [equation for equation in found if equation]


def _equation(text: str, spans: list[tuple[int, int]]) -> Equation | None:
  """The chain between these places, or None where a letter or a sign beside it makes it part of something else."""
  (start, first), (last, end) = spans[0], spans[-1]
  before, after = text[:start].rstrip()[-1:], text[end : end + 10]
  parts = [text[a:b].strip() for a, b in spans]
  marked = re.match(r"(?:[0-9]{1,2}[.)]\s+(?=[0-9(])|[.,)](?![0-9])\s*)+", parts[0]) if not before or text[start:first].lstrip(" ")[:1] in ".,)" or before == "\n" else None
  parts[0] = parts[0][marked.end() :] if marked else parts[0]
  parts[-1] = re.sub(r"(?:[\s.,(]|[-+]\s*(?=$))+$", "", parts[-1].split(", ")[0].split(". ")[0])
  if parts[0].count("(") > parts[0].count(")"):
    parts[0] = parts[0].lstrip("(")
  if parts[-1].count(")") > parts[-1].count("("):
    parts[-1] = parts[-1].rstrip(") .")
  glued = start and not text[start].isspace() and text[start - 1] in "_^{}\\" or before and parts[0][:1] in "*/^+-" and (before.isalnum() or before in "})")
  goes_on = text[:end].rstrip(" ")[-1:] in "*/^+-(" or re.match(r"[A-Za-z_!\\{^](?<![a-zA-Z])|[a-zA-Z](?![a-zA-Z])", after) and end and text[end - 1].isdigit() or re.match(r"\s*(?:r\b|remainder)", after)
  values = [attempt(part) for part in parts]
  beside = before in ("—", "%") or re.search(r"(?<![A-Za-z])x\s*$", text[max(0, start - 4) : start])  # "120 — 80 - 15", "15 pages x 1/3"
  if glued or beside or goes_on or None in values or not any(v[1] or v[2] == "fraction" for v in values):
    return None
  members = tuple(v[0] for v in values)
  true = all(equal_or_rounded(a, b, part) for a, b, part in zip(members, members[1:], parts[1:]))
  return Equation(" = ".join(parts), start, last + len(text[last:end].rstrip(" .,")), members, true)


def equal_or_rounded(exact: Fraction, stated: Fraction, written: str) -> bool:
  if exact == stated:
    return True
  digits = re.search(r"\.(\d+)\D*$", written)
  repeats = digits and any(exact.denominator % p == 0 for p in (3, 7, 11, 13, 17, 19, 23)) or exact.denominator > 10**3
  return bool(digits and repeats and abs(exact - stated) < Fraction(1, 10 ** len(digits[1])))
