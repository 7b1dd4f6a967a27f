r"""Algebra: numbers, formulas and the structures around them as trees, in LaTeX or plain.

One real input: `(-\infty, \frac{1}{2}]` is a group "(]" whose second member is the quotient of 1 and 2. Trees
are exact and as written: 6/8 stays a quotient, and `work` counts what it leaves to do. What the parser does
not know is refused. Standard library alone. Not here: sums, integrals, quantifiers, dots.
"""

from fractions import Fraction
import functools
import math
import re
import typing

from rewards.reading.dress import compiled
from rewards.reading.dress import respelled
from rewards.reading.words import Refused

MAX_CHARACTERS, MAX_DEPTH, MAX_DIGITS = 1_000, 20, 400
MAX_BITS = 200_000  # of a value: 2^{20000} is one, 9^{9^9} is not
MAX_FACTORIAL, MAX_EXPANDED = 3_000, 60  # n!, and the power of a sum


class Node(typing.NamedTuple):
  r"""A tree. `args` are Nodes, but for a number (its value, "." or "/" if it is written with one), a symbol
  (its name), and the first of a call (its name) and of a group (its brackets, "{}" where order is free).

  Heads: number, symbol, + * / ^ -, call, group, =, and < > \le \ge \ne of two sides.
  """

  head: str
  args: tuple = ()

  @property
  def nodes(self) -> tuple:
    return tuple(a for a in self.args if isinstance(a, Node))


