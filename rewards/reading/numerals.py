r"""Plain numbers in answers: read exactly, from prose, LaTeX and arithmetic that is carried out.

One real input: `Since there are 5 bags with 12 apples each, Tom has 5 * 12 = 60 apples.` is 60.

The reader never sees the reference, so naming more numbers cannot buy a better chance. First it
reads strictly: one value, once or several times, with words and units around it, or as the last
member of an equation. Where that fails, it leaves out what a statement gives as its reasons, and
reads the rest as strictly:
  - clauses that say so ("since ...", "with 5 bags ...,", "... because ..."), and arithmetic or
    sentences of reasoning before a conclusion ("so", "in total", the last equation);
  - arithmetic in brackets behind the value, and the same quantity in another unit ("(2 hours)");
  - numbers that the prompt gives, where they count something.
What is left out must read like a reason: bare numbers, doubts and clauses worded like the
conclusion stay, and stay rivals. "59, 60", "59, so 60" and "There are 5, 12, 60, 17 apples" name
several numbers whatever the prompt says.

Plain arithmetic beside a value is carried out for one purpose: a false equation ("12 * 6 = 60") is
refused. Number words ("sixty") are read where the caller asks for it with `in_digits`.

Not here: digits of other scripts, and any value that is only computed.
"""

import ast
from collections.abc import Iterator
import dataclasses
from fractions import Fraction
import operator
import re

MAX_NUMBER_CHARACTERS = 400
MAX_SIDE_CHARACTERS = 120  # of an equation that is checked
MAX_VERDICT_CHARACTERS = 1_000  # what is longer and names several numbers has no clear verdict
WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")


class Refused(Exception):
  """An answer that states no single final value; str() says why, `cause` is counted in metrics."""

  def __init__(self, cause: str, reason: str):
    super().__init__(reason)
    self.cause = cause


# ---- Cosmetics: how one character or one LaTeX command is written --------------------------------

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))
_VULGAR = dict(zip(
    "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞",
    "1/2 1/3 2/3 1/4 3/4 1/5 2/5 3/5 4/5 1/6 5/6 1/8 3/8 5/8 7/8".split(),
))
_CHARACTERS = str.maketrans(
    {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width forms
    | {c: "-" for c in "−–—‐‑‒﹣"}
    | {c: " " for c in "\t\r\x0b\x0c\xa0\u202f\u3000"}
    | {chr(code): " " for code in range(0x2002, 0x200A)}
    # Invisible characters become spaces: in front of 60 they are nothing, inside they split it.
    | {c: " " for c in "\x00\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"}
    # Check marks and pictures of things decorate; crosses, thumbs down and shrugs say something and stay.
    | {c: " " for c in "✓✔✅☑⭐✨👍\ufe0f"}
    | {
        chr(code): " "
        for first, last in ((0x1F300, 0x1F43F), (0x1F4B0, 0x1F4B5), (0x1F680, 0x1F6A2), (0x1F950, 0x1F96F))
        for code in range(first, last + 1)
    }
    | {k: f" {v} " for k, v in _VULGAR.items()}
    | {"×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": r"\div ", "√": r"\sqrt ", "±": r"\pm "}
    | {"≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "π": r"\pi ", "∞": r"\infty "}
    | {"∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "ℝ": r"\mathbb{R}", "∅": r"\emptyset "}
    | {"’": "'", "‘": "'", "“": '"', "”": '"', "º": "°", "⁄": "/", "∕": "/"}
)
_SUPERSCRIPT = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_COSMETICS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # Escaped twice, as in \\\\frac.
        (r"\\\\(?=(?:d?frac|sqrt|boxed|pi|left|right|text|cup|infty|pm)\b)", r"\\"),
        (r"(?<![\w*)])(\*\*|__)(?=\S)([^*\n]+?)(?<=\S)\1(?![\w*(])", r"\2"),
        (r"(?<![\w*)])\*(?=[^\s*])([^*\n]+)(?<=\S)\*(?![\w*(])", r"\1"),
        (r"\*\*", "^"),
        (r"(?i)<(b|strong|i|em|u|p|span|div|code)>([^<>\n]*)</\1>", r" \2 "),
        (r"(?i)<br\s*/?>", "\n"),
        (r"`", " "),
        (r"(?<!\\)\\!\s*", ""),
        (r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|limits)(?![a-zA-Z])\.?", ""),
        (r"(?<![^\s($])~(?=\s*(?:[$€£]?[\d.]|\\f?box))", " about "),
        (r"(?<!\\)\\[,;:> ]|~(?!=)|\\(?:quad|qquad)(?![a-zA-Z])|\\phantom\{[^{}]*\}", " "),
        (r"\{,\}", ","),
        (r"\\[dtc]frac", r"\\frac"),
        (r"\\(?:leq|leqslant|leqq)(?![a-zA-Z])|<=", r"\\le "),
        (r"\\(?:geq|geqslant|geqq)(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\(?:neq|not\s*=)|!=", r"\\ne "),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"\\(?:simeq|thickapprox)(?![a-zA-Z])|~=", r"\\approx "),
        (r"\\(?:langle|lparen)(?![a-zA-Z])", "("),
        (r"\\(?:rangle|rparen)(?![a-zA-Z])", ")"),
        (r"\\lbrack(?![a-zA-Z])", "["),
        (r"\\rbrack(?![a-zA-Z])", "]"),
        (r"\\(?:lbrace(?![a-zA-Z])|\{)", "⦃"),
        (r"\\(?:rbrace(?![a-zA-Z])|\})", "⦄"),
        (r"\\[lr]?vert(?![a-zA-Z])", "|"),
        (r"\\%", "%"),
        (r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z]))|\\degree(?![a-zA-Z])", "°"),
        (r"\\(?:operatorname|mathrm)\{((?:arc)?(?:sin|cos|tan)|log|ln|exp)\}", r"\\\1 "),
    )
]
# Text commands hold words: inside of a formula they are read as words, like those outside.
TEXT = re.compile(
    r"\\(?:text(?:bf|it|rm|normal|sf|tt)?|mbox|hbox|math(?:rm|bf|it|sf)|bf|operatorname)\s*"
    r"\{([^{}]*)\}"
)


