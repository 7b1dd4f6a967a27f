r"""Formulas: one formula or list of them, compared exactly with the reference's.

One real input: `The solutions are $x<2$ or $x>3$.` against `(-\infty,2)\cup(3,\infty)`: two rays, in any
order. Trees are read in algebra.py; leaves are compared as fractions, else by sympy after a check of size:
arithmetic with bounded error refutes, simplification proves, and what is not proved equal is refused. It
runs where it can be killed.
"""

import re

from rewards.reading import doubt
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
from rewards.reading.sentences import Refused
from rewards.reading.words import refuse_beside
from rewards.reading.words import UNITS

_DISPLAY = re.compile(r"\$\$(.+?)\$\$|(?<!\\)\\\[(.+?)\\\]|(?<!\\)\\\((.+?)\\\)", re.DOTALL)
_SEGMENT = re.compile(r"\$([^$]+)\$")
_VERDICT = re.compile(r"([^$]*)(\$[^$]+\$(?:[\s,;]*(?:\b(?:and|or)\b)?[\s,;]*\$[^$]+\$)*)(.*)", re.DOTALL)
_NAME = re.compile(r"\s*\\?[A-Za-z]+\s*|[^$]*\\in\s*\\math[^$]*")
_PREAMBLE = re.compile(r"[^=<>\\:]{0,200}?\b[A-Za-z']{2,}\s*(?:\b(?:is|are|equals)\b\s*:?|:)\s*(?=\S)")
_END = re.compile(r"\n|[.;](?=\s+[A-Z]|\s*\n)|,?\s(?:because|since|where|which)\b")
_MAY_SAY = re.compile(r"(?i)(?<![A-Za-z])(?:or|and)(?![A-Za-z])|\bno (?:real )?solutions?\b|\\ne\b")
_NAMES = frozenset("sqrt theta infty inf infinity sin cos tan log exp real numbers reals empty set arcsin arccos arctan".split())
# A condition that only names a variable's domain: ", k \in \mathbb{Z}", "where n is the number of sides".
_DOMAIN = re.compile(
    r"(?:[\s,;(]|\bwhere\b|\bfor\b(?: (?:all|any|every|each))?|\bwith\b|\bintegers?\b|\$)+"
    r"[a-zA-Z](?:\s*,\s*[a-zA-Z])*\s*(?:\\in\s*\\math\w+\s*\{?\s*[ZNRQC]\s*\}?\s*(?:\^\s*\{?\+\}?)?"
    r"|(?:is|are|be)\s+an?y?\s+(?:positive |real )?(?:integers?|numbers?))[\s$).]*$"
)
_MEANING = re.compile(r",?\s*\b(?:where|for (?:all|any|every|each))\b[^.\d=<>\\]*$")


def bare(text: str) -> str:
  """A formula without the delimiters and the domain around it."""
  text = re.sub(r"\$|(?<!\\)\\[()\[\]]", " ", text).rstrip("\\").rstrip(".,; ")
  return _DOMAIN.sub("", text).strip() or text.strip()


class FormulaKind(Kind):
  """How a formula is read; verdicts are texts of formulas."""

  name = "Formula"

  def take(self, body: str) -> tuple[str, str] | None:
    """The first formula in delimiters, names aside, or a list of them; without delimiters one clause."""
    body = _DISPLAY.sub(lambda m: f"${next(filter(None, m.groups()))}$", body)
    if body.count("$") % 2 or "$" not in body:
      end = _END.search(body := body.replace("$", " "))
      first, reason = (body[: end.start()], body[end.start() :]) if end else (body, "")
      preamble = _PREAMBLE.match(first)
      words = preamble[0] if preamble else ""
      body = f"{words}${first[len(words) :]}${reason}"
    elif not all(_NAME.fullmatch(segment) for segment in _SEGMENT.findall(body)):
      body = _SEGMENT.sub(lambda m: " n " if _NAME.fullmatch(m[1]) else m[0], body)
    found = _VERDICT.match(body)
    if not found or not re.search(r"\w|\\", found[2]):
      return None
    before, formulas, after = found.groups()
    if not re.search(r"[^\W\d_]{2}", before) and re.match(r"\s*[A-Za-z(]", before.removeprefix(" n ")):
      raise Refused("unreadable", "Formula: something stands before it.")
    return self._undoubted(before, _SEGMENT.findall(formulas)), after

  def _undoubted(self, before: str, formulas: list[str]) -> str:
    """The formulas as one, beside harmless words alone; `exact \\approx decimal` is the exact one."""
    text, approximately, decimal = ", ".join(dict.fromkeys(map(bare, formulas))).partition(r"\approx")
    inside = re.findall(r"(?<![\\A-Za-z])[A-Za-z]{3,}", re.sub(r"\\(?:begin|end)\s*\{\w+\}", "", _MAY_SAY.sub(" ", text)))
    refuse_beside(re.findall("[A-Za-z']{2,}", before), self.prompt)
    refuse_beside(inside, self.prompt, UNITS | _NAMES)
    if re.search("[?~]", before + text):
      raise Refused("hedged", "Doubt: it asks, or approximates.")
    if approximately and not re.fullmatch(r"\s*-?[\d.,]+\s*", decimal) or re.match(r"\s*\\approx", text):
      raise Refused("hedged", "Doubt: an approximation.")
    return text.strip()

  def box(self, contents: list[str], tail: str) -> tuple[str, str]:
    return self._undoubted("", contents), tail

  def bare(self, line: str) -> str | None:
    whole = _SEGMENT.fullmatch(line.strip())
    return bare(whole[1]) if whole and not re.search(r"[=<>]|(?<!\\)[A-Za-z]{2}", whole[1]) else None

  def same(self, first: str, second: str) -> bool:
    return same_text(first, second)

  def check(self, verdict: str, reason: str) -> None:
    """Refuses a reason that withdraws the formula, restricts it, or names another value."""
    word = doubt.behind(reason) or doubt.before(reason[:20].split(".")[0] if reason[:1] == " " else "")
    if word:
      raise Refused("hedged", f"Doubt: {word!r} withdraws the formula.")
    reason = re.sub(r"\\pmod\s*(?:\{\w+\}|\d)|\\(?:text|mathrm)\s*\{([^{}]*)\}|\$\s*\\?[A-Za-z]\s*\$", r" \1", reason)
    rest = "" if _DOMAIN.match(reason) else _MEANING.sub("", reason.rstrip(" ."))
    if re.search(r"[\d=<>]|\$\s*\w|\\[a-zA-Z]+", rest.replace(verdict, " ")):
      raise Refused("several", f"Reason: {reason.strip()[:60]!r} restricts it or names another value.")


