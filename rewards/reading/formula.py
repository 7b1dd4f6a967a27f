r"""Formulas: taken apart by brackets and separators, their leaves compared exactly.

One real input: `The solutions are $x<2$ or $x>3$.` against `(-\infty,2)\cup(3,\infty)`: two rays, in any
order. Structure is read in structure.py, a leaf is a number (numbers.py) or goes to exact.py.
Not here: relations that describe a set by a property, piecewise definitions, units that convert.
"""

import math
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
        (r"\\(?:leqslant|leqq|leq)(?![a-zA-Z])|<=", r"\\le "),
        (r"\\(?:geqslant|geqq|geq)(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\(?:neq|not\s*=)|!=", r"\\ne "),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"\\(?:lbrace(?![a-zA-Z])|\{)", "⦃"),
        (r"\\(?:rbrace(?![a-zA-Z])|\})", "⦄"),
        (r"\\(?:operatorname|mathrm)\s*\{((?:arc)?(?:sin|cos|tan)|log|ln|exp)\}", r"\\\1 "),
        (r"(\d:\d\d)\s*(?:\\text\s*\{\s*)?([aApP])\.?\s*[mM]\b\.?\s*\}?", r"\1\2m"),
        (r"\\pmod\s*(?:\{\w+\}|\d)|\(\s*\\?mod\s*\w+\s*\)", " "),
    )
]
_SEGMENT = re.compile(r"\$\$(.+?)\$\$|\$([^$]+)\$|(?<!\\)\\\[(.+?)\\\]|(?<!\\)\\\((.+?)\\\)", re.DOTALL)
_PREAMBLE = re.compile(r"[^=<>\\:]{0,200}?\b[A-Za-z']{2,}\s*(?:\b(?:is|are|equals)\b\s*:?|:)\s*(?=\S)")
_FUNCTIONS = r"(?:arc)?(?:sin|cos|tan)h?|cot|sec|csc|log|ln|exp|lim|max|min|gcd|lcm|det"
_WORD = re.compile(
    rf"(?<![A-Za-z\\])(?!(?:{_FUNCTIONS}|sqrt|theta|pi|infty|inf|infinity)(?![A-Za-z]))[A-Za-z]{{3,}}"
)
_UNIT_TAIL = re.compile(
    r"(?<=[\w)}°])\s*(?<=[\s}°])(?:[kcmdn]?m|in|ft|mi|[km]?g|lbs?|oz|[mk]?[lL]|h|hr|s|sec|min|[a-z]{3,})"
    r"(?:\s+(?:per\s+)?[a-z]{2,})*(?:/[a-z]+)?\s*(?:\^\s*(?:\{[23]\}|[23]))?\s*$"
)
_VERBATIM = re.compile(r"[\d}]\s*_|[':\"]|\\[lcvd]?dots|\\approx|\.\.|\\(?:forall|exists|def|newcommand)")
_COMPUTED = re.compile(
    rf"(?<![A-Za-z])(sum|prod|int|[dt]?binom|{_FUNCTIONS}|choose|[bp]?mod|lfloor|lceil)(?![a-zA-Z])|(!)"
)
# A condition that only names a variable's domain: ", k \in \mathbb{Z}", "where n is the number of sides".
_DOMAIN = re.compile(
    r"(?:[\s,;(]|\bwhere\b|\bfor\b(?: (?:all|any|every|each))?|\bwith\b|\bintegers?\b|\$)+"
    r"[a-zA-Z](?:\s*,\s*[a-zA-Z])*\s*(?:\\in\s*\\math\w+\s*\{?\s*[ZNRQC]\s*\}?\s*(?:\^\s*\{?\+\}?)?"
    r"|(?:is|are|be)\s+an?y?\s+(?:positive |real )?(?:integers?|numbers?))[\s$).]*$"
)
_MEANING = re.compile(r",?\s*\b(?:where|for (?:all|any|every|each))\b[^.\d=<>\\]*$")
_MAY_SAY = re.compile(r"(?i)(?<![A-Za-z])or(?![A-Za-z])|\bno (?:real )?solutions?\b|\\ne\b")


def bare(text: str) -> str:
  """A formula in one spelling, without the words, the delimiters and the condition around it."""
  return _trimmed(_spelled(text).replace("$", " "))


def _spelled(text: str) -> str:
  for pattern, replacement in _SPELLING:
    text = pattern.sub(replacement, text)
  return text


def _trimmed(text: str) -> str:
  text = TEXT.sub(r" \1 ", re.sub(r"(?<!\\)\\[()\[\]]", " ", text)).strip()
  text = text.rstrip("\\").rstrip(".,; ").strip()
  domain = _DOMAIN.search(text)
  return text[: domain.start()] if domain and domain.start() and re.search(r"\\math|integer", text) else text