def readable(text: str) -> str:
  """The same answer in one spelling: ASCII where it has one, LaTeX without its layout."""
  if text.isalnum() and text.isascii():
    return text
  text = text.translate(_CHARACTERS)
  text = _SUPERSCRIPT.sub(lambda m: "^{" + "".join(_SUPERSCRIPTS[c] for c in m[0]) + "}", text)
  if "\\" in text or "*" in text or any(c in text for c in "`~_<>!{^"):
    for pattern, replacement in _COSMETICS:
      text = pattern.sub(replacement, text)
  return text


# ---- Hedges and denials --------------------------------------------------------------------------

# Words that take back, widen or double what stands beside them.
_HEDGES = frozenset(
    "not no never nor neither none cannot wrong incorrect false untrue mistaken invalid or either "
    "maybe perhaps possibly probably likely unlikely might could guess guessing unsure uncertain "
    "unknown about roughly nearly almost circa except excluding besides unless "
    "if whether anything any exceeding seems seemingly supposedly "
    "allegedly apparently presumably hypothetically hardly barely suppose supposing assume assuming "
    "nonsense kidding joking bogus rubbish lol nope nah sarcasm ignore disregard forget claims "
    "tops thereabouts ish".split()
)
_BOUND = re.compile(
    r"\bat (?:least|most)\b|\bup to\b|\?|\b(?-i:may)\b|\b(?:other|rather) than\b|\binstead\b"
    r"|\bgive or take\b|^\s*(?:over|under|above|below|beyond|around|up|more|less|fewer)\W*$",
    re.IGNORECASE,
)
# What makes doubtful a whole sentence, however far from the value: "I don't think that it is 60".
_DOUBT = re.compile(
    r"^\W*(?:not?|none|nobody|nothing|neither|nor|never|unless|whether|anything"
    r"|suppose|assume|imagine|pretend)\b"
    r"|\b(?:maybe|perhaps|possibly|probably|unsure|uncertain|guess\w*|doubt\w*)\b"
    r"|\b(?:wrong|incorrect|false|mistaken)\b|(?:n't|\bnot) (?:think|believe|know|sure|certain)"
    r"|\b(?:if|unless|whether) (?:it|this|that|the answer)\b"
    r"|\ba (?:lie|joke|trap|trick|bluff|fake|decoy|typo|mistake)\b|\blying\b"
    r"|\b(?:another|other|different) (?:question|problem)\b|\bwho knows\b",
    re.IGNORECASE,
)
_VERB = re.compile(r"\b(?:is|are|was|were|equals)\b|[=:]")
# Around a number, written # here: what makes it a bound, or a topic instead of a verdict.
_WIDENED = re.compile(
    r"\b(?:between|than|near|close to|next to|shy of|short of|upwards of|(?:min|max)imum of"
    r"|as (?:many|much|few|little) as|can be|neighbou?rhood of|region of|ballpark of|order of"
    r"|one of|like|say|north of|(?:over|under|above|below|beyond|around)(?: the| a)?)\s*[-$€£(]*#"
    r"|#\s*-\s*(?:odd|plus)\b|#\s*(?:-\s*)?(?:something|ish)\b|#\s+(?:score|max|maximum|minimum)\b"
    r"|#.*\bI (?:think|believe|suppose|suspect|reckon)\b"
    r"|#(?:\s+[A-Za-z]+){0,3}\s+(?:is|are|was|were)\s+(?:an?|too|what)\b"
    r"|#\s+(?:is|are|was|were|be)\s+(?!(?:the|my|our|his|her|its|their|your|right|correct|true|how"
    r"|left|also|indeed|enough|needed|required|equal)\b)(?=[A-Za-z])",
    re.IGNORECASE,
)


def refuse_hedges(text: str, allowed: tuple[str, ...] = ()) -> None:
  """Refuses words that take back or widen the value they stand beside."""
  words = [word for word in WORD.findall(text.lower()) if word in _HEDGES or word.endswith("n't")]
  for word in [*words, *_BOUND.findall(text)]:
    if word not in allowed:
      raise Refused("hedged", f"The answer hedges or denies: {word!r}.")


def refuse_doubts(before: str, after: str = "", allowed: tuple[str, ...] = ()) -> None:
  """Refuses a value between `before` and `after` that these deny or make uncertain.

  What comes before the last verb says what is asked for ("the number of those not red is") and may
  deny other things.
  """
  doubt = _DOUBT.search(before) or _DOUBT.search(after) or _WIDENED.search(before.rstrip(" $({\\") + " #")
  if doubt:
    raise Refused("hedged", f"The answer is in doubt: {doubt[0].strip()!r}.")
  refuse_hedges(_VERB.split(before)[-1] + " " + after, allowed)


# Behind a box: what offers another answer, or takes the boxed one back. "No other solution" does not.
_RETRACTION = re.compile(
    r"\b(?:alternative(?:ly)?|another|actually|wait|scratch|correction|oops|whoops|sorry|hold on|instead"
    r"|(?:on )?second thought|could (?:also )?be|also (?:be|possible|correct|right|valid|acceptable))\b"
    r"|(?:^|[.,;:!\n])\W*(?:or|nope|no(?! (?:other|more|further)\b))\b|\b(?:not|n't) (?:correct|right)\b"
    r"|\bbut\b.*\b(?:correct|right|true|answer)\b",
    re.IGNORECASE,
)


def refuse_retractions(after: str) -> None:
  """Refuses what offers another answer behind a settled one, in any of the sentences after it."""
  retraction = _RETRACTION.search(after)
  sentences = [] if retraction else _SENTENCE.split(re.sub(r"(?i)\bno (?:other|more|further)\b", " ", after))
  for doubt in filter(None, [retraction, *map(_DOUBT.search, sentences)]):
    raise Refused("hedged", f"The answer goes on: {doubt[0].strip()!r}.")


