r"""Exact comparison of expressions: rationals, powers and surds at any size, the rest by proof or not at all.

One real input: `\frac{\sqrt{2}}{2^{150}}` and `\frac{1}{2^{149}\sqrt{2}}` are one value: math-verify parses
both, and here each becomes a quotient of sums of monomials (a rational coefficient times powers of
primes, of pi, of e and of symbols), in which equal values have equal forms. Functions are opaque atoms of
such a form; where one is left and the forms differ, bounded arithmetic may refute and sympy may prove; what
is not proved is refused. Slow on what is hostile: it runs where it can be killed, behind the size checks.
Not here: structures around an expression (formula.py).
"""

from fractions import Fraction
import functools
import math
import re

from rewards.reading.sentences import Refused

MAX_BITS = 200_000  # of a coefficient: 2^{20000} is one, 9^{9^9} is not
MAX_TERMS = 400
MAX_EXPANDED = 60  # the power of a sum with symbols
MAX_FACTOR = 2_000  # primes up to here are taken out of roots

_ONE = ()
_I, _PI, _E = ("i",), ("pi",), ("e",)


def _large():
  return Refused("too_long", "Formula: a value is too large to compute.")


class Canon:
  """Turns sympy trees into canonical quotients (numerator, denominator), both {monomial: Fraction}.

  A monomial is a sorted tuple of (atom, exponent). positive: names of symbols that are positive.
  opaque becomes True once an atom stood for something whose algebra is not known here.
  """

  def __init__(self, positive: frozenset[str]):
    self.positive, self.opaque = positive, False

  # Sums of monomials.

  def times(self, first: dict, second: dict) -> dict:
    if len(first) * len(second) > MAX_TERMS**2:
      raise _large()
    total: dict = {}
    for m1, c1 in first.items():
      for m2, c2 in second.items():
        coefficient, monomial = self._joined(m1, m2)
        total[monomial] = total.get(monomial, 0) + coefficient * c1 * c2
    total = {m: c for m, c in total.items() if c}
    if len(total) > MAX_TERMS:
      raise _large()
    for atom in {a for m in total for a, e in m if a[0] == "sum" and e.denominator == 1}:
      total = self._expanded(total, atom)
    return total

  def _joined(self, first: tuple, second: tuple) -> tuple[Fraction, tuple]:
    exponents = dict(first)
    for atom, exponent in second:
      exponents[atom] = exponents.get(atom, 0) + exponent
    coefficient = Fraction(1)
    for atom, exponent in exponents.items():
      if atom[0] == "prime" and not 0 <= exponent < 1:
        whole = math.floor(exponent)
        coefficient *= rational_power(Fraction(atom[1]), whole)
        exponents[atom] = exponent - whole
      elif atom == _I:
        coefficient *= (1, 1, -1, -1)[int(exponent) % 4]
        exponents[atom] = Fraction(int(exponent) % 2)
    return coefficient, tuple(sorted(((a, e) for a, e in exponents.items() if e), key=repr))

  def _expanded(self, total: dict, atom: tuple) -> dict:
    """Multiplies out a sum that stands under an atom with a whole positive exponent again."""
    result: dict = {}
    for monomial, coefficient in total.items():
      exponents = dict(monomial)
      power = exponents.get(atom, Fraction(0))
      terms = {monomial: coefficient}
      if power.denominator == 1 and power > 0:
        del exponents[atom]
        terms = self.times({tuple(sorted(exponents.items(), key=repr)): coefficient}, self._sum_power(dict(atom[1]), int(power)))
      for m, c in terms.items():
        result[m] = result.get(m, 0) + c
    return {m: c for m, c in result.items() if c}

  def _sum_power(self, form: dict, exponent: int) -> dict:
    result = {_ONE: Fraction(1)}
    size = max(max(c.numerator.bit_length(), c.denominator.bit_length()) for c in form.values()) if form else 1
    has_symbols = len(form) > 1 and any(atom[0] != "prime" for monomial in form for atom, _ in monomial)
    if size * exponent > MAX_BITS or has_symbols and exponent > MAX_EXPANDED:
      raise _large()
    while exponent:
      if exponent & 1:
        result = self.times(result, form)
      exponent >>= 1
      form = self.times(form, form) if exponent else form
    return result

  def plus(self, first: tuple, second: tuple) -> tuple:
    (n1, d1), (n2, d2) = first, second
    if d1 != d2:
      n1, n2, d1 = self.times(n1, d2), self.times(n2, d1), self.times(d1, d2)
    total = dict(n1)
    for monomial, coefficient in n2.items():
      total[monomial] = total.get(monomial, 0) + coefficient
    return {m: c for m, c in total.items() if c}, d1

  def over(self, first: tuple, second: tuple) -> tuple:
    """first / second."""
    if not second[0]:
      raise Refused("unreadable", "Formula: it divides by zero.")
    numerator, denominator = self.times(first[0], second[1]), self.times(first[1], second[0])
    if len(denominator) == 1:  # a monomial divides each term
      ((monomial, coefficient),) = denominator.items()
      inverse = {tuple((a, -e) for a, e in monomial): 1 / coefficient}
      return self.times(numerator, inverse), {_ONE: Fraction(1)}
    return numerator, denominator

  # Trees.

  def form(self, tree) -> tuple:
    """The canonical quotient of a sympy tree."""
    name = type(tree).__name__
    if tree.is_Rational:
      return {_ONE: Fraction(int(tree.p), int(tree.q))} if tree else {}, {_ONE: Fraction(1)}
    if tree.is_Symbol:
      return self._atom(("symbol", tree.name))
    if name in ("Pi", "Exp1", "ImaginaryUnit"):
      return self._atom({"Pi": _PI, "Exp1": _E, "ImaginaryUnit": _I}[name])
    if tree.is_Add or tree.is_Mul:
      parts = [self.form(a) for a in tree.args]
      result = parts[0]
      for part in parts[1:]:
        result = self.plus(result, part) if tree.is_Add else (self.times(result[0], part[0]), self.times(result[1], part[1]))
      return self.over((result[0], {_ONE: Fraction(1)}), (result[1], {_ONE: Fraction(1)}))
    if tree.is_Pow or name == "exp":
      base = self._atom(_E) if name == "exp" else self.form(tree.base)
      return self.power(base, self.form(tree.args[0] if name == "exp" else tree.exp))
    if name == "log":
      whole = self._log(self.form(tree.args[0]))
      return self.over(whole, self._log(self.form(tree.args[1]))) if len(tree.args) > 1 else whole
    if name in ("factorial", "binomial") and all(a.is_Integer for a in tree.args):
      numbers = [int(a) for a in tree.args]
      if min(numbers) < 0 or max(numbers) > 3_000:
        raise _large()
      return {_ONE: Fraction(math.factorial(*numbers) if name == "factorial" else math.comb(*numbers))}, {_ONE: Fraction(1)}
    self.opaque = True
    return self._atom(("call", name, *(_frozen(self.form(a)) for a in tree.args)))

  def _atom(self, atom: tuple, exponent: Fraction = Fraction(1)) -> tuple:
    return {((atom, exponent),): Fraction(1)}, {_ONE: Fraction(1)}

  def power(self, base: tuple, exponent: tuple) -> tuple:
    if exponent[1] != {_ONE: 1}:
      self.opaque = True
      return self._atom(("call", "pow", _frozen(base), _frozen(exponent)))
    result = {_ONE: Fraction(1)}, {_ONE: Fraction(1)}
    for monomial, coefficient in exponent[0].items():
      if monomial:
        factor = self._symbolic_power(base, monomial, coefficient)
      else:
        factor = self._rational_power(base, coefficient)
      result = self.times(result[0], factor[0]), self.times(result[1], factor[1])
    return self.over((result[0], {_ONE: Fraction(1)}), (result[1], {_ONE: Fraction(1)}))

  def _symbolic_power(self, base: tuple, monomial: tuple, coefficient: Fraction) -> tuple:
    """base ^ (coefficient * monomial): 2^{n} and e^{-x} are atoms whose exponents add up."""
    if len(base[0]) == 1 and base[1] == {_ONE: 1}:
      ((atoms, number),) = base[0].items()
      if number > 0 and all(a in (_E, _PI) or a[0] == "prime" for a, _ in atoms):
        exponents = dict(atoms)
        for prime, times in _factors(number).items():
          exponents["prime", prime] = exponents.get(("prime", prime), 0) + times
        return {tuple(sorted(((("power", a, monomial), e * coefficient) for a, e in exponents.items()), key=repr)): Fraction(1)}, {_ONE: Fraction(1)}
    self.opaque = True
    return self._atom(("power", _frozen(base), monomial), coefficient)

  def _rational_power(self, base: tuple, exponent: Fraction) -> tuple:
    if exponent < 0:
      return self._rational_power(self.over(({_ONE: Fraction(1)}, {_ONE: Fraction(1)}), base), -exponent)
    if exponent.denominator == 1 and exponent <= MAX_BITS:
      simple = all(len(side) == 1 for side in base)
      return tuple(self._monomial_power(side, exponent) if simple else self._sum_power(side, int(exponent)) for side in base)
    if exponent.denominator == 1:
      raise _large()
    if not base[0]:
      return base
    above, below = (self._root(side, exponent) for side in base)
    return self.over((above, {_ONE: Fraction(1)}), (below, {_ONE: Fraction(1)}))

  def _monomial_power(self, side: dict, exponent: Fraction) -> dict:
    ((monomial, coefficient),) = side.items()
    factor, joined = self._joined(tuple((a, e * exponent) for a, e in monomial), ((("one",), Fraction(1)),))
    joined = tuple(p for p in joined if p[0] != ("one",))
    return {joined: factor * rational_power(coefficient, int(exponent))}

  def _is_positive(self, atom: tuple) -> bool:
    return atom in (_PI, _E) or atom[0] in ("prime",) or atom[0] == "symbol" and atom[1] in self.positive or atom[0] == "power" and atom[1][0] in ("prime", "e")

  def _root(self, side: dict, exponent: Fraction) -> dict:
    """side ^ exponent, for a fraction: positive factors come out, the rest stays under an atom."""
    content = Fraction(math.gcd(*(c.numerator for c in side.values())), math.lcm(*(c.denominator for c in side.values())))
    least: dict = {}
    for monomial in side:
      for atom, _ in monomial:
        if self._is_positive(atom) and atom[0] != "prime":
          least[atom] = min(dict(m).get(atom, Fraction(0)) for m in side)
    outside = [(atom, e) for atom, e in least.items() if e]
    inverse = tuple((a, -e) for a, e in outside)
    inner = {self._joined(m, inverse)[1]: self._joined(m, inverse)[0] * c / content for m, c in side.items()}
    result = {tuple(sorted(((a, e * exponent) for a, e in outside), key=repr)): Fraction(1)}
    for prime, times in _factors(content).items():
      result = self.times(result, self._prime_power(prime, times * exponent))
    if len(inner) == 1:
      ((monomial, sign),) = inner.items()
      if sign < 0 and exponent.denominator == 2:
        result, sign = self.times(result, {((_I, Fraction(1)),): Fraction((1, 1, -1, -1)[exponent.numerator % 4 - 1])}), Fraction(1)
      roots = [(a, e) for a, e in monomial if a[0] == "prime"]
      others = [(a, e) for a, e in monomial if a[0] != "prime"]
      if sign == 1 and _I not in dict(monomial) and (not others or len(others) == 1 and others[0][1] == 1):
        return self.times(result, {tuple(sorted(((a, e * exponent) for a, e in roots + others), key=repr)): Fraction(1)})
    if inner != {_ONE: 1}:
      self.opaque |= any(a[0] != "prime" for m in inner for a, _ in m) or len(inner) > 1
      result = self.times(result, {((("sum", tuple(sorted(inner.items(), key=repr))), exponent),): Fraction(1)})
    return result

  def _prime_power(self, prime: int, exponent: Fraction) -> dict:
    whole = math.floor(exponent)
    rest = exponent - whole
    return {((("prime", prime), rest),) if rest else _ONE: rational_power(Fraction(prime), whole)}

  def _log(self, argument: tuple) -> tuple:
    """The natural logarithm: a sum over positive factors, each with an atom of its own."""
    if argument[1] == {_ONE: 1} and len(argument[0]) == 1:
      ((monomial, number),) = argument[0].items()
      if number > 0 and all(self._is_positive(a) for a, _ in monomial):
        total: dict = {}
        for prime, times in _factors(number).items():
          total[((("log", prime), Fraction(1)),)] = Fraction(times)
        for atom, exponent in monomial:
          inside = atom[1] if atom[0] == "prime" else atom
          key = _ONE if atom == _E else ((("log", inside), Fraction(1)),)
          total[key] = total.get(key, 0) + exponent
        self.opaque = True
        return {m: c for m, c in total.items() if c}, {_ONE: Fraction(1)}
    self.opaque = True
    return self._atom(("log", _frozen(argument)))


