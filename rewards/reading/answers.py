r"""Short answers in words: what an answer says, apart from how it is dressed.

One real input: `**The answer is (B) Carbon dioxide.**` against four choices says choice B; `60 or
B`, `B, C` and `not B` say nothing. Shared by the domains whose truth is a word, a name or a letter.

The rule throughout: the answer's own verdict is read, never its substrings. A verdict stands at
the start or after "the answer is"; an explanation may follow it; everything unknown is refused.
Not here: numbers and formulas (mathematics.py), yes and no (logic.py).
"""

from collections.abc import Collection, Iterable, Iterator
import functools
import re
import unicodedata

from rewards.schema import Choice
from rewards.schema import Score

# An answer of more characters than this is an essay; reading it costs time and finds no verdict.
MAX_CHARACTERS = 4_000

_SPECIAL = re.compile(r"[^\w ,.;:!?()%-]|_|^\s*-\s")
_INVISIBLE = re.compile(r"[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_CHARACTERS = str.maketrans({
    "\u2212": "-", "\u2010": "-", "\u2011": "-", "\u2013": "\u2014", "\u2012": "-",
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00ab": '"', "\u00bb": '"',
})  # fmt: skip
_LATEX = (
    (re.compile(r"([_^])\{([^{}]*)\}"), r"\1\2"),
    (re.compile(r"\\(?:boxed|fbox|text\w*|math\w+|ce|mbox|emph)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\(?:long)?rightarrow|\\to\b|-+>"), "\u2192"),
    (re.compile(r"\^?\\(?:circ|degree)\b"), "\u00b0"),
    (re.compile(r"\\[()\[\],;! ]|\$"), " "),
    (re.compile(r"\\(?=[%&#])"), ""),
)
_MARKDOWN = re.compile(
    r"\*\*|__|~~|`+|\"|</?[a-z]{1,6} ?/?>|(?m:^\s*(?:#+|>|[-*\u2022])\s+)"
    r"|\*(?=\S)|(?<=\S)\*|(?<!\w)_|_(?!\w)|(?<!\w)'|'(?!\w)",
    re.IGNORECASE,
)


def unwrap(text: str) -> str:
  r"""Returns `text` without its wrapping: Markdown, HTML and LaTeX dress, quotes, odd characters.

  >>> unwrap(r"**\boxed{\text{CO}_{2}}**")
  'CO_2'
  """
  if text.isascii() and not _SPECIAL.search(text):
    return text.strip()
  text = unicodedata.normalize("NFKC", text.translate(_CHARACTERS)).translate(_CHARACTERS)
  text = _INVISIBLE.sub("", text)
  if "\\" in text or "{" in text or "$" in text or "->" in text:
    for _ in range(3):  # as deep as honest answers nest: \boxed{\text{CO_{2}}}
      for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
  return _MARKDOWN.sub("", text).strip()


# --- Keys: two texts with one key say the same ---------------------------------------------------

_TOKEN = re.compile(
    r"\d+(?:[.,]\d+)*|\.\d+|[^\W\d_]+(?:'[^\W\d_]+)*|(?<![\w)])-(?=\s?[\d.])|[\u2192+%\u00b0=<>/\u00d7&]"
)
_ARTICLES = frozenset(("a", "an", "the"))
_ABOUT = frozenset(("about", "approximately", "around", "roughly"))
_DROPPED = _ARTICLES | _ABOUT
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_SUFFIXES = {1: "st", 2: "nd", 3: "rd"}
_WORDS = (
    {word: str(n) for n, word in enumerate(_UNITS)}
    | {word: str(10 * n) for n, word in enumerate(_TENS, start=2)}
    | {word: f"{n}{_SUFFIXES.get(n, 'th')}" for n, word in enumerate(_ORDINALS, start=1)}
    | {"percent": "%", "&": "and", "degree": "\u00b0", "degrees": "\u00b0"}
    | {"celsius": "c", "fahrenheit": "f"}
)
# Plurals that the rules of `_singular` do not reach, most of them from Latin and Greek.
_IRREGULAR = dict(pair.split(":") for pair in """
    mitochondria:mitochondrion bacteria:bacterium nuclei:nucleus fungi:fungus alveoli:alveolus
    stimuli:stimulus radii:radius foci:focus loci:locus bacilli:bacillus larvae:larva pupae:pupa
    vertebrae:vertebra algae:alga antennae:antenna nebulae:nebula supernovae:supernova
    formulae:formula axes:axis hypotheses:hypothesis analyses:analysis syntheses:synthesis
    testes:testis phenomena:phenomenon criteria:criterion spectra:spectrum strata:stratum
    ova:ovum sera:serum cilia:cilium flagella:flagellum quanta:quantum ganglia:ganglion
    vertices:vertex indices:index matrices:matrix appendices:appendix cortices:cortex
    helices:helix mice:mouse teeth:tooth feet:foot geese:goose men:man women:woman
    children:child people:person leaves:leaf halves:half wolves:wolf calves:calf lives:life
    gases:gas lenses:lens headaches:headache phyla:phylum genera:genus taxa:taxon media:medium
    """.split())
