r"""Formulas: one formula or list of them, compared exactly with the reference's.

One real input: `The solutions are $x<2$ or $x>3$.` against `(-\infty,2)\cup(3,\infty)`: two rays, in any
order. Trees are read in algebra.py; leaves are compared as fractions, else by sympy after a check of size:
arithmetic with bounded error refutes, simplification proves, and what is not proved equal is refused. It
runs where it can be killed.
"""

import functools
import re

from rewards.reading import words
from rewards.reading.algebra import FLIPPED
from rewards.reading.algebra import Node
from rewards.reading.algebra import parse
from rewards.reading.algebra import shape
from rewards.reading.algebra import size
from rewards.reading.algebra import symbols
from rewards.reading.algebra import value
from rewards.reading.algebra import work
from rewards.reading.dress import undress
from rewards.reading.sentences import Kind
from rewards.reading.sentences import MAX_ANSWER_CHARACTERS
from rewards.reading.words import Refused

_SEGMENT = re.compile(r"\$([^$]+)\$")
_VERDICT = re.compile(
    r"([^$]*)(\$[^$]+\$(?:[\s,;]*(?:\b(?:and|or)\b)?[\s,;]*\$[^$]+\$)*)(.*)", re.DOTALL
)
_NAME = re.compile(r"\s*\\?[A-Za-z]+\s*|[^$]*\\in\s*\\math[^$]*")
_PREAMBLE = re.compile(r"[^=<>\\:]{0,200}?\b[A-Za-z']{2,}\s*(?:\b(?:is|are|equals)\b\s*:?|:)\s*(?=\S)")
_END = re.compile(r"\n|[.;](?=\s+[A-Z]|\s*\n)|,?\s(?:because|since|where|which)\b")
_INSIDE = re.compile(
    r"(?i)\\(?:begin|end)\s*\{\w+\}|\\(?!approx)[a-z]+|\bor\b|\band\b|\bno (?:real )?solutions?"
    r"|all real(?: number)?s|empty set|\b(?:sqrt|theta|inf(?:ty|inity)?|(?:arc)?(?:sin|cos|tan)|log|exp)"
)
# A condition that only names a variable's domain: ", k \in \mathbb{Z}", "where n is the number of sides".
_DOMAIN = re.compile(
    r"(?:[\s,;(]|\bwhere\b|\bfor\b(?: (?:all|any|every|each))?|\bwith\b|\bintegers?\b|\$){1,8}"
    r"[a-zA-Z](?:\s*,\s*[a-zA-Z])*\s*(?:\\in\s*\\math\w+\s*\{?\s*[ZNRQC]\s*\}?\s*(?:\^\s*\{?\+\}?)?"
    r"|(?:is|are|be)\s+an?y?\s+(?:positive |real )?(?:integers?|numbers?))[\s$).]*$"
)
_BEHIND = re.compile(r"(?:(?!\b(?:where|because|since|which|for)\b)[A-Za-z'\s])*")
_MEANING = re.compile(r",?\s*\b(?:where|for (?:all|any|every|each))\b[^.\d=<>\\]*$")


def bare(text: str) -> str:
  """A formula without the delimiters and the domain around it."""
  text = text.replace("$", " ").rstrip("\\").rstrip(".,; ")
  return _DOMAIN.sub("", text).strip() or text.strip()