# ---- Numbers, with the standard library alone ----------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Exact:
  """A number as written.

  percent: with its sign; `value` is what stands before it.
  ratio: numerator and denominator where it is written as a fraction.
  """

  value: Fraction
  percent: bool = False
  ratio: tuple[Fraction, Fraction] | None = None

  def __str__(self):
    return f"{self.value}{'%' if self.percent else ''}"

  def written_in(self, prompt: str) -> bool:
    """Whether a prompt has this number, in this form."""
    if not self.ratio:
      return self.value in given_numbers(prompt)
    numerator, denominator = self.ratio
    quotient = rf"(?<!\d){numerator}\s*(?:/|\\div|÷|}}\s*{{|divided by)\s*{denominator}(?!\d)"
    return bool(re.search(quotient, prompt))


def equal(answer: Exact, reference: Exact, prompt: str = "") -> bool:
  """Whether two numbers are the same, and the answer is finished.

  A sign of percent is a hundredth, unless the reference is a whole number above 1 (nobody writes 60
  as 6000%), and a unit like any other where the reference is above 1 or the prompt asks for a
  percentage.

  Raises:
    Refused: the answer leaves the division or the conversion that was asked for to the grader.
  """
  if answer.percent == reference.percent:
    same = answer.value == reference.value
  elif answer.percent:
    as_unit = abs(reference.value) > 1 or bool(_PERCENTAGE.search(prompt))
    whole = reference.value.denominator == 1 and abs(reference.value) > 1
    hundredth = not whole and answer.value / 100 == reference.value
    same = hundredth or (as_unit and answer.value == reference.value)
  else:
    same = answer.value in (reference.value / 100, reference.value)
  if same and _is_unfinished(answer, reference, prompt):
    raise Refused("unevaluated", "The answer leaves a division or a conversion to do.")
  return same


def _is_unfinished(answer: Exact, reference: Exact, prompt: str) -> bool:
  """Whether an answer of the right value is a quotient, or was in the prompt, in another form.

  1/2 is 0.5; but 120/240 is work left to do where a decimal is expected or the prompt has both
  terms, and 3/8 is where the prompt asks for 3/8 as a decimal.
  """
  if answer.ratio == reference.ratio and answer.percent == reference.percent:
    return False
  if answer.ratio:
    if reference.value.denominator == 1 and answer.value == reference.value:
      return True
    numerator, denominator = answer.ratio
    if Fraction(numerator, denominator).denominator != denominator:
      return not reference.ratio or given_numbers(prompt) >= set(answer.ratio)
  asked = _FORM.search(prompt)
  return bool(asked) and asked[1].lower() != _form(answer) and answer.written_in(prompt)


def _form(number: Exact) -> str:
  return "fraction" if number.ratio else "percent" if number.percent else "decimal"