# British spelling to American, for words of school science.
_SPELLINGS = dict(pair.split(":") for pair in """
    vapour:vapor colour:color sulphur:sulfur sulphuric:sulfuric sulphate:sulfate aluminium:aluminum
    fibre:fiber metre:meter kilometre:kilometer centimetre:centimeter litre:liter centre:center
    grey:gray tumour:tumor behaviour:behavior haemoglobin:hemoglobin foetus:fetus
    oesophagus:esophagus oestrogen:estrogen mould:mold
    """.split())


def _singular(word: str) -> str:
  if word in _IRREGULAR:
    return _IRREGULAR[word]
  if word.endswith("ie") and len(word) > 4:
    return word[:-2] + "y"  # as the rule for "calories" has it
  if len(word) < 4 or word[-1] != "s" or word[-2] in "siu":
    return word
  if word.endswith("ies") and len(word) > 4:
    return word[:-3] + "y"
  if word.endswith(("sses", "xes", "ches", "shes", "zzes")) or word.endswith("oes") and len(word) > 5:
    return word[:-2]
  if word.endswith("uses") and len(word) > 5 and word[-5] not in "ao":
    return word[:-2]  # viruses and fetuses, but not houses and causes
  return word[:-1]


def _number(token: str) -> str:
  if "," in token and re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", token):
    token = token.replace(",", "")
  if token.count(".") == 1 and "," not in token:
    token = token.rstrip("0").rstrip(".")
    token = "0" + token if token.startswith(".") else token
  return token or "0"


@functools.lru_cache(maxsize=65536)
def _canonical(token: str, singular: bool) -> str:
  word = token.lower()
  if word in _WORDS:
    return _WORDS[word]
  if word[0].isdigit() or word[0] == ".":
    return _number(word)
  if len(word) > 3:
    word = word.replace("'", "")
    word = _singular(word) if singular else word
    return _SPELLINGS.get(word, word)
  return word


def tokens(text: str, *, singular: bool = True) -> list[str]:
  """Returns the words of an unwrapped text as `key` compares them: no articles, numbers in digits."""
  raw = _TOKEN.findall(text)
  result: list[str] = []
  previous = ""
  for index, token in enumerate(raw, start=1):
    word = _canonical(token, singular)
    if word in _DROPPED and index < len(raw):
      # Vitamin A keeps its letter, "about the eye" its word.
      if word in _ABOUT and _canonical(raw[index], singular)[0].isdigit():
        continue
      if word in _ARTICLES and not (token == "A" and index > 1 and not text.isupper()):
        continue
    if previous in _TENS and len(word) == 1 and word in "123456789":
      result[-1] = result[-1][0] + word  # twenty-one
    else:
      result.append(word)
    previous = token.lower()
  return result


def key(text: str, *, singular: bool = True) -> str:
  """Returns what `text` says regardless of case, articles, punctuation, hyphens, spaces and plural.

  >>> key("The Fight-or-Flight responses.") == key("fight or flight response")
  True
  """
  return _joined(tokens(text, singular=singular))


def _joined(words: list[str]) -> str:
  # "CO 2" is "CO2", but "1 0" is not "10".
  return re.sub(r"(?<!\d) | (?!\d)", "", " ".join(words))


# --- Where a verdict stands ----------------------------------------------------------------------

_IS = r"(?:is|are|was|were|would\s+be|must\s+be|should\s+be|will\s+be)"
_ANSWER = (
    r"(?:(?:correct|right|best|final|overall|most\s+\w+|only)\s+)*"
    r"(?:answer|ans|choice|option|solution|term|word|letter|label|one|statement)"
    r"(?:\s+(?:choice|option|letter|here|to\s+(?:this|the)\s+\w+))?"
)
_SURELY = r"(?:therefore|thus|then|hence|clearly|definitely|simply|indeed|most\s+likely)"
_INTRODUCTION = re.compile(
    rf"""(?:
      (?:so|thus|hence|therefore|in\s+conclusion|finally|sure|okay|ok|well)\b[,:]?
    | (?:i(?:\s+would|'d)?\s+(?:think|believe|say)|(?:(?:i|we)(?:\s+would|'d)?\s+)?(?:choose|pick|select)
      |(?:correct|right)(?=\s*:))\b(?:\s+that\b)?[,:]?
    | (?:(?:the|my|our)\s+)?{_ANSWER}\s*(?:{_IS}\b|:|=|\s-)\s*(?:{_SURELY}\b)?
    | (?:it|this|that|they|these|those)(?:\s+{_IS}|'s|'re)\b(?:\s+(?:both\s+)?(?:called|known\s+as))?
      \s*(?:{_SURELY}\b)?
    | most\s+likely\b
    | (?:it|they|there)\s+(?:(?:will|would|has|have|had|is|are|was|were)\s+)?
    | (?:by|through|via|using|in|into|from|at|on|due\s+to|because\s+of)(?=\s)
    )[\s:,]*""",
    re.IGNORECASE | re.VERBOSE,
)
_MARKER = re.compile(
    r"\b(?:answer|choice|option)"
    rf"(?:\s+(?:choice|option|letter))?\s*(?:{_IS}\b|:)\s*(?:{_SURELY}\b)?[\s:,]*",
    re.IGNORECASE,
)
_WRONG = re.compile(r"\b(?:wrong|incorrect|not the)\s+$", re.IGNORECASE)
_CONCLUSION = re.compile(r"\b(?:so|thus|hence|therefore)\b,?\s+(?:(?:it|this)\s+is\s+)?", re.IGNORECASE)