# ---- Comparison ----------------------------------------------------------------------------------

_VERB = re.compile(r"\b(?:simpl(?:if|est)|rationali[sz]|expand|factor)\w*", re.IGNORECASE)
_ASKED = re.compile(r"\$\$?([^$]+)\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|(\S*[-+*/^=√\\]\S*(?:\s*[-+=]\s*\S+)*)", re.DOTALL)


def same_text(answer: str, reference: str) -> bool:
  """Whether two formulas are spelled alike, white space and full stops aside."""
  spelled = (re.sub(r"(?<=[_^])\{(\w)\}", r"\1", re.sub(r"[\s$]+", "", t.rstrip(". "))) for t in (answer, reference))
  return len(set(spelled)) == 1 and bool(answer.strip(". "))


def equal(answer: str, reference: str, prompt: str) -> bool:
  """Whether two formulas state the same and the answer is finished.

  Raises:
    Refused: it cannot be parsed or computed, is neither proved nor refuted, or leaves something to do.
  """
  if same_text(answer, reference):
    return True
  trees = parse(answer), parse(reference)
  done, wanted = (list(_nodes(tree)) for tree in trees)
  left = {n.args[0] for n in done if n.head == "call"} - {n.args[0] for n in wanted if n.head == "call"}
  if left:
    raise Refused("unevaluated", f"Formula: {left.pop()!r} is left to compute.")
  if not _Comparison(prompt).same(*trees):
    return False
  done, wanted = (sorted(_leaves(tree), key=lambda leaf: repr(shape(leaf))) for tree in trees)
  if sum(map(work, done)) > sum(map(work, wanted)):
    raise Refused("unevaluated", "Formula: it leaves arithmetic to do.")
  verb = _VERB.search(prompt)
  if verb and [shape(leaf) for leaf in done] != [shape(leaf) for leaf in wanted]:
    raise Refused("unevaluated", f"Formula: the prompt says {verb[0]!r}, and the reference has another form.")
  asked = [next(filter(None, m.groups())) for m in _ASKED.finditer(undress(prompt[:20_000]))]
  if any(same_text(side, bare(a)) for side in {answer, answer.rpartition("=")[2]} for a in asked):
    raise Refused("unevaluated", "Formula: it hands back what the prompt says.")
  return True


def _nodes(tree: Node):
  yield tree
  for child in tree.nodes:
    yield from _nodes(child)


def _leaves(tree: Node):
  """The expressions of a structure; of an equation, what it arrives at."""
  if tree.head == "group" or tree.head == "=":
    for child in tree.nodes[-1:] if tree.head == "=" else tree.nodes:
      yield from _leaves(child)
  else:
    yield tree


def _name(equation: Node) -> str | None:
  """What an equation defines: x, f(x), |AB|; "" where its left side is arithmetic, None for an unknown's."""
  first = equation.args[0]
  if not symbols(first):
    return ""
  return repr(shape(first)) if {n.head for n in _nodes(first)} <= {"symbol", "*", "group", "call"} else None


_POSITIVE = re.compile(
    r"positive\s+(?:\w+\s+){0,3}?\$?([a-zA-Z](?:(?:\$?\s*,\s*|\$?\s*,?\s*and\s+)\$?[a-zA-Z]\b)*)(?![a-zA-Z])"
    r"|(?<![\w\\])([a-zA-Z](?:\s*,\s*[a-zA-Z])*)\s*(?:>|\\gt)\s*0"
)