_PERCENTAGE = re.compile(r"%|percent", re.IGNORECASE)
_FORM = re.compile(
    r"\b(?:as|to|into|in|a|equivalent|what) (?:[a-z]+ ){0,2}?(decimal|percent|fraction)", re.IGNORECASE
)
_SCALES = {
    "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "dozen": 12, "k": 10**3,
}
UNITS = (
    "mm|cm|dm|km|m|in|ft|yd|mi|mg|kg|g|lbs?|oz|ml|mL|l|L|ms|s|secs?|mins?|h|hrs?|mph|kph|kmh|"
    "kW|W|V|J|N|K|C|F|inch(?:es)?|feet|foot|yards?|miles?|(?:centi|kilo|milli)?met(?:er|re)s?|"
    "units?|degrees?|USD|EUR|GBP|am|pm|st|nd|rd|th"
)
_THOUSANDS = re.compile(
    r"(?<![\w.,])(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d{2})+,\d{3})(?!,?\d)"
    r"|(?<![\w.,/])(?<!\d )[1-9]\d{0,2}(?: \d{3})+(?! ?\d|/|[.,]\d+[/ ]\d)"
)
_POWER = r"\^\s*(?:\{\s*([-+]?\d{1,3})\s*\}|([-+]?\d{1,3})(?!\d))"
_PLAIN = re.compile(r"-?[0-9]{1,300}(?:\.[0-9]{1,300})?")
_LATEX_NUMBERS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\frac\s*(\d)\s*(\d)", r" \1/\2 "),
        (r"\\frac\s*(\d)\s*\{\s*(\d+)\s*\}", r" \1/\2 "),
        (r"\\frac\s*\{\s*(\d+)\s*\}\s*(\d)", r" \1/\2 "),
        (r"\\frac\s*\{\s*([-+]?)\s*\$?\s*([\d.]+)\s*\}\s*\{\s*([\d.]+)\s*\}", r" \1\2/\3 "),
        (r"\\frac\s*\{\s*([\d.]+)\s*\}\s*\{\s*-\s*([\d.]+)\s*\}", r" -\1/\2 "),
        (r"\\approx", "≈"),
        (r"\\(?:begin|end)\{[a-z]*\*?\}", " "),
        (r"\\[\[\]()]", " "),
    )
]
_SUM = r"(?<![\w.])\$?\d[\d.]*(?: ?(?:\\times|\\cdot|\\div|[*+/:-]) ?\$?\d[\d.]*)+"
_PHRASES = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (rf"(\d)\s*(?:\\times|\\cdot|\*|x)\s*10\s*{_POWER}", r"\1e\2\3"),
        (r"(?<=[A-Za-z])&(?=[A-Za-z])", ""),  # M&Ms
        (r"(?<=\d) ?x ?(?=[$€£]?[\d.])|(?<=[A-Za-z]{2}) x (?=[$€£]?[\d.])", r" * "),
        (r"(?<=\d) (?:times|multiplied by) (?=[$€£]?\d)", r" * "),
        (r"(?<=\d) plus (?=[$€£]?\d)", " + "),
        (r"(?<=\d) minus (?=[$€£]?\d)", " - "),
        (r"(?<=\d) divided by (?=[$€£]?\d)", " : "),
        (rf"({_SUM}),? (?:which )?(?:is|are|or|equals|gives|makes|leaves)(?: equal to| us)? (?=[-$€£]?\d)",
         r"\1 = "),
        (r"(?<=[\w)]) - (?=[A-Za-z]{2})", ", "),  # a dash, and no minus
        (rf"(?<![\w.^])10\s*{_POWER}", r"1e\1\2"),
        (rf"\b({UNITS})\s*\^\s*(?:\{{\s*-?[123]\s*\}}|[123])", r"\1"),
        (r"\b(?:minus|negative)\s+(?=[$€£]?[\d.])", "-"),
        (r"\b([A-Za-z]) (?:is|equals)(?: equal to)? (?=[-$€£]?[\d.])", r"\1 = "),
        (r"(\d) and (?:a|one) half\b", r"\1 1/2"),
        (r"(\d) and (?=\d+/\d)", r"\1 "),
        (r"\bapprox(?:imately\b|\.|\b)", "≈"),
        (r"\b([A-Za-z])_(?:\{[^{}]*\}|\w)", r"\1"),
        (r"(?<![A-Za-z])([A-Za-z])\s*\((?:[^()]|\([^()]*\))*\)(?=\s*[=≈])", r"\1"),
    )
]
_LITERAL = re.compile(
    r"(?P<sign>(?:(?<=[\s($€£:=#])|^)[-+]\s*)?(?:\\?[$€£¥₹]\s*(?P<inner>[-+])?)?(?<![\w.^\\])"
    r"(?:(?:(?P<whole>\d+)\s+)?"
    r"(?P<numerator>\d+(?:\.\d+)?)\s*/\s*(?P<denominator>\d+(?:\.\d+)?)"
    r"|(?P<decimal>\d+\.?\d*|\.\d+)(?P<exponent>e[-+]?\d{1,3})?)(?![\d^]|\.\d|\s*/\s*\d)"
    r"(?:\s*(?P<percent>\\?%|per\s?cent\b|pct\b|percentage points?\b)"
    r"|\s*(?P<scale>(?:hundred|thousand|million|billion|trillion|dozen)(?=s?\b)|(?<! )k\b)s?)?"
    rf"(?:(?:{UNITS})\b)?(?!\w)",
    re.IGNORECASE | re.ASCII,
)
# Where one candidate, or one step of reasoning, ends and the next begins.
_PIECES = re.compile(
    r"\n+|[;,]|\.(?=\s|$)|\\\\|=>|->|→|⇒"
    r"|\\(?:Rightarrow|implies|therefore|to|rightarrow|iff)(?![a-zA-Z])"
    r"|\b(?:and|because|since|so|thus|therefore|hence|which|then|but)\b",
    re.IGNORECASE,
)
# What may stand around a number: words and their punctuation, and nothing that computes with it.
_COMPUTES = re.compile(
    r"[^A-Za-zÀ-ÖØ-öø-ÿ#\s.,:()\"'°/\-!$€£¥₹]"
    r"|#[\s()]*#|#\s*!|#\s*:\s*#|[A-Za-z]\((?!e?s\))"
    r"|\b(?:sum|product|difference|quotient|square|cube|some|part|fraction|percentage|opposite"
    r"|negative|negation|reciprocal|inverse|double|complement|logarithm|root) of\s*#"
    r"|\b(?:square|cube|cubic|[a-z]+th) root\b"
    r"|-(?![A-Za-z])|(?<![A-Za-z#])-|/(?!\s*[A-Za-z])|(?<![A-Za-z#)\s])/"
)
VARIABLE = re.compile(r"(?<![A-Za-z\\'])[B-HJ-Zb-z](?![A-Za-z'])")
_UNIT_LETTER = re.compile(
    r"(?:(?<=[#/])|(?<=[#/] )|(?<=#°)|(?<=# °))[mgshlLVWJNKCF](?![A-Za-z'])"
)
_NAMED = re.compile(r"\b[A-Z][a-z]+ [A-Z]\b")  # Farm X
# Words that turn the number beside them into another.
ARITHMETIC = frozenset(
    "half halves doubled tripled halved inverse inverted upside reversed binary octal hex hexadecimal "
    "tens tenth hundredth thousandth millionths billionths sevenths ninths twelfths twice thrice "
    "double triple squared cubed thirds fourths fifths sixths eighths tenths hundredths thousandths "
    "factorial power pi sqrt log ln sin cos tan exp mod infinity infinite inf nan minus negative plus "
    "zero thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty "
    "sixty seventy eighty ninety hundred hundreds thousand thousands million millions billion "
    "billions dozen dozens".split()
)
_WORDS = "three|four|five|six|seven|eight|nine|ten|eleven|twelve"  # often count something else
_NUMBER_WORD = re.compile(
    rf"\b(?:{_WORDS})\b[\s-]*#|#[\s-]*(?:point )?(?:{_WORDS})\b|\b(?:{_WORDS})\W*$", re.IGNORECASE
)


def ungrouped(text: str) -> str:
  """1,000,000 and 1 000 000 as 1000000."""
  return _THOUSANDS.sub(lambda m: re.sub("[, ]", "", m[0]), text)


def number_or_none(statement: str) -> Exact | None:
  try:
    return number(statement, judge=True)
  except Refused:
    return None


def number(statement: str, *, judge: bool, prompt: str = "") -> Exact:
  """The one number that a statement settles on.

  Args:
    statement: what an answer or a reference states, made `readable`.
    judge: read it as an answer; references are taken on trust.
    prompt: tells which numbers were given, and are no rivals of the answer.

  Raises:
    Refused: there is none, there are several, it is hedged, or it is still to be computed.
  """
  statement = statement.strip()
  plain = statement.lstrip("$").rstrip(". ")
  if _PLAIN.fullmatch(plain):
    return Exact(Fraction(plain))
  if "?" in statement:
    raise Refused("hedged", "The answer asks.")
  text = _prose(statement)
  if judge:
    _refuse_false_equations(text)
  try:
    return _settled(text, judge)
  except Refused:
    if not judge or len(text) > MAX_VERDICT_CHARACTERS:
      raise
    verdict = _verdict(text, prompt)
    if verdict == text:
      raise
    return _settled(verdict, judge)


def _prose(statement: str) -> str:
  """A statement in which numbers and arithmetic are written in one way, whatever the notation."""
  text = TEXT.sub(r" \1 ", statement).replace("#", " ").replace("$$", " ")
  text = ungrouped(text)
  if "<<" in text:
    text = _ANNOTATION.sub(_carried_out, text)
  for pattern, replacement in _LATEX_NUMBERS * ("\\" in text) + _PHRASES:
    text = pattern.sub(replacement, text)
  return re.sub(" {2,}", " ", text)