class FormulaKind(Kind):
  """How a formula is read; verdicts are formulas in one spelling."""

  name = "Formula"

  def take(self, body: str) -> tuple[str, str] | None:
    body = _spelled(body)
    segments = list(_SEGMENT.finditer(body))
    if segments:
      return self._segments(body, segments)
    end = re.search(r"\n|[.;](?=\s+[A-Z]|\s*\n)|,?\s(?:because|since|where|which)\b", body)
    first, reason = (body[: end.start()], body[end.start() :]) if end else (body, "")
    if len(first) > MAX_CHARACTERS:
      raise Refused("too_long", f"Formula: a verdict has at most {MAX_CHARACTERS} characters.")
    preamble = _PREAMBLE.match(first)
    words = preamble[0] if preamble else ""
    text = first[len(words) :].replace("$", " ")
    opening = _MAY_SAY.sub(" ", re.match(r"[A-Za-z\s]*", text)[0])
    text = self._finished(words + opening, [_trimmed(text)])
    return (text, reason) if text else None

  def _segments(self, body: str, segments: list[re.Match]) -> tuple[str, str] | None:
    """The first formula in delimiters, names aside, or a list of them joined by commas, "and", "or"."""
    texts = [next(filter(None, m.groups())).strip() for m in segments]
    gaps = [body[a.end() : b.start()] for a, b in zip(segments, segments[1:])]
    outside = [body[: segments[0].start()], *gaps, body[segments[-1].end() :]]
    names = [re.fullmatch(r"\\?[A-Za-z]+|\S*\\in\s*\\mathbb.*", text) for text in texts]
    first = last = names.index(None) if None in names else len(texts) - 1
    while last + 1 < len(texts) and re.fullmatch(r"[\s,;]*(?:\b(?:and|or)\b)?[\s,;]*", outside[last + 1]):
      last += 1
    before, after = " ".join(outside[: first + 1]), outside[last + 1]
    if not re.search(r"[^\W\d_]{2}", before) and re.match(r"\s*[A-Za-z(]", before):
      raise Refused("unreadable", "Formula: something stands before it.")
    sign = re.match(r"\s*(?:(%|percent\b)|°)", after)
    if sign:
      texts[last] += "%" if sign[1] else ""
      after = after[sign.end() :]
    chosen = list(dict.fromkeys(_trimmed(t) for t in texts[first : last + 1]))
    text = self._finished(before, chosen)
    return text, after + "".join(f" ${t}${o}" for t, o in zip(texts[last + 1 :], outside[last + 2 :]))

  def _finished(self, before: str, texts: list[str]) -> str:
    """The formulas as one, if nothing in or before them doubts; `exact \\approx decimal` is the exact one."""
    for words in (before + " 0", *(_MAY_SAY.sub(" ", text) for text in texts)):
      word = doubt.in_verdict(words, number=words.endswith(" 0"))
      if word and len(word) > 1:
        raise Refused("hedged", f"Doubt: {word!r} beside the formula.")
    text, approximately, decimal = ", ".join(texts).partition(r"\approx")
    number = arithmetic.attempt(text.rpartition("=")[2])
    if approximately and (not text.strip() or number or not re.fullmatch(r"\s*-?[\d.,]+\s*", decimal)):
      raise Refused("hedged", "Doubt: an approximation.")
    return text.strip()

  def bare(self, line: str) -> str | None:
    whole = _SEGMENT.fullmatch(line.strip())
    prose = re.search(r"[A-Za-z]{2,}|[=<>]", line.replace("\\", ""))
    return bare(next(filter(None, whole.groups()))) if whole and not prose else None

  def same(self, first: str, second: str) -> bool:
    return same_text(first, second)

  def box(self, contents: list[str], tail: str) -> tuple[str, str]:
    percent = re.match(r"\s*\$*\s*(?:%|percent\b)", tail)
    if len(contents) == 1 and percent:
      contents, tail = [contents[0].rstrip("%\\ ") + "%"], tail[percent.end() :]
    return self._finished("", [bare(content) for content in contents]), _spelled(tail)

  def check(self, verdict: str, reason: str) -> None:
    """Refuses a reason that withdraws the formula, restricts it, or names another value."""
    word = doubt.in_reason(reason) or doubt.in_verdict(reason[:20].split(".")[0] if reason[:1] == " " else "")
    if word:
      raise Refused("hedged", f"Doubt: {word!r} withdraws the formula.")
    reason = re.sub(r"\s*\\(?:text|mathrm)\s*\{([^{}]*)\}", r" \1", reason)
    rest = "" if _DOMAIN.match(reason) else re.sub(r"\$\s*\\?[A-Za-z]\s*\$", " n ", reason.rstrip(" ."))
    if re.search(r"[\d=<>$]|\\[a-zA-Z]+", _MEANING.sub("", rest).replace(verdict, " ")):
      raise Refused("several", f"Reason: {reason.strip()[:60]!r} restricts it or names another value.")