def rational_power(base: Fraction, exponent: int) -> Fraction:
  bits = max(base.numerator.bit_length(), base.denominator.bit_length()) if abs(base) != 1 else 0
  if bits * abs(exponent) > MAX_BITS:
    raise _large()
  if base == 0 and exponent < 0:
    raise Refused("unreadable", "Formula: it divides by zero.")
  return base**exponent


def _factors(number: Fraction) -> dict[int, int]:
  """The prime factors of a positive rational; a large rest that has none below MAX_FACTOR stays one."""
  found: dict[int, int] = {}
  for part, sign in ((number.numerator, 1), (number.denominator, -1)):
    for prime in (2, *range(3, MAX_FACTOR, 2)):
      if part.bit_length() < 2 or prime * prime > part:
        break
      while part % prime == 0:
        found[prime] = found.get(prime, 0) + sign
        part //= prime
    root = math.isqrt(part)
    if root * root == part and part > 1:
      part, sign = root, 2 * sign
    if part > 1:
      found[part] = found.get(part, 0) + sign
  return {p: n for p, n in found.items() if n}


def _frozen(form: tuple) -> tuple:
  return tuple(tuple(sorted(side.items(), key=repr)) for side in form)


# ---- Parsing, which is math-verify's, and the verdict --------------------------------------------

