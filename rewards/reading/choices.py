"""Words as verdicts: one of several given choices, or a short text with its aliases.

One real input: `**B) carbon dioxide**, because plants need it` against four gases is choice B. Both kinds
read the longest head of a text that names one candidate beside harmless words; what follows is its reason.
Not here: what a choice means; a paraphrase of its text is refused.
"""

import functools
import re

from rewards.reading import doubt
from rewards.reading.doubt import Refused
from rewards.reading.dress import undress
from rewards.reading.dress import wordy
from rewards.reading.sentences import Kind
from rewards.reading.sentences import SENTENCE
from rewards.reading.words import FUNCTION
from rewards.reading.words import key
from rewards.reading.words import prompt_words
from rewards.reading.words import refuse_beside
from rewards.reading.words import stem
from rewards.reading.words import tokens

_LONGEST_HEAD, _MOST_HEADS = 600, 16
_HEAD_END = re.compile(
    r"\s*(?:[;!?\n(\u2014|]|[,.:](?![0-9])|\s-\s|\s(?=(?:because|since|as|due|(?:(?:in|by|of) )?which|who"
    r"|where)\b))"
)
# From loose to strict: "cell" and "cells" differ by number alone, "TT" and "Tt" by case.
_LEVELS = (tokens, functools.partial(tokens, singular=False), re.compile(r"[^\s.,;:!?()]+").findall)
_BESIDE = frozenset("option choice letter label correct right best choose pick select one".split())
_DISMISSAL = re.compile(
    r"\b(?:(?<!if )not|unlike|rather than|instead of)\s+([^.,;:\n()]{1,80}(?:\([^()]{1,9}\))?)"
    r"|(?:^|[.;\n:]|\bbecause|\bsince)\s*([^.;\n]{1,120}?)\s+(?:is|are)\s+(?:all\s+|both\s+)?"
    r"(?:wrong|incorrect|false|not correct)\b(?=\s*(?:[.;,\n]|$|because))",
    re.IGNORECASE,
)


def heads(text: str) -> list[str]:
  """The ways in which a verdict in words can end: with the text, or at a place where a reason can begin."""
  cuts = [match.start() for match in _HEAD_END.finditer(text, 0, _LONGEST_HEAD)][:_MOST_HEADS]
  found = [text[:cut] for cut in [*([len(text)] if len(text) <= _LONGEST_HEAD else []), *reversed(cuts)]]
  return [head for head in found if head.count("(") == head.count(")")]