_FUNCTIONS = "(?:arc)?(?:sin|cos|tan)h?|cot|sec|csc|log|ln|exp|gcd|lcm|det|max|min"
_ARGUMENT = r"(?:[\d.]+|\\(?:pi|theta)|[A-Za-z]|\s|\^\{?\w\}?|\\(?:frac|sqrt)(?:\{[^{}]*\}){1,2})+"
_SPELLING = compiled(
    (r"\\(?:leqslant|leqq|leq)(?![a-zA-Z])|<=", r"\\le "), (r"\\lt(?![a-zA-Z])", "<"),
    (r"\\(?:geqslant|geqq|geq)(?![a-zA-Z])|>=", r"\\ge "), (r"\\gt(?![a-zA-Z])", ">"),
    (r"\\(?:neq|not\s*=)|!=", r"\\ne "),
    (r"\\(?:lbrace(?![a-zA-Z])|\{)", "⦃"), (r"\\(?:rbrace(?![a-zA-Z])|\})", "⦄"),
    (r"(?i)all real numbers|all reals|\\mathbb\s*(?:\{R\}|R)", r"(-\\infty,\\infty)"),
    (r"(?i)\\varnothing|⦃\s*⦄|no (?:real )?solutions?|(?:the )?empty set", r"\\emptyset "),
    (rf"(?<![\\A-Za-z])(sqrt|pi|infty|theta|{_FUNCTIONS})(?![A-Za-z])", r"\\\1 "),
    (r"(?<![\\A-Za-z])(?:infinity|inf|oo)(?![A-Za-z])", r"\\infty "),
    (r"\\frac\s*(\d)(?=\s*[\d{])", r"\\frac{\1}"), (r"(\\frac\s*\{[^{}]*\})\s*(\d)", r"\1{\2}"),
    (r"(?<=\d)\s*\\frac\s*\{(\d+)\}\s*\{(\d+)\}", r" \1/\2"),
    (r"\\sqrt\s*(\d+|[a-z]|\\pi)", r"\\sqrt{\1}"), (r"\\sqrt\s*\[\s*(\d)\s*\]", r"\\root\1"),
    (r"\\log\s*_\s*\{?(\w+)\}?", r"\\log_\1 "),
    (rf"(\\(?:{_FUNCTIONS}))\s*\^\s*\{{?(\d)\}}?\s*({_ARGUMENT}|\([^()]*\))", r"(\1{\3})^\2"),  # \sin^2 x
    (rf"(\\(?:{_FUNCTIONS})(?:_\w+)?)(?![A-Za-z])(?!\s*[({{^_])\s*({_ARGUMENT})", r"\1{\2}"),
    (r"(\d+|[a-z]|\([^()]*\))\s*!", r"\\fact{\1}"), (r"\|([^|]{1,40})\|", r"\\abs{\1}"),
    (r"°\s*$", " "),
    (r"(?<=[)\]}⦄])\s*U\s*(?=[(\[{⦃])|\\bigcup(?![a-zA-Z])", r"\\cup "),
)  # fmt: skip
_MATRIX = re.compile(
    r"[\[(]?\s*\\begin\s*\{([pbB]?matrix|array)\}(?:\{[clr|]*\})?(.*?)(?:\\\\)?\s*\\end\s*\{\1\}\s*[\])]?",
    re.DOTALL,
)
_SYMBOLS = "pi|infty|emptyset|theta|alpha|beta|gamma|delta|lambda|mu|omega|phi|varphi|rho|sigma"
_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+\s+[0-9]+\s*/\s*[0-9]+(?![0-9.])|(?:[0-9]+(?:\.[0-9]+)?"
    r"|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
    rf"|(?P<call>\\(?:frac|binom|sqrt|root\d|abs|fact|log_\w+|{_FUNCTIONS})(?![A-Za-z]))"
    r"|(?P<word>(?!and|or)(?:[A-Za-z]{3,}|(?:cm|mm|km|dm|ft|in|mi|kg|mg|lb|oz|hr)(?![A-Za-z])))"
    rf"|(?P<symbol>(?!and|or)(?:\\(?:{_SYMBOLS})(?![A-Za-z])|[A-Za-z])(?:_(?:\{{\w+\}}|\w))?'*)"
    r"|(?P<sign>and|or|\\(?:cdot|times|div|cup|le|ge|ne|in)(?![A-Za-z])|[-+*/^=<>,;(){}\[\]⦃⦄⟦⟧])"
    r"|(?P<other>\S))"
)
_UNIT = re.compile(r"(?:[A-Za-z/]|\^ ?(?:\{ )?[23](?: \})?| )+")
FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le", r"\ne": r"\ne"}
_SEPARATORS = (",", ";", "and", "or")
_CLOSING = {"(": (")", "]"), "[": (")", "]"), "⟦": ("⟧",), "{": ("}",), "⦃": ("⦄",)}
_INFINITY, _ONE, _HALF = Node("symbol", (r"\infty",)), Node("number", (Fraction(1), "")), Fraction(1, 2)


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Node:
  r"""Returns the tree of a number, a formula, a list or a relation; a unit phrase behind it is left out.

  Raises:
    Refused: it is none, too long or too deep.
  """
  if len(text) > MAX_CHARACTERS:
    raise Refused("too_long", f"Formula: an expression has at most {MAX_CHARACTERS} characters.")
  text = respelled(text, _SPELLING)
  if re.search(r"\\(?:pm|mp)(?![a-z])", text):
    above = text.replace(r"\pm", "+").replace(r"\mp", "-")
    return listed(parse(above), parse(text.replace(r"\pm", "-").replace(r"\mp", "+")))
  text = _MATRIX.sub(lambda m: "⟦⟦" + re.sub(r"\\\\|\\cr", "⟧,⟦", m[2].replace("&", ",")) + "⟧⟧", text)
  if not re.search(r"[(\[{⦃]", text):  # between brackets a comma separates, even in (1,000)
    text = re.sub(r"(?<=\d),(?=\d{3}(?:\D|$))", "", text)
  parser = _Parser(text.rstrip(" .,;"))
  tree = parser.list()
  if parser.next and not _UNIT.fullmatch(" ".join(token for _, token in parser.tokens[parser.at : -1])):
    raise parser.unreadable()
  return tree


