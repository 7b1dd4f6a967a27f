r"""Mathematical answers: one final value, compared exactly.

One real input: the answer `The total is 5 + 55 = **60** apples.` against the reference `60`; or
`$x = \frac{\sqrt{12}}{2}$` against `\sqrt{3}`.

How an answer is read:
  1. The statement: what a `\boxed{}` holds, else what follows "answer is", "A:" or "####", else
     all of it. Statements that disagree are several candidates, and those are never paid.
  2. A reference that is a number needs a number stated as one: `60`, `60.00`, `1/2`, `50%`,
     `$1,000`, `3 1/2`, `6 \times 10^1`, with words, units and LaTeX around it, or the last member
     of an equation. It is read into a Fraction by the standard library and compared without any
     tolerance. Arithmetic left to the grader (`12 * 5`, `\sqrt{16}`, `120/2` for 60) is not a
     number; sympy is never involved. All this is `numerals.py`.
  3. Any other reference (surds, intervals, sets, tuples, matrices, equations, words) is taken
     apart here, by brackets and separators, and only expressions without structure are given to
     math-verify, which parses and compares them. Its own extraction, rounding, unit, set and
     relation rules are kind in ways that a policy would find, and are not used. What is equal is
     paid only if it is finished: no plain arithmetic left to do (`3*3*\pi`) that the reference has
     not, and not the expression that the prompt asked to work on.

Percent: `50%` is 1/2. It also answers a reference of 50, where the sign is a unit like any other;
up to 1, where both readings are plausible values (`0.5%` for 0.5), only if the prompt asks for a
percentage. A reference with a percent sign takes `28%`, `28` and `0.28`.

Not here: deadlines. math-verify's SIGALRM timeouts fail off the main thread and are switched off;
absurd input is refused before sympy sees it, and the worker process is killed when something slow
gets through. Digits of other scripts are not read as numbers.
"""

from collections.abc import Iterator
import dataclasses
import functools
import math
import re

from rewards.reading.numerals import agree
from rewards.reading.numerals import ARITHMETIC
from rewards.reading.numerals import equal
from rewards.reading.numerals import Exact
from rewards.reading.numerals import given_numbers
from rewards.reading.numerals import in_digits
from rewards.reading.numerals import number
from rewards.reading.numerals import number_or_none
from rewards.reading.numerals import readable
from rewards.reading.numerals import refuse_doubts
from rewards.reading.numerals import refuse_hedges
from rewards.reading.numerals import refuse_retractions
from rewards.reading.numerals import Refused
from rewards.reading.numerals import TEXT
from rewards.reading.numerals import ungrouped
from rewards.reading.numerals import UNITS
from rewards.reading.numerals import VARIABLE
from rewards.reading.numerals import without_checks
from rewards.registry import register
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score

# Beyond these an answer is refused unread. The longest honest answers (solutions copied whole,
# with a box at the end) have some 12,000 characters; no single expression comes near the rest.
MAX_ANSWER_CHARACTERS = 20_000
MAX_STATEMENT_CHARACTERS = 2_000
MAX_EXPRESSION_CHARACTERS = 400
MAX_DEPTH = 10
MAX_EXPRESSION_DIGITS = 12
MAX_POWER = 10_000


@register("math_answer", kind="correctness", domains=("math",))
def math_answer(completion: Completion, example: Example) -> Score | None:
  r"""1.0 when the answer states exactly the reference and nothing else, else 0.0.

  Awkward input: several different candidates, negations, hedges, questions, ranges, lists against
  a single value, inequalities, unevaluated arithmetic and anything too long or too deep score 0.0
  with a reason. The same value stated twice is one candidate. None where there is no reference.

  How a policy might cheat, and what stops it: naming several candidates (all must agree); leaving
  the work to the grader with `12 * 5`, `\sum`, `4!` or `\sin 60^\circ` (a number must be written
  out, and a function must stand in the reference to stand in the answer); rounding (no tolerance
  anywhere); anagrams of a word, which a product of symbols would accept (words are compared as
  words); 9^9^9^9, 1e999999999, thousands of brackets or digits (refused before anything computes).
  """
  expected = example.reference.text
  if not expected:
    return None
  if completion.answer.strip() == expected.strip():
    return Score(1.0, reason="The answer is the reference to the letter.")
  try:
    reference = _reference(expected)
    said = _statement(completion.answer, judge=True, prompt=example.prompt)
    if isinstance(reference, Exact):
      stated = number(in_digits(said), judge=True, prompt=example.prompt)
      correct = equal(stated, reference, example.prompt)
    else:
      said = _formula(said, judge=True)
      correct = _same_text(said, reference)
      if not correct and _same(_structure(said), _structure(reference)):
        _refuse_unfinished(said, reference, example.prompt)
        correct = True
  except Refused as refusal:
    return Score(0.0, reason=str(refusal), cause=refusal.cause)
  verdict = "is" if correct else "is not"
  return Score(float(correct), reason=f"{said[:80]!r} {verdict} {expected[-80:]!r}.")