# ---- Number words --------------------------------------------------------------------------------

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_WORD_VALUES = {w: i for i, w in enumerate(_ONES)} | {w: 10 * i for i, w in enumerate(_TENS, 2)}
_DIGIT_WORDS = "|".join(_ONES[1:10])
_BELOW_HUNDRED = rf"(?:(?:{'|'.join(_TENS)})(?:[\s-]+(?:{_DIGIT_WORDS}))?|(?:{'|'.join(_ONES[::-1])}))"
_SPELLED = re.compile(
    r"(?<![\w.-])(?<!point )(?:a thousand|one thousand"
    rf"|(?:(?:a|{_DIGIT_WORDS})[\s-]+hundred(?:[\s-]+(?:and\s+)?{_BELOW_HUNDRED})?|{_BELOW_HUNDRED}))"
    r"(?![\w'])(?!\s+point\b)(?!-(?!year|day|hour|minute))",
    re.IGNORECASE,
)
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10,
}
_SPELLED_FRACTION = re.compile(
    rf"\W*(?:(a|{'|'.join(_ONES[1:10])})[\s-]+({'|'.join(_PARTS)})s?|half)\W*", re.IGNORECASE
)


def _spelled_value(phrase: str) -> int:
  """The value of a phrase that `_SPELLED` matches: one hundred and five is 105."""
  value = 0
  for word in WORD.findall(phrase.lower()):
    if word in ("hundred", "thousand"):
      value = max(value, 1) * {"hundred": 100, "thousand": 1000}[word]
    else:
      value += _WORD_VALUES.get(word, 0)
  return value


def in_digits(text: str) -> str:
  """A statement with its number words, up to a thousand, as digits.

  Beside digits, the words up to twelve stay as they are: there they often count something else
  ("each of the three bags").
  """
  fraction = _SPELLED_FRACTION.fullmatch(text)
  if fraction:
    part = (fraction[2] or "half").lower()
    return f"{_WORD_VALUES.get((fraction[1] or 'one').lower(), 1)}/{_PARTS[part]}"
  least = 13 if re.search(r"\d", text) else 0
  if not least and any(_spelled_value(m[0]) > 12 for m in _SPELLED.finditer(text)):
    least = 13

  def digits(match: re.Match) -> str:
    value = _spelled_value(match[0])
    return str(value) if value >= least else match[0]

  return _SPELLED.sub(digits, text)


# ---- Equations of plain numbers ------------------------------------------------------------------

_TIMES = re.compile(r"\\(?:times|cdot)(?![a-zA-Z])")
_MONEY = re.compile(r"\\?[$€£]")
_DIVIDED = re.compile(r"\\div(?![a-zA-Z])| : ")
_SIDE = r"\(*\d[\d .+*/()^-]*"
_EQUATION = re.compile(rf"(?<![\w.)%}}^*+/\\-])({_SIDE})=(?= ?(-?{_SIDE}))")
# In front of arithmetic: what makes it a part of something larger.
_WITHIN = re.compile(r"(?:[-+*/^%=<>({]|\b(?:of|times|by|plus|minus)|(?<![A-Za-z])[A-Za-z]|\\[A-Za-z]+)$")
# Behind the right side: what makes it another number.
_SCALED = re.compile(r"\s*(?:%|percent|[A-Za-z]\b|thousand|million|billion|dozen|hundred|\\|e\d)")
_OTHER_READING = re.compile(r"\b(?:base|mod|modulo|remainder)\b|\\[bp]?mod")


def _refuse_false_equations(text: str) -> None:
  """Refuses a statement with an equation of plain numbers whose sides differ, as `12 * 6 = 60`."""
  for equation, left, right in _equations(text):
    quotient = re.match(r"\d+ */ *\d+ *=", equation)  # a literal, which `_members` compares
    if not quotient and not _close(left, right, equation):
      raise Refused("several", f"{equation[:60]!r} is not true.")


def _equations(text: str) -> Iterator[tuple[str, Fraction, Fraction]]:
  """Yields (equation, left, right) for every equation of plain numbers, its sides carried out."""
  if "=" not in text or _OTHER_READING.search(text):
    return
  text = _plain_signs(text)
  for match in _EQUATION.finditer(text):
    if _WITHIN.search(text[: match.start()].rstrip()) or not re.search(r"\d[\s)]*[-+*/^]", match[1]):
      continue
    right = re.match(r"-?\d+(?:\.\d+)?", match[2])
    behind = text[match.end() :].lstrip()[right.end() :] if right else ""
    if _SCALED.match(behind):
      continue
    more = not right or re.match(r"\s*(?:[-+*/^]\s*[\d(]|\.?\d)", behind)
    side = match[2] if more else right[0]
    sides = _carry_out(match[1]), _carry_out(side)
    if None not in sides:
      yield f"{match[1].strip()} = {side.strip()}", *sides


def _plain_signs(text: str) -> str:
  """A text with * and / for its signs of arithmetic, and without those of money."""
  return _DIVIDED.sub(" / ", _TIMES.sub("*", _MONEY.sub("", text)))


def _close(left: Fraction, right: Fraction, equation: str) -> bool:
  """Whether two sides are equal, or as near as rounding leaves them; no score depends on how near.

  A quotient may be rounded to a whole number; with decimals, a hundredth is allowed.
  """
  gap = abs(left - right)
  if "/" in equation and right.denominator == 1 and left.denominator != 1:
    return gap < 1
  return gap <= abs(right) / 100 if "." in equation or "/" in equation else gap == 0


def _carry_out(arithmetic: str) -> Fraction | None:
  """The value of arithmetic on plain numbers; None where it is not that, or is too large."""
  source = arithmetic.strip().rstrip(".").replace("^", "**")
  if len(source) > MAX_SIDE_CHARACTERS:
    return None
  try:
    return _evaluated(ast.parse(source, mode="eval").body)
  except (SyntaxError, ArithmeticError):
    return None


_OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv
}