# ---- Comparison ----------------------------------------------------------------------------------


def equal(answer: str, reference: str, prompt: str) -> bool:
  """Whether two formulas state the same, and the answer is finished."""
  if same_text(answer, reference):
    return True
  if not _Comparison(prompt).same(structure(answer), structure(reference)):
    return False
  _refuse_unfinished(answer, reference, prompt)
  return True


def same_text(answer: str, reference: str) -> bool:
  """Whether two formulas are spelled alike, white space, case of words and full stops aside."""

  def spelled(text: str) -> str:
    is_words = _WORD.search(text) or re.search(r":\d\d[aApP]m", text)
    text = re.sub(r"(?<=[_^])\{(\w)\}", r"\1", re.sub(r"[\s$]+", "", text.rstrip(". ")))
    return text.casefold() if is_words else text

  return bool(spelled(answer)) and spelled(answer) == spelled(reference)


_POSITIVE = re.compile(
    r"positive\s+(?:\w+\s+){0,3}?\$?([a-zA-Z](?:(?:\$?\s*,\s*|\$?\s*,?\s*and\s+)\$?[a-zA-Z]\b)*)(?![a-zA-Z])"
    r"|(?<![\w\\])([a-zA-Z](?:\s*,\s*[a-zA-Z])*)\s*(?:>|\\gt)\s*0"
)


class _Comparison:
  """Compares structures; what the prompt calls positive is positive."""

  def __init__(self, prompt: str):
    found = " ".join(m[1] or m[2] for m in _POSITIVE.finditer(prompt[:20_000]))
    self.positive = frozenset(re.findall(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])", found))

  def same(self, answer, reference) -> bool:
    """Whether two structures state the same; `answer` may be named or not, as it likes."""
    if isinstance(answer, Relation) and isinstance(reference, Relation):
      if None not in (answer.name, reference.name):
        if not answer.name or re.sub(r"\s", "", answer.name) == re.sub(r"\s", "", reference.name):
          return self.same(answer.value, reference.value)
      return len(answer.members) == len(reference.members) == 2 and self._same_relation(answer, reference)
    if isinstance(reference, Relation):
      return reference.name is not None and self.same(answer, reference.value)
    if isinstance(answer, Relation):
      if answer.name is not None:
        return self.same(answer.value, reference)
      return answer.operator == "=" and all(self.same(parse(m), reference) for m in answer.members)
    if type(answer) is not type(reference):
      return False
    if isinstance(answer, str):
      return self._same_leaf(answer, reference)
    shape = (answer.opened, answer.closed, len(answer.items))
    if shape != (reference.opened, reference.closed, len(reference.items)):
      return False
    names = {r.name for r in reference.items if isinstance(r, Relation) and r.name}
    by_name = len(names) == len(reference.items) and not any(isinstance(a, Relation) for a in answer.items)
    if answer.opened or by_name:
      return all(map(self.same, answer.items, reference.items))
    rest = list(reference.items)
    for item in answer.items:
      match = next((r for r in rest if self._matches(item, r)), None)
      if match is None:
        return False
      rest.remove(match)
    return True

  def _matches(self, answer, reference) -> bool:
    """`same`, for one of several references: what one refuses another may take."""
    try:
      return self.same(answer, reference)
    except Refused:
      return False

  def _same_leaf(self, answer: str, reference: str) -> bool:
    stated, expected = (_number(side) for side in (answer, reference))
    if stated is not None and expected is not None:
      return numbers.equal(stated, expected)
    answer, reference = _without_unit(answer), _without_unit(reference)
    if same_text(answer, reference):
      return True
    if any(p.search(t) for p in (_WORD, _VERBATIM) for t in (answer, reference)):
      return False
    _refuse_absurd(answer, reference)
    return exact.same(answer, reference, self.positive)

  def _same_relation(self, answer: Relation, reference: Relation) -> bool:
    """Whether one relation is the other times a constant, with the same sense of inequality."""
    for member in answer.members:
      _refuse_absurd(member, " ".join(reference.members))
    sign = exact.ratio(answer.members, reference.members, self.positive)
    expected = FLIPPED[reference.operator] if sign == -1 else reference.operator
    return sign is not None and answer.operator == expected