@functools.lru_cache(maxsize=4096)
def _reference(text: str) -> "Exact | str":
  """A reference as a number, or as a formula where it is none; trusted, so never judged."""
  statement = _statement(text, judge=False)
  try:
    return number(statement, judge=False)
  except Refused:
    return _formula(statement, judge=False)


# ---- The statement: where the answer says what it settles on -------------------------------------

_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?=\{)")
_BARE_BOX = re.compile(r"\\boxed\s+([^\s{}$]+)")
_MARKER = re.compile(
    r"####|^\W*A\s*:"
    r"|\b(?:final\s+)?ans(?:wer)?\b"
    r"(?:[^.\n=:\d$\\?]{0,60}?(?:\bis\b|\bare\b|:|=)|[^\S\n]*(?=[$\\\d-]))",
    re.IGNORECASE | re.MULTILINE,
)
_HOPE = re.compile(r"I hope (?:it|this) is correct\.?", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[.;,\n]")


def _statement(text: str, *, judge: bool, prompt: str = "") -> str:
  """The part of an answer that states the final value.

  Args:
    text: an answer or a reference, raw.
    judge: refuse what is hedged, denied or disagrees with itself; references are taken on trust.
    prompt: tells which numbers behind a box were given, and are no rivals.
  """
  if len(text) > MAX_ANSWER_CHARACTERS:
    raise Refused("too_long", f"The answer has {len(text)} characters.")
  text = readable(text).strip().rstrip("\\")
  if "<think>" in text.rpartition("</think>")[2]:
    raise Refused("unreadable", "The answer ends while it is still thinking.")
  text = _HOPE.sub("", text.rpartition("</think>")[2]).strip()
  boxes = list(_boxes(text))
  if boxes:
    statement, rest = _boxed(text, boxes, judge)
    if judge:
      _refuse_other_statements(rest, statement)
      _refuse_afterthought(text[boxes[-1][1] :], statement, prompt)
  else:
    statement = _marked(text, judge)
  if len(statement) > MAX_STATEMENT_CHARACTERS:
    raise Refused("too_long", f"The statement has {len(statement)} characters.")
  return statement


def _boxes(text: str) -> Iterator[tuple[int, int, str]]:
  """Yields (start, end, content) of every closed box, outermost only."""
  end = 0
  for match in _BOX.finditer(text):
    if match.start() < end:
      continue
    depth = 0
    for i in range(match.end(), len(text)):
      depth += (text[i] == "{") - (text[i] == "}")
      if depth == 0:
        yield match.start(), i + 1, text[match.end() + 1 : i].strip()
        end = i + 1
        break
    else:
      return
  if not end:
    for match in _BARE_BOX.finditer(text):
      yield match.start(), match.end(), match[1]


def _boxed(text: str, boxes: list[tuple[int, int, str]], judge: bool) -> tuple[str, str]:
  """The boxes' contents as one statement, and the text outside of them."""
  contents, outside, at = [], [], 0
  for start, end, content in boxes:
    outside.append(text[at:start])
    sign = re.match(r"[\s$]*(?:%|percent\b)", text[end:])
    contents.append(content + "%" if sign and "%" not in content else content)
    at = end
  outside.append(text[at:])
  distinct = {re.sub(r"\s", "", content): content for content in contents}
  if judge:
    allowed = ("or", "either") if len(distinct) > 1 else ()
    for before, after in zip(outside, outside[1:]):
      refuse_doubts(_CLAUSE_END.split(before)[-1], _CLAUSE_END.split(after)[0], allowed)
  return ", ".join(distinct.values()), "\n".join(outside)


def _refuse_other_statements(rest: str, statement: str) -> None:
  """Refuses when the text outside of the boxes states another number as the answer."""
  _refuse_strays(rest, statement)
  for other in _MARKER.split(rest)[1:]:
    other = re.split(r"\.\s|\n", other.strip())[0]
    stated, boxed = number_or_none(other), number_or_none(statement)
    if stated and boxed and stated.value != boxed.value and not (stated.percent or boxed.percent):
      raise Refused("several", "The answer and its box state different numbers.")


def _refuse_afterthought(after: str, statement: str, prompt: str) -> None:
  r"""Refuses when what follows the last box takes it back or names a rival: `\boxed{60} but 61`.

  It may say what a statement may say behind its number: units, reasons, given numbers.
  """
  after = re.sub(r"^[\s$%})\]*\\]+", " ", after).rstrip(" \n$*.")
  refuse_retractions(after)
  boxed, after = number_or_none(statement), in_digits(after)
  if boxed and re.search(r"\d", after):
    after = without_checks(after, {*given_numbers(prompt), boxed.value})
    numbered = [s for s in re.split(r"\n+|\.(?=\s|$)", after) if re.search(r"\d", s)]
    joined = number(". ".join([str(boxed), *numbered, ""]), judge=True, prompt=prompt)
    if joined.value != boxed.value:
      raise Refused("several", "The text behind the box names another number.")


def _refuse_strays(rest: str, statement: str) -> None:
  """Refuses when another bare number stands beside the statement, as in `59 #### 60`."""
  for line in rest.split("\n"):
    if re.search(r"\d", line) and not re.search(r"[A-Za-z=]", line):
      if number_or_none(statement) and not agree(line.strip(" ,;:.$"), statement):
        raise Refused("several", f"{line.strip()[:60]!r} stands beside the answer.")


def _marked(text: str, judge: bool) -> str:
  """What follows the last marker; all of the text where there is none."""
  matches = list(_MARKER.finditer(text))
  if not matches:
    return text
  ends = [m.start() for m in matches[1:]] + [len(text)]
  parts = [text[m.end() : end].strip() for m, end in zip(matches, ends)]
  if not parts[-1].strip(" .:*$!"):
    return text  # "60 is the answer."
  if judge:
    refuse_doubts(re.split(r"[.;\n]", text[: matches[-1].start()])[-1])
    refuse_hedges(matches[-1][0])
    _refuse_strays(text[: matches[0].start()], parts[-1])
    for part in parts[:-1]:
      if re.search(r"\d", part) and not agree(part, parts[-1]):
        raise Refused("several", "The answer states more than one final answer.")
  return parts[-1]


# ---- Structure: lists, sets, intervals, tuples, matrices, relations ------------------------------


@dataclasses.dataclass(frozen=True)
class Leaf:
  """An expression without structure, or words."""

  text: str


@dataclasses.dataclass(frozen=True)
class Group:
  """Items in order between brackets: a tuple, a point, an interval, a matrix of rows."""

  opened: str
  closed: str
  items: tuple


@dataclasses.dataclass(frozen=True)
class Several:
  """Items in any order: a set, a list of solutions, a union."""

  items: tuple


@dataclasses.dataclass(frozen=True)
class Relation:
  """members[0] `operator` members[-1].

  name: what an equation defines and `value` what it is, where that can be told; "" where the left
  side is arithmetic without unknowns.
  """

  operator: str
  members: tuple[str, ...]
  name: str | None = None
  value: object = None


_SEGMENT = re.compile(
    r"\$\$(.+?)\$\$|\$([^$]+)\$|(?<!\\)\\\[(.+?)\\\]|(?<!\\)\\\((.+?)\\\)", re.DOTALL
)
_JOINING = re.compile(r"[\s,;.]*(?:\b(?:and|or)\b)?[\s,;.]*", re.IGNORECASE)
_PREAMBLE = re.compile(r"^[^=<>\\:]*\b[A-Za-z']{2,}\s*(?:\b(?:is|are|equals|be)\b\s*:?|:)\s*(?=\S)")
_MATRIX = re.compile(r"\\begin\{([pbB]?matrix|array)\}(?:\{[clr|]*\})?(.*)\\end\{\1\}", re.DOTALL)
_LIST_SEPARATOR = re.compile(r"[,;]|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])", re.IGNORECASE)
_UNION = re.compile(r"\\(?:big)?cup(?![a-zA-Z])|(?<=[)\]}⦄])\s*U\s*(?=[(\[{⦃])")
_RELATION = re.compile(r"\\(?:le|ge|ne|in)(?![a-zA-Z])|[<>=]")
_NAME = re.compile(
    r"\\?[A-Za-z]+'*(?:_(?:\{[^{}]*\}|\w))?\s*(?:\([^()=]*\))?"  # x, x_1, f(x), \theta
    r"|\|[A-Z]{1,3}\||\\(?:angle|triangle|overline\{[A-Z]+\})\s*[A-Z]*"
    r"|\(\s*\\?[A-Za-z]+(?:_\w)?(?:\s*,\s*\\?[A-Za-z]+(?:_\w)?)*\s*\)"  # (x, y)
    r"|[A-Za-z]{2,}(?:\s+[A-Za-z]+)*"
)
_SYMBOL = re.compile(r"\\?[A-Za-z]+(?:_(?:\{\w+\}|\w))?")
_FUNCTIONS = (
    "sqrt sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp lim max min gcd "
    "lcm det alpha beta gamma delta theta lambda phi omega pi infty inf infinity"
).split()
_LONG_WORD = re.compile(
    rf"(?<![A-Za-z\\])(?!(?:{'|'.join(_FUNCTIONS)})(?![A-Za-z]))[A-Za-z]{{3,}}"
)
_UNIT_TAIL = re.compile(
    rf"(?<=[\w)}}°])\s*(?:(?<=[\s}}°])(?:{UNITS})"
    r"|(?<=[\s}°)])(?:sq\.?|cu\.?|[a-z]{3,})(?:\s+[a-z]{2,})*)"
    r"\s*(?:\^\s*(?:\{[23]\}|[23]))?\s*$"
)
_CLOCK = re.compile(r"(\d:\d\d)\s*([ap])\.?m\b\.?", re.IGNORECASE)
# Notation that math-verify reads as something else or drops: bases, primes, ratios, dots, "≈".
_VERBATIM = re.compile(r"[\d}]\s*_|[':\"]|\\[lcvd]?dots|\\approx|\.\.")
_REALS = re.compile(r"(?i:all real numbers|all reals)|\\mathbb\s*(?:\{R\}|R)|\\R")
_NOTHING = re.compile(
    r"\\(?:emptyset|varnothing)|⦃\s*⦄|\{\s*\}|no (?:real )?solutions?|(?:the )?empty set",
    re.IGNORECASE,
)
_OPENED, _CLOSED = "([{⦃", ")]}⦄"


def _formula(statement: str, *, judge: bool) -> str:
  """The mathematics of a statement, without the prose and the delimiters around it."""
  segments = [next(filter(None, m.groups())) for m in _SEGMENT.finditer(statement)]
  if segments:
    outside = _SEGMENT.split(statement)[:: _SEGMENT.groups + 1]
    if judge:
      # A list of solutions is joined by "or"; against a single value its length gives it away.
      refuse_doubts(outside[0], " ".join(outside[1:]), allowed=("or", "either"))
    apart = [o for o in outside[1:-1] if not _JOINING.fullmatch(o)]
    segments = list(dict.fromkeys(s.strip() for s in segments))
    if apart and len(segments) > 1:
      raise Refused("several", "The answer has several formulas and does not say which is final.")
    trailing = "%" if re.match(r"\s*(?:%|percent\b)", outside[-1]) else ""
    text = ", ".join(segments) + trailing
  else:
    text = statement.replace("$", " ")
  text = TEXT.sub(r" \1 ", text).strip().rstrip(".").strip()
  preamble = _PREAMBLE.match(text)
  if preamble and not segments:
    if judge:
      refuse_doubts(preamble[0])
    text = text[preamble.end() :]
  if judge:
    refuse_hedges(text, allowed=("or", "either", "no", "none", "any"))
  clock = _CLOCK.search(text)
  around = clock and text[: clock.start()] + "\n" + text[clock.end() :]
  if clock and not re.search(r"\d|\b(?:after|before|past|until|till|by)\W*\n", around):
    return clock[0]  # They arrive at 3:30 pm.
  exact, approximately, decimal = text.partition(r"\approx")  # 2\sqrt{3} \approx 3.46
  return exact if approximately and exact.strip() and number_or_none(decimal) else text


def _same_text(answer: str, reference: str) -> bool:
  """Whether two formulas are spelled alike, white space, case of words and full stops aside."""
  def bare(text: str) -> str:
    text = _CLOCK.sub(r"\1\2m", text)
    text = re.sub(r"[\s$]+", "", text.rstrip(". "))
    text = re.sub(r"(?<=[_^])\{(\w)\}", r"\1", text)
    return text.casefold() if _LONG_WORD.search(text) or _CLOCK.search(text) else text
  return bool(bare(answer)) and bare(answer) == bare(reference)


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
def _structure(text: str):
  """Takes a formula apart into Leaf, Group, Several and Relation."""
  _refuse_depth(text)
  # Between brackets a comma separates, even in (1,000).
  return _parse(text if any(c in text for c in _OPENED) else ungrouped(text))


def _refuse_depth(text: str) -> None:
  depth = deepest = 0
  for character in text:
    depth += (character in _OPENED) - (character in _CLOSED)
    deepest = max(deepest, depth)
  if deepest > MAX_DEPTH:
    raise Refused("too_long", f"Brackets nested {deepest} deep.")


def _parse(text: str):
  text = text.strip().strip("$").strip()
  if _NOTHING.fullmatch(text):
    return Leaf(r"\emptyset")
  if _REALS.fullmatch(text):
    return Group("(", ")", (Leaf(r"-\infty"), Leaf(r"\infty")))
  matrix = _MATRIX.fullmatch(text)
  if matrix:
    rows = [row for row in re.split(r"\\\\(?![a-zA-Z])|\\cr", matrix[2]) if row.strip()]
    cells = [tuple(map(_parse, row.split("&"))) for row in rows]
    return Group("matrix", "", tuple(Group("row", "", row) for row in cells))
  parts = [(p, s) for p, s in _split(text, _LIST_SEPARATOR) if p]
  if len(parts) > 1 and "\\begin" not in text:
    items = tuple(_parse(part) for part, _ in parts)
    if any(s.lower() == "and" for _, s in parts) and re.search(r"[<>]|\\[lg]e", text):
      return Group("and", "", items)
    return _several(items)
  parts = _split(text, _UNION)
  if len(parts) > 1:
    return _several(tuple(_parse(part) for part, _ in parts))
  parts = _split(text, _RELATION)
  if len(parts) > 1:
    return _relation([p for p, _ in parts], [s for _, s in parts[1:]])
  if re.search(r"\\pm|\\mp", text):
    above = re.sub(r"\\pm", "+", re.sub(r"\\mp", "-", text))
    below = re.sub(r"\\pm", "-", re.sub(r"\\mp", "+", text))
    return _several((_parse(above), _parse(below)))
  if text and text[0] in _OPENED and text[-1] in _CLOSED and _spans(text):
    items = tuple(_parse(part) for part, _ in _split(text[1:-1], re.compile("[,;]")))
    if text[0] in "{⦃":
      return _several(items)
    if len(items) > 1:
      return Group(text[0], text[-1], items)
    if text[0] == "(":
      return items[0]
  return Leaf(text)


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
    for one in item.items if isinstance(item, Several) else (item,):
      if one not in flat:
        flat.append(one)
  return flat[0] if len(flat) == 1 else Several(tuple(flat))


_FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}