class Choices:
  """The choices of one question, ready to be found: labels without brackets, tokens of their texts."""

  def __init__(self, pairs: tuple[tuple[str, str], ...]):
    self.labels = [re.sub(r"\W", "", label) or label for label, _ in pairs]
    self.by_label = {label.casefold(): label for label in self.labels}
    texts = [wordy(undress(text)) for _, text in pairs]
    self.asks = any("?" in text for text in texts)
    distinct = (level for level in _LEVELS if len({tuple(level(text)) for text in texts}) == len(texts))
    self.tokens = next(distinct, _LEVELS[-1])
    self.full = {label: self.tokens(text) for label, text in zip(self.labels, texts)}
    short = [re.sub(r"(?i)^(?:it|they)\s+(?=\w)", "", text) for text in texts]  # "It increases"
    self.short = {label: self.tokens(text) for label, text in zip(self.labels, short)}
    names = "|".join(sorted(map(re.escape, self.labels), key=len, reverse=True))
    # At the start: in brackets, behind "option", or before what can close a label.
    self.label = re.compile(
        rf"\s*(?:(?:option|choice|letter|answer)\s+[(\[]?({names})\b[)\]]?(?!\s+[a-z])"
        rf"|[(\[{{<]\s*({names})\s*[)\]}}>]|({names})(?:\s*[)\]}}>]|\s*[.:](?![0-9])|(?=\s*(?:$|[,;!\n\u2014"
        rf"|](?![0-9])|-\s|\(\w{{2}}))))(?:\.(?![0-9]))?",
        re.IGNORECASE,
    )
    # In prose a label stands in its own case, in brackets, behind "option", or where no word goes on.
    self.mention = re.compile(
        rf"(?<![\w'])(?:[(\[]({names})[)\]]|(?i:option|choice|answer|label)s?\s+({names})\b"
        rf"|({names})(?=\s*(?:[).,;:!?/&\n=>(\[]|$)|\s+(?:{names}|[Oo]ption|to|which|then|not|is|are|was|were"
        rf"|and|or|but|would|because|better)\b))"
    )

  def label_of(self, match: re.Match) -> str:
    return self.by_label[next(filter(None, match.groups())).casefold()]

  def mentioned(self, text: str, names: dict) -> tuple[set[str], list[str]]:
    """The labels that a text mentions, by label or by the whole of a choice's text; and the words left."""
    found = set(map(self.label_of, self.mention.finditer(text)))
    joined = f" {' '.join(self.tokens(text))} "
    for label, own in sorted(names.items(), key=lambda item: -len(item[1])):
      phrase = f" {' '.join(own)} "
      if own and phrase in joined:
        found.add(label)
        joined = joined.replace(phrase, " ")
    left = joined.split()
    for label in found & {word.upper() for word in left}:
      left.remove(label.lower() if label.lower() in left else label)  # its label stands beside its text
    return found, left


@functools.lru_cache(maxsize=4096)
def choices_of(pairs: tuple[tuple[str, str], ...]) -> Choices:
  """Returns the Choices of these pairs, kept because every completion of a group asks for them."""
  return Choices(pairs)


class ChoiceKind(Kind):
  """How a choice is read; verdicts are labels."""

  name = "Choice"

  def __init__(self, prompt: str, pairs: tuple[tuple[str, str], ...]):
    super().__init__(prompt)
    self.choices = choices_of(pairs)

  def take(self, body: str) -> tuple[str, str] | None:
    body = wordy(body)
    if body.endswith("?") and not self.choices.asks:
      raise Refused("hedged", "Doubt: the answer asks.")
    match = self.choices.label.match(body)
    if match:
      return self.choices.label_of(match), body[match.end() :]
    refused = None
    for head in heads(body):
      label = self._named(head)
      if label:
        return label, body[len(head) :]
      found, left = self.choices.mentioned(head, self.choices.full)
      if len(found) == 1 and found >= self.choices.mentioned(head, self.choices.short)[0]:
        try:
          refuse_beside(left, self.prompt, _BESIDE)
          return found.pop(), body[len(head) :]
        except Refused as refusal:
          refused = refusal
    if refused:
      raise refused
    return None

  def _named(self, text: str) -> str | None:
    """The label whose text this is, and nothing else."""
    own = self.choices.tokens(text)
    texts = [*self.choices.full.items(), *self.choices.short.items()]
    return next((label for label, tokens_ in texts if tokens_ == own), None) if own else None

  def bare(self, line: str) -> str | None:
    line = wordy(line).strip(" .,;:!")
    found = self.choices.label.fullmatch(line)
    return self.choices.label_of(found) if found else self._named(line)

  def check(self, verdict: str, reason: str) -> None:
    """Refuses a reason that withdraws the choice, or names another one and does not dismiss it."""
    own = re.match(r"[\s.:,;|)(\u2014-]*", reason).end()
    for head in heads(reason[own:]):  # its text behind its label comes first, even where it is a label too
      if self.choices.tokens(head) == self.choices.full[verdict]:
        reason = reason[own + len(head) :]
        break
    for match in reversed(list(_DISMISSAL.finditer(reason))):
      dismissed, _ = self.choices.mentioned((match[1] or match[2]) + ".", self.choices.short)
      if dismissed and verdict not in dismissed:
        reason = reason[: match.start()] + " . " + reason[match.end() :]
    doubt.refuse_behind(reason)
    others = self.choices.mentioned(reason, self.choices.short)[0] - {verdict}
    if others:
      raise Refused("several", f"Reason: it names another choice, {sorted(others)[0]}.")