# Where the words of a verdict can end and an explanation begin.
_BOUNDARY = re.compile(
    r"\s*(?:[;!\n(\[\u2014]|[,.:](?!\d)|\s-+\s|\s(?=(?:because|since|as|due|which|who|where|that|is|are"
    r"|was|were|has|have|rather|instead|unlike|not)\b))",
    re.IGNORECASE,
)
_MOST_BOUNDARIES = 16
_DENIAL = re.compile(
    r"[\s,]*(?:is|are|was|were|can|do|does|would|will)(?:n't\b|\s+(?:not|never|wrong|incorrect|false"
    r"|neither)\b)|\s*(?:is|are)\s+(?:clearly\s+|definitely\s+)?(?:not|wrong|incorrect|false)\b"
    r"|\s*(?:is|are)\s+(?:the|an?)\s+(?:wrong|incorrect|false)\b|\s*\(?(?:wrong|incorrect|false)\b",
    re.IGNORECASE,
)


def openings(text: str) -> Iterator[str]:
  """Yields `text`, then `text` without its first introduction ("The answer is"), and so on."""
  yield text
  for _ in range(4):
    introduction = _INTRODUCTION.match(text)
    if not introduction or introduction.end() == len(text):
      return
    text = text[introduction.end() :]
    yield text


def statements(text: str) -> list[tuple[str, str]]:
  """Returns what stands before and what follows each "answer is" of a text."""
  return [
      (text[: marker.start()], text[marker.end() :]) for marker in _MARKER.finditer(text)
      if not _WRONG.search(text, max(0, marker.start() - 12), marker.start())
  ]


def conclusions(text: str) -> list[str]:
  """Returns what follows each "so" or "therefore" of a text."""
  return [text[m.end() :] for m in _CONCLUSION.finditer(text)]


def heads(text: str, longest: int, end: re.Pattern = _BOUNDARY) -> Iterator[tuple[str, str]]:
  """Yields (head, rest) for all of `text` and for each place where a verdict can end, longest first.

  Args:
    longest: no head is much longer than so many characters.
    end: what ends a verdict.
  """
  cuts = []
  for boundary in end.finditer(text, 0, longest + 8):
    cuts.append(boundary.start())
    if len(cuts) == _MOST_BOUNDARIES:
      break
  if len(text) <= longest:
    yield text, ""
  for cut in reversed(cuts):
    if cut:
      yield text[:cut], text[cut:]


def is_denied(rest: str) -> bool:
  """Says whether what follows a candidate denies it at once: "B is wrong", "oxygen is not"."""
  return bool(_DENIAL.match(rest))


_THE_ANSWER = (
    r"(?:which|that|this|it|they|these|both|(?:my|the|this|that)\s+(?:\w+\s+)?(?:answer|choice|guess))"
)
_RIGHT = r"(?:right|correct|true|it|the\s+case|the\s+(?:\w+\s+)?(?:answer|one|choice))\b(?!\s+that\b)"
_FALSITY = (
    r"(?:wrong|incorrect|false|untrue|mistaken|nonsense|an?\s+(?:lie|mistake|joke|error))\b"
    r"(?!\s+(?:that|to)\b)"
)
_RETRACTION = re.compile(
    rf"\b{_THE_ANSWER}(?:(?:\s+(?:{_IS}|may\s+be|might\s+be|could\s+be|seems?)|'s|'re)(?:\s+\w+ly)?"
    rf"\s+(?:(?:also|just|all|in\s+fact|of\s+course)\s+)?(?:{_FALSITY}|not\s+(?:\w+ly\s+)?{_RIGHT})"
    rf"|\s+(?:is|are|was|were)n't\s+(?:\w+ly\s+)?{_RIGHT})",
    re.IGNORECASE,
)
_RECANTING = re.compile(
    r"\b(?:(?:just|only)\s+(?:kidding|joking|a\s+guess)|never\s*mind|my\s+(?:mistake|bad)|oops"
    r"|i(?:'m|\s+am|\s+was|\s+(?:may|might|could)\s+be)\s+(?:\w+ly\s+)?(?:wrong|mistaken|kidding|joking)"
    r"|(?:scratch|strike|ignore|disregard|forget)\s+(?:that|this|it)|on\s+second\s+thoughts?"
    r"|i\s+(?:take\s+(?:it|that|this)\s+back|lied|made\s+a\s+mistake|changed\s+my\s+mind|guess)"
    r"|i\s+(?:do\s+not|don't)\s+know|i(?:'m|\s+am)\s+not\s+(?:\w+\s+)?sure)\b",
    re.IGNORECASE,
)
_NOT = re.compile(r"\W*(?:or\s+)?not[.!]*", re.IGNORECASE)
_LEADING = re.compile(
    r"\W*(?:(?:but|and|no|actually|sorry|wait|well|however|though|so)\b\W*)*", re.IGNORECASE
)