class _Parser:
  """Recursive descent, loosest first; `next` is the token to be read, "" at the end."""

  def __init__(self, text: str):
    self.tokens = [(m.lastgroup, m[m.lastgroup]) for m in _TOKEN.finditer(text)] + [("end", "")]
    self.at = self.depth = 0

  @property
  def next(self) -> str:
    return self.tokens[self.at][1]

  def took(self, *tokens: str) -> str:
    """Takes the next token if it is one of these."""
    if self.next not in tokens:
      return ""
    self.at += 1
    return self.tokens[self.at - 1][1]

  def unreadable(self) -> Refused:
    text = " ".join(token for _, token in self.tokens)
    return Refused("unreadable", f"Formula: {text[:60]!r} cannot be parsed.")

  def list(self) -> Node:
    items, joints = [self.relation()], set()
    while joint := self.took(*_SEPARATORS):
      joints.add(joint)
      if self.next not in _SEPARATORS:
        items.append(self.relation())
    rays = [i for i in items if i.head in FLIPPED or i.head == "=" and _INFINITY in i.args[1].nodes]
    if rays and "and" in joints:
      raise self.unreadable()  # x < 2 and x > 1 are both at once, and no list
    return listed(*items)

  def relation(self) -> Node:
    self.took("=")
    sides, operators = [self.union()], []
    while operator := self.took("=", r"\in", *FLIPPED):
      operators.append(operator)
      sides.append(self.union())
    return _related(operators, sides) if operators else sides[0]

  def union(self) -> Node:
    parts = [self.sum()]
    while self.took(r"\cup"):
      parts.append(self.sum())
    return listed(*parts)

  def sum(self) -> Node:
    terms, sign = [], self.took("+", "-")
    while not terms or sign:
      term = self.product()
      terms.append(Node("-", (term,)) if sign == "-" else term)
      sign = self.took("+", "-")
    return Node("+", tuple(terms)) if len(terms) > 1 else terms[0]

  def product(self) -> Node:
    left = self.power()
    while True:
      operator = self.took("*", "/", r"\cdot", r"\times", r"\div")
      (before, _), (kind, token) = self.tokens[self.at - 1 : self.at + 1]
      is_factor = kind in ("symbol", "call") or token in ("(", "{") or kind == "number" != before
      if not operator and not is_factor:
        return left
      right = Node("-", (self.power(),)) if operator and self.took("-") else self.power()
      left = Node("/" if operator in ("/", r"\div") else "*", (left, right))

  def power(self) -> Node:
    base = self.atom()
    if not self.took("^"):
      return base
    exponent = Node("-", (self.atom(),)) if self.took("-") else self.atom()
    has_power = "^" in (exponent.head, *(node.head for node in exponent.nodes))
    if self.next == "^" or has_power and value(exponent) is not None:
      raise Refused("unevaluated", "Formula: a tower of powers.")
    return Node("^", (base, exponent))

  def atom(self) -> Node:
    kind, token = self.tokens[self.at]
    nests = kind == "call" or token in _CLOSING
    self.depth += nests
    if self.depth > MAX_DEPTH:
      raise Refused("too_long", f"Formula: brackets, roots and fractions go {MAX_DEPTH} deep at most.")
    if kind in ("word", "other", "end") or kind == "sign" and token not in _CLOSING:
      raise self.unreadable()
    self.at += 1
    if kind == "number":
      node = Node("number", literal(token))
    elif kind == "symbol":
      node = Node("symbol", (re.sub("[{}]", "", token),))
    elif kind == "call":
      node = _called(token[1:], *(self.atom() for _ in range(1 + (token in (r"\frac", r"\binom")))))
    else:
      node = self.bracketed(token)
    self.depth -= nests
    return node

  def bracketed(self, opened: str) -> Node:
    items = [self.list() if opened in "{⦃" else self.relation()]
    while self.took(",", ";"):
      items.append(self.relation())
    closed = self.took(*_CLOSING[opened])
    if not closed:
      raise self.unreadable()
    return items[0] if len(items) == 1 and opened != "⟦" else Node("group", (opened + closed, *items))