def _relation(members: list[str], operators: list[str]):
  r"""An equation with its name; an inequality in one symbol as the interval that it describes."""
  if set(operators) == {"="} and sum(map(bool, members)) == 1:
    return _parse(next(filter(None, members)))  # "= 5"
  if not all(members):
    raise Refused("unreadable", "A relation without one of its sides.")
  if set(operators) == {"="}:
    name = members[0] if _NAME.fullmatch(members[0]) else "" if not _unknown(members[0]) else None
    value = _parse(members[-1]) if name is not None else None
    return Relation("=", tuple(members), name, value)
  if operators == [r"\in"]:
    return Relation("=", tuple(members), members[0], _parse(members[1]))
  symbols = [i for i, member in enumerate(members) if _SYMBOL.fullmatch(member)]
  if len(members) == 2 and symbols and not _unknown(members[1 - symbols[0]]):
    symbol, bound = members[symbols[0]], members[1 - symbols[0]]
    operator = _FLIPPED.get(operators[0], operators[0]) if symbols[0] else operators[0]
    return Relation("=", (symbol,), symbol, _ray(operator, bound))
  if set(operators) <= {">", r"\ge"}:
    members, operators = members[::-1], [_FLIPPED[o] for o in operators[::-1]]
  if symbols == [1] and len(members) == 3 and set(operators) <= {"<", r"\le"}:
    brackets = "(" if operators[0] == "<" else "[", ")" if operators[1] == "<" else "]"
    interval = Group(*brackets, (_parse(members[0]), _parse(members[2])))
    return Relation("=", (members[1],), members[1], interval)
  if len(members) == 2:
    return Relation(operators[0], tuple(members))
  return Leaf(" ".join(m + " " + o for m, o in zip(members, [*operators, ""])))


