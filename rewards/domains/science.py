"""Science answers: a short free text, or one of several choices.

One real input: the answer `The mitochondria.` against Text("mitochondrion"), or `(B) Carbon dioxide`
against Choice(label="B", text="carbon dioxide", ...).

Not here: synonyms that the row does not list as aliases, paraphrase, formulas.
"""

import functools
import re

from rewards.reading import answers
from rewards.registry import register
from rewards.schema import Choice
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score
from rewards.schema import Text


@register("science_answer", kind="correctness", domains=("science",))
def science_answer(completion: Completion, example: Example) -> Score | None:
  """1.0 when the answer is the reference's text or choice, however it is dressed, else 0.0.

  Free text agrees regardless of case, articles, punctuation, hyphens, plural and number words, with
  the reference or one of its aliases. A choice may be given by its letter, its text, or both. Either
  may be introduced ("The answer is ..."), be a sentence in the question's own words, and be followed
  by an explanation. A reference that is a bare letter, of a row that lost its choices, is a letter.
  None for references of other types.

  A policy might list candidates, give a letter with another choice's text, deny ("not B"), hedge,
  or hide the word in a longer one ("stem cell"). None is paid: only the verdict that the answer opens
  with or states after "the answer is" is read, it must agree with itself, and what follows it must
  not name a further candidate or take it back. In free text the other candidates are unknown but for
  those that the question names, so what follows must be prose that says of nothing else what it says
  of the truth.
  """
  reference = example.reference
  if isinstance(reference, Text) and re.fullmatch("[A-J]", reference.text.strip()):
    reference = Choice(label=reference.text.strip(), text="", choices=_LETTERS)
  if isinstance(reference, Choice):
    return answers.score_choice(completion.answer, reference, example.prompt)
  if isinstance(reference, Text):
    return _score_text(completion.answer, reference, example.prompt)
  return None


_LETTERS = tuple((letter, "") for letter in "ABCDEFGHIJ")


def _score_text(answer: str, reference: Text, prompt: str) -> Score:
  truth = _truth(reference, prompt)
  expected = f"expected {reference.text!r}"
  if len(answer) > answers.MAX_CHARACTERS:
    return Score(0.0, reason=f"the answer is too long for a short text, {expected}")
  text = answers.unwrap(answer)
  if text.endswith("?"):
    return Score(0.0, reason=f"the answer asks instead of answering, {expected}")
  verdict = truth.verdict(text)
  statements = answers.statements(text)
  stated = [truth.verdict(statement) for _, statement in statements]
  if not verdict and statements and _is_candidate(statements[0][0]):
    return Score(0.0, reason=f"the answer names several candidates, {expected}")
  if verdict is None and not stated:
    verdict = truth.restated(text)
  if all(stated) and (verdict or stated):
    return Score(1.0, reason=f"the answer states {reference.text!r}")
  if verdict is not None:
    return Score(0.0, reason=f"the answer names {reference.text!r} and takes it back or names more")
  return Score(0.0, reason=f"the answer does not state {reference.text!r}")