def recants(text: str) -> bool:
  """Says whether a text takes back whatever it said: "Just kidding", "I was wrong"."""
  return bool(_RECANTING.search(text) or _NOT.fullmatch(text))


def retracts(rest: str) -> bool:
  """Says whether what follows a verdict takes it back: ", which is wrong", ". Just kidding".

  A later sentence does where it opens with that; inside of one, "that is wrong" means something else.
  """
  if not rest.strip(" .!\n)"):
    return False
  if recants(rest):
    return True
  own, *later = _SENTENCE.split(rest)
  return bool(_RETRACTION.search(own)) or any(
      _RETRACTION.match(sentence, _LEADING.match(sentence).end()) for sentence in later
  )


_SENTENCE = re.compile(r"[.!?]+(?!\d)|\n+")
_FUNCTION_WORDS = frozenset(_canonical(word, True) for word in (
    "a an the of in on for to that which this these it they its their is are was were be been by with from "
    "at as there called known named into do does has have had because both what when how through via using "
    "during use used most type kind form process term word name answer thing part "
    "organelle structure substance"
).split())  # fmt: skip
_DETERMINER = re.compile(r"(?:the|this|these|it|they|an?)\b", re.IGNORECASE)
_COPULAS = frozenset("is are was were be called known named".split())
_VERBS = frozenset(
    "has have had use need make take give contain produce carry form cause absorb release".split()
)
_NEGATIONS = re.compile(
    r"\b(?:not|never|no|nor|neither|cannot|without|except|than|incorrect|wrong|false|unlike|but|besides"
    r"|anything|everything|nothing|hardly|lacks?|instead)\b|n't\b",
    re.IGNORECASE,
)
_HEDGES = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|might|may|could|unsure|uncertain|either|guess|guessing)\b|\?",
    re.IGNORECASE,
)


_INTERROGATIVES = frozenset("what which who whom whose where when why how is are do does did can".split())
_COPULA = re.compile(
    rf"\s+{_IS}\s+(?:(?:also|commonly|usually|most\s+likely)\s+)?(?:(?:called|known\s+as|named|termed)\s+)?",
    re.IGNORECASE,
)
_MOST_COPULAS = 4
_ENDING = re.compile(r"(?:ing|en|ed|e)$")
_PAST_TENSES = {"made": "mak", "kept": "keep", "held": "hold", "took": "tak", "gave": "giv", "found": "find"}


def _stem(word: str) -> str:
  """Returns one form for "take", "taken" and "taking", and for "carry" and "carried"."""
  if word in _PAST_TENSES:
    return _PAST_TENSES[word]
  if word.endswith("ied"):
    return word[:-3] + "y"
  return _ENDING.sub("", word) if len(word) > 3 else word


def unknown_words(words: Iterable[str], known: Collection[str]) -> list[str]:
  """Returns the `words` that are neither function words nor, in any verb form, among `known`."""
  others = [word for word in words if word not in known and word not in _FUNCTION_WORDS]
  if others:
    stems = {_stem(word) for word in known}
    others = [word for word in others if len(word) < 4 or _stem(word) not in stems]  # no "rat" of "rate"
  return others


def restates(text: str, wanted: list[str], known: Collection[str], most_unknown: int = 0) -> bool:
  """Says whether `text` is the question's own words with the words `wanted` put in.

  "Plants take in carbon dioxide." answers "Which gas do plants take in?" and can name no other
  candidate, since every other word is the question's or a function word. The question itself, with
  its alternatives, is no answer.

  Args:
    text: unwrapped; its first sentence is read.
    wanted: the tokens that must stand in it, in order.
    known: the tokens of the question.
    most_unknown: how many words may be new, where one of the question's own stands beside them.
  """
  sentence = _SENTENCE.split(text, maxsplit=1)[0]
  if _NEGATIONS.search(sentence) or _HEDGES.search(text):
    return False
  words = tokens(sentence)
  start = find_words(words, wanted)
  if start < 0 or words[0] in _INTERROGATIVES and all(word in known for word in wanted):
    return False
  others = words[:start] + words[start + len(wanted) :]
  if "or" in others and "or" not in known or is_alternative(words, wanted):
    return False
  new = unknown_words(others, known)
  return not new or len(new) <= most_unknown and len(new) < len(set(others) - _FUNCTION_WORDS)


def is_alternative(words: list[str], wanted: list[str]) -> bool:
  """Says whether `wanted` stands beside an "or" in `words`."""
  start = find_words(words, wanted)
  return start >= 0 and "or" in words[max(0, start - 1) : start] + words[start + len(wanted) :][:1]


