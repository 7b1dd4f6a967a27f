r"""Formulas: taken apart by brackets and separators, their leaves compared exactly.

One real input: `The solutions are $x<2$ or $x>3$.` against `(-\infty,2)\cup(3,\infty)`: two rays, in any
order. Lists, sets, intervals, tuples, matrices, equations and inequalities are structure, read here;
an expression without structure is a number (numbers.py) or goes to exact.py. Sizes are checked first.
Not here: relations that describe a set by a property, piecewise definitions, units that convert.
"""

import re

from rewards.reading import arithmetic
from rewards.reading import doubt
from rewards.reading import exact
from rewards.reading import numbers
from rewards.reading.dress import TEXT
from rewards.reading.dress import undress
from rewards.reading.sentences import Kind
from rewards.reading.sentences import Refused
from rewards.reading.structure import FLIPPED
from rewards.reading.structure import MAX_CHARACTERS
from rewards.reading.structure import parse
from rewards.reading.structure import Relation
from rewards.reading.structure import structure

MAX_LEAF_CHARACTERS = 400

_SPELLING = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:leq|leqslant|leqq)(?![a-zA-Z])|<=", r"\\le "),
        (r"\\(?:geq|geqslant|geqq)(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\(?:neq|not\s*=)|!=", r"\\ne "),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"\\(?:langle|lparen)(?![a-zA-Z])", "("),
        (r"\\(?:rangle|rparen)(?![a-zA-Z])", ")"),
        (r"\\lbrack(?![a-zA-Z])", "["),
        (r"\\rbrack(?![a-zA-Z])", "]"),
        (r"\\(?:lbrace(?![a-zA-Z])|\{)", "⦃"),
        (r"\\(?:rbrace(?![a-zA-Z])|\})", "⦄"),
        (r"\\[lr]?vert(?![a-zA-Z])", "|"),
        (r"\\(?:operatorname|mathrm)\s*\{((?:arc)?(?:sin|cos|tan)|log|ln|exp)\}", r"\\\1 "),
        (r"(\d:\d\d)\s*(?:\\text\s*\{\s*)?([aApP])\.?\s*[mM]\b\.?\s*\}?", r"\1\2m"),
        (r"\\pmod\s*(?:\{\w+\}|\d)|\(\s*\\?mod\s*\w+\s*\)", " "),
    )
]
_SEGMENT = re.compile(r"\$\$(.+?)\$\$|\$([^$]+)\$|(?<!\\)\\\[(.+?)\\\]|(?<!\\)\\\((.+?)\\\)", re.DOTALL)
_PREAMBLE = re.compile(r"^[^=<>\\:]{0,200}?\b[A-Za-z']{2,}\s*(?:\b(?:is|are|equals|be)\b\s*:?|:)\s*(?=\S)(?![^=<>\\]*\b(?:is|are|equals)\b)")
_WORD = re.compile(
    r"(?<![A-Za-z\\])(?!(?:sqrt|sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|log|ln|exp|lim|max|min|gcd|lcm|det"
    r"|alpha|beta|gamma|delta|theta|lambda|phi|omega|pi|infty|inf|infinity)(?![A-Za-z]))[A-Za-z]{3,}"
)
_UNIT_TAIL = re.compile(
    r"(?<=[\w)}°])\s*(?:(?<=[\s}°])(?:[kcmdn]?m|in|ft|mi|[km]?g|lbs?|oz|[mk]?[lL]|h|hr|s|sec|min|sq\.?|cu\.?|[a-z]{3,})(?:\s+(?:per\s+)?[a-z]{2,})*(?:/[a-z]+)?)"
    r"\s*(?:\^\s*(?:\{[23]\}|[23]))?\s*$"
)
_VERBATIM = re.compile(r"[\d}]\s*_|[':\"]|\\[lcvd]?dots|\\approx|\.\.|\\(?:forall|exists|def|newcommand)")
_DOMAIN = re.compile(
    r"(?<=\S)(?:\s*[,;(]\s*\(?|\s+)\s*(?:where|for(?: (?:all|any|every|each))?|with|when)?\s*(?:integers?\s+)?\$?\s*[a-zA-Z](?:\s*,\s*[a-zA-Z])*\s*"
    r"(?:\\in\s*\\(?:mathbb|mathbf|Bbb)\s*\{?\s*[ZNRQC]\s*\}?\s*(?:\^\s*\{?\+\}?)?|(?:is|are|be)\s+an?y?\s+(?:positive |real |natural )?(?:integers?|numbers?))\s*\$?\s*\)?\s*\.?$"
)
_MEANING = re.compile(r",?\s*\b(?:where|for (?:all|any|every|each))\b(?![^.]*[=<>]|[^.]*\\(?:le|ge|ne|in)\b)[^.\d]*$")
_CLOCK = re.compile(r"(?<!\d)(\d{1,2}:\d\d[ap]m)\b", re.IGNORECASE)
_COMPUTED = re.compile(
    r"(?<![A-Za-z])(sum|prod|int|lim|[dt]?binom|log|ln|(?:arc)?(?:sin|cos|tan)h?|cot|sec|csc|det|gcd|lcm|max|min|exp|choose"
    r"|bmod|pmod|mod|lfloor|lceil)(?![a-zA-Z])|(!)"
)