def _unknown(member: str) -> bool:
  """Whether an expression has a variable in it."""
  return bool(VARIABLE.search(re.sub(r"\\[a-zA-Z]+", " ", member)))


def _ray(operator: str, bound: str):
  """The numbers that are `operator` bound."""
  below = Group("(", "]" if operator == r"\le" else ")", (Leaf(r"-\infty"), _parse(bound)))
  above = Group("[" if operator == r"\ge" else "(", ")", (_parse(bound), Leaf(r"\infty")))
  if operator == r"\ne":
    return Several((below, above))
  return below if operator in ("<", r"\le") else above


# ---- Comparison ----------------------------------------------------------------------------------


def _same(answer, reference) -> bool:
  """Whether two structures state the same; `answer` may be named or not, as it likes."""
  if isinstance(answer, Relation) and isinstance(reference, Relation):
    return _same_relation(answer, reference)
  if isinstance(reference, Relation):
    return reference.name is not None and _same(answer, reference.value)
  if isinstance(answer, Relation) and answer.name is not None:
    return _same(answer.value, reference)
  if isinstance(answer, Relation):  # (x+1)^2 = x^2+2x+1 rewrites one expression
    return answer.operator == "=" and all(_same(_parse(m), reference) for m in answer.members)
  if type(answer) is not type(reference):
    return False
  if isinstance(answer, Leaf):
    return _same_leaf(answer.text, reference.text)
  if len(answer.items) != len(reference.items):
    return False
  if isinstance(answer, Group):
    brackets = (answer.opened, answer.closed) == (reference.opened, reference.closed)
    return brackets and all(map(_same, answer.items, reference.items))
  return _same_items(list(answer.items), list(reference.items))


