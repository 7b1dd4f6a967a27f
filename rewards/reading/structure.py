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
_MATRIX = re.compile(
    r"[\[(]?\s*\\begin\{([pbB]?matrix|array)\}(?:\{[clr|]*\})?(.*)\\end\{\1\}\s*[\])]?", re.DOTALL
)
_LIST_SEPARATOR = re.compile(r"[,;]|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])", re.IGNORECASE)
_UNION = re.compile(r"\\(?:big)?cup(?![a-zA-Z])|(?<=[)\]}⦄])\s*U\s*(?=[(\[{⦃])")
_RELATION = re.compile(r"\\(?:le|ge|ne|in)(?![a-zA-Z])|[<>=]")
_NAME = re.compile(  # x, x_1, f(x), |AB|, \angle ABC, (r, \theta), "Total cost"
    r"\\?[A-Za-z]+'*(?:_(?:\{[^{}]*\}|\w))?\s*(?:\([^()=]*\))?|\|[A-Z]{1,3}\||\\(?:angle|triangle)\s*[A-Z]*"
    r"|\(\s*\\?[A-Za-z]+(?:\s*,\s*\\?[A-Za-z]+)*\s*\)|[A-Za-z]{2,}(?:\s+[A-Za-z]+)*"
)
_SYMBOL = re.compile(r"\\?[A-Za-z]+(?:_(?:\{\w+\}|\w))?")
_VARIABLE = re.compile(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])|[A-Za-z]{1,3}(?=[\d^_(])|(?<=\d)[a-zA-Z]")
_REALS = re.compile(r"(?i:all real numbers|all reals)|\\mathbb\s*(?:\{R\}|R)|\\R")
_NOTHING = re.compile(r"\\(?:emptyset|varnothing)|⦃\s*⦄|no (?:real )?solutions?|(?:the )?empty set", re.I)
FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le", "=": "=", r"\ne": r"\ne", r"\in": r"\in"}


@dataclasses.dataclass(frozen=True)
class Group:
  """Items in order between brackets: a tuple, an interval, a matrix of rows; without brackets, a set."""

  opened: str
  closed: str
  items: tuple


@dataclasses.dataclass(frozen=True)
class Relation:
  """members[0] `operator` members[-1]; `name` is what it defines, "" for arithmetic; `value` what that is."""

  operator: str
  members: tuple[str, ...]
  name: str | None = None
  value: object = None


def _split(text: str, separator: re.Pattern) -> tuple[list[str], list[str]]:
  """Splits at separators outside of all brackets: the parts, and the separators between them."""
  depth, outside = 0, set()
  for i, character in enumerate(text):
    depth += (character in _OPENED) - (character in _CLOSED)
    if depth == 0:
      outside.add(i)
  parts, separators, at = [], [], 0
  for match in separator.finditer(text):
    if match.start() in outside:
      parts.append(text[at : match.start()].strip())
      separators.append(match[0].lower())
      at = match.end()
  return [*parts, text[at:].strip()], separators


@functools.lru_cache(maxsize=4096)
def structure(text: str):
  """Takes a formula apart into Group, Relation and leaves, which stay strings."""
  waiting, deepest = [], 0
  for character in text:
    if character in _OPENED:
      waiting.append(character)
      deepest = max(deepest, len(waiting))
    elif character in _CLOSED:
      kinds = "{}", "⦃⦄", "([)]"  # an interval may be closed by another bracket
      if not waiting or not any(waiting[-1] in kind and character in kind for kind in kinds):
        raise Refused("unreadable", "Formula: its brackets are not balanced.")
      waiting.pop()
  if waiting:
    raise Refused("unreadable", "Formula: its brackets are not balanced.")
  if deepest > MAX_DEPTH or len(text) > MAX_CHARACTERS:
    raise Refused("too_long", f"Formula: at most {MAX_CHARACTERS} characters, brackets {MAX_DEPTH} deep.")
  # Between brackets a comma separates, even in (1,000).
  return parse(text if deepest else re.sub(r"(?<=\d),(?=\d{3}(?:\D|$))", "", text))


def parse(text: str):
  """`structure` for a part of a formula."""
  text = text.strip()
  if _NOTHING.fullmatch(text):
    return r"\emptyset"
  if _REALS.fullmatch(text):
    return Group("(", ")", (r"-\infty", r"\infty"))
  matrix = _MATRIX.fullmatch(text)
  if matrix:
    rows = [row for row in re.split(r"\\\\(?![a-zA-Z])|\\cr", matrix[2]) if row.strip()]
    return Group("matrix", "", tuple(Group("row", "", tuple(map(parse, row.split("&")))) for row in rows))
  parts, joints = _split(text, _LIST_SEPARATOR)
  parts = [p for p in parts if p]
  if len(parts) > 1 and "\\begin" not in text:
    if "and" in joints and re.search(r"[<>]|\\[lg]e(?![a-z])", text):
      return text  # both at once, and no list
    return _several(map(parse, parts))
  parts, _ = _split(text, _UNION)
  if len(parts) > 1:
    return _several(map(parse, parts))
  parts, operators = _split(text, _RELATION)
  if operators:
    return _relation(parts, operators)
  if re.search(r"\\(?:pm|mp)(?![a-z])", text):
    above = text.replace(r"\pm", "+").replace(r"\mp", "-")
    below = text.replace(r"\pm", "-").replace(r"\mp", "+")
    return _several((parse(above), parse(below)))
  if text and text[0] in _OPENED and text[-1] in _CLOSED and _spans(text):
    items = tuple(map(parse, _split(text[1:-1], re.compile("[,;]"))[0]))
    if text[0] in "{⦃":
      return _several(items)
    if len(items) > 1:
      return Group(text[0], text[-1], items)
    if text[0] == "(":
      return items[0]
  return text


def _spans(text: str) -> bool:
  """Whether the first bracket is closed by the last one."""
  depths = [0]
  for character in text:
    depths.append(depths[-1] + (character in _OPENED) - (character in _CLOSED))
  return 0 not in depths[1:-1]


def _several(items):
  """A set: nested ones are one, and what stands twice stands once."""
  flat = []
  for item in items:
    for one in item.items if isinstance(item, Group) and not item.opened else (item,):
      if one not in flat:
        flat.append(one)
  return flat[0] if len(flat) == 1 else Group("", "", tuple(flat))


def _relation(members: list[str], operators: list[str]):
  """An equation with its name; an inequality in one symbol as the interval that it describes."""
  if set(operators) == {"="} and sum(map(bool, members)) == 1:
    return parse("".join(members))  # "= 5"
  if not all(members):
    raise Refused("unreadable", "Formula: a relation without one of its sides.")
  first, last = members[0], members[-1]
  if set(operators) == {"="}:
    name = first if _NAME.fullmatch(first) else None if _unknown(first) else ""
    return Relation("=", tuple(members), name, None if name is None else parse(last))
  if operators == [r"\in"]:
    return Relation("=", tuple(members), first, parse(last))
  if len(members) == 2 and _SYMBOL.fullmatch(last) and not _unknown(first):
    first, last, operators = last, first, [FLIPPED[operators[0]]]  # 3 > x
  if len(members) == 2 and _SYMBOL.fullmatch(first) and not _unknown(last):
    return Relation("=", (first,), first, _ray(operators[0], parse(last)))
  if set(operators) <= {">", r"\ge"}:
    members, operators = members[::-1], [FLIPPED[o] for o in operators[::-1]]
  if len(members) == 3 and _SYMBOL.fullmatch(members[1]) and set(operators) <= {"<", r"\le"}:
    opened, closed = "(" if operators[0] == "<" else "[", ")" if operators[1] == "<" else "]"
    interval = Group(opened, closed, (parse(members[0]), parse(members[2])))
    return Relation("=", (members[1],), members[1], interval)
  if len(members) == 2:
    return Relation(operators[0], tuple(members))
  return " ".join(m + " " + o for m, o in zip(members, [*operators, ""]))


def _unknown(member: str) -> bool:
  return bool(_VARIABLE.search(re.sub(r"\\[a-zA-Z]+", " ", member)))


def _ray(operator: str, bound):
  """The numbers that are `operator` bound."""
  below = Group("(", "]" if operator == r"\le" else ")", (r"-\infty", bound))
  above = Group("[" if operator == r"\ge" else "(", ")", (bound, r"\infty"))
  if operator == r"\ne":
    return Group("", "", (below, above))
  return below if operator in ("<", r"\le") else above
