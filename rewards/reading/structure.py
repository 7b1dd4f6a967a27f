r"""Structure: a formula taken apart by brackets and separators.

One real input: `x<2 or x>3` is a set of two rays. Lists, sets, intervals, tuples, matrices, equations and
inequalities are structure; what has none stays text. Not here: what a leaf is worth (exact.py).
"""

import dataclasses
import functools
import re

from rewards.reading.sentences import Refused

MAX_CHARACTERS = 2_000
MAX_DEPTH = 10

_OPENED, _CLOSED = "([{⦃", ")]}⦄"
_MATRIX = re.compile(r"[\[(]?\s*\\begin\{([pbB]?matrix|array)\}(?:\{[clr|]*\})?(.*)\\end\{\1\}\s*[\])]?", re.DOTALL)
_LIST_SEPARATOR = re.compile(r"[,;]|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])", re.IGNORECASE)
_UNION = re.compile(r"\\(?:big)?cup(?![a-zA-Z])|(?<=[)\]}⦄])\s*U\s*(?=[(\[{⦃])")
_RELATION = re.compile(r"\\(?:le|ge|ne|in)(?![a-zA-Z])|[<>=]")
_NAME = re.compile(
    r"\\?[A-Za-z]+'*(?:_(?:\{[^{}]*\}|\w))?\s*(?:\([^()=]*\))?|\|[A-Z]{1,3}\||\\(?:angle|triangle|overline\{[A-Z]+\})\s*[A-Z]*"
    r"|\(\s*\\?[A-Za-z]+(?:_\w)?(?:\s*,\s*\\?[A-Za-z]+(?:_\w)?)*\s*\)|[A-Za-z]{2,}(?:\s+[A-Za-z]+)*"
)
_SYMBOL = re.compile(r"\\?[A-Za-z]+(?:_(?:\{\w+\}|\w))?")
_VARIABLE = re.compile(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])|[A-Za-z]{1,3}(?=[\d^_(])|(?<=\d)[a-zA-Z]")
_REALS = re.compile(r"(?i:all real numbers|all reals)|\\mathbb\s*(?:\{R\}|R)|\\R")
_NOTHING = re.compile(r"\\(?:emptyset|varnothing)|⦃\s*⦄|\{\s*\}|no (?:real )?solutions?|(?:the )?empty set", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Group:
  """Items in order between brackets: a tuple, an interval, a matrix of rows; without brackets, a set or list."""

  opened: str
  closed: str
  items: tuple

  @property
  def is_set(self) -> bool:
    return not self.opened


@dataclasses.dataclass(frozen=True)
class Relation:
  """members[0] `operator` members[-1]; `name` is what an equation defines, "" for arithmetic, and `value` what it is."""

  operator: str
  members: tuple[str, ...]
  name: str | None = None
  value: object = None


def _split(text: str, separator: re.Pattern) -> list[tuple[str, str]]:
  """Splits at separators outside of all brackets; pairs of (part, the separator before it)."""
  depths, depth = [], 0
  for character in text:
    depth -= character in _CLOSED
    depths.append(depth)
    depth += character in _OPENED
  parts, at, before = [], 0, ""
  for match in separator.finditer(text):
    if depths[match.start()] <= 0:
      parts.append((text[at : match.start()].strip(), before))
      at, before = match.end(), match[0]
  parts.append((text[at:].strip(), before))
  return parts


@functools.lru_cache(maxsize=4096)
def structure(text: str):
  """Takes a formula apart into Group, Relation and leaves, which stay strings."""
  depth = deepest = 0
  for character in text:
    depth += (character in _OPENED) - (character in _CLOSED)
    deepest = max(deepest, depth)
  if deepest > MAX_DEPTH or len(text) > MAX_CHARACTERS:
    raise Refused("too_long", f"Formula: at most {MAX_CHARACTERS} characters and brackets {MAX_DEPTH} deep.")
  if text.count("(") + text.count("[") + text.count("⦃") != text.count(")") + text.count("]") + text.count("⦄") or text.count("{") != text.count("}"):
    raise Refused("unreadable", "Formula: its brackets are not balanced.")
  # Between brackets a comma separates, even in (1,000).
  return parse(text if any(c in text for c in _OPENED) else re.sub(r"(?<=\d),(?=\d{3}(?:\D|$))", "", text))


def parse(text: str):
  text = text.strip()
  if _NOTHING.fullmatch(text):
    return r"\emptyset"
  if _REALS.fullmatch(text):
    return Group("(", ")", (r"-\infty", r"\infty"))
  matrix = _MATRIX.fullmatch(text)
  if matrix:
    rows = [row for row in re.split(r"\\\\(?![a-zA-Z])|\\cr", matrix[2]) if row.strip()]
    return Group("matrix", "", tuple(Group("row", "", tuple(map(parse, row.split("&")))) for row in rows))
  parts = [(p, s) for p, s in _split(text, _LIST_SEPARATOR) if p]
  if len(parts) > 1 and "\\begin" not in text:
    items = tuple(parse(part) for part, _ in parts)
    if any(s.lower() == "and" for _, s in parts) and re.search(r"[<>]|\\[lg]e(?![a-z])", text):
      return Group("and", "", items)
    return _several(items)
  parts = _split(text, _UNION)
  if len(parts) > 1:
    return _several(tuple(parse(part) for part, _ in parts))
  parts = _split(text, _RELATION)
  if len(parts) > 1:
    return _relation([p for p, _ in parts], [s for _, s in parts[1:]])
  if re.search(r"\\(?:pm|mp)(?![a-z])", text):
    above = re.sub(r"\\pm", "+", re.sub(r"\\mp", "-", text))
    below = re.sub(r"\\pm", "-", re.sub(r"\\mp", "+", text))
    return _several((parse(above), parse(below)))
  if text and text[0] in _OPENED and text[-1] in _CLOSED and _spans(text):
    items = tuple(parse(part) for part, _ in _split(text[1:-1], re.compile("[,;]")))
    if text[0] in "{⦃":
      return _several(items)
    if len(items) > 1:
      return Group(text[0], text[-1], items)
    if text[0] == "(":
      return items[0]
  return text


def _spans(text: str) -> bool:
  """Whether the first bracket is closed by the last one."""
  depth = 0
  for i, character in enumerate(text):
    depth += (character in _OPENED) - (character in _CLOSED)
    if depth == 0:
      return i == len(text) - 1
  return False


def _several(items: tuple):
  flat = []
  for item in items:
    for one in item.items if isinstance(item, Group) and item.is_set else (item,):
      if one not in flat:
        flat.append(one)
  return flat[0] if len(flat) == 1 else Group("", "", tuple(flat))


FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}


def _relation(members: list[str], operators: list[str]):
  """An equation with its name; an inequality in one symbol as the interval that it describes."""
  if set(operators) == {"="} and sum(map(bool, members)) == 1:
    return parse(next(filter(None, members)))  # "= 5"
  if not all(members):
    raise Refused("unreadable", "Formula: a relation without one of its sides.")
  if set(operators) == {"="}:
    name = members[0] if _NAME.fullmatch(members[0]) else "" if not _unknown(members[0]) else None
    return Relation("=", tuple(members), name, parse(members[-1]) if name is not None else None)
  if operators == [r"\in"]:
    return Relation("=", tuple(members), members[0], parse(members[1]))
  symbols = [i for i, member in enumerate(members) if _SYMBOL.fullmatch(member)]
  if len(members) == 2 and symbols and not _unknown(members[1 - symbols[0]]):
    operator = FLIPPED.get(operators[0], operators[0]) if symbols[0] else operators[0]
    return Relation("=", (members[symbols[0]],), members[symbols[0]], _ray(operator, members[1 - symbols[0]]))
  if set(operators) <= {">", r"\ge"}:
    members, operators = members[::-1], [FLIPPED[o] for o in operators[::-1]]
  if symbols == [1] and len(members) == 3 and set(operators) <= {"<", r"\le"}:
    brackets = "(" if operators[0] == "<" else "[", ")" if operators[1] == "<" else "]"
    return Relation("=", (members[1],), members[1], Group(*brackets, (parse(members[0]), parse(members[2]))))
  if len(members) == 2:
    return Relation(operators[0], tuple(members))
  return " ".join(m + " " + o for m, o in zip(members, [*operators, ""]))


def _unknown(member: str) -> bool:
  return bool(_VARIABLE.search(re.sub(r"\\[a-zA-Z]+", " ", member)))


def _ray(operator: str, bound: str):
  """The numbers that are `operator` bound."""
  below = Group("(", "]" if operator == r"\le" else ")", (r"-\infty", parse(bound)))
  above = Group("[" if operator == r"\ge" else "(", ")", (parse(bound), r"\infty"))
  return Group("", "", (below, above)) if operator == r"\ne" else below if operator in ("<", r"\le") else above
