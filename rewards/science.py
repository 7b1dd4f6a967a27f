"""Science answers: a short free text, or one of several choices.

One real input: the answer `The mitochondria.` against Text("mitochondrion"), or `(B) Carbon dioxide`
against Choice(label="B", text="carbon dioxide", ...).

Not here: synonyms that the row does not list as aliases, paraphrase, formulas.
"""

import functools
import re

from rewards import answers
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
  not name a further candidate. In free text the other candidates are unknown, so what follows must
  be prose.
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
  truth = _truth(reference)
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
  if all(stated) and (verdict or stated):
    return Score(1.0, reason=f"the answer states {reference.text!r}")
  if verdict is None and not stated:
    known = answers.question_words(prompt)
    sentence, _, rest = text.partition(". ")
    states = answers.is_sentence(sentence) and any(
        answers.restates(sentence, words, known) for words in truth.words
    )
    if states and _explains(". " + rest, truth.keys):
      return Score(1.0, reason=f"the answer repeats the question with {reference.text!r}")
  if verdict is False:
    return Score(0.0, reason=f"the answer names {reference.text!r} and takes it back or names more")
  return Score(0.0, reason=f"the answer does not state {reference.text!r}")


class _Truth:
  """All texts that a reference accepts, as keys."""

  def __init__(self, reference: Text):
    texts = []
    for text in map(answers.unwrap, (reference.text, *reference.aliases)):
      texts.append(text)
      parenthesis = re.fullmatch(r"(.*\S)\s*\((\S+)\)", text)  # "sulfur dioxide (SO2)"
      if parenthesis:
        texts += parenthesis.groups()
    self.words = [words for words in map(answers.tokens, texts) if words]
    self.keys = {answers.key(text) for text in texts} - {""}
    self.lists = {_list_key(text) for text in texts} - {""}
    self._longest = 2 * max(map(len, texts)) + 32

  def verdict(self, text: str) -> bool | None:
    """True when `text` opens with the truth, False when it then takes it back, None when it does not."""
    for opening in answers.openings(text.strip()):
      for head, rest in answers.heads(opening, self._longest):
        if answers.key(head) in self.keys or self.lists and _list_key(head) in self.lists:
          return _explains(rest, self.keys)
    return None


@functools.lru_cache(maxsize=4096)
def _truth(reference: Text) -> _Truth:
  return _Truth(reference)


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
    r"\s*(?:an?|the|one)\s+[^,]+\s(?:of|that|which|who|where|in|for|by)\s+[^,]+$", re.IGNORECASE
)
# What takes a verdict back or adds to it; the second kind also begins ordinary sentences.
_TURNS = re.compile(
    r"\s*(?:or|actually|alternatively|maybe|perhaps|possibly|wait|either|if\s+not)\b", re.IGNORECASE
)
_MAY_TURN = re.compile(
    r"\s*(?:and|but|also(?!\s+(?:known|called))|instead(?!\s+of)|otherwise|no)\b", re.IGNORECASE
)
_SYMBOL = re.compile(r"[A-Z][A-Za-z]{0,2}[0-9A-Z+-]{0,8}")  # (DNA), (CO2), (Hg)


def _explains(rest: str, keys: set[str]) -> bool:
  """Says whether what follows the truth explains it, rather than naming a further candidate."""
  if not rest.strip(" .!\n)"):
    return True
  if answers.is_denied(rest):
    return False
  parenthesis = re.match(r"\s*[(\[]([^()\[\]]*)[)\]]", rest)
  if parenthesis:
    inside, rest = parenthesis[1].strip(), rest[parenthesis.end() :]
    turns = _TURNS.match(inside) or _MAY_TURN.match(inside)
    is_aside = len(inside.split()) > 3 and not turns  # "the powerhouse of the cell"
    if not (is_aside or _SYMBOL.fullmatch(inside) or answers.key(inside) in keys or _is_prose(inside)):
      return False
    if answers.is_denied(rest):
      return False
  first, *others = re.split(r"[.;!?]+(?!\d)|\n+", rest)
  others = [other for other in others if other.strip(" )")]
  if others and not _is_prose(others[0]) or any(map(_TURNS.match, others)):
    return False
  first = first.strip()
  if first.startswith(","):
    clause = first[1:]
    return bool(not _MAY_TURN.match(clause) and (_EXPLAINS.match(clause) or _APPOSITION.match(clause)))
  if first[:1] in (":", "-", "\u2014", "("):
    return _is_prose(first.lstrip(":-\u2014( "))
  return not first or bool(_EXPLAINS.match(first))


def _is_candidate(text: str) -> bool:
  """Says whether text before a verdict is a candidate of its own: "Nucleus. The answer is"."""
  words = answers.tokens(re.sub(r"\b(?:so|thus|hence|therefore|my|final|correct)\b", "", text, flags=re.I))
  return bool(words) and not _is_prose(text)


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