class FormulaKind(Kind):
  """How a formula is read; verdicts are texts of formulas."""

  name = "Formula"
  most_characters = MAX_ANSWER_CHARACTERS

  def same(self, verdict: str, other: str) -> bool:
    return equal(verdict, other, self.prompt)

  def take(self, body: str) -> tuple[str, str] | None:
    """The first formula in delimiters, names aside, or a list of them; without delimiters one clause."""
    if body.count("$") % 2 or "$" not in body:
      end = _END.search(body := body.replace("$", " "))
      first, reason = (body[: end.start()], body[end.start() :]) if end else (body, "")
      preamble = _PREAMBLE.match(first)
      start = preamble.end() if preamble else 0
      body = f"{first[:start]}${first[start:]}${reason}"
    elif not all(_NAME.fullmatch(segment) for segment in _SEGMENT.findall(body)):
      body = _SEGMENT.sub(lambda m: " n " if _NAME.fullmatch(m[1]) else m[0], body)
    found = _VERDICT.match(body)
    if not found or not re.search(r"\w|\\", found[2]):
      return None
    before, formulas, after = found.groups()
    words.refuse_beside(re.findall("[A-Za-z']{2,}|[?~]", before), self.prompt)
    if re.search(r"[(\[+*/^=<>-]\s*$", before):
      raise Refused("unreadable", "Formula: something stands before it.")
    return self._undoubted(_SEGMENT.findall(formulas)), after

  def _undoubted(self, formulas: list[str]) -> str:
    """The formulas as one, with no words but units inside."""
    text = ", ".join(dict.fromkeys(map(bare, formulas)))
    inside = re.findall(r"[A-Za-z]{3,}|[?~]|\\approx", _INSIDE.sub(" ", text))
    words.refuse_beside(inside, self.prompt, words.UNITS)
    return text

  def box(self, contents: list[str], tail: str) -> tuple[str, str]:
    return self._undoubted(contents), tail

  def bare(self, line: str) -> str | None:
    whole = _SEGMENT.fullmatch(line.strip())
    return bare(whole[1]) if whole and not re.search(r"[=<>]|(?<!\\)[A-Za-z]{2}", whole[1]) else None

  def check(self, verdict: str, reason: str, answer: str) -> None:
    """Refuses a reason that withdraws the formula, restricts it, or names another value."""
    words.refuse_behind(reason)
    words.refuse_beside(re.findall("[A-Za-z']{2,}", _BEHIND.match(reason)[0]), self.prompt, words.UNITS)
    reason = re.sub(r"\$\s*\\?[A-Za-z]\s*\$", " ", reason)
    rest = "" if _DOMAIN.match(reason) else _MEANING.sub("", reason.rstrip(" .$"))
    rest = _SEGMENT.sub(lambda m: " " if same_text(m[1], verdict) else m[0], rest)
    if re.search(r"[\d=<>$]|\\[a-zA-Z]+", rest):
      raise Refused("several", f"Reason: {reason.strip()[:60]!r} restricts it or names another value.")


# ---- Comparison ----------------------------------------------------------------------------------

_VERB = re.compile(r"\b(?:simpl(?:if|est)|rationali[sz]|expand|factor)\w*", re.IGNORECASE)
_ASKED = re.compile(
    r"\$([^$]+)\$|(\S*[-+*/^=√\\]\S*(?:\s*[-+=]\s*\S+)*)"
)


def same_text(answer: str, reference: str) -> bool:
  """Whether two formulas are spelled alike, white space and full stops aside."""
  bare_ = (re.sub(r"[\s$]+", "", text.rstrip(". ")) for text in (answer, reference))
  first, second = (re.sub(r"(?<=[_^])\{(\w)\}", r"\1", text) for text in bare_)
  return first == second != ""


def equal(answer: str, reference: str, prompt: str) -> bool:
  """Whether two formulas state the same and the answer is finished.

  Raises:
    Refused: it cannot be parsed or computed, is neither proved nor refuted, or leaves something to do.
  """
  if same_text(answer, reference):
    return True
  trees = parse(answer), parse(reference)
  used, known = ({node.args[0] for node in _nodes(tree) if node.head == "call"} for tree in trees)
  if used - known:
    raise Refused("unevaluated", f"Formula: {min(used - known)!r} is left to compute.")
  if not _Comparison(prompt).same(*trees):
    return False
  done, wanted = (sorted(_leaves(tree), key=lambda leaf: repr(shape(leaf))) for tree in trees)
  if sum(map(work, done)) > sum(map(work, wanted)):
    raise Refused("unevaluated", "Formula: it leaves arithmetic to do.")
  verb = _VERB.search(prompt)
  if verb and list(map(shape, done)) != list(map(shape, wanted)):
    raise Refused("unevaluated", f"Formula: the prompt says {verb[0]!r}; this is another form.")
  asked = [bare(next(filter(None, m.groups()))) for m in _ASKED.finditer(undress(prompt[:20_000]))]
  if any(same_text(side, a) for side in (answer, answer.rpartition("=")[2]) for a in asked):
    raise Refused("unevaluated", "Formula: it hands back what the prompt says.")
  return True


