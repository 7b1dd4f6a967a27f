"""Choices: one of several given answers, by its label, its text, or both where they agree.

One real input: `**B) carbon dioxide**, because plants need it` against four gases is choice B.
Not here: what a choice means; a paraphrase of its text is refused.
"""

import functools
import re

from rewards.reading import doubt
from rewards.reading.dress import undress
from rewards.reading.dress import wordy
from rewards.reading.sentences import Kind
from rewards.reading.sentences import Refused
from rewards.reading.sentences import SENTENCE
from rewards.reading.words import key
from rewards.reading.words import restates
from rewards.reading.words import tokens

# From strict to loose: "TT" and "Tt" differ by case alone, "cell" and "cells" by number alone.
_LEVELS = (
    lambda text: " ".join(text.split()).rstrip("."),
    lambda text: " ".join(text.split()).rstrip(".").casefold(),
    functools.partial(key, singular=False),
    key,
)
INTRODUCTION = re.compile(
    r"\s*(?:(?:it|this|that)(?:'s| is| was)|(?:they|these|those) are|(?:I |we )?(?:choose|pick|select)|is)\b\s*(?:called )?",
    re.IGNORECASE,
)
_HEAD_END = re.compile(r"\s*(?:[;!?\n(\u2014]|[,.:](?![0-9])|\s-\s|\s(?=(?:because|since|as|due|which|who|where)\b))")
CLAIM_END = re.compile(rf"{SENTENCE.pattern}|,?\s(?=(?:because|since|(?:(?:in|by|of) )?which|who|where)\b)", re.IGNORECASE)
_LONGEST_HEAD = 600
_IS_ANSWER = re.compile(r"\s+(?:is|are|would be)\s+(?:the\s+|my\s+)?(?:correct|right|best)?\s*(?:answer|choice|option|one)?(?=\s*(?:[.,;:!\n]|$|because|since|as))", re.IGNORECASE)
_AFTER_LABEL = re.compile(r"\s*(?:$|[.:,](?![0-9])|[;!\n\u2014|]|\((?=\w{2})|-\s|[-\u2014]?\s*(?=because\b|since\b|as\b|due\b|which\b))")
_SUBJECT = re.compile(r"(?:it|they)\s+(?=\w)", re.IGNORECASE)


class Choices:
  """The choices of one question, ready to be found: labels without brackets, texts by key, mentions by pattern."""

  def __init__(self, pairs: tuple[tuple[str, str], ...]):
    self.labels = [re.sub(r"\W", "", label) or label for label, _ in pairs]
    self.texts = [wordy(undress(text)) for _, text in pairs]
    shorts = [_SUBJECT.sub("", text, count=1) for text in self.texts]  # "It increases" is "increases"
    self.by_label = {label.casefold(): label for label in self.labels}
    self._indices = [(level, self._index(level, self.texts), self._index(level, shorts)) for level in _LEVELS]
    self.words = {label: tokens(text) for label, text in zip(self.labels, shorts)}
    self.full = {label: tokens(text) for label, text in zip(self.labels, self.texts)}
    self.asks = any("?" in text for text in self.texts)
    names = "|".join(sorted(map(re.escape, self.labels), key=len, reverse=True))
    self.label = re.compile(
        rf"((?:option|choice|letter|answer)\s*)?([(\[{{<]?)\s*({names})(?![\w'])(?:\s*([)\]}}>]))?(\.(?![0-9]))?", re.IGNORECASE
    )
    self.bracketed = re.compile(rf"[\s,.\u2014-]*[(\[]?\s*(?:(?:option|choice|answer|label)\s+)?({names})(?![\w'])\s*[)\]]?(?=\s*(?:[.,;:!\n)]|$))", re.IGNORECASE)
    # In prose a label stands in its own case, in brackets, behind "option", or where no word goes on.
    self.mention = re.compile(
        rf"(?<![\w'])(?:[(\[]({names})[)\]]|(?i:option|choice|answer)s?\s+({names})\b"
        rf"|({names})(?=\s*(?:[).,;:!?/&\n=>(]|$)|\s+(?:is|are|was|were|and|or|but|would|because|since|better)\b))"
    )

  def _index(self, level, texts: list[str]) -> dict[str, str | None]:
    index: dict[str, str | None] = {}
    for label, text in zip(self.labels, texts):
      name = level(text)
      if name:
        index[name] = None if name in index else label
    return index

  def named(self, text: str) -> str | None:
    """The label whose text this is, at the strictest level at which it is one's alone."""
    for which in (1, 2):
      for entry in self._indices:
        name = entry[0](text)
        if name in entry[which]:
          if entry[which][name]:
            return entry[which][name]
          break
    return None

  def mentioned(self, text: str) -> set[str]:
    """The labels that a text mentions, by label or by the whole of a choice's text, the longest first."""
    found = {self.by_label[next(filter(None, m.groups())).casefold()] for m in self.mention.finditer(text)}
    joined = f" {' '.join(tokens(text))} "
    for label, own in sorted(self.words.items(), key=lambda item: -len(item[1])):
      phrase = f" {' '.join(own)} "
      if own and phrase in joined:
        found.add(label)
        joined = joined.replace(phrase, " ... ")
    return found


@functools.lru_cache(maxsize=4096)
def choices_of(pairs: tuple[tuple[str, str], ...]) -> Choices:
  """Returns the Choices of these pairs, kept because every completion of a group asks for them."""
  return Choices(pairs)


