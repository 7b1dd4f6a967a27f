"""Words as verdicts: one of several given choices, a short text with its aliases, yes and no.

One real input: `**B) carbon dioxide**, because plants need it` against four gases is choice B. Choices and
texts are read from the longest head that names one candidate beside harmless words; what follows is the
reason. Not here: what a choice means; a paraphrase of its text is refused.
"""

import functools
import re

from rewards.reading import words
from rewards.reading.dress import undress
from rewards.reading.dress import wordy
from rewards.reading.sentences import Kind
from rewards.reading.sentences import SENTENCE
from rewards.reading.words import key
from rewards.reading.words import Refused
from rewards.reading.words import tokens
from rewards.schema import Choice

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
        rf"|[(\[{{<]\s*({names})\s*[)\]}}>]|({names})(?:\s*[)\]}}>]|\s*[.:](?![0-9])"
        r"|(?=\s*(?:$|[,;!\n\u2014|](?![0-9])|-\s|\(\w{2}))))(?:\.(?![0-9]))?",
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

  def __init__(self, prompt: str, reference: Choice):
    self.choices = choices_of(reference.choices)
    own = [label for label, _ in reference.choices].index(reference.label)
    super().__init__(prompt, self.choices.labels[own])

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
          words.refuse_beside(left, self.prompt, _BESIDE)
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
    named = {label for label, one in texts if own and one == own}
    return named.pop() if len(named) == 1 else None

  def bare(self, line: str) -> str | None:
    line = wordy(line).strip(" .,;:!")
    found = self.choices.label.fullmatch(line)
    return self.choices.label_of(found) if found else self._named(line)

  def check(self, verdict: str, reason: str, answer: str) -> None:
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
    words.refuse_behind(reason)
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
_ASIDE = re.compile(
    r"\s*\((?:plural:\s+|singular:\s+)?([^()]*)\)"
    r"|(?:\s*,?\s*which\s+(?:is|are)\s+([^.!\n]*)|\s*[,\u2014-]\s*((?:the|an?)\s[^.!\n]*))(?=[.!]?\s*$)"
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
    super().__init__(prompt, True)
    self.keys, self.names = _accepted(texts)
    self._text = texts[0]

  def shown(self, verdict: bool) -> str:
    return self._text

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
      is_offered = "or" in words.prompt_words(self.prompt) and not set(left) <= words.FUNCTION
      is_once = joined.count(own) == 1 and len(left) + len(own.split()) == len(joined.split())
      is_list = "," in head and "," not in self.prompt or SENTENCE.search(head.rstrip(" .!"))
      if is_once and not is_offered and not is_list and key(head) not in key(self.prompt):
        words.refuse_beside(left, self.prompt)
        return True
    return False

  def bare(self, line: str) -> bool | None:
    own = [word for word in tokens(wordy(line)) if word not in _LEADING]
    return None if not 0 < len(own) <= 3 or line.rstrip().endswith(":") else key(wordy(line)) in self.keys

  def check(self, verdict: bool, reason: str, answer: str) -> None:
    """Refuses whatever is not shown to be a reason: it may be a further candidate."""
    known = words.prompt_words(self.prompt)
    aside = _ASIDE.match(reason)
    said = next(filter(None, aside.groups()), "") if aside else ""
    light = all(word in words.FUNCTION or words.stem(word) in known for word in tokens(said))
    is_asked = said and "or" not in known and light
    if is_asked or key(said) in self.keys:
      reason = reason[aside.end() :]
    if not reason.strip(" .!)\n") or _NOT_THE_OTHER.fullmatch(reason):
      return
    words.refuse_behind(reason)
    offers = _REASON.match(reason)
    if not offers or offers["it"] and "or" in known:  # "decreases. It increases."
      raise Refused("several", f"Reason: {reason.strip(' .,')[:60]!r} may be another candidate.")


# ---- Yes and no ----------------------------------------------------------------------------------

# "No" is a determiner before a noun, "true" an adjective: behind the word comes an end or a pronoun.
_EMPHASIS = r"(?:indeed|definitely|absolutely|certainly|of course|is the (?:correct |right )?answer)"
_YES_OR_NO = re.compile(
    r"\s*\(?(?:(?:it|this|that|the (?:statement|claim|sentence))(?:'s| is)\s+(?:an?\s+)?)?"
    rf"(yes|no|true|false)\b(?![-'/=|&])\)?(?:\s+{_EMPHASIS}\b)?"
    r"(?=\s*(?:$|[.,;:!\n(\u2014]|-\s|not\s*$)|\s+(?:because|since|as|its?|they|their|he|his|she|her"
    r"|this|these|those|there|the|we|you)\b)",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"(?:^|[.,;:!?\n(\u2014|/]|-\s"
    r"|\b(?:and|or|but|wait|yes|no|true|false|that|else|as|of|since|because|again)\b)\s*(?:an?\s+)?"
    r"(yes|yeah|yep|no|nope|nah|true|false|not)\s*(?=$|[.,;:!?)\n\u2014|/]|\b(?:and|or|but)\b)",
    re.IGNORECASE,
)
_JUDGEMENT = re.compile(
    r"\b(?:it|this|that|the (?:statement|claim|answer|opposite))(?:'s| is|(?= isn't))(?:\s+\w+ly|\s+in fact)?"
    r"\s+(n't\s+|isn't\s+|not\s+)?(true|correct|right|false|wrong|incorrect|untrue|a lie|a myth|yes|no)\b"
    r"(?!\s+(?:to|for)\b)",
    re.IGNORECASE,
)
_POSITIVE = ("yes", "true", "yeah", "yep", "correct", "right")
_NEGATION = re.compile(
    r"\b(?:not|never|cannot|no|none|neither|nobody|nothing|nor|hardly|without|unable|fail(?:s|ed)?"
    r"|impossible)\b|n't\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"[.,;:!?()\n\u2014]|\s-\s|\b(?:because|since|although|though|but|and|so|which|in fact)\b", re.IGNORECASE
)
_AUXILIARIES = frozenset(
    "is are am was were do does did would will could can should must has have had isn't aren't wasn't "
    "weren't don't doesn't didn't wouldn't won't couldn't can't shouldn't hasn't haven't hadn't cannot "
    "not so indeed really certainly definitely".split()
)
_CONTRACTED = frozenset("it's he's she's that's there's they're we're you're".split())  # with a verb


class YesNoKind(Kind):
  """How yes and no are read; verdicts are booleans."""

  name = "YesNo"

  def shown(self, verdict: bool) -> str:
    return "yes" if verdict else "no"

  def take(self, body: str) -> tuple[bool, str] | None:
    body = wordy(body)
    match = _YES_OR_NO.match(body)
    return (match[1].lower() in _POSITIVE, body[match.end() :]) if match else None

  def bare(self, line: str) -> bool | None:
    line = wordy(line).strip(" .,;:!").lower()
    return line in _POSITIVE if line in ("yes", "no", "true", "false") else None

  def check(self, verdict: bool, reason: str, answer: str) -> None:
    """Refuses a reason that says the other word, withdraws the verdict, or denies it."""
    if not verdict:
      reason = re.sub(r"(?i)^[\s,.]*(?:not|nope|incorrect)(?=[\s.!]*$)", "", reason)  # "No \u274c"
    judgements = list(_JUDGEMENT.finditer(reason))
    said = [(m[0], (m[2].lower() in _POSITIVE) != bool(m[1])) for m in judgements
            if m[2].lower() not in self.prompt.lower()]  # fmt: skip
    said += [(m[1], m[1].lower() in _POSITIVE) for m in _OTHER.finditer(reason)]
    said += [(m[0], not verdict) for m in re.finditer(r"(?i)\bthat\s+(?:yes|no)\s*(?:[.,;!]|$)", reason)]
    reason = _JUDGEMENT.sub(" ", reason)
    said += [(c.strip(), not _NEGATION.search(c)) for c in _CLAUSE.split(reason) if self._replies(c)]
    for phrase, says in said:
      if says != verdict:
        raise Refused("several", f"YesNo: {phrase[:60]!r} contradicts the verdict.")
    words.refuse_behind(reason)

  def _replies(self, clause: str) -> bool:
    """Whether a clause has a polarity of its own: "it cannot", or the question's own words with a verb."""
    said = re.findall(r"[a-z0-9']+", clause.lower())
    if len(said) > 1 and said[0] in words.FUNCTION and all(word in _AUXILIARIES for word in said[1:]):
      return True
    light = words.FUNCTION | _AUXILIARIES | _CONTRACTED
    content = tokens(" ".join(word for word in said if word not in light and not _NEGATION.search(word)))
    known = words.prompt_words(self.prompt)
    claims = _NEGATION.search(clause) or any(word in _AUXILIARIES | _CONTRACTED for word in said)
    return bool(content and claims) and all(words.stem(word) in known for word in content)