def complements(text: str, known: Collection[str]) -> Iterator[tuple[str, str]]:
  """Yields (subject, what follows "is") of a text that speaks of the question's subject.

  "The gas that plants take in is carbon dioxide, which ..." yields "The gas that plants take in" and
  "carbon dioxide, which ...". The subject holds no word but the question's and function words.
  """
  for number, copula in enumerate(_COPULA.finditer(text, 0, 240)):
    subject = text[: copula.start()]
    words = [word for word in tokens(subject) if word != "1"]  # "the larger one"
    asks = not words or words[0] in _INTERROGATIVES and (words[0] != "what" or len(words) < 3)
    if number == _MOST_COPULAS or asks or _SENTENCE.search(subject) or unknown_words(words, known):
      return
    doubts = [*_NEGATIONS.findall(subject), *_HEDGES.findall(subject)]
    if "or" in words and "or" not in known or any(doubt.lower() not in known for doubt in doubts):
      return
    yield subject, text[copula.end() :]


_OF_A_KIND = re.compile(
    r"\bwhat\s+(?:is|are|was|were)\s+the\s+(?:\w+est|most\s+\w+|least\s+\w+)\s+([a-z]+)"
    r"|\b(?:how\s+many\s+|(?:what|which)\s+(?:(?:type|kind|form|sort|class|category|group)s?\s+of\s+)?"
    r"|(?:type|kind|form|sort|class|category)s?\s+of\s+)(?:an?\s+|the\s+)?([a-z]+)(?:\s+([a-z]+))?",
    re.IGNORECASE,
)


@functools.lru_cache(maxsize=4096)
def head_nouns(prompt: str) -> frozenset[str]:
  """Returns what a question asks for: "energy" of "What type of energy does a moving car have?".

  "What is the largest planet?" asks for a planet.
  """
  nouns: set[str] = set()
  for match in _OF_A_KIND.finditer(prompt):
    for word in tokens(" ".join(filter(None, match.groups()))):
      if word in _FUNCTION_WORDS or word in _INTERROGATIVES:
        break
      nouns.add(word)
  return frozenset(nouns)


_ALTERNATIVES = re.compile(r"[,;:?!.()\n\u2014/]|\b(?:(or|and|vs|versus)\b)", re.IGNORECASE)


def rivals(prompt: str, wanted: list[str]) -> frozenset[str]:
  """Returns the words of the alternatives that a question names beside `wanted`; none if it does not.

  Beside "mammal", "Is a whale a mammal or a fish?" names "fish"; so does "mammal, bird, fish".
  """
  if wanted in (["both"], ["neither"], ["all"]):
    return frozenset()
  texts, joined, place = [], [False], 0
  for match in _ALTERNATIVES.finditer(prompt):
    texts.append(prompt[place : match.start()])
    joined.append(bool(match[1]))
    place = match.end()
  texts.append(prompt[place:])
  joined.append(False)
  parts = list(map(tokens, texts))
  size, found = len(wanted), set()
  # "Is it a bird, ..." ends with an alternative, "Which has the higher rate, ..." does not.
  ends_with_one = re.compile(rf"\b(?:an?|the|of|in|by|with|from|for)(?:\s+[\w-]+){{{size}}}\s*$")
  for index, part in enumerate(parts):
    if find_words(part, wanted) < 0:
      continue
    # Left and right, as far as "or" or short parts of a list reach. An alternative is as long as `wanted`.
    for step in (-1, 1):
      at = index + step
      while 0 <= at < len(parts):
        has_word = joined[at] if step > 0 else joined[at + 1]
        is_short = len(parts[at]) <= size + 1
        if not (has_word or is_short or step < 0 and ends_with_one.search(texts[at])):
          break
        found.update(parts[at][:size] if step > 0 else parts[at][-size:])
        if parts[at] and not is_short:
          break
        at += step
  return frozenset(found) - set(wanted) - _FUNCTION_WORDS - {"or", "and"}


def is_sentence(text: str) -> bool:
  """Says whether an unwrapped text is a sentence: "stem cell" is none, nor is "oxygen is hydrogen"."""
  sentence = _SENTENCE.split(text, maxsplit=1)[0]
  words = tokens(sentence)
  if len(words) > 4 or len(words) > 2 and not _VERBS.isdisjoint(words):
    return True
  return bool(_DETERMINER.match(sentence)) and not _COPULAS.isdisjoint(words)


def find_words(words: list[str], wanted: list[str]) -> int:
  """Returns where the run `wanted` begins in `words`, or -1."""
  size = len(wanted)
  return next((i for i in range(len(words) - size + 1) if words[i : i + size] == wanted), -1)


def _contains(words: list[str], wanted: list[str]) -> bool:
  return find_words(words, wanted) >= 0


@functools.lru_cache(maxsize=4096)
def prompt_words(prompt: str) -> frozenset[str]:
  """Returns the tokens of a prompt."""
  return frozenset(tokens(unwrap(prompt)))


@functools.lru_cache(maxsize=4096)
def question_words(prompt: str) -> frozenset[str]:
  """Returns the tokens of a prompt's question: its sentences with "?", else its last sentence."""
  sentences = re.split(r"(?<=[.?!])\s+|\n", prompt.strip())
  asked = [sentence for sentence in sentences if "?" in sentence] or sentences[-1:]
  return frozenset(word for sentence in asked for word in tokens(unwrap(sentence)))


# --- Multiple choice -----------------------------------------------------------------------------