class _Truth:
  """All texts that a reference accepts, as keys, and what the question says about them."""

  def __init__(self, reference: Text, prompt: str):
    texts = []
    for text in map(answers.unwrap, (reference.text, *reference.aliases)):
      texts.append(text)
      parenthesis = re.fullmatch(r"(.*\S)\s*\((\S+)\)", text)  # "sulfur dioxide (SO2)"
      if parenthesis:
        texts += parenthesis.groups()
    self._is_clause = any(map(_IS.search, texts))
    self._is_name = all(text[:1].isupper() for text in texts)
    self.words = [words for words in map(answers.tokens, texts) if words]
    self._question = answers.key(answers.unwrap(prompt))
    self._known = answers.question_words(prompt)
    self._rivals = frozenset().union(*(answers.rivals(prompt, words) for words in self.words))
    # "It decreases" and "two atoms" are no parts of other names, as "stem cell" is for "cell".
    self._may_stand_short = bool(self._rivals) or all(w[0].isdigit() for w in self.words)
    self.keys = {answers.key(text) for text in texts} - {""}
    # "What type of energy ...?" is answered by "kinetic" and by "kinetic energy".
    for noun in answers.head_nouns(prompt):
      for text, words in zip(texts, map(answers.tokens, texts)):
        if words and words[-1] != noun:
          self.keys |= {answers.key(f"{text} {noun}"), answers.key(f"{noun} of {text}")}
          self.keys.add(answers.key(f"{noun} {text}"))  # "the planet Jupiter"
        elif len(words) > 1:
          self.keys.add(answers.key(text.rsplit(None, 1)[0]))
    self.lists = {_list_key(text) for text in texts} - {""}
    self._longest = 2 * max(map(len, texts)) + 32

  def verdict(self, text: str) -> bool | None:
    """True when `text` opens with the truth, False when it then takes it back, None when it does not."""
    for opening in answers.openings(text.strip()):
      for head, rest in answers.heads(opening, self._longest):
        if answers.key(head) in self.keys or self.lists and _list_key(head) in self.lists:
          return not rest.strip(_CLOSING) or self._stands(rest, text)
    return None

  def restated(self, text: str) -> bool | None:
    """The verdict of a text that repeats the question: "Plants make food through photosynthesis"."""
    for subject, complement in answers.complements(text, self._known):
      if self._names(answers.tokens(subject)):
        break
      verdict = self.verdict(complement)
      if verdict is not None:
        return verdict
    sentence, _, rest = text.partition(". ")
    is_sentence = answers.is_sentence(sentence) or self._may_stand_short and not _LISTS.search(sentence)
    if not is_sentence or answers.key(sentence) in self._question:
      return None
    if not any(answers.restates(sentence, words, self._known) for words in self.words):
      return None
    return self._stands(". " + rest, text)

  def _stands(self, rest: str, text: str) -> bool:
    """Says whether the truth in `text` is its one verdict, whatever `rest` follows it."""
    if self._is_name:
      rest = _KIND.sub(self._described, rest, count=1)
    return _explains(rest, self.keys, self._known) and not self._has_rival(text)

  def _described(self, match: re.Match) -> str:
    """Returns "" for a description of a name's bearer; "the red planet", of the kind asked for, is none."""
    return match[0] if match[1] in self._known else ""

  def _names(self, words: list[str]) -> bool:
    """Says whether `words` hold the truth or one of the question's alternatives to it."""
    if not self._rivals.isdisjoint(words):
      return True
    return any(answers.find_words(words, own) >= 0 for own in self.words)

  def _has_rival(self, text: str) -> bool:
    """Says whether `text` says of something else what it says of the truth: "A fish is a whale"."""
    frame: set[str] = set()
    for fragment in (_SENTENCE_END if self.lists else _FRAGMENT_END).split(text):
      claim = _CONTRAST.split(fragment, maxsplit=1)[0]  # "..., not a fish", "larger than an atom"
      words = answers.tokens(claim)
      if self._adds(claim, words):
        return True
      if any(answers.is_alternative(words, own) or _is_twin(words, own) for own in self.words):
        return True
      is_own = any(answers.find_words(words, own) >= 0 for own in self.words)
      if not self._rivals.isdisjoint(words) and (is_own or not answers.unknown_words(words, self._known)):
        return True
      others = set(answers.unknown_words(words, ()))
      is_copular = bool(_IS.search(claim))
      if is_own:
        frame = frame or others.difference(*self.words)
        if is_copular and not self._is_clause and _RUN_ON.search(claim):
          return True
        new = set(answers.unknown_words(words, self._known)).difference(*self.words)
        if is_copular and new and all(map(_ORDINAL.fullmatch, new)):  # "the second largest"
          return True
      elif is_copular and (_WINS.search(claim) or self._names_another(claim)):
        return True
      elif len(frame) > 1 - is_copular and frame <= others and 0 < len(others - frame) <= 2:
        return True
    return False

  def _adds(self, claim: str, words: list[str]) -> bool:
    """Says whether a claim answers the question once more: "RNA also carries genetic information"."""
    if "also" not in words or any(answers.find_words(words, own) >= 0 for own in self.words):
      return False
    new = [word for word in answers.unknown_words(words, self._known) if word != "also"]
    return len(new) == 1 and len(words) > 3 and not _PRONOUN.match(claim)

  def _names_another(self, claim: str) -> bool:
    """Says whether a claim gives the question's subject a name of its own: "It is the nucleus"."""
    for _, complement in answers.complements(claim.strip(), self._known):
      if _NAME.fullmatch(complement) and answers.unknown_words(answers.tokens(complement), self._known):
        return True
    return False