def bare(text: str) -> str:
  """A formula in one spelling, without the words, the delimiters and the condition around it."""
  return _trimmed(_spelled(text).replace("$", " "))


def _spelled(text: str) -> str:
  for pattern, replacement in _SPELLING:
    text = pattern.sub(replacement, text)
  return text


def _trimmed(text: str) -> str:
  text = TEXT.sub(r" \1 ", re.sub(r"(?<!\\)\\[()\[\]]", " ", text)).strip().rstrip("\\").rstrip(".,; ").strip()
  return _DOMAIN.sub("", text).rstrip(",; ") if "\\mathbb" in text or "integer" in text else text


class FormulaKind(Kind):
  """How a formula is read; verdicts are formulas in one spelling."""

  name = "Formula"

  def __init__(self, prompt: str, reference: str):
    super().__init__(prompt)
    self.reference = reference

  def take(self, body: str) -> tuple[str, str] | None:
    body = _spelled(body)
    segments = list(_SEGMENT.finditer(body))
    if segments:
      return self._segments(body, segments)
    end = re.search(r"\n|[.;](?=\s+[A-Z]|\s*\n)|,?\s(?:because|since|where|which)\b", body)
    first, reason = (body[: end.start()], body[end.start() :]) if end else (body, "")
    if len(first) > MAX_CHARACTERS:
      raise Refused("too_long", f"Formula: a verdict has at most {MAX_CHARACTERS} characters.")
    clock = _CLOCK.findall(first)
    if len(clock) == 1 and not re.search(r"\d|\b(?:after|before|past|until|till|by)\b", _CLOCK.sub("", first)) and not doubt.in_verdict(first):
      return clock[0], reason
    preamble = _PREAMBLE.match(first)
    words = preamble[0] if preamble else ""
    text = _trimmed(first[len(words) :].replace("$", " "))
    self._refuse_doubt(words + " " + re.sub(r"(?i)(?<![A-Za-z])or(?![A-Za-z])|\bno (?:real )?solutions?\b|\\ne\b", " ", text))
    return (self._without_decimal(text), reason) if text else None

  def _segments(self, body: str, segments: list[re.Match]) -> tuple[str, str] | None:
    """The one formula of a sentence, or a list of them, in its delimiters."""
    texts = [next(filter(None, m.groups())).strip() for m in segments]
    gaps = [body[a.end() : b.start()] for a, b in zip(segments, segments[1:])]
    outside = [body[: segments[0].start()], *gaps, body[segments[-1].end() :]]
    kept = [i for i, t in enumerate(texts) if not re.fullmatch(r"\\?[A-Za-z]+|\S*\\in\s*\\mathbb.*", t)] or [len(texts) - 1]
    first = kept[0]
    last = first
    while last + 1 < len(texts) and re.fullmatch(r"[\s,;]*(?:\b(?:and|or)\b)?[\s,;]*", outside[last + 1]):
      last += 1
    before, after = " ".join(outside[: first + 1]), outside[last + 1]
    if re.fullmatch(r"\s*(?:%|percent\b|°).*", after, re.DOTALL):
      texts[last] += "%" if re.match(r"\s*(?:%|percent)", after) else ""
      after = re.sub(r"^\s*(?:%|percent\b|°)", "", after)
    rest = after + "".join(f" ${t}${o}" for t, o in zip(texts[last + 1 :], outside[last + 2 :]))
    self._refuse_doubt(before)
    around = doubt.in_verdict(before + " 0", number=True)
    if around:
      raise Refused("hedged", f"Doubt: {around!r} beside the formula.")
    chosen = list(dict.fromkeys(_trimmed(t) for t in texts[first : last + 1]))
    text = self._without_decimal(", ".join(chosen))
    self._refuse_doubt(re.sub(r"(?i)(?<![A-Za-z])or(?![A-Za-z])|\\ne\b", " ", text))
    if len(re.sub(r"[\W\d_]", "", before)) == 0 and re.match(r"\s*[A-Za-z(]", before):
      raise Refused("unreadable", "Formula: something stands before it.")
    joined = f"{text} {unit[0]}" if (unit := re.match(r"\s*(?:[a-z]{1,}\b(?:/[a-z]+)?\s*)+", rest)) and not re.match(r"\s*(?:where|for|with|when|because|since|which|and|or)\b", rest) and not doubt.in_verdict(unit[0]) else ""
    return text, rest[unit.end() :] if joined and arithmetic.attempt(text) is None else rest

  def _without_decimal(self, text: str) -> str:
    """`2\\sqrt{3} \\approx 3.46` without the aside; an approximation alone is refused."""
    exact_, approximately, decimal = text.partition(r"\approx")
    if not approximately:
      return text
    if not exact_.strip() or arithmetic.attempt(exact_.rpartition("=")[2]) is not None or not re.fullmatch(r"\s*-?[\d.,]+\s*", decimal):
      raise Refused("hedged", "Doubt: an approximation.")
    return exact_.strip()

  def _refuse_doubt(self, text: str) -> None:
    word = doubt.in_verdict(text)
    if word and not re.fullmatch(r"(?i)[a-z]", word):
      raise Refused("hedged", f"Doubt: {word!r} beside the formula.")

  def bare(self, line: str) -> str | None:
    line = line.strip()
    whole = _SEGMENT.fullmatch(line)
    return bare(next(filter(None, whole.groups()))) if whole and not re.search(r"[A-Za-z]{2,}|[=<>]", line.replace("\\", "")) else None

  def same(self, first: str, second: str) -> bool:
    return same_text(first, second)

  def box(self, contents: list[str], tail: str) -> tuple[str, str]:
    if len(contents) == 1 and (percent := re.match(r"\s*\$*\s*(?:%|percent\b)", tail)):
      contents, tail = [contents[0].rstrip("%\\ ") + "%"], tail[percent.end() :]
    texts = [_trimmed(_spelled(c).replace("$", " ")) for c in contents]
    for text in texts:
      self._refuse_doubt(re.sub(r"(?i)(?<![A-Za-z])or(?![A-Za-z])|\bno (?:real )?solutions?\b|\\ne\b", " ", text))
    return self._without_decimal(", ".join(texts)), _spelled(tail)

  def check(self, verdict: str, reason: str) -> None:
    """Refuses a reason that withdraws the formula, restricts it, or names another value."""
    word = doubt.in_reason(reason)
    if word:
      raise Refused("hedged", f"Doubt: {word!r} withdraws the formula.")
    rest = _DOMAIN.sub("", "x" + reason)
    rest = _MEANING.sub("", re.sub(r"\$\s*\\?[A-Za-z]\s*\$", " ", rest.rstrip(" .")))
    rest = re.sub(r"\s*\\(?:text|mathrm)\s*\{[^{}]*\}", " ", rest)
    if re.search(r"[\d=<>]|\\[a-zA-Z]+|\$[^$]*\$", re.sub(re.escape(verdict), " ", rest[1:])):
      raise Refused("several", f"Reason: {reason.strip()[:60]!r} restricts the formula or names another value.")


