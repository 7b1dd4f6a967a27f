"""Yes and no, true and false: the word itself, at the start or behind a lead.

One real input: `No, because the Police are musicians.` says no. Not here: other words for it ("nope",
"correct"), which can contradict a verdict but state none.
"""

import re

from rewards.reading import doubt
from rewards.reading.doubt import Refused
from rewards.reading.dress import wordy
from rewards.reading.sentences import Kind
from rewards.reading.words import FUNCTION
from rewards.reading.words import prompt_words
from rewards.reading.words import stem
from rewards.reading.words import tokens

# "No" is a determiner before a noun, "true" an adjective: behind the word comes an end or a pronoun.
_EMPHASIS = r"(?:indeed|definitely|absolutely|certainly|of course|is the (?:correct |right )?answer)"
_VERDICT = re.compile(
    r"\s*\(?(?:(?:it|this|that|the (?:statement|claim|sentence))(?:'s| is)\s+(?:an?\s+)?)?"
    rf"(yes|no|true|false)\b(?![-'/=|&])\)?(?:\s+{_EMPHASIS}\b)?"
    r"(?=\s*(?:$|[.,;:!\n(\u2014]|-\s|not\s*$)|\s+(?:because|since|as|its?|they|their|he|his|she|her"
    r"|this|these|those|there|the|we|you)\b)",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"(?:^|[.,;:!?\n(\u2014|/]|-\s|\b(?:and|or|but|wait|yes|no|true|false|that|else|as|of|since|because|again)\b)\s*(?:an?\s+)?"
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
    r"\b(?:not|never|cannot|no|none|neither|nobody|nothing|nor|hardly|without|unable|fail(?:s|ed)?|impossible)\b|n't\b", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"[.,;:!?()\n\u2014]|\s-\s|\b(?:because|since|although|though|but|and|so|which|in fact)\b", re.IGNORECASE
)
_VERBS = frozenset(
    "is are am was were do does did would will could can should must has have had isn't aren't wasn't "
    "weren't don't doesn't didn't wouldn't won't couldn't can't shouldn't hasn't haven't hadn't cannot "
    "not so indeed really certainly definitely".split()
)


class YesNoKind(Kind):
  """How yes and no are read; verdicts are booleans."""

  name = "YesNo"

  def take(self, body: str) -> tuple[bool, str] | None:
    body = wordy(body)
    match = _VERDICT.match(body)
    return (match[1].lower() in _POSITIVE, body[match.end() :]) if match else None

  def bare(self, line: str) -> bool | None:
    line = wordy(line).strip(" .,;:!").lower()
    return line in _POSITIVE if line in ("yes", "no", "true", "false") else None

  def check(self, verdict: bool, reason: str) -> None:
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
    for words, says in said:
      if says != verdict:
        raise Refused("several", f"YesNo: {words[:60]!r} contradicts the verdict.")
    doubt.refuse_behind(reason)

  def _replies(self, clause: str) -> bool:
    """Whether a clause has a polarity of its own: "it cannot", or the question's own words with a verb."""
    words = re.findall(r"[a-z0-9']+", clause.lower())
    if words and words[0] in FUNCTION and len(words) > 1 and all(word in _VERBS for word in words[1:]):
      return True
    content = tokens(" ".join(w for w in words if w not in FUNCTION | _VERBS and not _NEGATION.search(w)))
    known = prompt_words(self.prompt)
    claims = _NEGATION.search(clause) or any(word in _VERBS for word in words)
    return bool(content and claims) and all(stem(word) in known for word in content)