_PLAIN_TO_LATEX = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<![\\A-Za-z])\\?sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"(?<![\\A-Za-z])\\?sqrt\s*(\d+|[a-z])", r"\\sqrt{\1}"),
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
  normalization = NormalizationConfig(basic_latex=True, units=False, malformed_operators=False, nits=False, boxed="none")
  return math_verify, (math_verify.LatexExtractionConfig(boxed_match_priority=-1, normalization_config=normalization),)


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
  except Exception as error:
    raise Refused("sympy_error", f"Formula: it cannot be parsed: {type(error).__name__}: {str(error)[:80]}") from error


@functools.lru_cache(maxsize=1024)
def parse(text: str):
  """A sympy expression, not evaluated, or None where math-verify reads none. Decimals become fractions."""
  for pattern, replacement in _PLAIN_TO_LATEX:
    text = pattern.sub(replacement, text)
  text = _DECIMAL.sub(lambda m: rf"\frac{{{(m[1] + m[2]).lstrip('0') or '0'}}}{{1{'0' * len(m[2])}}}", text)
  return library(_parsed, text)


def _parsed(text: str):
  import sympy

  math_verify, extraction = _math_verify()
  parsed = math_verify.parse(f"${text}$", extraction_config=extraction, fallback_mode="no_fallback", parsing_timeout=None)
  return parsed[0] if parsed and isinstance(parsed[0], sympy.Expr) else None