# ---- Comparison ----------------------------------------------------------------------------------


def equal(answer: str, reference: str, prompt: str) -> bool:
  """Whether two formulas state the same, and the answer is finished."""
  if same_text(answer, reference):
    return True
  compare = _Comparison(prompt)
  if not compare.same(structure(answer), structure(reference)):
    return False
  _refuse_unfinished(answer, reference, prompt)
  return True


def same_text(answer: str, reference: str) -> bool:
  """Whether two formulas are spelled alike, white space, case of words and full stops aside."""
  def spelled(text: str) -> str:
    text = re.sub(r"(?<=[_^])\{(\w)\}", r"\1", re.sub(r"[\s$]+", "", text.rstrip(". ")))
    return text.casefold() if _WORD.search(text) or _CLOCK.search(text) else text
  return bool(spelled(answer)) and spelled(answer) == spelled(reference)


_POSITIVE = re.compile(
    r"positive\s+(?:\w+\s+){0,3}?\$?([a-zA-Z](?:(?:\$?\s*,\s*|\$?\s*,?\s*and\s+)\$?[a-zA-Z]\b)*)(?![a-zA-Z])"
    r"|(?<![\w\\])([a-zA-Z](?:\s*,\s*[a-zA-Z])*)\s*(?:>|\\gt)\s*0"
)