def _same_relation(answer: Relation, reference: Relation) -> bool:
  if answer.name is not None and reference.name is not None:
    if not answer.name or re.sub(r"\s", "", answer.name) == re.sub(r"\s", "", reference.name):
      return _same(answer.value, reference.value)
  return len(answer.members) == len(reference.members) == 2 and _same_equation(answer, reference)


def _same_items(answers: list, references: list) -> bool:
  """Items in any order; of several named unknowns, each its own value, or in the names' order."""
  names = {r.name.split("_")[0] for r in references if isinstance(r, Relation) and r.name}
  if len(names) == len(references) and not any(isinstance(a, Relation) for a in answers):
    return all(map(_same, answers, references))
  for answer in answers:
    match = next((r for r in references if _matches(answer, r)), None)
    if match is None:
      return False
    references.remove(match)
  return True


def _matches(answer, reference) -> bool:
  """`_same`, for one of several references: what one refuses another may take."""
  try:
    return _same(answer, reference)
  except Refused:
    return False


def _same_leaf(answer: str, reference: str) -> bool:
  if _same_text(answer, reference):
    return True
  stated, expected = number_or_none(answer), number_or_none(reference)
  if expected:
    return stated is not None and equal(stated, expected)
  answer, reference = _without_unit(answer), _without_unit(reference)
  if any(p.search(t) for p in (_LONG_WORD, _VERBATIM) for t in (answer, reference)):
    return False
  return _same_text(answer, reference) or _equivalent(answer, reference)