# What may stand before a further candidate: "or C", "wait, it should be C", "Actually, option C".
_CUE = re.compile(
    r"(?:or|and|also|but|maybe|perhaps|possibly|actually|alternatively|instead|both|either|wait|no|then"
    r"|sorry|hmm|rather|on\s+second\s+thought|i\s+mean|correction|the|an?(?=\s)|it|is|it's|should|could"
    r"|might|may|be|would|option|choice|answer)(?![\w'])[\s,:]*",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"(?:[\s,;:/()\[\]&\u2014.!?]|[-+]\s|(?:and|or)\b)*", re.IGNORECASE)
_CLAUSE_END = re.compile(r"\s*(?:[;!?\n()\[\]&/\u2014]|[,.:](?!\d)|\s[-+]+\s|\s(?:and|or)\b)", re.IGNORECASE)
_IS_DISMISSED = re.compile(
    r"\s+(?:is|are|was|were|do|does|can)"
    r"(?:n't|\s+not|\s+never|\s+wrong|\s+incorrect|\s+(?:\w+ly\s+)?\w+ed)\b",
    re.IGNORECASE,
)
_COMPARES = re.compile(
    r"\b(?:not|never|neither|nor|wrong|incorrect|false|unlike|than|instead\s+of|eliminat\w+"
    r"|rul\w+\s+out|exclud\w+|whereas|while)\b|n't\b",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"\s+(?!(?:or|and)\b)[a-z]")  # "A is a solid" explains, "A or" lists
_SUBJECT = re.compile(r"(?:it|they)\s+(?=\w)", re.IGNORECASE)
_LAST_WORDS = re.compile(r"\W+$")
_MOST_CLAUSES = 24
_MOST_CUES = 6  # "but actually it could be C"
_AFTER_BARE_LABEL = re.compile(
    r"\s+(?:because|since|as|due|which|is|was|would|for)\b|\s+\(", re.IGNORECASE
)
# Words that a sentence about the question's matter may add: all of its candidates are known.
_MOST_UNKNOWN = 4
# "C is better", "I would go with C"
_FAVORS = (
    r"\s+(?:is|are|was|were|seems?|looks|sounds|fits|(?:would|might|could|may|must|should)\s+be)\s+"
    r"(?:(?!not|never|less|hardly)\w+\s+){0,3}?"
    r"(?:better|best|correct|right|true|likel\w+|possible|plausible"
    r"|the\s+(?:\w+\s+)?(?:answer|one|choice|option|cause|reason))\b"
)
_PREFERS = (
    r"\b(?:[Ii]|[Ww]e|[Ll]et's|[Ll]et\s+me)(?:\s+|'\w+\s+)(?:\w+\s+){0,3}?"
    r"(?:prefer|choose|pick|select|meant?|go(?:ing)?\s+with"
    r"|(?:change|switch)(?:\s+(?:it|that|my\s+\w+))?\s+to)"
    r"\s+(?:the\s+)?(?:option\s+|choice\s+|answer\s+)?"
)
_REJECTS = re.compile(
    r"\b(?:is|are)\s+(?:all\s+|both\s+|clearly\s+)?(?:not|wrong|incorrect|false)\b", re.IGNORECASE
)


