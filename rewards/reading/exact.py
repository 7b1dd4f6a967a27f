r"""Exact comparison of expressions: sympy on exact numbers, and what it does not prove equal is refused.

One real input: `\frac{\sqrt{2}}{2^{150}}` and `\frac{1}{2^{149}\sqrt{2}}` are one value. math-verify
parses both; sizes are checked before anything is computed; arithmetic of 30 digits refutes, simplification
proves. It runs where it can be killed. Not here: structures around an expression (structure.py).
"""

import functools
import math
import re

from rewards.reading.sentences import Refused

MAX_BITS = 200_000  # of a value: 2^{20000} is one, 9^{9^9} is not
MAX_EXPANDED = 60  # the power of a sum
MAX_FACTORIAL = 3_000

_TO_LATEX = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<![\\A-Za-z])sqrt(?![a-z])", r"\\sqrt"),
        (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"\\sqrt\s*(\d+|[a-z])", r"\\sqrt{\1}"),
        (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\d)\s*(?=\{)", r"\\frac{\1}"),
        (r"(\\frac\s*\{[^{}]*\})\s*(\d)", r"\1{\2}"),
        (r"(?<![\\A-Za-z])(pi|infty|theta|sin|cos|tan|ln|log)(?![a-z])", r"\\\1 "),
        (r"(?<![\\A-Za-z])(?:infinity|inf|oo)(?![a-z])", r"\\infty "),
        (r"\^\s*\(([^()]*)\)", r"^{\1}"),
        (r"\*", r"\\cdot "),
        (r"\+\s*(?=\\infty)", ""),
        (r"°", r"^{\\circ}"),
    )
]
_DECIMAL = re.compile(r"(?<![\d.])(\d*)\.(\d{1,300})(?![\d.])")


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
  config = math_verify.LatexExtractionConfig(boxed_match_priority=-1, normalization_config=normalization)
  return math_verify, (config,)


def warm() -> None:
  """Pays math-verify's import and first call before a deadline counts."""
  same(r"\sqrt{12}", r"2\sqrt{3}", frozenset())


def library(function, *arguments):
  """Calls a function in which only sympy and math-verify run.

  They raise whatever an expression makes them stumble over, from TypeError to RecursionError. That is the
  expression's doing and no bug of ours: it is refused and counted, with what they said.
  """
  try:
    return function(*arguments)
  except Refused:
    raise
  except Exception as error:
    said = f"{type(error).__name__}: {str(error)[:80]}"
    raise Refused("sympy_error", f"Formula: it cannot be parsed: {said}") from error


@functools.lru_cache(maxsize=1024)
def parse(text: str):
  """A sympy expression, not evaluated, or None where math-verify reads none. Decimals become fractions."""
  for pattern, replacement in _TO_LATEX:
    text = pattern.sub(replacement, text)
  return library(_parsed, _DECIMAL.sub(_as_fraction, text))


def _as_fraction(decimal: re.Match) -> str:
  whole = (decimal[1] + decimal[2]).lstrip("0") or "0"
  return rf"\frac{{{whole}}}{{1{'0' * len(decimal[2])}}}"


def _parsed(text: str):
  import sympy

  math_verify, extraction = _math_verify()
  parsed = math_verify.parse(
      f"${text}$", extraction_config=extraction, fallback_mode="no_fallback", parsing_timeout=None
  )
  return parsed[0] if parsed and isinstance(parsed[0], sympy.Expr) else None


def _evaluated(tree, positive: frozenset[str]):
  """The value of a tree whose size has been checked; symbols are real, or positive where named so."""
  import sympy

  if tree.is_Symbol:
    known = "positive" if tree.name in positive else "real"
    return sympy.Symbol(tree.name, **{known: True})
  return tree.func(*(_evaluated(a, positive) for a in tree.args)) if tree.args else tree


def _bits(tree) -> float:
  """A bound on the binary digits of a tree's rational parts, before anything is computed.

  Raises:
    Refused: a power or a factorial is too large.
  """
  bits = sum(map(_bits, tree.args))
  if tree.is_Rational:
    bits = int(tree.p).bit_length() + int(tree.q).bit_length()
  elif (tree.is_Pow or type(tree).__name__ in ("exp", "sinh", "cosh")) and not tree.args[-1].free_symbols:
    base, power = tree.args if tree.is_Pow else (None, tree.args[0])
    exponent = abs(_evaluated(power, frozenset())) if _bits(power) < 64 else MAX_BITS + 1
    grows = base is not None and base.free_symbols and base.is_Add and exponent > MAX_EXPANDED
    # A base without digits of its own (e, pi, x) grows by its exponent too: e^{10^{4400}}.
    size = 2 if base is None else max(_bits(base), 1)
    bits = MAX_BITS + 1 if grows else size * float(min(exponent, MAX_BITS + 1))
  elif type(tree).__name__ in ("factorial", "binomial") and not tree.free_symbols:
    largest = max(_evaluated(a, frozenset()) for a in tree.args)
    bits = float(largest) * 12 if largest <= MAX_FACTORIAL else MAX_BITS + 1
  if bits > MAX_BITS:
    raise Refused("too_long", "Formula: a value is too large to compute.")
  return bits


def _values(trees, positive: frozenset[str]) -> list:
  library(sum, map(_bits, trees))
  return [library(_evaluated, tree, positive) for tree in trees]


def same(answer: str, reference: str, positive: frozenset[str]) -> bool:
  """Whether two expressions have one value.

  Raises:
    Refused: it cannot be parsed or computed, or is neither proved nor refuted.
  """
  trees = [parse(answer), parse(reference)]
  if None in trees:
    return False
  first, second = _values(trees, positive | library(_under_roots, trees[1]))
  return library(_proved, first, second)