def _called(name: str, *nodes: Node) -> Node:
  if name == "frac":
    return Node("/", nodes)
  if name == "sqrt" or name.startswith("root"):
    return Node("^", (*nodes, Node("/", (_ONE, Node("number", (Fraction(name[4:].strip("t") or 2), ""))))))
  if name == "exp":
    return Node("^", (Node("symbol", ("e",)), *nodes))
  return Node("call", ("log" if name == "ln" else name, *nodes))


def literal(written: str) -> tuple[Fraction, str]:
  """The value of a number as written, and its form: "", "." or, where it is mixed, "/"."""
  exponent = re.search(r"[eE]([-+]?[0-9]+)$", written)
  if len(written) > MAX_DIGITS or exponent and abs(int(exponent[1])) > MAX_DIGITS:
    raise Refused("too_long", f"Number: a literal has at most {MAX_DIGITS} digits.")
  if "/" not in written:
    return Fraction(written), "." if "." in written else ""
  whole, above, below = map(int, re.findall("[0-9]+", written))
  if not 0 < above < below:
    raise Refused("unreadable", f"Number: {written[:40]!r} is no mixed number.")
  return whole + Fraction(above, below), "/"


def listed(*items: Node) -> Node:
  """A set: nested ones are one, and what stands twice stands once."""
  nested = [one for item in items for one in (item.args[1:] if item.args[0] == "{}" else (item,))]
  flat = tuple(dict.fromkeys(nested))
  return flat[0] if len(flat) == 1 else Node("group", ("{}", *flat))


def symbols(node: Node) -> frozenset[str]:
  """The unknowns of a tree: what is no constant."""
  if node.head == "symbol":
    return frozenset(node.args) - {"e", "i", r"\pi", r"\infty", r"\emptyset"}
  return frozenset().union(*map(symbols, node.nodes))


def _related(operators: list[str], sides: list[Node]) -> Node:
  """An equation; an inequality in one symbol says that the symbol is in an interval."""
  if set(operators) <= {"="} or operators == [r"\in"]:
    return Node("=", tuple(sides))
  is_falling = set(operators) <= {">", r"\ge"} and len(sides) == 3
  if is_falling or sides[-1].head == "symbol" and not symbols(sides[0]):  # 3 > x
    operators, sides = [FLIPPED.get(o, o) for o in reversed(operators)], sides[::-1]
  first, last, operator = sides[0], sides[-1], operators[0]
  if len(sides) == 3 and sides[1].head == "symbol" and set(operators) <= {"<", r"\le"}:
    brackets = ("(" if operator == "<" else "[") + (")" if operators[1] == "<" else "]")
    return Node("=", (sides[1], Node("group", (brackets, first, last))))
  if len(sides) != 2 or operator not in FLIPPED:
    raise Refused("unreadable", "Formula: a chain of relations cannot be parsed.")
  if first.head != "symbol" or symbols(last):
    return Node(operator, (first, last))
  below = Node("group", ("(]" if operator == r"\le" else "()", Node("-", (_INFINITY,)), last))
  above = Node("group", ("[)" if operator == r"\ge" else "()", last, _INFINITY))
  return Node("=", (first, {"<": below, r"\le": below, r"\ne": listed(below, above)}.get(operator, above)))


# ---- Values, and what is left to do --------------------------------------------------------------


def value(node: Node) -> Fraction | None:
  """The exact value of plain arithmetic; None where a root, a symbol or a function has none.

  Raises:
    Refused: it divides by zero or is too large.
  """
  if node.head == "number":
    return node.args[0]
  values = [value(child) for child in node.args] if node.head in ("+", "*", "/", "^", "-") else [None]
  if None in values:
    return None
  if node.head in ("+", "-"):
    return sum(values) if node.head == "+" else -values[0]
  first, second = values
  if node.head == "*":
    return first * second
  if second == 0 and node.head == "/" or first == 0 and second < 0:
    raise Refused("unreadable", "Number: the answer divides by zero.")
  if node.head == "/":
    return first / second
  if second.denominator != 1:
    is_whole = second == _HALF and first.denominator == 1 and first >= 0
    root = math.isqrt(first.numerator) if is_whole else -1
    return Fraction(root) if root * root == first else None
  if abs(second) * _bits(first) > MAX_BITS:
    raise Refused("too_long", "Formula: a value is too large to compute.")
  return first ** int(second)