def _number(text: str) -> numbers.Value | None:
  """A leaf as a literal; arithmetic that is left to do is none."""
  text = arithmetic.plain(text).strip()
  found = arithmetic.attempt(text.rstrip("% "))
  return numbers.Value(found[0], text.endswith("%"), found[2]) if found and not found[1] else None


def _without_unit(text: str) -> str:
  """A formula without the unit behind it; words alone stay."""
  tail = _UNIT_TAIL.search(text)
  if not tail or numbers.COMPUTES.search(tail[0]) or not re.search(r"[\d\\]", text[: tail.start()]):
    return text
  return text[: tail.start()]


def _refuse_absurd(answer: str, reference: str) -> None:
  """Refuses what is too large to be parsed, and functions that the reference does not use."""
  if len(answer) > MAX_LEAF_CHARACTERS:
    raise Refused("too_long", f"Formula: an expression has at most {MAX_LEAF_CHARACTERS} characters.")
  if any(len(number) > 40 and number not in reference for number in re.findall(r"\d+", answer)):
    raise Refused("too_long", "Formula: a number in an expression has at most 40 digits.")
  if re.search(r"\d\s*\}?\s*\^[^+\-*/=]*\d\s*\}?\s*\^|\^\s*\{?[^{}]*\^[^{}]*\^", answer):
    raise Refused("unevaluated", "Formula: a tower of powers.")
  known = {"".join(groups) for groups in _COMPUTED.findall(reference)}
  known |= {"ln", "log"} if known & {"ln", "log"} else set()
  left = [f for f in ("".join(groups) for groups in _COMPUTED.findall(answer)) if f not in known]
  if left:
    raise Refused("unevaluated", f"Formula: {left[0]!r} is left to compute.")


_VERBS = {
    "square": re.compile(r"\bsimpl(?:if|est)", re.IGNORECASE),
    "root below": re.compile(r"\brationali[sz]e", re.IGNORECASE),
    "product": re.compile(r"\bexpand", re.IGNORECASE),
    "sum": re.compile(r"\bfactor", re.IGNORECASE),
}
_FRACTION = re.compile(r"\\frac\s*\{\s*-?(\d{1,40})\s*\}\s*\{\s*(\d{1,40})\s*\}")


def _refuse_unfinished(answer: str, reference: str, prompt: str) -> None:
  """Refuses an equal that leaves work: arithmetic, the prompt's verb, the prompt's own formula."""
  done, wanted = ([exact.parse(leaf) for leaf in _leaves(structure(side))] for side in (answer, reference))
  done, wanted = ([tree for tree in trees if tree is not None] for trees in (done, wanted))
  left = [sum(map(exact.left_to_do, trees)) + _reducible(side)
          for trees, side in ((done, answer), (wanted, reference))]
  if left[0] > left[1]:
    raise Refused("unevaluated", "Formula: it leaves arithmetic to do.")
  has, right = (set().union(*map(exact.features, trees)) for trees in (done, wanted))
  for feature, verb in _VERBS.items():
    if feature in has - right and verb.search(prompt):
      raise Refused("unevaluated", f"Formula: the prompt says {verb.search(prompt)[0]!r}.")
  asked = [next(filter(None, m.groups())) for m in _SEGMENT.finditer(undress(prompt[:20_000]))]
  asked += re.findall(r"\S*[-+*/^=√\\]\S*(?:\s*[-+=]\s*\S+)*", prompt[:20_000])
  sides = {reference, reference.rpartition("=")[2]}
  for text in {answer, answer.rpartition("=")[2]}:
    if any(same_text(text, bare(a)) for a in asked) and not any(same_text(text, side) for side in sides):
      raise Refused("unevaluated", "Formula: it hands back what the prompt says.")


def _reducible(text: str) -> int:
  """How many fractions of whole numbers are not in lowest terms: these the parser reduces."""
  return sum(math.gcd(int(above), int(below)) != 1 for above, below in _FRACTION.findall(text))


def _leaves(part):
  """The expressions of a structure; of a relation, what it arrives at."""
  if isinstance(part, Relation):
    yield from _leaves(part.value if part.value is not None else structure(part.members[-1]))
  elif not isinstance(part, str):
    for item in part.items:
      yield from _leaves(item)
  elif len(part) <= MAX_LEAF_CHARACTERS and _number(part) is None:
    leaf = _without_unit(part)
    if not _VERBATIM.search(leaf) and not _WORD.search(leaf):
      yield leaf