def _evaluated(node: ast.expr) -> Fraction:
  """Evaluates a parsed sum, product, quotient or small power; ArithmeticError for anything else."""
  if isinstance(node, ast.Constant):
    return Fraction(repr(node.value))
  if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
    return -_evaluated(node.operand)
  if not isinstance(node, ast.BinOp):
    raise ArithmeticError("not plain arithmetic")
  left, right = _evaluated(node.left), _evaluated(node.right)
  if type(node.op) in _OPERATORS:
    return _OPERATORS[type(node.op)](left, right)
  small = right.denominator == 1 and abs(right) <= 10 and abs(left.numerator * left.denominator) <= 10**6
  if not isinstance(node.op, ast.Pow) or not small:
    raise ArithmeticError("an operation that is not carried out here")
  return left**right.numerator


def without_checks(text: str, known: set[Fraction]) -> str:
  """A text without its true equations that arrive at a number already known, as `60 / 12 = 5`."""
  text = _plain_signs(text)
  for equation, left, right in list(_equations(text)):
    if left == right and right in known:
      sides = map(re.escape, equation.split(" = "))
      text = re.sub(r"\s*=\s*".join(sides), " ", text, count=1)
  return text


# GSM8K's calculator: 5*12=<<5*12=60>>60.
_ANNOTATION = re.compile(r"<<[^<>]{0,200}=\s*(-?\d*\.?\d+)>>(\s*\$?\s*(-?\d*\.?\d+))?")


def _carried_out(match: re.Match) -> str:
  """What stands behind an annotation, if that is its result."""
  if match[2] is None:
    return match[1]
  return match[2] if Fraction(match[3]) == Fraction(match[1]) else match[0]


def _settled(text: str, judge: bool) -> Exact:
  """The one number of a prepared statement, read strictly."""
  final, candidates = None, []
  for piece in _PIECES.split(text):
    start = re.search(r"\d|$", piece).start()
    if start < len(piece):
      refuse_doubts(piece[:start], piece[start:])
    elif final is None:
      refuse_doubts(piece + ":")  # an opening: "If we count all of them,"
    else:
      refuse_doubts("", piece)
    if start < len(piece):
      final, step = _piece(piece.strip(), judge)
      if not step:
        candidates.append(final)
    elif re.search(r"[<>=^+*]|\\(?!\s*$)", piece) or _NUMBER_WORD.search(piece):
      raise Refused("unreadable", f"{piece.strip()[:60]!r} is not part of a number.")
  if final is None:
    raise Refused("unreadable", f"{text[:60]!r} states no number.")
  if any((c.value, c.percent) != (final.value, final.percent) for c in candidates):
    named = ", ".join(map(str, candidates))
    raise Refused("several", f"The answer names several numbers: {named[:80]}.")
  return final


def _piece(piece: str, judge: bool) -> tuple[Exact, bool]:
  """The number that one piece of a statement states, and whether it is a step of arithmetic."""
  if re.search(r"[<>]|\\(?:le|ge|ne|pm|mp|sim|in)(?![a-zA-Z])", piece):
    raise Refused("several", "The answer is a relation, not a number.")
  left, approximately, right = piece.partition("≈")
  if approximately:
    exact = _members(left, judge)[0] if re.search(r"\d", left) else None
    # A fraction is exact and its decimal an aside; a decimal is a step before the rounded answer.
    if exact and exact.ratio:
      return exact, False
    rounded, step = _piece(right, judge)
    return rounded, step or exact is not None
  return _members(piece, judge)


def _members(piece: str, judge: bool) -> tuple[Exact, bool]:
  """The last member of an equation; the first one's where the last is a name, as in `60 = x`."""
  *others, last = (member.strip() for member in piece.split("="))
  if others and not re.search(r"\d", last):
    others, last = [last], others[-1] if len(others) == 1 else ""
  value = _literal(last)
  for other in others:
    stripped = re.sub(r"(?<=\d) [mgshlL]\b", "", re.sub(r"\\[a-zA-Z]+", " ", other))
    variables = VARIABLE.search(stripped)
    digits = re.search(r"\d", re.sub(r"\^\s*(?:\{\d+\}|\d)", "", stripped))
    if variables and (digits or (not judge and re.search(r"[-+*/^]", stripped))):
      raise Refused("unevaluated", "The answer is an equation still to be solved.")
    try:
      stated = _literal(other)
    except Refused:
      continue
    if stated.value != value.value and not (stated.percent or value.percent or _rounds(stated, last)):
      raise Refused("several", f"{other[:40]!r} is not {last[:40]!r}.")
  return value, bool(others) and any(re.search(r"\d", other) for other in others)


def _rounds(quotient: Exact, decimal: str) -> bool:
  """Whether a decimal has the digits of a quotient: 40/3 = 13.33 is a step, and 13.33 is stated."""
  digits = re.search(r"\d\.(\d+)", decimal)
  if not quotient.ratio or not digits:
    return False
  return abs(quotient.value - _literal(decimal).value) < Fraction(1, 10 ** len(digits[1]))


def _literal(text: str) -> Exact:
  """The number in a phrase that has words around it and nothing that computes."""
  found = []

  def take(match: re.Match) -> str:
    found.append(_exact(match))
    # A sign with room behind it that follows a number or a word joins them: "60 days + 60 days".
    apart = re.search(r"[-+]\s", match["sign"] or "")
    joins = apart and re.search(r"[\w)%]$", match.string[: match.start()].rstrip())
    return "+ #" if joins else "#"

  phrase = _LITERAL.sub(take, text.strip().strip("{}"))
  if not found:
    raise Refused("unreadable", f"{text[:60]!r} is not a number.")
  if _WIDENED.search(phrase):
    raise Refused("hedged", f"{text[:60]!r} gives no value, or not as its verdict.")
  if _COMPUTES.search(phrase):
    raise Refused("unevaluated", f"{text[:60]!r} is not a number that is written out.")
  if any(found[0].value != other.value for other in found):
    raise Refused("several", f"{text[:60]!r} names several numbers.")
  words = WORD.findall(phrase.lower())
  letters = _NAMED.sub("", _UNIT_LETTER.sub("", phrase))
  if not ARITHMETIC.isdisjoint(words) or _NUMBER_WORD.search(phrase) or VARIABLE.search(letters):
    raise Refused("unevaluated", f"{text[:60]!r} is not a plain number.")
  return found[0]