_X = r"(?:(?:options?|choices?|answers?)\s+)?[^.;\n]{1,120}?"
_DISMISSAL = re.compile(
    r"\b(?:not|unlike|rather than|instead of)\s+(?:(?:option|choice)\s+)?([^.,;:\n()]{1,80}(?:\([^()]{1,9}\))?)"
    rf"|(?:^|[.;\n:]|\bbecause|\bsince)\s*({_X})\s+(?:is|are)\s+(?:all\s+|both\s+)?(?:wrong|incorrect|false|not correct)\b(?=\s*(?:[.;,\n]|$|because))",
    re.IGNORECASE,
)


class ChoiceKind(Kind):
  """How a choice is read; verdicts are labels."""

  name = "Choice"

  def __init__(self, prompt: str, pairs: tuple[tuple[str, str], ...]):
    super().__init__(prompt)
    self.choices = choices_of(pairs)

  def take(self, body: str) -> tuple[str, str] | None:
    choices = self.choices
    body = wordy(body)
    if body.endswith("?") and not choices.asks:
      raise Refused("hedged", "Doubt: the answer asks.")
    for text in (body, INTRODUCTION.sub("", body, count=1)):
      labelled = choices.label.match(text)
      dressed = labelled and (labelled[4] or labelled[5])
      found = self._by_label(text) if dressed else self._by_text(text) or self._by_label(text)
      if found:
        return found
    sentence = CLAIM_END.split(body, maxsplit=1)[0]
    mentioned = choices.mentioned(sentence)
    if len(mentioned) == 1 and not doubt.in_verdict(sentence):
      (label,) = mentioned
      bare = choices.bracketed.search(sentence)
      words = sentence[: bare.start()] if bare else sentence
      if restates(words, choices.full[label], self.prompt) or bare and restates(f"{words} {bare[1]}", tokens(bare[1]), self.prompt):
        return label, body[len(sentence) :]
    if len(mentioned) > 1:
      raise Refused("several", "Choice: a sentence names several.")
    word = doubt.in_verdict(sentence)
    if word and mentioned:
      raise Refused("hedged", f"Doubt: {word!r} beside the choice.")
    return None

  def _by_text(self, text: str, behind_label: bool = False) -> tuple[str, str] | None:
    """A choice's text at the start, up to a place where a verdict can end; then its label, if at all."""
    cuts = [len(text)] if len(text) <= _LONGEST_HEAD else []
    cuts += reversed([m.start() for m in _HEAD_END.finditer(text, 0, _LONGEST_HEAD)][:16])
    for cut in cuts:
      # A whole text that is a label is read as that label; "A tree" is a text.
      head = text[:cut]
      if not behind_label and head.strip(" .()").casefold() in self.choices.by_label:
        return None
      label = self.choices.named(head)
      if label:
        rest = text[cut:]
        again = self.choices.bracketed.match(rest)
        if again:
          if self.choices.by_label[again[1].casefold()] != label:
            raise Refused("several", "Choice: its text and its label disagree.")
          rest = rest[again.end() :]
        return label, self._without_is(rest)
    return None

  def _by_label(self, text: str) -> tuple[str, str] | None:
    match = self.choices.label.match(text)
    if not match:
      return None
    label, rest = self.choices.by_label[match[3].casefold()], text[match.end() :]
    is_dressed = match[4] or match[5] or match[1] and not re.match(r"\s+[a-z]", rest) or _AFTER_LABEL.match(rest) or _IS_ANSWER.match(rest)
    after = re.sub(r"^[\s.:,;|)(\u2014-]+", "", rest)
    named = self._by_text(after, True) if after else None
    if named and (is_dressed or named[0] == label):
      if named[0] != label:
        if re.match(r"\s+(?:is|are|was|were|would|does|has|can)\b|\s*,", after[len(after) - len(named[1]) :]) or not is_dressed:
          raise Refused("several", "Reason: it names another choice.")
        raise Refused("several", "Choice: its label and its text disagree.")
      return label, re.sub(r"^\s*\)", "", named[1])
    return (label, self._without_is(rest)) if is_dressed else None

  def _without_is(self, rest: str) -> str:
    answers = _IS_ANSWER.match(rest)
    return rest[answers.end() :] if answers else rest

  def bare(self, line: str) -> str | None:
    line = wordy(line).strip(" .,;:!")
    found = self.choices.label.fullmatch(line)
    return self.choices.by_label[found[3].casefold()] if found else self.choices.named(line) if line else None

  def check(self, verdict: str, reason: str) -> None:
    """Refuses a reason that withdraws the choice, or names another one and does not dismiss it."""
    choices = self.choices
    for match in reversed(list(_DISMISSAL.finditer(reason))):
      what = match[1] or match[2]
      if verdict not in choices.mentioned(what + ".") and choices.mentioned(what + "."):
        reason = reason[: match.start()] + " . " + reason[match.end() :]
    word = doubt.in_reason(reason)
    if word:
      raise Refused("hedged", f"Doubt: {word!r} withdraws the choice.")
    denied = re.match(r"\s*(?:is|are|was|were|do|does|can|would)\b(?:n't|\s+(?:not|never)\b)", reason)
    if denied:
      raise Refused("hedged", f"Doubt: {denied[0].strip()!r} denies the choice.")
    if re.match(r"\s*(?:/|&|\+|>|and\b|plus\b|then\b)", reason):
      raise Refused("several", "Choice: something is joined to it.")
    others = choices.mentioned(reason) - {verdict}
    if others:
      raise Refused("several", f"Reason: it names another choice, {sorted(others)[0]}.")

