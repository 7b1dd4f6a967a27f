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
    r"\s*(?:(?:it|this|that)(?:'s| is| was)|(?:they|these|those) are|(?:I )?(?:choose|pick|select)|is)\b\s*"
    r"(?:called )?",
    re.IGNORECASE,
)
CLAIM_END = re.compile(
    rf"{SENTENCE.pattern}|,?\s(?=(?:because|since|(?:(?:in|by|of) )?which|who|where)\b)", re.IGNORECASE
)
_HEAD_END = re.compile(
    r"\s*(?:[;!?\n(\u2014]|[,.:](?![0-9])|\s-\s|\s(?=(?:because|since|as|due|which|who|where|that|not)\b))"
)
_LONGEST_HEAD = 600
_IS_ANSWER = re.compile(
    r"\s+(?:is|would be)\s+(?:the\s+|my\s+)?(?:correct|right|best)?\s*(?:answer|choice|option|one)?"
    r"(?=\s*(?:[.,;:!\n]|$|because|since|as))",
    re.IGNORECASE,
)
_AFTER_LABEL = re.compile(
    r"\s*(?:$|[.:,](?![0-9])|[;!\n\u2014|]|\((?=\w{2})|-\s|[-\u2014]?\s*(?=(?:because|since|as|due|which)\b))"
)
_DENIED = re.compile(
    r"\s*(?:is|are|was|were|do|does|can|would)\b(?:n't|\s+(?:not|never|one)\b)", re.IGNORECASE
)
_JOINED = re.compile(r"\s*(?:/|&|\+|>|and\b|plus\b|then\b)", re.IGNORECASE)
_DISMISSAL = re.compile(
    r"\b(?:not|unlike|rather than|instead of)\s+([^.,;:\n()]{1,80}(?:\([^()]{1,9}\))?)"
    r"|(?:^|[.;\n:]|\bbecause|\bsince)\s*([^.;\n]{1,120}?)\s+(?:is|are)\s+(?:all\s+|both\s+)?"
    r"(?:wrong|incorrect|false|not correct)\b(?=\s*(?:[.;,\n]|$|because))",
    re.IGNORECASE,
)


def heads(text: str) -> list[str]:
  """The ways in which a verdict in words can end: with the text, or at a place where a reason can begin."""
  cuts = [match.start() for match in _HEAD_END.finditer(text, 0, _LONGEST_HEAD)][:16]
  return [text[:cut] for cut in [*([len(text)] if len(text) <= _LONGEST_HEAD else []), *reversed(cuts)]]


class Choices:
  """The choices of one question, ready to be found: labels without brackets, texts, mentions by pattern."""

  def __init__(self, pairs: tuple[tuple[str, str], ...]):
    self.labels = [re.sub(r"\W", "", label) or label for label, _ in pairs]
    self.texts = [wordy(undress(text)) for _, text in pairs]
    self.by_label = {label.casefold(): label for label in self.labels}
    shorts = [re.sub(r"(?i)^(?:it|they)\s+(?=\w)", "", text) for text in self.texts]  # "It increases"
    self.words = {label: tokens(text) for label, text in zip(self.labels, shorts)}
    self.full = {label: tokens(text) for label, text in zip(self.labels, self.texts)}
    named = list(zip(self.labels, self.texts)) + list(zip(self.labels, shorts))
    self.by_level = [[(label, level(own)) for label, own in named] for level in _LEVELS]
    names = "|".join(sorted(map(re.escape, self.labels), key=len, reverse=True))
    self.label = re.compile(
        rf"((?:option|choice|letter|answer)\s*)?[(\[{{<]?\s*({names})(?![\w'])(\s*[)\]}}>])?(\.(?![0-9]))?",
        re.IGNORECASE,
    )
    self.label_behind = re.compile(
        rf"[\s,.\u2014-]*[(\[]?\s*(?:(?:option|choice|answer|label)\s+)?({names})(?![\w'])\s*[)\]]?"
        r"(?=\s*(?:[.,;:!\n)]|$))",
        re.IGNORECASE,
    )
    # In prose a label stands in its own case, in brackets, behind "option", or where no word goes on.
    self.mention = re.compile(
        rf"(?<![\w'])(?:[(\[]({names})[)\]]|(?i:option|choice|answer)s?\s+({names})\b"
        rf"|({names})(?=\s*(?:[).,;:!?/&\n=>(]|$)|\s+(?:is|are|was|were|and|or|but|would|because|better)\b))"
    )

  def named(self, text: str) -> str | None:
    """The label whose text this is, at the strictest level at which it is one's alone."""
    for level, names in zip(_LEVELS, self.by_level):
      name = level(text)
      found = {label for label, own in names if name and own == name}
      if found:
        return found.pop() if len(found) == 1 else None
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