def _without_unit(text: str) -> str:
  """A formula without the unit behind it; words that compute, and words alone, stay."""
  tail = _UNIT_TAIL.search(text)
  is_unit = tail and ARITHMETIC.isdisjoint(tail[0].lower().split())
  return text[: tail.start()] if is_unit and re.search(r"[\d\\]", text) else text


_COMPUTED = re.compile(
    r"(?<![A-Za-z])(sum|prod|int|lim|[dt]?binom|log|ln|(?:arc)?(?:sin|cos|tan)h?|cot|sec|csc|det|"
    r"gcd|lcm|max|min|exp|choose|bmod|pmod|mod|begin|lfloor|lceil)(?![a-zA-Z])|(!)"
)


def _refuse_absurd(answer: str, reference: str) -> None:
  """Refuses what would burn CPU, and functions that the reference does not use."""
  if len(answer) > MAX_EXPRESSION_CHARACTERS:
    raise Refused("too_long", f"An expression of {len(answer)} characters.")
  _refuse_depth(answer)
  for number in re.findall(r"\d+", answer):
    if len(number) > MAX_EXPRESSION_DIGITS and number not in reference:
      raise Refused("too_long", f"A number of {len(number)} digits in an expression.")
  power = 1  # as if every power stood in the next one's base
  for exponent in re.findall(r"\^\s*\{?\s*-?\s*(\d+)", answer):
    power *= max(1, int(exponent))
    if power > MAX_POWER and exponent not in reference:
      raise Refused("unevaluated", f"A power of {power}.")
  if re.search(r"\d\s*\}?\s*\^[^+\-*/=]*\d\s*\}?\s*\^|\^\s*\{?[^{}]*\^[^{}]*\^", answer):
    raise Refused("unevaluated", "A tower of powers.")
  known = {"".join(g) for g in _COMPUTED.findall(reference)}
  for function in ("".join(g) for g in _COMPUTED.findall(answer)):
    if function not in known and not (function in ("ln", "log") and known & {"ln", "log"}):
      raise Refused("unevaluated", f"The answer leaves {function!r} to compute.")


