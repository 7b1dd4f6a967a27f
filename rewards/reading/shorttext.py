"""Short texts: a word or a name, compared by key with a reference and its aliases.

One real input: `The mitochondria, because they make ATP.` against "mitochondrion". The other candidates
are unknown here, so what follows must show that it is a reason. Not here: synonyms that no alias lists.
"""

import functools
import re

from rewards.reading import doubt
from rewards.reading.choices import CLAIM_END
from rewards.reading.choices import INTRODUCTION
from rewards.reading.dress import undress
from rewards.reading.dress import wordy
from rewards.reading.sentences import Kind
from rewards.reading.sentences import Refused
from rewards.reading.sentences import SENTENCE
from rewards.reading.words import key
from rewards.reading.words import prompt_words
from rewards.reading.words import restates
from rewards.reading.words import stem
from rewards.reading.words import tokens

_HEAD_END = re.compile(r"\s*(?:[;!\n(\u2014]|[,.:](?![0-9])|\s-\s|\s(?=(?:because|since|as|which|who|where|that|not)\b))")
_REASON = re.compile(
    r"\s*(?:[,;:\u2014-]\s*)?(?:because|since|as|(?:(?:in|by|of) )?which|who|where|due to)\b|[\s,;\u2014]*(?:explanation|reason|why)\s*:|(?:[.,:!;\u2014]|\s-)\s+(?:it|they|this|these|he|she)\s+(?!is\b|are\b|was\b|were\b|also\b)[a-z]"
    r"|\s*\n+\s*(?:it|they|this|these|explanation)\b(?!\s+(?:is|are|was|were|also)\b)", re.IGNORECASE,
)
_LEADING = frozenset("so thus hence therefore final correct my answer step finally well".split())
_BRACKET = re.compile(r"\s*[(\[]\s*(?:(?:plural|singular|i\.e\.|or|that is)[:,]?\s+)?([^()\[\]]*)[)\]]", re.IGNORECASE)


@functools.lru_cache(maxsize=4096)
def _accepted(texts: tuple[str, ...]) -> tuple[frozenset[str], tuple[tuple[str, ...], ...], int]:
  """The keys of all texts that are accepted, their words, and the longest one's characters."""
  found = []
  for text in map(lambda t: wordy(undress(t)), texts):
    found.append(text)
    parenthesis = re.fullmatch(r"(.*\S)\s*\((\S+)\)", text)  # "sulfur dioxide (SO2)"
    found += parenthesis.groups() if parenthesis else ()
  keys = frozenset(map(key, found)) | frozenset(filter(None, map(_list_key, found)))
  return keys - {""}, tuple(tuple(tokens(t)) for t in found), max(map(len, found))


def _list_key(text: str) -> str:
  """The key of a list whatever its order: "sperm and eggs" is "eggs and sperm"; "" where it is none."""
  parts = [key(p) for p in re.split(r",\s*(?:and\s+)?|\s+and\s+", text) if p.strip()]
  return "|".join(sorted(parts)) if len(parts) > 1 else ""


class ShortTextKind(Kind):
  """How a short text is read; the verdict is True, as only the reference's own text can be told from prose."""

  name = "ShortText"

  def __init__(self, prompt: str, texts: tuple[str, ...]):
    super().__init__(prompt)
    self.keys, self.words, self.longest = _accepted(texts)

  def take(self, body: str) -> tuple[bool, str] | None:
    body = wordy(body)
    if body.endswith("?"):
      raise Refused("hedged", "Doubt: the answer asks.")
    for text in (body, INTRODUCTION.sub("", body, count=1)):
      cuts = [len(text)] if len(text) <= 2 * self.longest + 40 else []
      cuts += reversed([m.start() for m in _HEAD_END.finditer(text, 0, 2 * self.longest + 40)][:16])
      for cut in cuts:
        if key(text[:cut]) in self.keys or _list_key(text[:cut].strip(" .")) in self.keys:
          return True, text[cut:]
    for sentence in (SENTENCE.split(body, maxsplit=1)[0], CLAIM_END.split(body, maxsplit=1)[0]):
      head = sentence.partition(" (")[0]
      if any(restates(head, list(own), self.prompt) for own in self.words) and not doubt.in_verdict(head):
        return True, body[len(head) :]
    return None

  def bare(self, line: str) -> bool | None:
    words = [w for w in tokens(wordy(line)) if w not in _LEADING]
    return None if not 0 < len(words) <= 3 or line.rstrip().endswith(":") else key(wordy(line)) in self.keys

  def check(self, verdict: bool, reason: str) -> None:
    """Refuses whatever is not shown to be a reason: it may be a further candidate."""
    known = prompt_words(self.prompt)
    bracket = _BRACKET.match(reason)
    if bracket and (key(bracket[1]) in self.keys or bracket[1].strip() and all(stem(w) in known for w in tokens(bracket[1]))):
      reason = reason[bracket.end() :]
    word = doubt.in_reason(re.sub(r"^,?\s*not\s+(?:an?\s+|the\s+)?\w+(?=[.!]?$)", "", reason))
    if word:
      raise Refused("hedged", f"Doubt: {word!r} withdraws the text.")
    apposition = reason.lstrip(" ,\u2014-").rstrip(" .!")
    of_question = reason[:1] in ",:\u2014-" and apposition.startswith(("the ", "a ", "an ")) and "or" not in known and all(stem(w) in known for w in tokens(apposition))
    dismissal = re.fullmatch(r",?\s*not\s+(?:an?\s+|the\s+)?\w+[.!]?", reason)
    offers = _REASON.match(reason)
    if offers and "or" in known and re.search(r"\b(?:it|they|this|these|he|she)\s", offers[0], re.IGNORECASE):
      offers = None  # "decreases. It increases."
    if reason.strip(" .!)\n") and not (offers or of_question or dismissal):
      raise Refused("several", f"Reason: {reason.strip(' .,')[:60]!r} may be another candidate.")