def _under_roots(tree) -> frozenset[str]:
  """Symbols that stand alone under a root or a logarithm: where it is defined they are positive."""
  roots = (n for n in _nodes(tree) if n.args and n.args[0].is_Symbol)
  return frozenset(
      n.args[0].name for n in roots
      if n.is_Pow and n.exp.is_Rational and not n.exp.is_Integer or type(n).__name__ == "log"
  )  # fmt: skip


def _nodes(tree):
  yield tree
  for child in tree.args:
    yield from _nodes(child)


def _proved(first, second) -> bool:
  """Refutes with arithmetic whose error is bounded (evalf), or proves by simplification."""
  import sympy

  if first == second:
    return True
  if first.is_Rational and second.is_Rational or first.free_symbols != second.free_symbols:
    return False
  symbols = sorted(first.free_symbols, key=str)
  for shift in (17, 40):
    point = {s: sympy.Rational(shift + 12 * i, 29) for i, s in enumerate(symbols)}
    values = [side.evalf(30, subs=point, maxn=2000) for side in (first, second)]
    if all(v.is_number and v.is_finite for v in values):
      if abs(values[0] - values[1]) > sympy.Float("1e-20") * abs(values[1]):
        return False
  difference = first - second
  for step in (sympy.expand, sympy.radsimp, sympy.expand_log, sympy.simplify):
    if step(difference) == 0:
      return True
  raise Refused("unproved", "Formula: it is not proved equal.")


def ratio(first: tuple[str, str], second: tuple[str, str], positive: frozenset[str]) -> int | None:
  """1 or -1 when left - right of the first relation is the second's times a positive or negative number."""
  import sympy

  trees = [parse(side) for side in (*first, *second)]
  if None in trees:
    return None
  a, b, c, d = _values(trees, positive)
  quotient = library(lambda: sympy.cancel(sympy.expand(a - b) / sympy.expand(c - d)))
  return int(sympy.sign(quotient)) or None if quotient.is_Rational else None


# ---- Whether an expression is finished -----------------------------------------------------------


def left_to_do(tree) -> int:
  """How many operations on plain numbers an expression leaves to do, as 3*3*pi leaves one.

  Fractions in lowest terms, numerators 1, one sign and roots that are no whole numbers are done.
  """
  count = sum(map(left_to_do, tree.args))
  if tree.is_Mul:
    factors = _flat(tree)
    below = [f.base for f in factors if f.is_Pow and f.base.is_Integer and f.exp == -1]
    plain = [f for f in factors if f.is_Rational and f not in (1, -1)]
    is_quotient = any(f.is_Pow and f.exp.is_negative for f in factors)
    count += max(0, len(plain) - 1) + max(0, len(below) - 1) + (1 in below) + (0 in plain)
    count += factors.count(-1) > 1 or 1 in factors and not is_quotient and len(factors) > 1
    bases = [base for factor in factors for base in _bases(factor)]
    count += any(math.gcd(a, b) != 1 for i, a in enumerate(bases) for b in bases[:i])
  elif tree.is_Add:
    shapes = [tuple(sorted(str(f) for f in _flat(term) if not _is_plain(f))) for term in _flat(tree)]
    count += len(shapes) - len(set(shapes)) + (0 in tree.args)
  elif tree.is_Pow:
    whole, exponent = tree.base.is_Integer, tree.exp
    count += bool(exponent.is_Integer and (whole and exponent != -1 or exponent in (0, 1)))
    is_root = whole and tree.base > 0 and exponent.is_Rational and not exponent.is_Integer
    count += bool(is_root and math.isqrt(int(tree.base)) ** 2 == tree.base)
  return int(count)


def _flat(tree) -> list:
  """The factors of a product, or the terms of a sum, of nested ones too."""
  if not (tree.is_Mul or tree.is_Add):
    return [tree]
  return [one for a in tree.args for one in (_flat(a) if isinstance(a, type(tree)) else [a])]


def _bases(factor) -> list[int]:
  """The whole numbers that a factor multiplies or divides by, of powers the base: 1/(3*2^n) has 3 and 2."""
  if factor.is_Pow and (factor.exp == -1 or factor.base.is_Integer and factor.exp.is_Integer):
    return _bases(factor.base)
  if factor.is_Mul:
    return [base for one in _flat(factor) for base in _bases(one)]
  return [int(factor)] if factor.is_Integer and abs(factor) > 1 else []


def _is_plain(factor) -> bool:
  return bool(factor.is_Rational or factor.is_Pow and factor.base.is_Integer and factor.exp == -1)


def features(tree) -> set[str]:
  """What a verb forbids: "square" under a root, "product" of sums, a "sum" on top, a "root" below."""
  import sympy

  found = {"sum"} if tree.is_Add else set()
  for node in _nodes(tree):
    root = node.is_Pow and node.base.is_Integer and node.exp.is_Rational and node.exp.q == 2
    if root and node.base > 0 and sympy.sqrt(node.base) != sympy.Pow(node.base, sympy.S.Half, evaluate=False):
      found.add("square")
    if root and node.exp < 0:
      found.add("root below")
    factors = _flat(node) if node.is_Mul else [node] if node.is_Pow and node.exp != 1 else []
    if any(f.is_Add or f.is_Pow and f.base.is_Add and f.exp.is_Integer and f.exp > 0 for f in factors):
      found.add("product")
  return found