def _is_twin(words: list[str], own: list[str]) -> bool:
  """Says whether `words` differ from the truth in a word: "sigma bond" beside "pi bond"."""
  if words == own or not 1 < len(own) == len(words):
    return False
  return 2 * sum(map(str.__eq__, words, own)) >= len(own)


_LISTS = re.compile(r"[,;/&]")
_CLOSING = " .!\n)"


@functools.lru_cache(maxsize=4096)
def _truth(reference: Text, prompt: str) -> _Truth:
  return _Truth(reference, prompt)


def _list_key(text: str) -> str:
  """Returns the same key for "crust, mantle and core" in any order; "" for what is not a list."""
  parts = [answers.key(part) for part in re.split(r",|;|&|\band\b", text)]
  parts = sorted(part for part in parts if part)
  return "|".join(parts) if len(parts) > 1 else ""


# Words that begin an explanation or make a sentence of it; a further candidate has none of them.
_EXPLAINS = re.compile(
    r"\s*(?:because|since|as|due|which|who|where|that|so|not|rather\s+than|instead\s+of|unlike|i\.?e"
    r"|(?:in|by|for|with)\s+which|(?:also\s+)?(?:known|called)|is|are|was|were|has|have)\b",
    re.IGNORECASE,
)
_SENTENCE_WORDS = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|does|can|will|makes?|it|its|they|their|this|these"
    r"|that|which|because|since)\b",
    re.IGNORECASE,
)
_APPOSITION = re.compile(
    r"\s*(?:(?:an?|the|one)\s+[^,]+\s(?:of|that|which|who|where|in|for|by)\s+[^,]+"
    r"|(?:the|an?)\s+\w+'s\s+(?:\w+\s+)?\w+\s*)$",
    re.IGNORECASE,
)
# "Jupiter, with a radius of 70,000 km", "Jupiter, the gas giant", "Jupiter (a gas giant)"
_MEASURE = re.compile(
    r"\s*with\s+an?\s+\w+\s+of\s+(?:about\s+|around\s+|over\s+)?\d[\d.,]*\s*[\w%\u00b0/]*\s*$",
    re.IGNORECASE,
)
_KIND = re.compile(
    r"^\s*[,(]\s*(?:an?|the)\s+[a-z]+\s+(giant|planet|star|moon|element|metal|organ|gland)\)?(?=\s*[.!]?\s*$)"
)
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)")
# "is what people think", ", but Saturn": the truth is granted to others, or followed by another name.
_CONCEDES = re.compile(
    r"\s*(?:is|are)\s+what\s+(?:\w+\s+){1,3}(?:think|thinks|say|says|believe|guess|expect|assume)\b"
    r"|.*,\s*but\s+(?:(?:an?|the)\s+[\w-]+|[A-Z][\w-]*)(?:\s+[\w-]+)?\s*$"
)
_DETERMINED = re.compile(r"\s*(?:an?|the|its|their|one)\s", re.IGNORECASE)
# What takes a verdict back or adds to it; the second kind also begins ordinary sentences.
_TURNS = re.compile(
    r"\s*(?:or|actually|alternatively|maybe|perhaps|possibly|wait|either|if\s+not)\b", re.IGNORECASE
)
_MAY_TURN = re.compile(
    r"\s*(?:and|but|also(?!\s+(?:known|called))|instead(?!\s+of)|otherwise|no)\b", re.IGNORECASE
)
# Where one claim ends and another can begin, and what in a claim is not claimed of the question's subject.
_SENTENCE_END = re.compile(r"[.;!?:]+(?!\d)|\n+")
_FRAGMENT_END = re.compile(r"[.;!?:]+(?!\d)|\n+|,(?!\d)|\s+(?:and|but)\s+")
_CONTRAST = re.compile(
    r"\b(?:not|never|no|nor|neither|than|unlike|instead|rather|while|whereas|although|though|because|since|as"
    r"|so|which|who|that|what|where|when|how|if|unless|compared|like|incorrect|wrong|false)\b|n't\b",
    re.IGNORECASE,
)
_IS = re.compile(r"\b(?:is|are|was|were)\b", re.IGNORECASE)
_RUN_ON = re.compile(r"\b(?:is|are|was|were)\s.*\s(?:is|are|was|were)\b", re.IGNORECASE)
_WINS = re.compile(
    r"^(?!\W*(?:it|this|that|they|these|the\s+(?:\w+\s+)?(?:answer|option|choice|term))\b)"
    r".*\w\s+(?:is|are)\s+(?:(?:also|really|actually|probably)\s+)?(?:the\s+)?(?:\w+\s+)?"
    r"(?:correct|right|better|best|answer)\s*$",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\W*(?:it|they|this|that|these)\b", re.IGNORECASE)
_NAME = re.compile(r"\s*the\s+\w+(?:\s+\w+)?\s*", re.IGNORECASE)
_ACRONYM = re.compile(r"[A-Z]{3,}")  # (RNA) may be another candidate
_SYMBOL = re.compile(r"[A-Z][A-Za-z]{0,2}[0-9A-Z+-]{0,8}")  # (DNA), (CO2), (Hg)


def _explains(rest: str, keys: set[str], known: frozenset[str]) -> bool:
  """Says whether what follows the truth explains it, rather than naming a further candidate."""
  if not rest.strip(_CLOSING):
    return True
  if answers.is_denied(rest) or answers.retracts(rest):
    return False
  parenthesis = re.match(r"\s*[(\[]([^()\[\]]*)[)\]]", rest)
  if parenthesis:
    inside, rest = parenthesis[1].strip(), rest[parenthesis.end() :]
    turns = _TURNS.match(inside) or _MAY_TURN.match(inside)
    is_aside = len(inside.split()) > 3 and not turns  # "the powerhouse of the cell"
    is_symbol = _SYMBOL.fullmatch(inside) and not _ACRONYM.fullmatch(inside)
    is_same = answers.key(inside) in keys or any(_abbreviates(inside, key) for key in keys)
    if not (is_aside or is_symbol or is_same or _is_prose(inside)):
      return False
    if answers.is_denied(rest):
      return False
  first, *others = re.split(r"[.;!?]+(?!\d)|\n+", rest)
  others = [other for other in others if other.strip(" )")]
  if others and not (_is_prose(others[0]) or _is_on_topic(others[0], known)):
    return False
  if any(map(_TURNS.match, others)):
    return False
  if _CONCEDES.match(first):
    return False
  first = first.strip()
  if first.startswith(","):
    clause = first[1:]
    if _MAY_TURN.match(clause):
      return False
    # "the cell's powerhouse", where the question speaks of both
    repeats = _DETERMINED.match(clause) and not answers.unknown_words(answers.tokens(clause), known)
    return bool(
        repeats or _EXPLAINS.match(clause) or _APPOSITION.match(clause) or _MEASURE.match(clause)
    )
  if first[:1] in (":", "-", "\u2014", "("):
    return _is_prose(first.lstrip(":-\u2014( "))
  return not first or bool(_EXPLAINS.match(first))


def _abbreviates(text: str, key: str) -> bool:
  """Says whether one of the two is short for the other: "DNA" for "deoxyribonucleic acid"."""
  short, long = sorted((answers.key(text), key), key=len)
  if not 1 < len(short) <= 5 or short[0] != long[0] or len(long) < 2 * len(short):
    return False
  letters = iter(long)
  return all(letter in letters for letter in short)


def _is_candidate(text: str) -> bool:
  """Says whether text before a verdict is a candidate of its own: "Nucleus. The answer is"."""
  words = answers.tokens(re.sub(r"\b(?:so|thus|hence|therefore|my|final|correct)\b", "", text, flags=re.I))
  return bool(words) and not _is_prose(text)


def _is_on_topic(text: str, known: frozenset[str]) -> bool:
  """Says whether a short text without a listed verb speaks of the question: "A whale breathes air"."""
  words = answers.tokens(text)
  return len(words) > 2 and bool(_DETERMINED.match(text)) and not answers.unknown_words(words[:1], known)


def _is_prose(text: str) -> bool:
  """Says whether `text` speaks in sentences, where a candidate would be one to three words."""
  if _TURNS.match(text):
    return False
  if _MAY_TURN.match(text):
    return len(text.split()) >= 6
  if _EXPLAINS.match(text):
    return True
  if all(len(part.split()) <= 2 for part in text.split(",")):
    return False
  return len(text.split()) >= 5 or bool(_SENTENCE_WORDS.search(text))