def _bits(number: Fraction) -> int:
  return number.numerator.bit_length() + number.denominator.bit_length()


def size(node: Node) -> float:
  """A bound on the binary digits of what a tree would compute.

  Raises:
    Refused: a power or a factorial is too large.
  """
  bits = sum(map(size, node.nodes))
  if node.head == "number":
    bits = _bits(node.args[0])
  elif node.head == "^" or node.args[0] in ("sinh", "cosh"):
    power = value(node.args[1])
    most = abs(power) if power is not None else 2 ** min(size(node.args[1]), 64)
    # A base without digits of its own (e, pi, x) grows too, and the power of a sum is multiplied out.
    is_sum = node.head == "^" and node.args[0].head == "+" and symbols(node.args[0])
    base = size(node.args[0]) if node.head == "^" else 2
    bits = most * (MAX_BITS / MAX_EXPANDED if is_sum else max(2, base))
  elif node.args[0] in ("fact", "binom") and not symbols(node):
    largest = max(MAX_BITS if value(child) is None else value(child) for child in node.nodes)
    bits = 12 * largest if largest <= MAX_FACTORIAL else MAX_BITS + 1
  if bits > MAX_BITS:
    raise Refused("too_long", "Formula: a value is too large to compute.")
  return bits


def factors(node: Node) -> tuple[int, list[Node], list[Node]]:
  """The sign of a product, and what it has above and below its bars."""
  if node.head not in ("*", "/", "-"):
    return 1, [node], []
  sign, above, below = factors(node.args[0])
  if node.head == "-":
    return -sign, above, below
  other, over, under = factors(node.args[1])
  over, under = (over, under) if node.head == "*" else (under, over)
  return sign * other, above + over, below + under


def shape(node: Node):
  """A form in which the order of terms, factors and items does not count; a factor 1 is none."""
  if node.head in ("number", "symbol"):
    return str(node.args[0])
  if node.head in ("*", "/", "-"):
    sign, *sides = factors(node)
    return (sign, *(sorted((shape(f) for f in side if f != _ONE), key=repr) for side in sides))
  parts, names = [shape(child) for child in node.nodes], [a for a in node.args if isinstance(a, str)]
  return (node.head, names, sorted(parts, key=repr) if node.head == "+" or names == ["{}"] else parts)


def work(node: Node) -> int:
  """How many operations on plain numbers a tree leaves to do: 3*3*pi leaves one, 6/8 and 2/2^{9} too.

  A sign, a fraction of whole numbers in lowest terms and a power of ten leave none.
  """
  if node.head in ("*", "/"):
    _, *sides = factors(node)
    numbers = [[f.args for f in side if f.head == "number"] for side in sides]
    whole = [[f.args[0] if f.head == "^" and (value(f.args[1]) or _HALF).denominator == 1 else f
              for f in side] for side in sides]  # fmt: skip
    bases = [[abs(f.args[0].numerator) for f in side if f.head == "number"] for side in whole]
    in_decimals = numbers[1] and any(form for _, form in numbers[0] + numbers[1])
    left = bool(in_decimals) + any(math.gcd(a, b) > 1 for a in bases[0] for b in bases[1])
    return left + sum(max(0, len(n) - 1) for n in numbers) + sum(work(f) for side in sides for f in side)
  left = sum(map(work, node.nodes))
  if node.head == "-":
    return left + (node.args[0].head == "-")
  if node.head == "+":
    kinds = {repr([sorted(repr(shape(f)) for f in side if f.head != "number") for side in factors(term)[1:]])
             for term in node.args}  # fmt: skip
    return left + len(node.args) - len(kinds) + sum(value(term) == 0 for term in node.args)
  if node.head == "^" and node.args[0].head == "number" and (exponent := value(node.args[1])) is not None:
    return left + (value(node) is not None if exponent.denominator != 1 else node.args[0].args[0] != 10)
  return left