class ChoiceKind(Kind):
  """How a choice is read; verdicts are labels."""

  name = "Choice"

  def __init__(self, prompt: str, pairs: tuple[tuple[str, str], ...]):
    super().__init__(prompt)
    self.choices = choices_of(pairs)

  def take(self, body: str) -> tuple[str, str] | None:
    body = wordy(body)
    if body.endswith("?") and not any("?" in text for text in self.choices.texts):
      raise Refused("hedged", "Doubt: the answer asks.")
    for text in (body, INTRODUCTION.sub("", body, count=1)):
      labelled = self.choices.label.match(text)
      dressed = labelled and (labelled[3] or labelled[4])
      found = self._by_label(text) if dressed else self._by_text(text) or self._by_label(text)
      if found:
        return found
    return self._by_sentence(body)

  def _by_text(self, text: str, behind_label: bool = False) -> tuple[str, str] | None:
    """A choice's text at the start, up to a place where a verdict can end; then its label, if at all."""
    for head in heads(text):
      if not behind_label and head.strip(" .()").casefold() in self.choices.by_label:
        return None  # a whole text that is a label is read as that label; "A tree" is a text
      label = self.choices.named(head)
      if label:
        rest = text[len(head) :]
        again = self.choices.label_behind.match(rest)
        if again and self.choices.by_label[again[1].casefold()] != label:
          raise Refused("several", "Choice: its text and its label disagree.")
        return label, _without_is(rest[again.end() :] if again else rest)
    return None

  def _by_label(self, text: str) -> tuple[str, str] | None:
    match = self.choices.label.match(text)
    if not match:
      return None
    label, rest = self.choices.by_label[match[2].casefold()], text[match.end() :]
    named_so = match[1] and not re.match(r"\s+[a-z]", rest)
    is_label = match[3] or match[4] or named_so or _AFTER_LABEL.match(rest) or _IS_ANSWER.match(rest)
    named = self._by_text(re.sub(r"^[\s.:,;|)(\u2014-]+", "", rest), True)
    if named and named[0] == label:
      return label, re.sub(r"^\s*\)", "", named[1])
    if named:
      raise Refused("several", "Choice: its label and another text disagree.")
    return (label, _without_is(rest)) if is_label else None

  def _by_sentence(self, body: str) -> tuple[str, str] | None:
    """The one choice that a sentence of the question's words names."""
    sentence = CLAIM_END.split(body, maxsplit=1)[0]
    mentioned = self.choices.mentioned(sentence)
    word = doubt.in_verdict(sentence)
    if len(mentioned) > 1:
      raise Refused("several", "Choice: a sentence names several.")
    if not mentioned or word:
      if word and mentioned:
        raise Refused("hedged", f"Doubt: {word!r} beside the choice.")
      return None
    (label,) = mentioned
    behind = self.choices.label_behind.search(sentence)
    words = sentence[: behind.start()] if behind else sentence
    if restates(words, self.choices.full[label], self.prompt):
      return label, body[len(sentence) :]
    if behind and restates(f"{words} {behind[1]}", tokens(behind[1]), self.prompt):
      return label, body[len(sentence) :]
    return None

  def bare(self, line: str) -> str | None:
    line = wordy(line).strip(" .,;:!")
    found = self.choices.label.fullmatch(line)
    return self.choices.by_label[found[2].casefold()] if found else self.choices.named(line)

  def check(self, verdict: str, reason: str) -> None:
    """Refuses a reason that withdraws the choice, or names another one and does not dismiss it."""
    for match in reversed(list(_DISMISSAL.finditer(reason))):
      dismissed = self.choices.mentioned((match[1] or match[2]) + ".")
      if dismissed and verdict not in dismissed:
        reason = reason[: match.start()] + " . " + reason[match.end() :]
    word = doubt.in_reason(reason)
    if word:
      raise Refused("hedged", f"Doubt: {word!r} withdraws the choice.")
    if _DENIED.match(reason):
      raise Refused("hedged", "Doubt: the choice is denied, or one of several.")
    if _JOINED.match(reason):
      raise Refused("several", "Choice: something is joined to it.")
    others = self.choices.mentioned(reason) - {verdict}
    if others:
      raise Refused("several", f"Reason: it names another choice, {sorted(others)[0]}.")


def _without_is(rest: str) -> str:
  answers = _IS_ANSWER.match(rest)
  return rest[answers.end() :] if answers else rest