def canonical(trees, positive: frozenset[str]) -> tuple[Canon, list[tuple]]:
  """The canonical forms of trees in one Canon; refused where recursion is too deep."""
  canon = Canon(positive)
  try:
    return canon, [canon.form(tree) for tree in trees]
  except RecursionError:
    raise Refused("too_long", "Formula: it is nested too deep.") from None


def same(answer: str, reference: str, positive: frozenset[str]) -> bool:
  """Whether two expressions have one value.

  Raises:
    Refused: it cannot be parsed or computed, or is neither proved nor refuted.
  """
  trees = [parse(answer), parse(reference)]
  if None in trees:
    return False
  canon, (first, second) = canonical(trees, positive | _under_roots(trees[1]))
  if canon.times(first[0], second[1]) == canon.times(second[0], first[1]):
    return True
  return canon.opaque and library(_proved, *trees, positive)


def _under_roots(tree) -> frozenset[str]:
  """Symbols that stand alone under a root or a logarithm: where it is defined they are positive."""
  return frozenset(
      node.args[0].name for node in library(list, _nodes(tree))
      if node.args and node.args[0].is_Symbol and (node.is_Pow and not node.exp.is_Integer and node.exp.is_Rational or type(node).__name__ == "log")
  )  # fmt: skip


def _nodes(tree):
  yield tree
  for child in tree.args:
    yield from _nodes(child)