class Choices:
  """The choices of one question, ready to be found in answers.

  Args:
    choices: (label, text) pairs. Labels are single tokens such as "B" or "2"; "(B)" is read as "B".
  """

  def __init__(self, choices: tuple[tuple[str, str], ...]):
    self.labels = [re.sub(r"\W", "", label) or label for label, _ in choices]
    texts = [unwrap(text) for _, text in choices]
    self._by_name = {label.casefold(): label for label in self.labels}
    # From strict to loose: "TT" and "Tt" differ by case alone, "cell" and "cells" by number alone.
    self._levels = [(level, self._index(level, texts)) for level in _LEVELS]
    self._asks = any("?" in text for text in texts)
    self._longest = 2 * max(map(len, texts), default=0) + 16
    self._words = {label: tokens(text) for label, text in zip(self.labels, texts)}
    # "It increases" is also stated by "increases" and by "The pressure increases".
    shorts = [_SUBJECT.sub("", text, count=1) if _SUBJECT.match(text) else text for text in texts]
    for level, index in self._levels:
      for name, label in self._index(level, shorts).items():
        index.setdefault(name, label)
    self._shorts = {label: tokens(text) for label, text in zip(self.labels, shorts)}
    own = [*self._words.values(), *self._shorts.values()]
    self._first = {words[0] for words in own if words} | set(self._by_name)
    names = "|".join(sorted(map(re.escape, self.labels), key=len, reverse=True))
    self._dressed = re.compile(
        rf"((?:option|choice|letter|answer(?-i:(?!\s+a\s+[a-z])))\s*)?([(\[{{<]\s*)?({names})(?![\w'])"
        r"(\s*[)\]}>]|\s*[.:,;!](?!\d)|\s+[-|=\u2192]+\s|\s*\u2014|\s*\n|\s*$)?[\s)\]}>.:!|\u2014]*",
        re.IGNORECASE,
    )
    self._trailing = re.compile(
        rf"[\s,.\u2014-]*(?:[(\[]\s*(?:(?:option|choice|answer)\s+)?({names})\s*[)\]]"
        rf"|(?:option|choice)\s+({names})(?!\w|\s+(?:is|was|would|does|has|can)\b))",
        re.IGNORECASE,
    )

    self._listed = re.compile(rf"(?<![\w'])({names})\s*[)\].:]\s*", re.IGNORECASE)
    # A label in prose stands in its own case: "a" is an article, and so may be the "A" of a sentence.
    spelled = "|".join(sorted((re.escape(text) for text in texts if text), key=len, reverse=True))
    mention = rf"(?<![\w'-])(?:({names})|((?i:{spelled or '(?!)'})))(?![\w'-])"
    self._mention = re.compile(mention)
    self._favored = re.compile(rf"{mention}[)\]]?{_FAVORS}|{_PREFERS}[(\[]?{mention}")

  def _index(self, level, texts: list[str]) -> dict[str, str | None]:
    """Maps each text's key to its label, and a key that two texts share to None."""
    index: dict[str, str | None] = {}
    for label, text in zip(self.labels, texts):
      name = level(text)
      if name:
        index[name] = None if name in index else label
    return index

  def find(self, answer: str, prompt: str = "") -> tuple[str | None, str]:
    """Returns (label, reason): the one choice that `answer` settles on, or None and why not.

    Args:
      prompt: the question, whose words an answer may repeat around a choice's text.
    """
    if len(answer) > MAX_CHARACTERS:
      return None, "the answer is too long to be one choice"
    text = unwrap(answer)
    if text.endswith("?") and not self._asks:
      return None, "the answer asks instead of choosing"
    found = _stated(map(self._verdict, [text, *(after for _, after in statements(text))]))
    found = found or _stated(map(self._verdict, conclusions(text)))
    found = found or _stated(map(self._verdict, self._complements(text, prompt)))
    found = found or _stated([self._restated(text, prompt)])
    if not found:
      return None, "the answer states no choice"
    if len(found) > 1 or "" in found:
      return None, "the answer names several choices"
    return found.pop(), ""

  def _verdict(self, text: str) -> str | None:
    """The label that `text` opens with; "" where it names several, None where it opens with none."""
    for opening in openings(text.strip()):
      labelled = self._dressed.match(opening)
      if labelled and labelled.end() == len(opening):
        return self._by_name[labelled[3].casefold()]
      # The whole text as it stands comes first: "A tree" is not choice A.
      verdict = self._levels[1][1].get(_LEVELS[1](opening))
      if verdict is None and labelled:
        verdict = self._labelled(labelled, opening)
      if verdict is not None:
        return verdict
      for head, rest in heads(opening, self._longest):
        label = self._by_text(head)
        if label:
          return None if is_denied(rest) else self._settled(label, rest)
    return None

  def _labelled(self, match: re.Match, text: str) -> str | None:
    """Reads "(B) carbon dioxide ...": the label that `match` found, unless the text says otherwise."""
    label, rest = self._by_name[match[3].casefold()], text[match.end() :]
    is_dressed = match[1] or match[4] or _AFTER_BARE_LABEL.match(text, match.end(3))
    # "B carbon dioxide" and "B-carbon dioxide" are a label because of the choice's own text behind it.
    rest_of_bare = rest.lstrip(" -")
    for head, behind in heads(rest_of_bare, self._longest):
      named = self._by_text(head)
      if named:
        if named == label:
          return self._settled(label, behind)
        # "B. Oxygen is released" explains choice B, "B. Oxygen, because" contradicts it.
        if is_dressed and not _IS_DISMISSED.match(behind):
          return ""
        break
    if not is_dressed or is_denied(rest):
      return None
    return self._settled(label, rest)

  def _settled(self, label: str, rest: str) -> str:
    """Returns `label` if what follows the verdict explains it, "" if it names another choice."""
    again = self._trailing.match(rest)
    if again:
      if self._by_name[(again[1] or again[2]).casefold()] != label:
        return ""
      rest = rest[again.end() :]
    if any(self._lists(match, rest, label) for match in self._listed.finditer(rest)):
      return ""
    others = (match for match in self._mention.finditer(rest) if self._mentioned(match.groups()) != label)
    other = next(others, None)
    # What is wrong after another choice is mentioned is that one.
    if retracts(rest[: other.start()] if other else rest):
      return ""
    if other and any(self._mentioned(m.groups()) != label for m in self._favored.finditer(rest)):
      return ""
    if other and any(self._offers(sentence, label) for sentence in _SENTENCE.split(rest)):
      return ""
    for _ in range(_MOST_CLAUSES):
      rest = _SEPARATORS.sub("", rest, count=1)
      named, behind = self._candidate(rest)
      sentence = _SENTENCE.search(behind)
      is_prose = named is None  # whatever it mentions, it is no list of candidates
      if is_prose or _REJECTS.search(behind, 0, sentence.start() if sentence else len(behind)):
        if not sentence:
          break
        rest = behind[sentence.end() :]
      elif named == label:
        rest = behind
      else:
        return ""
    return label

  def _offers(self, sentence: str, label: str) -> bool:
    """Says whether a sentence hands out another label: "then C", "my second guess is C", not "unlike C"."""
    if _COMPARES.search(sentence):
      return False
    return any(
        match[1] and match[1].isalpha() and self._by_name[match[1].casefold()] != label
        and not _GOES_ON.match(sentence, match.end())
        and self._by_text(_LAST_WORDS.sub("", sentence[: match.start()])) is None
        for match in self._mention.finditer(sentence)
    )  # fmt: skip

  def _mentioned(self, groups: tuple[str | None, ...]) -> str | None:
    """Returns the choice of the one group that matched: a label or a text."""
    found = next(group for group in groups if group)
    return self._by_name.get(found.casefold()) or self._by_text(found)

  def _candidate(self, text: str) -> tuple[str | None, str]:
    """Returns the choice that `text` names at its start, after any cue such as "or", and the rest."""
    for _ in range(_MOST_CUES):
      begins = tokens(text[:48])[:1]  # most prose is known by its first word
      may_name = begins and begins[0] in self._first
      for head, behind in heads(text, self._longest, _CLAUSE_END) if may_name else ():
        named = self._by_name.get(head.strip(" .)").casefold()) or self._by_text(head)
        if named:
          return named, behind
      cue = _CUE.match(text)
      if not cue:
        break
      text = text[cue.end() :]
    return None, text

  def _lists(self, match: re.Match, rest: str, label: str) -> bool:
    """Says whether a label in `rest` stands before its own choice's text: "C) nitrogen"."""
    other = self._by_name[match[1].casefold()]
    own = self._words[other]
    return other != label and bool(own) and tokens(rest[match.end() :])[: len(own)] == own

  def _by_text(self, text: str) -> str | None:
    *stricter, (loosest, index) = self._levels
    name = loosest(text)
    if name in index and index[name]:
      return index[name]
    if name not in index:  # what differs here differs at the level before too
      stricter = stricter[:2]
    for level, index in stricter:
      name = level(text)
      if name in index:
        return index[name]
    return None

  def _complements(self, text: str, prompt: str) -> Iterator[str]:
    """Yields what a text in the question's words says that its subject is."""
    for subject, complement in complements(text, prompt_words(prompt)):
      if self._named(tokens(subject)):  # "Oxygen is carbon dioxide": a prompt may list the choices
        return
      yield complement

  def _restated(self, text: str, prompt: str) -> str | None:
    """The one choice that a sentence about the question's matter names; "" where a label disagrees."""
    words = tokens(text)
    named = [label for label in self._named(words) if not self._is_given(label, words, prompt)]
    if len(named) != 1:
      return None
    label = named[0]
    labelled = [self._by_name[(m[1] or m[2]).casefold()] for m in self._trailing.finditer(text)]
    if any(other != label for other in labelled):
      return ""
    text = self._trailing.sub("", text)
    if not restates(text, self._shorts[label], prompt_words(prompt), most_unknown=_MOST_UNKNOWN):
      return None
    sentence = _SENTENCE.search(text)
    return self._settled(label, text[sentence.end() :] if sentence else "")

  def _is_given(self, label: str, words: list[str], prompt: str) -> bool:
    """Says whether `words` state a choice "It decreases" of the question's premise alone.

    Of "What happens to the pressure when the volume decreases?", where "the volume increases" is no
    answer either.
    """
    own, size = self._shorts[label], len(self._shorts[label])
    if own == self._words[label]:
      return False
    question = tokens(unwrap(prompt))
    subjects = [words[max(0, i - 1) : i] for i in range(len(words)) if words[i : i + size] == own]
    return all(
        subject and subject[0] not in _FUNCTION_WORDS
        and any(_contains(question, subject + short) for short in self._shorts.values())
        for subject in subjects
    )  # fmt: skip

  def _named(self, words: list[str]) -> list[str]:
    """Returns the labels of all choices whose text stands in `words`, but for parts of longer ones."""
    shorts = self._shorts
    named = [label for label, own in shorts.items() if own and _contains(words, own)]
    return [
        label for label in named
        if not any(label != other and _contains(shorts[other], shorts[label]) for other in named)
    ]


_LEVELS = (
    lambda text: " ".join(text.split()).rstrip("."),
    lambda text: " ".join(text.split()).rstrip(".").casefold(),
    functools.partial(key, singular=False),
    key,
)


def _stated(verdicts: Iterable[str | None]) -> set[str]:
  return {verdict for verdict in verdicts if verdict is not None}


@functools.lru_cache(maxsize=4096)
def choices_of(pairs: tuple[tuple[str, str], ...]) -> Choices:
  """Returns the Choices of these pairs, kept because every completion of a group asks for them."""
  return Choices(pairs)


def score_choice(answer: str, reference: Choice, prompt: str) -> Score:
  """Returns 1.0 when `answer` settles on the reference's choice alone, else 0.0."""
  choices = choices_of(reference.choices)
  label, problem = choices.find(answer, prompt)
  right = choices.labels[[name for name, _ in reference.choices].index(reference.label)]
  if label is None:
    return Score(0.0, reason=f"{problem}; expected {right!r}")
  return Score(float(label == right), reason=f"the answer states choice {label!r}, expected {right!r}")