class _Comparison:
  """Compares structures; what the prompt calls positive is positive."""

  def __init__(self, prompt: str):
    found = [m[1] or m[2] for m in _POSITIVE.finditer(prompt[:20_000])]
    self.positive = frozenset(c for names in found for c in re.findall(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])", names))

  def same(self, answer, reference) -> bool:
    """Whether two structures state the same; `answer` may be named or not, as it likes."""
    if isinstance(answer, Relation) and isinstance(reference, Relation):
      if answer.name is not None and reference.name is not None:
        if not answer.name or re.sub(r"\s", "", answer.name) == re.sub(r"\s", "", reference.name):
          return self.same(answer.value, reference.value)
      return len(answer.members) == len(reference.members) == 2 and self._same_relation(answer, reference)
    if isinstance(reference, Relation):
      return reference.name is not None and self.same(answer, reference.value)
    if isinstance(answer, Relation):
      if answer.name is not None:
        return self.same(answer.value, reference)
      return answer.operator == "=" and all(self.same(parse(m), reference) for m in answer.members)  # a rewriting
    if type(answer) is not type(reference):
      return False
    if isinstance(answer, str):
      return self._same_leaf(answer, reference)
    if (answer.opened, answer.closed, len(answer.items)) != (reference.opened, reference.closed, len(reference.items)):
      return False
    names = {r.name.split("_")[0] for r in reference.items if isinstance(r, Relation) and r.name}
    by_name = len(names) == len(reference.items) and not any(isinstance(a, Relation) for a in answer.items)
    if answer.opened or by_name:
      return all(map(self.same, answer.items, reference.items))
    rest = list(reference.items)
    for item in answer.items:
      match = next((i for i, r in enumerate(rest) if self._matches(item, r)), None)
      if match is None:
        return False
      del rest[match]
    return True

  def _matches(self, answer, reference) -> bool:
    """`same`, for one of several references: what one refuses another may take."""
    try:
      return self.same(answer, reference)
    except Refused:
      return False

  def _same_leaf(self, answer: str, reference: str) -> bool:
    if same_text(answer, reference):
      return True
    stated, expected = (_number(side) for side in (answer, reference))
    if stated is not None and expected is not None:
      return numbers.equal(stated, expected)
    answer, reference = _without_unit(answer), _without_unit(reference)
    if any(p.search(t) for p in (_WORD, _VERBATIM) for t in (answer, reference)):
      return False
    if same_text(answer, reference):
      return True
    _refuse_absurd(answer, reference)
    return exact.same(answer, reference, self.positive)

  def _same_relation(self, answer: Relation, reference: Relation) -> bool:
    """Whether one relation is the other times a constant, with the same sense of inequality."""
    for member in answer.members:
      _refuse_absurd(member, " ".join(reference.members))
    sign = exact.ratio(answer.members, reference.members, self.positive)
    expected = FLIPPED.get(reference.operator, reference.operator) if sign == -1 else reference.operator
    return sign is not None and answer.operator == expected


def _number(text: str) -> numbers.Value | None:
  """A leaf as a literal; arithmetic that is left to do is none."""
  text = arithmetic.plain(text).strip()
  percent = text.endswith("%")
  found = arithmetic.attempt(text.rstrip("% "))
  return numbers.Value(found[0], percent, found[2]) if found and not found[1] else None


