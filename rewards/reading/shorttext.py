"""Short texts: a word or a name, compared by key with a reference and its aliases.

One real input: `The mitochondria, because they make ATP.` against "mitochondrion". The other candidates
are unknown here, so what follows must show that it is a reason. Not here: synonyms that no alias lists.
"""

import functools
import re

from rewards.reading import doubt
from rewards.reading.choices import CLAIM_END
from rewards.reading.choices import heads
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

_REASON = re.compile(
    r"\s*(?:[,;:\u2014-]\s*)?(?:because|since|as|(?:(?:in|by|of) )?which|who|where|due to)\b"
    r"|[\s,;\u2014]*(?:explanation|reason|why)\s*:"
    r"|(?:[.,:!;\u2014]|\s-|\s*\n)\s*(?P<it>it|they|this|these)\s+(?!(?:is|are|was|were|also)\b)[a-z]",
    re.IGNORECASE,
)
_DISMISSAL = re.compile(r",?\s*not\s+(?:an?\s+|the\s+)?\w+[.!]?")
_LEADING = frozenset("so thus hence therefore final correct my answer step finally well".split())


@functools.lru_cache(maxsize=4096)
def _accepted(texts: tuple[str, ...]) -> tuple[frozenset[str], tuple[tuple[str, ...], ...]]:
  """The keys of all texts that are accepted, and their words."""
  found = []
  for text in map(wordy, map(undress, texts)):
    found.append(text)
    parenthesis = re.fullmatch(r"(.*\S)\s*\((\S+)\)", text)  # "sulfur dioxide (SO2)"
    found += parenthesis.groups() if parenthesis else ()
  keys = frozenset(map(key, found)) | frozenset(map(_list_key, found))
  return keys - {""}, tuple(tuple(tokens(text)) for text in found)


def _list_key(text: str) -> str:
  """The key of a list whatever its order: "sperm and eggs" is "eggs and sperm"; "" where it is none."""
  parts = [key(part) for part in re.split(r",\s*(?:and\s+)?|\s+and\s+", text) if part.strip()]
  return "|".join(sorted(parts)) if len(parts) > 1 else ""


class ShortTextKind(Kind):
  """How a short text is read; the verdict is True: only the reference's own text can be told from prose."""

  name = "ShortText"

  def __init__(self, prompt: str, texts: tuple[str, ...]):
    super().__init__(prompt)
    self.keys, self.words = _accepted(texts)

  def take(self, body: str) -> tuple[bool, str] | None:
    body = wordy(body)
    if body.endswith("?"):
      raise Refused("hedged", "Doubt: the answer asks.")
    for text in (body, INTRODUCTION.sub("", body, count=1)):
      for head in heads(text):
        if key(head) in self.keys or _list_key(head.strip(" .")) in self.keys:
          return True, text[len(head) :]
    for end in (SENTENCE, CLAIM_END):
      sentence = end.split(body, maxsplit=1)[0].partition(" (")[0]
      said = any(restates(sentence, list(own), self.prompt) for own in self.words)
      if said and not doubt.in_verdict(sentence):
        return True, body[len(sentence) :]
    return None

  def bare(self, line: str) -> bool | None:
    words = [word for word in tokens(wordy(line)) if word not in _LEADING]
    return None if not 0 < len(words) <= 3 or line.rstrip().endswith(":") else key(wordy(line)) in self.keys

  def check(self, verdict: bool, reason: str) -> None:
    """Refuses whatever is not shown to be a reason: it may be a further candidate."""
    known = prompt_words(self.prompt)
    aside = re.match(r"\s*\(([^()]*)\)|\s*[,\u2014-]\s*((?:the|an?)\s[^.!\n]*)(?=[.!]?\s*$)", reason)
    words = re.sub(r"^(?:plural|singular):\s+", "", aside[1] or aside[2] or "") if aside else ""
    is_asked = words and "or" not in known and all(stem(word) in known for word in tokens(words))
    if is_asked or key(words) in self.keys:
      reason = reason[aside.end() :]
    if not reason.strip(" .!)\n") or _DISMISSAL.fullmatch(reason):
      return
    word = doubt.in_reason(reason)
    if word:
      raise Refused("hedged", f"Doubt: {word!r} withdraws the text.")
    offers = _REASON.match(reason)
    if not offers or offers["it"] and "or" in known:  # "decreases. It increases."
      raise Refused("several", f"Reason: {reason.strip(' .,')[:60]!r} may be another candidate.")