def _nodes(tree: Node):
  yield tree
  for child in tree.nodes:
    yield from _nodes(child)


def _leaves(tree: Node):
  """The expressions of a structure; of an equation, what it arrives at."""
  if tree.head not in ("group", "="):
    yield tree
  for child in {"group": tree.nodes, "=": tree.nodes[-1:]}.get(tree.head, ()):
    yield from _leaves(child)


def _name(equation: Node) -> str | None:
  """What an equation defines: x, f(x), |AB|; "" where its left side is arithmetic, None for an unknown's."""
  first = equation.args[0]
  if not symbols(first):
    return ""
  is_name = {node.head for node in _nodes(first)} <= {"symbol", "*", "group", "call"}
  return repr(shape(first)) if is_name else None


_POSITIVE = re.compile(
    r"positive\s+(?:\w+\s+){0,3}?\$?([a-zA-Z](?:(?:\$?\s*,\s*|\$?\s*,?\s*and\s+)\$?[a-zA-Z]\b)*)(?![a-zA-Z])"
    r"|(?<![\w\\])([a-zA-Z](?:\s*,\s*[a-zA-Z])*)\s*(?:>|\\gt)\s*0"
)


class _Comparison:
  """Compares trees; what the prompt calls positive is, and so is what stands alone under a root or a log."""

  def __init__(self, prompt: str):
    found = " ".join(m[1] or m[2] for m in _POSITIVE.finditer(prompt[:20_000]))
    self.positive = frozenset(re.findall(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])", found))

  def same(self, answer: Node, reference: Node) -> bool:
    """Whether two trees state the same; `answer` may name what it is, or not."""
    heads = answer.head, reference.head
    if heads == ("=", "="):
      names = _name(answer), _name(reference)
      if None in names:
        return len(answer.args) == len(reference.args) == 2 and self._ratio(answer, reference) is not None
      return names[0] in ("", names[1]) and self.same(answer.args[-1], reference.args[-1])
    if reference.head == "=":
      return _name(reference) is not None and self.same(answer, reference.args[-1])
    if answer.head == "=":
      named = bool(_name(answer))
      sides = [side for side in answer.args[named:-1] if not named or not symbols(side)]
      return all(self.same(side, reference) for side in (*sides, answer.args[-1]))
    if set(heads) & set(FLIPPED):
      sign = self._ratio(answer, reference) if set(heads) <= set(FLIPPED) else None
      return bool(sign) and answer.head == (FLIPPED[reference.head] if sign < 0 else reference.head)
    if "group" not in heads:
      return self._same_leaf(answer, reference)
    if heads[0] != heads[1] or answer.args[0] != reference.args[0] or len(answer.args) != len(reference.args):
      return False
    named = all(r.head == "=" and _name(r) for r in reference.nodes) and len(set(map(_name, reference.nodes)))
    by_name = named == len(reference.nodes) and all(a.head != "=" for a in answer.nodes)
    if answer.args[0] != "{}" or by_name:
      return all(map(self.same, answer.nodes, reference.nodes))
    rest = list(reference.nodes)
    for item in answer.nodes:
      match = next((r for r in rest if self._matches(item, r)), None)
      if match is None:
        return False
      rest.remove(match)
    return True

  def _matches(self, answer: Node, reference: Node) -> bool:
    """`same`, for one of several references: what one refuses another may take."""
    try:
      return self.same(answer, reference)
    except Refused:
      return False

  def _same_leaf(self, answer: Node, reference: Node) -> bool:
    values = value(answer), value(reference)
    if shape(answer) == shape(reference) or None not in values:
      return values[0] == values[1]
    alone = {  # under a root or a logarithm
        child.args[0] for node in _nodes(reference) for child in node.nodes[:1] if child.head == "symbol"
        and (node.args[0] == "log" or node.head == "^" and (value(node.args[1]) or 1).denominator > 1)
    }  # fmt: skip
    return _proved(*(self._sympy(side, alone) for side in (answer, reference)))

  def _ratio(self, first: Node, second: Node) -> int | None:
    """1 or -1 when left - right of one relation is the other's times a positive or negative number."""
    a, b, c, d = map(self._sympy, first.args + second.args)
    return _sign_of_ratio(a - b, c - d)

  def _sympy(self, tree: Node, positive=frozenset()):
    size(tree)
    return _expression(tree, self.positive | positive)


