"""Yes and no, true and false: the word itself, at the start or behind a lead.

One real input: `No, because the Police are musicians.` says no. Not here: other words for it ("nope",
"correct"), which can contradict a verdict but state none.
"""

import re

from rewards.reading import doubt
from rewards.reading.dress import wordy
from rewards.reading.sentences import Kind
from rewards.reading.sentences import Refused
from rewards.reading.words import prompt_words
from rewards.reading.words import stem
from rewards.reading.words import tokens

# "No" is a determiner before a noun, "true" an adjective: behind the word comes an end or a pronoun.
_VERDICT = re.compile(
    r"\s*\(?(?:(?:it|this|that|the (?:statement|claim|sentence|assertion))(?:'s| is)\s+(?:an?\s+)?(?=yes|no|true|false))?"
    r"(yes|no|true|false)\b(?![-'/=|&])\)?(?=\s*(?:$|[.,;:!\n(\u2014]|-\s|not\s*$)|\s+(?:because|since|as|it|its|they|their|he|his|she|her|this|these"
    r"|those|there|the|we|you|indeed|definitely|absolutely|certainly|of course|is the (?:correct |right )?answer)\b)(?:\s+(?:indeed|definitely|"
    r"absolutely|certainly|of course|is the (?:correct |right )?answer)\b)?",
    re.IGNORECASE,
)
_AGREEMENT = re.compile(r"[\s,.]*(?:definitely|absolutely|certainly|of course|indeed|correct|right|exactly|that(?:'s| is) (?:right|correct))\b", re.IGNORECASE)
_OWN_DENIAL = re.compile(r"[\s,.!]*(?:nope|not(?=[\s.!]*$)|incorrect|wrong|not true|(?:it|that|this)(?: is|'s) (?:not (?:true|correct|right)|false|wrong|incorrect|untrue|a myth))\b(?! that)", re.IGNORECASE)
_OTHER = re.compile(
    r"(?:^|[.,;:!?\n(\u2014|/]|-\s|\b(?:and|or|but|wait|actually|yes|no|true|false|that)\b)\s*(?:an?\s+)?(yes|yeah|yep|no|nope|nah|true|false|not)\s*(?=$|[.,;:!?)\n\u2014|/]|\b(?:and|or|but)\b)",
    re.IGNORECASE,
)
_JUDGEMENT = re.compile(
    r"\b(?:it|this|that|the (?:statement|claim|answer|opposite))(?:'s| is|(?= isn't))(?:\s+\w+ly|\s+in fact|\s+of course)?\s+(n't\s+|isn't\s+|not\s+)?"
    r"(true|correct|right|false|wrong|incorrect|untrue|a lie|a myth|yes|no)\b(?!\s+(?:to|for)\b)",
    re.IGNORECASE,
)
_POSITIVE = ("yes", "true", "yeah", "yep", "correct", "right")
_NEGATIVE_WORD = re.compile(r"\b(?:not|never|cannot|no|none|neither|nobody|nothing|nor|hardly|without)\b|n't\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[.,;:!?()\n\u2014]|\s-\s|\b(?:because|since|although|though|but|and|so|which)\b", re.IGNORECASE)
_PRONOUNS = frozenset("it this that they these those there he she we you i".split())
_AUXILIARIES = frozenset(
    "is are am was were do does did would will could can should must has have had isn't aren't wasn't weren't don't doesn't didn't "
    "wouldn't won't couldn't can't shouldn't hasn't haven't hadn't cannot not so indeed really certainly definitely in fact".split()
)
_SMALL = frozenset("a an the of in on at to for by with as all some any it he she they his her its their be been being certainly indeed definitely really still".split())


class YesNoKind(Kind):
  """How yes and no are read; verdicts are booleans."""

  name = "YesNo"

  def take(self, body: str) -> tuple[bool, str] | None:
    body = wordy(body)
    match = _VERDICT.match(body)
    if match is None:
      return None
    return match[1].lower() in _POSITIVE, body[match.end() :]

  def bare(self, line: str) -> bool | None:
    line = wordy(line).strip(" .,;:!").lower()
    return line in _POSITIVE if line in ("yes", "no", "true", "false") else None

  def check(self, verdict: bool, reason: str) -> None:
    """Refuses a reason that says the other word, withdraws the verdict, or restates the question against it."""
    agreement = (_AGREEMENT if verdict else _OWN_DENIAL).match(reason)
    reason = reason[agreement.end() :] if agreement else reason
    for match in _OTHER.finditer(reason):
      if (match[1].lower() in _POSITIVE) != verdict:
        raise Refused("several", f"YesNo: {match[1]!r} contradicts the verdict.")
    if re.search(r"\bthat\s+(?:yes|no)\s*(?:[.,;!]|$)", reason, re.IGNORECASE):
      raise Refused("several", "YesNo: a verdict about a verdict.")
    for match in _JUDGEMENT.finditer(reason):
      says = (match[2].lower() in _POSITIVE) != bool(match[1])
      if says != verdict and match[2].lower() not in self.prompt.lower():
        raise Refused("several", f"YesNo: {match[0]!r} contradicts the verdict.")
    reason = _JUDGEMENT.sub(" ", reason)
    word = doubt.in_reason(reason)
    if word:
      raise Refused("hedged", f"Doubt: {word!r} withdraws the verdict.")
    asked = prompt_words(self.prompt)
    for clause in _CLAUSE.split(reason):
      said = [w for w in re.findall(r"[a-z0-9']+", clause.lower())]
      if not said:
        continue
      elliptic = said[0] in _PRONOUNS and len(said) > 1 and all(w in _AUXILIARIES for w in said[1:])
      content = [w for w in tokens(clause) if w not in _SMALL and w not in _AUXILIARIES and w not in _PRONOUNS and not _NEGATIVE_WORD.fullmatch(w)]
      has_verb = any(w in _AUXILIARIES for w in said)
      restated = len(content) > 0 and has_verb and all(stem(w) in asked for w in content) and len(said) > len(content)
      if (elliptic or restated) and bool(_NEGATIVE_WORD.search(clause)) == verdict:
        raise Refused("several", f"YesNo: {clause.strip()[:60]!r} contradicts the verdict.")