class _Comparison:
  """Compares trees; what the prompt calls positive is positive, and what stands alone under a root or a log."""

  def __init__(self, prompt: str):
    found = " ".join(m[1] or m[2] for m in _POSITIVE.finditer(prompt[:20_000]))
    self.positive = frozenset(re.findall(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])", found))

  def same(self, answer: Node, reference: Node) -> bool:
    """Whether two trees state the same; `answer` may name what it is, or not."""
    if answer.head == reference.head == "=":
      names = _name(answer), _name(reference)
      if None in names:
        return len(answer.args) == len(reference.args) == 2 and self._ratio(answer, reference) is not None
      return names[0] in ("", names[1]) and self.same(answer.args[-1], reference.args[-1])
    if reference.head == "=":
      return _name(reference) is not None and self.same(answer, reference.args[-1])
    if answer.head == "=":
      sides = answer.args[1:] if _name(answer) else answer.args
      checked = [side for side in sides if side is sides[-1] or not _name(answer) or not symbols(side)]
      return all(self.same(side, reference) for side in checked)
    if answer.head in FLIPPED or reference.head in FLIPPED:
      sign = self._ratio(answer, reference) if answer.head in FLIPPED and reference.head in FLIPPED else None
      return sign is not None and answer.head == (FLIPPED[reference.head] if sign < 0 else reference.head)
    if "group" not in (answer.head, reference.head):
      return self._same_leaf(answer, reference)
    if answer.head != reference.head or answer.args[0] != reference.args[0] or len(answer.args) != len(reference.args):
      return False
    names = {_name(r) for r in reference.nodes if r.head == "="} - {None, ""}
    by_name = len(names) == len(reference.nodes) and not any(a.head == "=" for a in answer.nodes)
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
    if shape(answer) == shape(reference):
      return True
    values = value(answer), value(reference)
    if None not in values:
      return values[0] == values[1]
    roots = {n.args[-2].args[0] for n in _nodes(reference) if n.head == "^" and n.args[0].head == "symbol"
             and value(n.args[1]) is not None and value(n.args[1]).denominator != 1}  # fmt: skip
    logs = {n.args[1].args[0] for n in _nodes(reference) if n.args[0] == "log" and n.args[1].head == "symbol"}
    return _proved(*(self._sympy(side, roots | logs) for side in (answer, reference)))

  def _ratio(self, first: Node, second: Node) -> int | None:
    """1 or -1 when left - right of one relation is the other's times a positive or negative number."""
    a, b, c, d = (self._sympy(side) for side in first.args + second.args)
    return _library(_sign_of_ratio, a - b, c - d)

  def _sympy(self, tree: Node, positive=frozenset()):
    size(tree)
    return _library(_expression, tree, self.positive | positive)


def _library(function, *arguments):
  """Calls a function in which only sympy runs.

  It raises whatever an expression makes it stumble over, from TypeError to RecursionError. That is the
  expression's doing and no bug of ours: it is refused and counted, with what it said.
  """
  try:
    return function(*arguments)
  except Refused:
    raise
  except Exception as error:
    said = f"{type(error).__name__}: {str(error)[:80]}"
    raise Refused("sympy_error", f"Formula: it cannot be computed: {said}") from error


def _expression(tree: Node, positive: frozenset[str]):
  """A sympy expression of a tree whose size has been checked; symbols are real, or positive where named so."""
  import sympy

  if tree.head == "number":
    return sympy.Rational(tree.args[0].numerator, tree.args[0].denominator)
  if tree.head == "symbol":
    known = {"e": sympy.E, "i": sympy.I, r"\pi": sympy.pi, r"\infty": sympy.oo}
    name = tree.args[0]
    return known.get(name) or sympy.Symbol(name, **{"positive" if name in positive else "real": True})
  parts = [_expression(child, positive) for child in tree.nodes]
  if tree.head == "call":
    name = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "fact": "factorial", "binom": "binomial", "abs": "Abs"}.get(tree.args[0], tree.args[0])
    base = [sympy.Integer(name[4:])] if name.startswith("log_") else []
    return getattr(sympy, name.partition("_")[0])(*parts, *base)
  operations = {"+": lambda *a: sympy.Add(*a), "*": lambda a, b: a * b, "/": lambda a, b: a / b,
                "^": lambda a, b: a**b, "-": lambda a: -a}  # fmt: skip
  return operations[tree.head](*parts)


def _proved(first, second) -> bool:
  """Refutes with arithmetic whose error is bounded (evalf), or proves by simplification."""
  return _library(_decide, first, second)


def _decide(first, second) -> bool:
  import sympy

  if first == second:
    return True
  if first.is_Rational and second.is_Rational or first.free_symbols != second.free_symbols:
    return False
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


def _sign_of_ratio(first, second) -> int | None:
  import sympy

  quotient = sympy.cancel(sympy.expand(first) / sympy.expand(second))
  return int(sympy.sign(quotient)) or None if quotient.is_Rational else None


def warm() -> None:
  """Pays sympy's import and first call before a deadline counts."""
  equal(r"\sqrt{12}", r"2\sqrt{3}", "")