# ---- Short texts ---------------------------------------------------------------------------------

_REASON = re.compile(
    r"\s*(?:[,;:\u2014-]\s*)?(?:because|since|as|(?:(?:in|by|of) )?which|who|where|due to)\b"
    r"(?!\s+well\b)(?!\s+(?:(?:it|they)\s+)?(?:is|are)\b)"
    r"|[\s,;\u2014]*(?:explanation|reason|why)\s*:"
    r"|(?:[.,:!;\u2014]|\s-|\s*\n)\s*(?P<it>it|they|this|these)\s+(?!(?:is|are|was|were|also)\b)[a-z]",
    re.IGNORECASE,
)
_NOT_THE_OTHER = re.compile(r",?\s*not\s+(?:an?\s+|the\s+)?\w+[.!]?")
_LEADING = frozenset("so thus hence therefore final correct my answer step finally well".split())


@functools.lru_cache(maxsize=4096)
def _accepted(texts: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
  """The keys of all texts that are accepted, and their words between spaces."""
  found = []
  for text in map(wordy, map(undress, texts)):
    parenthesis = re.fullmatch(r"(.*\S)\s*\((\S+)\)", text)  # "sulfur dioxide (SO2)"
    found += [text, *(parenthesis.groups() if parenthesis else ())]
  keys = frozenset(map(key, found)) | frozenset(map(_list_key, found))
  return keys - {""}, tuple(f" {' '.join(tokens(text))} " for text in found if tokens(text))


def _list_key(text: str) -> str:
  """The key of a list whatever its order: "sperm and eggs" is "eggs and sperm"; "" where it is none."""
  parts = [key(part) for part in re.split(r",\s*(?:and\s+)?|\s+and\s+", text) if part.strip()]
  return "|".join(sorted(parts)) if len(parts) > 1 else ""


class ShortTextKind(Kind):
  """How a short text is read; the verdict is True: only the reference's own text can be told from prose."""

  name = "ShortText"

  def __init__(self, prompt: str, texts: tuple[str, ...]):
    super().__init__(prompt)
    self.keys, self.names = _accepted(texts)

  def take(self, body: str) -> tuple[bool, str] | None:
    body = wordy(body)
    if body.endswith("?"):
      raise Refused("hedged", "Doubt: the answer asks.")
    refused = None
    for head in heads(body):
      try:
        if self._states(head):
          return True, body[len(head) :]
      except Refused as refusal:
        refused = refusal
    if refused:
      raise refused
    return None

  def _states(self, head: str) -> bool:
    """Whether a head is the text, or a sentence that holds it once beside harmless words and is no list."""
    if key(head) in self.keys or _list_key(head.strip(" .")) in self.keys:
      return True
    joined = f" {' '.join(tokens(head))} "
    for own in self.names:
      left = joined.replace(own, " ", 1).split()
      is_offered = "or" in prompt_words(self.prompt) and any(word not in FUNCTION for word in left)
      is_once = joined.count(own) == 1 and len(left) + len(own.split()) == len(joined.split())
      is_list = "," in head and "," not in self.prompt or SENTENCE.search(head.rstrip(" .!"))
      if is_once and not is_offered and not is_list and key(head) not in key(self.prompt):
        refuse_beside(left, self.prompt)
        return True
    return False

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
    if not reason.strip(" .!)\n") or _NOT_THE_OTHER.fullmatch(reason):
      return
    doubt.refuse_behind(reason)
    offers = _REASON.match(reason)
    if not offers or offers["it"] and "or" in known:  # "decreases. It increases."
      raise Refused("several", f"Reason: {reason.strip(' .,')[:60]!r} may be another candidate.")