def _without_unit(text: str) -> str:
  """A formula without the unit behind it; words alone stay."""
  tail = _UNIT_TAIL.search(text)
  return text[: tail.start()] if tail and re.search(r"[\d\\]", text[: tail.start()]) and not numbers.COMPUTES.search(tail[0]) else text


def _refuse_absurd(answer: str, reference: str) -> None:
  """Refuses what is too large to be parsed, and functions that the reference does not use."""
  if len(answer) > MAX_LEAF_CHARACTERS:
    raise Refused("too_long", f"Formula: an expression has at most {MAX_LEAF_CHARACTERS} characters.")
  if any(len(number) > 40 and number not in reference for number in re.findall(r"\d+", answer)):
    raise Refused("too_long", "Formula: a number in an expression has at most 40 digits.")
  if re.search(r"\d\s*\}?\s*\^[^+\-*/=]*\d\s*\}?\s*\^|\^\s*\{?[^{}]*\^[^{}]*\^", answer) and answer != reference:
    raise Refused("unevaluated", "Formula: a tower of powers.")
  known = {"".join(g) for g in _COMPUTED.findall(reference)}
  for function in ("".join(g) for g in _COMPUTED.findall(answer)):
    if function not in known and not (function in ("ln", "log") and known & {"ln", "log"}):
      raise Refused("unevaluated", f"Formula: {function!r} is left to compute.")


_VERBS = {
    "square": re.compile(r"\bsimpl(?:if|est)", re.IGNORECASE),
    "root below": re.compile(r"\brationali[sz]e", re.IGNORECASE),
    "product": re.compile(r"\bexpand", re.IGNORECASE),
    "sum": re.compile(r"\bfactor", re.IGNORECASE),
}


def _refuse_unfinished(answer: str, reference: str, prompt: str) -> None:
  """Refuses what equals the reference but leaves work: arithmetic, what the prompt's verb asks, the prompt's own formula."""
  answer_leaves, reference_leaves = ([exact.parse(t) for t in _leaves(structure(s))] for s in (answer, reference))
  done, wanted = ([t for t in trees if t is not None] for trees in (answer_leaves, reference_leaves))
  if sum(map(exact.left_to_do, done)) + _reducible(answer) > sum(map(exact.left_to_do, wanted)) + _reducible(reference):
    raise Refused("unevaluated", "Formula: it leaves arithmetic to do.")
  has = set().union(*map(exact.features, done)) if done else set()
  right = set().union(*map(exact.features, wanted)) if wanted else set()
  for feature, verb in _VERBS.items():
    if feature in has - right and verb.search(prompt):
      raise Refused("unevaluated", f"Formula: the prompt says {verb.search(prompt)[0]!r}.")
  asked = [bare(next(filter(None, m.groups()))) for m in _SEGMENT.finditer(undress(prompt[:20_000]))]
  asked += [bare(m[0]) for m in re.finditer(r"\S*[-+*/^=√\\]\S*(?:\s*[-+=]\s*\S+)*", prompt[:20_000])]
  for text in (answer, answer.rpartition("=")[2]):
    if any(same_text(text, a) for a in asked) and not any(same_text(text, r) for r in (reference, reference.rpartition("=")[2])):
      raise Refused("unevaluated", "Formula: it hands back what the prompt says.")


def _reducible(text: str) -> int:
  """How many fractions of whole numbers are not in lowest terms: these the parser does evaluate."""
  import math

  fractions = re.findall(r"\\frac\s*\{\s*-?(\d{1,40})\s*\}\s*\{\s*(\d{1,40})\s*\}|(?<!\^)(?<!\d)(\d{1,40})\s*/\s*(\d{1,40})(?!\d)", text)
  return sum(math.gcd(*(int(term) for term in terms if term)) != 1 for terms in fractions)


def _leaves(part):
  """The expressions of a structure; of a relation, what it arrives at."""
  if isinstance(part, str):
    if not _VERBATIM.search(part) and not _WORD.search(_without_unit(part)) and len(part) <= MAX_LEAF_CHARACTERS and _number(part) is None:
      yield _without_unit(part)
  elif isinstance(part, Relation):
    yield from _leaves(part.value if part.value is not None else structure(part.members[-1]))
  else:
    for item in part.items:
      yield from _leaves(item)