def _exact(match: re.Match) -> Exact:
  if len(match[0]) > MAX_NUMBER_CHARACTERS:
    raise Refused("too_long", f"A number of {len(match[0])} characters.")
  if match["decimal"]:
    value = Fraction(match["decimal"] + (match["exponent"] or ""))
  else:
    denominator = Fraction(match["denominator"])
    if not denominator:
      raise Refused("unreadable", "The answer divides by zero.")
    value = Fraction(match["numerator"]) / denominator
    if match["whole"]:
      if value >= 1:
        raise Refused("several", f"{match[0][:40]!r} is not a mixed number.")
      value += int(match["whole"])
  if (match["sign"] or "").strip() == "-":
    value = -value
  if match["inner"] == "-":
    value = -value
  if match["scale"]:
    value *= _SCALES[match["scale"].lower()]
  ratio = match["denominator"] and (Fraction(match["numerator"]), Fraction(match["denominator"]))
  if not ratio or ratio[1] == 1:
    ratio = None
  return Exact(value, percent=bool(match["percent"]), ratio=ratio)


# ---- Reasons: numbers that a statement names beside its verdict ----------------------------------

_SENTENCE = re.compile(r"\n+|\.(?=\s|$)")
_STEP_NUMBERS = re.compile(r"(?m)^\s*(?:step )?\d{1,2}[.:)]\s+(?=\S)", re.IGNORECASE)
_BULLET = re.compile(r"(?m)^\s*[-•*]\s+(?=[A-Za-z])")
_CLAUSE = r"(?:[^,.\n]|[,.](?=\d))*"
_SUBORDINATE = re.compile(
    r"((?:^|\.\s|\n)\W{0,9}(?:so |thus |then |therefore |hence )?)(?=(?:since|because|as|given|if|when|with"
    r"|after|before|at|in|on|over|for|during|from|by|of|out of|to|using|multiplying|adding|subtracting"
    rf"|dividing|knowing|considering)\b)({_CLAUSE}),(?=\s)",
    re.IGNORECASE,
)
_BECAUSE = re.compile(
    r",?\s((?:because|since|given that)\b"
    r"(?:(?!\b(?:so|thus|therefore|hence|then|because|since)\b)[^,.\n]|[,.](?=\d))*)",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\(([^()]*\d[^()]*)\)")
_CONCLUSION = re.compile(
    r"\b(?:so(?! that\b)|thus|therefore|hence|for a total of|making a total of)\b|=>|→|⇒"
    r"|\\(?:Rightarrow|implies|therefore)(?![a-zA-Z])"
    r"|(?:^|[.,;\n]\s*|\band )(?:in total|in all|altogether|overall|finally|now|this means)\b",
    re.IGNORECASE,
)
_TOTAL = re.compile(r"\b(?:in total|in all|altogether|total)\b", re.IGNORECASE)
_DENIED = re.compile(r"(?:\b(?:not|no|or|nor)|n't)\s+[-$€£]*\d", re.IGNORECASE)
_OPERATION = re.compile(r"\d[\w%]*\s*(?:[*+/:-]|\\times|\\cdot|\\div)\s*\$?\(?\d")
_COUNTS = re.compile(
    r"[\s-]*(?!(?:of|out|or|to|and|is|are|was|were|than|not)\b)[A-Za-z]{2,}|%|\s*$", re.IGNORECASE
)
_AGAIN = re.compile(r"\s*,?\s*(?:\((?:or|i\.e\.,?|=)?|or|i\.e\.,?)\s*", re.IGNORECASE)
_IS_IT = re.compile(
    r"\b(?:it|that|this|answer|total|result)(?: is| was| equals|'s)[\s$€£]*$", re.IGNORECASE
)
_TERM = re.compile(r"\b(?:by|from|into)\s*$", re.IGNORECASE)


def _verdict(text: str, prompt: str) -> str:
  """The statement without the numbers that it gives as reasons."""
  if len(re.findall(r"^\s*[12][.:)]\s", text, re.MULTILINE)) == 2:
    text = _STEP_NUMBERS.sub("", text)
  text = _BULLET.sub("", text)
  text = _said_once(_one_quantity(text, prompt))
  given = given_numbers(prompt)
  text = _ASIDE.sub(lambda m: " " if _is_reason(m[1], given) else m[0], text)
  text = _SUBORDINATE.sub(lambda m: m[1] if _reads_as_clause(m[2], 2) else m[0], text)
  stated = re.search(r"\d", text)
  if stated:  # "Since ..." at the start is no afterthought
    start = stated.end()
    text = text[:start] + _BECAUSE.sub(lambda m: " " if _reads_as_clause(m[1], 2) else m[0], text[start:])
  text = _concluded(text)
  return _without_given(text, given)


def _said_once(text: str) -> str:
  """`3/2, or 1.5` and `3/2 (1.5)` without the second of two equal numbers."""
  if not _AGAIN.search(text):
    return text
  numerals = list(_LITERAL.finditer(text))
  for first, second in zip(numerals, numerals[1:]):
    if _AGAIN.fullmatch(text[first.end() : second.start()]) and str(_exact(first)) == str(_exact(second)):
      closed = re.match(r"\s*\)", text[second.end() :])
      return text[: first.end()] + text[second.end() + (closed.end() if closed else 0) :]
  return text


def _reads_as_clause(phrase: str, words: int) -> bool:
  """Whether a phrase has words enough to say what its numbers are, and doubts nothing."""
  worded = len(WORD.findall(phrase)) >= words or re.match(r"\s*[A-Za-z ]+:\s", phrase)
  return bool(worded) and not _DOUBT.search(phrase) and not _DENIED.search(phrase)


def _is_reason(aside: str, given: set[Fraction]) -> bool:
  """Whether what stands in brackets is arithmetic, or says what the prompt said."""
  if re.search(r"[,;=]|\b(?:or|not|no|and)\b", aside, re.IGNORECASE) or _DOUBT.search(aside):
    return bool(_OPERATION.search(aside)) and "=" in aside and not _DOUBT.search(aside)
  return bool(_OPERATION.search(aside)) or not re.search(r"\d", _without_given(aside, given))


def _concluded(text: str) -> str:
  """What follows the last conclusion, if all before reads like the way to it."""
  last = max(m.start() for m in re.finditer(r"\d", text)) if re.search(r"\d", text) else 0
  starts = [m.end() for m in _CONCLUSION.finditer(text, 0, last)]
  sentences = [m.end() for m in _SENTENCE.finditer(text, 0, last)]
  if sentences and _TOTAL.search(text, sentences[-1]):
    starts.append(sentences[-1])
  pieces = [m.end() for m in _PIECES.finditer(text, 0, last)]
  carried_out = bool(pieces) and bool(re.search(r"=\s*[-$€£]*\d", text[pieces[-1] :]))
  if carried_out:
    starts.append(pieces[-1])
  if not starts:
    return text
  reasons, conclusion = text[: max(starts)], text[max(starts) :]
  for reason in _PIECES.split(reasons):
    if re.search(r"\d", reason) and not _OPERATION.search(reason):
      rival = _worded(reason) == _worded(conclusion) and not carried_out
      if (rival or not _reads_as_clause(reason, 3 - carried_out)) and not agree(reason, conclusion):
        return text
  return text if _DOUBT.search(reasons) else conclusion


def agree(first: str, second: str) -> bool:
  """Whether two statements are one number."""
  numbers = number_or_none(first), number_or_none(second)
  return None not in numbers and numbers[0].value == numbers[1].value


def _worded(clause: str) -> str:
  return " ".join(WORD.findall(clause.lower()))


def given_numbers(prompt: str) -> set[Fraction]:
  """The numbers that a prompt names."""
  numerals = {Fraction(n) for n in re.findall(r"\d{1,20}(?:\.\d{1,20})?", ungrouped(prompt))}
  numerals |= {Fraction(_spelled_value(m[0])) for m in _SPELLED.finditer(prompt)}
  return numerals | ({Fraction(12)} if re.search(r"(?i)\bdozen\b", prompt) else set())


def _without_given(text: str, given: set[Fraction]) -> str:
  """A statement without given numbers that count something; what an equation says is left alone."""
  kept, at = [], 0
  for end in [*(m.start() for m in _PIECES.finditer(text)), len(text)]:
    equation, equals, rest = text[at:end].rpartition("=")
    if equals:
      stated = _LITERAL.search(rest)
      split = stated.end() if stated else len(rest)
      equation, rest = equation + equals + rest[:split], rest[split:]
    if len(WORD.findall(text[at:end])) >= 2:
      rest = _LITERAL.sub(lambda m: " " if _is_given(m, given) else m[0], rest)
      rest = re.sub(r" -(?=[A-Za-z])", " ", rest)
    kept.append(equation + rest)
    at = end
  return "".join(kept)


def _is_given(match: re.Match, given: set[Fraction]) -> bool:
  """Whether a numeral is a given number and stands with what it counts, or as the term of a verb."""
  counts = (
      match[0][-1].isalpha()
      or match["percent"]
      or _COUNTS.match(match.string, match.end())
      or _TERM.search(match.string, 0, match.start())
  )
  verdict = _IS_IT.search(match.string[: match.start()])  # "60. It is 12."
  return bool(counts) and not verdict and _exact(match).value in given


_MEASURES = {
    unit: (dimension, Fraction(size))
    for dimension, units in {
        "time": {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800},
        "money": {"cent": 1, "dollar": 100},
        "length": {"mm": 1, "cm": 10, "m": 1000, "km": 10**6, "millimeter": 1, "centimeter": 10,
                   "meter": 1000, "kilometer": 10**6},
        "imperial length": {"inch": 1, "foot": 12, "feet": 12, "yard": 36, "mile": 63360},
        "mass": {"g": 1, "kg": 1000, "gram": 1, "kilogram": 1000},
        "imperial mass": {"ounce": 1, "pound": 16},
        "volume": {"ml": 1, "l": 1000, "milliliter": 1, "liter": 1000},
        "span": {"month": 1, "year": 12},
    }.items()
    for unit, size in units.items()
}
_UNIT = "|".join(sorted(_MEASURES, key=len, reverse=True))
_TWO_QUANTITIES = re.compile(
    rf"(?P<dollars>\$)?(?<![\w.])(?P<first>\d+(?:\.\d+)?)(?:\s*(?P<unit>{_UNIT})(?:e?s)?\b)?"
    r"(?P<joined>\s*(?:,\s*|\bis\s+)?(?:and |or |i\.e\.,? ?|which is |that is,? |=|≈)?"
    r"\s*\(?\s*(?:or |= ?|i\.e\.,? ?)?)"
    rf"(?P<sign>\$)?(?P<second>\d+(?:\.\d+)?)(?:\s*(?P<other>{_UNIT})(?:e?s)?\b)?(?P<closed>\s*\))?",
    re.IGNORECASE,
)


def _one_quantity(text: str, prompt: str) -> str:
  """`2 hours and 30 minutes` as 5/2 hours, and `120 minutes (2 hours)` in the unit asked for."""
  question = _SENTENCE.split(prompt.strip().rstrip("."))[-1].lower()

  def one(match: re.Match) -> str:
    unit = "dollar" if match["dollars"] else (match["unit"] or "").lower()
    other = "dollar" if match["sign"] else (match["other"] or "").lower()
    if unit == other or unit not in _MEASURES or other not in _MEASURES:
      return match[0]
    (dimension, size), (others, small) = _MEASURES[unit], _MEASURES[other]
    if dimension != others:
      return match[0]
    first, second = Fraction(match["first"]) * size, Fraction(match["second"]) * small
    if match["joined"].strip() in ("", ",", "and", ", and") and second < size:
      return f"{(first + second) / size} {unit}s"
    if first != second or "and" in match["joined"]:
      return match[0]
    asked = [u for u in (unit, other) if u in question]
    chosen = asked[0] if len(asked) == 1 else other if re.search(r"=|\bis\b", match["joined"]) else unit
    return f"{match['first']} {unit}s" if chosen == unit else f"{match['second']} {other}s"

  return _TWO_QUANTITIES.sub(one, text)