_PLAIN_TO_LATEX = [
    (re.compile(r"(?<![\\A-Za-z])sqrt\s*\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"\\sqrt\s*\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<![\\A-Za-z])sqrt\s*(\d+|[a-z])"), r"\\sqrt{\1}"),
    (re.compile(r"\\sqrt\s*(\d+|[a-z])"), r"\\sqrt{\1}"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\d)\s*(?=\{)"), r"\\frac{\1}"),
    (re.compile(r"(\\frac\s*\{[^{}]*\})\s*(\d)"), r"\1{\2}"),
    (re.compile(r"(?<![\\A-Za-z])(pi|infty|theta|sin|cos|tan|ln|log)(?![a-z])"), r"\\\1 "),
    (re.compile(r"(?<![\\A-Za-z])(?:infinity|inf|oo)(?![a-z])"), r"\\infty "),
    (re.compile(r"\^\s*\(([^()]*)\)"), r"^{\1}"),
    (re.compile(r"\*"), r"\\cdot "),
    (re.compile(r"\+\s*(?=\\infty)"), ""),
    (re.compile(r"°"), r"^{\\circ}"),
]
_DECIMAL = re.compile(r"(?<![\d.])(\d*)\.(\d+)(?![\d.])")


@functools.lru_cache(maxsize=1)
def _math_verify():
  """Imports math-verify, which takes seconds; returns it and how it is to read: nothing removed."""
  import logging

  from latex2sympy2_extended import NormalizationConfig
  import math_verify

  logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that timeouts are off
  normalization = NormalizationConfig(
      basic_latex=True, units=False, malformed_operators=False, nits=False, boxed="none"
  )
  return math_verify, (
      math_verify.LatexExtractionConfig(
          boxed_match_priority=-1, normalization_config=normalization
      ),
  )


def warm() -> None:
  """Pays math-verify's import and first call before the first symbolic answer has to."""
  _equivalent(r"\sqrt{12}", r"2\sqrt{3}")


def _equivalent(answer: str, reference: str) -> bool:
  """Whether math-verify finds two expressions equal, once numbers have not told them apart."""
  _refuse_absurd(answer, reference)
  math_verify, _ = _math_verify()
  first, second = _sympy(_expression, answer), _sympy(_expression, reference)
  if first is None or second is None or _sympy(_differ, first, second):
    return False
  return math_verify.verify(second, first, numeric_precision=40, timeout_seconds=None)


def _same_equation(answer: Relation, reference: Relation) -> bool:
  """Whether one relation is the other times a constant, with the same sense of inequality."""
  for member in answer.members:
    _refuse_absurd(member, " ".join(reference.members))
  sides = [_sympy(_expression, m) for relation in (answer, reference) for m in relation.members]
  if any(side is None for side in sides):
    return False
  sign = _sympy(_ratio_sign, *sides)
  expected = reference.operator
  if sign == -1:
    expected = _FLIPPED.get(expected, expected)
  return sign is not None and answer.operator == expected


def _sympy(function, *arguments):
  """Calls a function in which only sympy and math-verify run.

  They raise whatever an expression makes them stumble over, from TypeError to RecursionError.
  That is the expression's doing and no bug of ours: it is refused and counted, with what they said.
  """
  try:
    return function(*arguments)
  except Exception as error:
    reason = f"sympy cannot read it: {type(error).__name__}: {error}"
    raise Refused("sympy_error", reason) from error


@functools.lru_cache(maxsize=1024)
def _expression(text: str):
  """A sympy expression, or None where math-verify reads none. Decimals become fractions."""
  import sympy

  math_verify, extraction = _math_verify()
  for pattern, replacement in _PLAIN_TO_LATEX:
    text = pattern.sub(replacement, text)
  text = _DECIMAL.sub(lambda m: rf"\frac{{{int(m[1] + m[2])}}}{{{10 ** len(m[2])}}}", text)
  parsed = math_verify.parse(
      f"${text}$", extraction_config=extraction, fallback_mode="no_fallback", parsing_timeout=None
  )
  return parsed[0] if parsed and isinstance(parsed[0], sympy.Expr) else None


def _differ(first, second) -> bool:
  """True when two expressions have different values at a fixed point of their symbols.

  In floating point, which costs little where exact powers would fill the memory, and before
  `simplify`, which is slow on what is not equal.
  """
  import sympy

  symbols = sorted(first.free_symbols | second.free_symbols, key=str)
  point = {symbol: sympy.Rational(17 + 12 * i, 29) for i, symbol in enumerate(symbols)}
  values = [side.evalf(30, subs=point) for side in (first, second)]
  if not all(value.is_number and value.is_finite for value in values):
    return False
  return bool(abs(values[0] - values[1]) > sympy.Float("1e-20") * (1 + abs(values[1])))


def _left_to_do(expression) -> int:
  """How many operations on plain numbers an expression leaves to do, as 3*3*pi leaves one.

  Expressions are not evaluated while they are parsed, so the tree is what was written. Fractions in
  lowest terms, signs and roots that are no whole numbers are done.
  """
  import sympy

  count = sum(map(_left_to_do, expression.args))
  if expression.is_Mul:
    factors = _flat(expression)
    over = [f.base for f in factors if f.is_Pow and f.base.is_Integer and f.exp == -1]
    plain = [f for f in factors if f.is_Rational and f != -1]
    count += max(0, len(plain) - 1) + max(0, len(over) - 1)
    count += 1 in over
    count += 1 in plain[:1] and len(factors) > 1 and not over or factors.count(-1) > 1
    whole = [abs(p.p) for p in plain if p.is_Rational]
    count += any(sympy.gcd(o, p) != 1 for o in over for p in whole)
  elif expression.is_Add:
    terms = [_written(sympy.Mul(*[f for f in _flat(t) if not _is_plain(f)])) for t in _flat(expression)]
    count += len(terms) - len(set(terms)) + (0 in expression.args)
  elif expression.is_Pow:
    exponent, whole = expression.exp, expression.base.is_Integer
    count += bool(exponent.is_Integer and (whole and exponent != -1 or exponent in (0, 1)))
    count += bool(whole and exponent == sympy.Rational(1, 2) and sympy.sqrt(expression.base).is_Integer)
  return int(count)


def _reducible(text: str) -> int:
  """How many fractions of whole numbers are not in lowest terms: these the parser does evaluate."""
  fractions = re.findall(r"\\frac\s*\{\s*-?(\d+)\s*\}\s*\{\s*(\d+)\s*\}|(?<!\^)(\d+)\s*/\s*(\d+)", text)
  return sum(math.gcd(*(int(term) for term in terms if term)) != 1 for terms in fractions)


def _flat(expression) -> list:
  """The factors of a product, or the terms of a sum, of nested ones too."""
  if not (expression.is_Mul or expression.is_Add):
    return [expression]
  kind = type(expression)
  return [one for a in expression.args for one in (_flat(a) if isinstance(a, kind) else [a])]


def _is_plain(factor) -> bool:
  return bool(factor.is_Rational or factor.is_Pow and factor.base.is_Integer and factor.exp == -1)


def _written(expression) -> str:
  """An expression as it was written, but for the order of factors and terms."""
  arguments = _flat(expression) if expression.is_Mul or expression.is_Add else expression.args
  if not arguments:
    return str(expression)
  return f"{type(expression).__name__}({','.join(sorted(map(_written, arguments)))})"


def _carried_out(expression):
  """An expression with what sympy does unasked: like terms and factors put together, no more."""
  if not expression.args:
    return expression
  return expression.func(*map(_carried_out, expression.args))


_MATHEMATICS = re.compile(
    r"(?:\\[a-zA-Z]+|(?<![A-Za-z])(?:sqrt|pi|[a-zA-Z])(?![A-Za-z])|[-\d+*/^(){}\[\]=<>.,_ ])+"
)
_WRITES = re.compile(r"[-+*/^=<>(]|\\")


def _refuse_unfinished(answer: str, reference: str, prompt: str) -> None:
  """Refuses what equals the reference but leaves arithmetic to do or hands the prompt's formula back.

  Compared as written and as `_carried_out`, so that another order or a factor 1 does not hide it.
  """
  if _work_left(answer) > _work_left(reference):
    raise Refused("unevaluated", f"{answer[:60]!r} leaves arithmetic to do.")
  prompt = readable(prompt)
  asked = [next(filter(None, m.groups())) for m in _SEGMENT.finditer(prompt)]
  asked += [m[0].strip(" .,") for m in _MATHEMATICS.finditer(_SEGMENT.sub(" ; ", prompt))]
  asked = [a for a in asked if len(a) > 1 and _WRITES.search(a) and len(a) < MAX_EXPRESSION_CHARACTERS]
  relation = isinstance(_structure(answer), Relation) and _structure(answer).name is None
  if relation and any(_same_text(answer, a) for a in asked):
    raise Refused("unevaluated", "The answer hands back what the prompt says.")
  given, wanted = _forms(asked), _forms([reference])
  if _forms([answer]) & (given - wanted):
    raise Refused("unevaluated", "The answer hands back an expression of the prompt.")


def _work_left(formula: str) -> int:
  """How much plain arithmetic the expressions in a formula leave to do."""
  count = 0
  for leaf in _leaves(_structure(formula)):
    expression = _sympy(_expression, leaf)
    count += _reducible(leaf) + (_sympy(_left_to_do, expression) if expression is not None else 0)
  return count


def _forms(formulas: list[str]) -> set[str]:
  """The expressions in formulas, each as written and as carried out; plain numbers left out."""
  forms = set()
  for formula in formulas:
    try:
      expressions = [_sympy(_expression, leaf) for leaf in _leaves(_structure(formula))]
      for expression in filter(None, expressions):
        if not expression.is_Rational and not expression.is_Symbol:
          forms |= {_written(expression), _written(_sympy(_carried_out, expression))}
    except Refused:
      continue  # a prompt holds much that is no expression
  return forms


def _leaves(structure) -> Iterator[str]:
  """The expressions of a structure; of a relation, what it arrives at."""
  if isinstance(structure, Leaf):
    if not _VERBATIM.search(structure.text):
      _refuse_absurd(structure.text, structure.text)
      yield _without_unit(structure.text)
  elif isinstance(structure, Relation):
    yield from _leaves(structure.value or _structure(structure.members[-1]))
  else:
    for item in structure.items:
      yield from _leaves(item)


def _ratio_sign(left, right, reference_left, reference_right) -> int | None:
  """1 or -1 when a relation is the reference times a positive or negative number, else None."""
  import sympy

  first, second = left - right, reference_left - reference_right
  if second == 0 or first.free_symbols != second.free_symbols:
    return None
  ratio = sympy.simplify(first / second)
  if not ratio.is_number or not ratio.is_finite or ratio.is_zero is not False:
    return None
  return -1 if ratio.is_negative else 1