def _proved(first, second, positive: frozenset[str]) -> bool:
  """Refutes with arithmetic whose error is bounded (evalf), or proves by simplification."""
  import sympy

  names = {s for s in first.free_symbols | second.free_symbols}
  renamed = {s: sympy.Symbol(s.name, positive=True) if s.name in positive else sympy.Symbol(s.name, real=True) for s in names}
  first, second = first.subs(renamed), second.subs(renamed)
  if first.free_symbols != second.free_symbols:
    return False
  symbols = sorted(first.free_symbols, key=str)
  for shift in (17, 40):
    point = {s: sympy.Rational(shift + 12 * i, 29) for i, s in enumerate(symbols)}
    values = [side.evalf(30, subs=point, maxn=2000) for side in (first, second)]
    if all(v.is_number and v.is_finite for v in values):
      if abs(values[0] - values[1]) > sympy.Float("1e-20") * abs(values[1]):
        return False
  if sympy.simplify(first - second) == 0:
    return True
  raise Refused("unproved", "Formula: it is not proved equal.")


def ratio(first: tuple[str, str], second: tuple[str, str], positive: frozenset[str]) -> int | None:
  """1 or -1 when left - right of the first relation is the second's times a positive or negative number."""
  trees = [parse(side) for side in (*first, *second)]
  if None in trees:
    return None
  canon, (a, b, c, d) = canonical(trees, positive)
  minus = {_ONE: Fraction(-1)}
  one, two = (canon.plus(x, (canon.times(y[0], minus), y[1])) for x, y in ((a, b), (c, d)))
  above, below = canon.times(one[0], two[1]), canon.times(two[0], one[1])
  if not above or above.keys() != below.keys():
    return None
  ratios = {above[m] / below[m] for m in above}
  return (1 if ratios.pop() > 0 else -1) if len(ratios) == 1 else None


# ---- Whether an expression is finished -----------------------------------------------------------


def left_to_do(tree) -> int:
  """How many operations on plain numbers an expression leaves to do, as 3*3*pi leaves one.

  Fractions in lowest terms, numerators 1, one sign and roots that are no whole numbers are done.
  """
  count = sum(map(left_to_do, tree.args))
  if tree.is_Mul:
    factors = _flat(tree)
    over = [f.base for f in factors if f.is_Pow and f.base.is_Integer and f.exp == -1]
    plain = [f for f in factors if f.is_Rational and f not in (1, -1)]
    count += max(0, len(plain) - 1) + max(0, len(over) - 1) + (1 in over) + (0 in plain)
    count += factors.count(-1) > 1 or 1 in factors and not any(f.is_Pow and f.exp.is_negative for f in factors) and len(factors) > 1
    count += any(math.gcd(int(o), int(p.p)) != 1 for o in over for p in plain)
  elif tree.is_Add:
    terms = [_shape([f for f in _flat(t) if not _is_plain(f)]) for t in _flat(tree)]
    count += len(terms) - len(set(terms)) + (0 in tree.args)
  elif tree.is_Pow:
    whole, exponent = tree.base.is_Integer, tree.exp
    count += bool(exponent.is_Integer and (whole and exponent != -1 or exponent in (0, 1)))
    root = math.isqrt(int(tree.base)) if whole and tree.base > 0 and exponent.is_Rational and not exponent.is_Integer else 0
    count += bool(root and root * root == tree.base)
  return int(count)


def _flat(tree) -> list:
  """The factors of a product, or the terms of a sum, of nested ones too."""
  if not (tree.is_Mul or tree.is_Add):
    return [tree]
  return [one for a in tree.args for one in (_flat(a) if isinstance(a, type(tree)) else [a])]


def _is_plain(factor) -> bool:
  return bool(factor.is_Rational or factor.is_Pow and factor.base.is_Integer and factor.exp == -1)


def _shape(factors: list) -> str:
  return " ".join(sorted(map(str, factors)))


def features(tree) -> set[str]:
  """What a prompt's verb forbids: "square" under a root, "product" of sums, a "sum" on top, a "root" below."""
  found = {"sum"} if tree.is_Add else set()
  for node in _nodes(tree):
    if node.is_Pow and node.exp.is_Rational and node.exp.q == 2 and node.base.is_Integer and node.base > 0:
      if any(times > 1 for times in _factors(Fraction(int(node.base))).values()):
        found.add("square")
    if node.is_Pow and node.base.is_Integer and node.exp.is_Rational and node.exp.q == 2 and node.exp < 0:
      found.add("root below")
    if node.is_Mul and any(f.is_Add or f.is_Pow and f.base.is_Add and f.exp.is_positive for f in _flat(node)):
      found.add("product")
    if node.is_Pow and node.base.is_Add and node.exp.is_Integer and node.exp > 1:
      found.add("product")
  return found