def _library(function):
  """For functions in which only sympy runs: it raises whatever an expression makes it stumble over.

  That is the expression's doing, from TypeError to RecursionError, and no bug of ours: refused and counted.
  """

  @functools.wraps(function)
  def refusing(*arguments):
    try:
      return function(*arguments)
    except Refused:
      raise
    except Exception as error:
      said = f"{type(error).__name__}: {str(error)[:80]}"
      raise Refused("sympy_error", f"Formula: it cannot be computed: {said}") from error

  return refusing


_SYMPY = dict(arcsin="asin", arccos="acos", arctan="atan", fact="factorial", binom="binomial", abs="Abs")


@_library
def _expression(tree: Node, positive: frozenset[str]):
  """A sympy expression of a tree whose size has been checked; symbols are real, some are positive."""
  import sympy

  name = tree.args[0]
  if tree.head == "number":
    return sympy.Rational(name.numerator, name.denominator)
  if tree.head == "symbol":
    known = {"e": sympy.E, "i": sympy.I, r"\pi": sympy.pi, r"\infty": sympy.oo}
    return known.get(name) or sympy.Symbol(name, **{"positive" if name in positive else "real": True})
  parts = [_expression(child, positive) for child in tree.nodes]
  if tree.head == "call":
    name, _, base = name.partition("_")
    return getattr(sympy, _SYMPY.get(name, name))(*parts, *([sympy.Integer(base)] if base else []))
  if tree.head in ("+", "-"):
    return sympy.Add(*parts) if tree.head == "+" else -parts[0]
  first, second = parts
  return first * second if tree.head == "*" else first / second if tree.head == "/" else first**second


@_library
def _proved(first, second) -> bool:
  """Refutes with arithmetic whose error is bounded (evalf), or proves by simplification."""
  import sympy

  if first == second or first.free_symbols != second.free_symbols:
    return first == second
  unknowns = sorted(first.free_symbols, key=str)
  for shift in (17, 40):
    point = {s: sympy.Rational(shift + 12 * i, 29) for i, s in enumerate(unknowns)}
    values = [side.evalf(30, subs=point, maxn=2000) for side in (first, second)]
    if all(v.is_number and v.is_finite for v in values):
      if abs(values[0] - values[1]) > sympy.Float("1e-20") * abs(values[1]):
        return False
  steps = (sympy.expand, sympy.radsimp, sympy.expand_log, sympy.expand_func, sympy.simplify)
  if any(step(first - second) == 0 for step in steps):
    return True
  raise Refused("unproved", "Formula: it is not proved equal.")


@_library
def _sign_of_ratio(first, second) -> int | None:
  import sympy

  quotient = sympy.cancel(sympy.expand(first) / sympy.expand(second))
  return int(sympy.sign(quotient)) or None if quotient.is_Rational else None


def warm() -> None:
  """Pays sympy's import and first call before a deadline counts."""
  equal(r"\sqrt{12}", r"2\sqrt{3}", "")
