"""Logic answers: yes or no, true or false, as the answer states it.

One real input: the answer `No, because the Police are musicians.` against YesNo(value=False).

Not here: other words for it ("correct", "nope"), which can contradict a verdict but state none,
and whether the reasoning supports the verdict.
"""

import re

from rewards.reading import answers
from rewards.registry import register
from rewards.schema import Choice
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import Score
from rewards.schema import YesNo

_WORD = re.compile(r"(?<![\w'-])(yes|no|true|false)(?![\w'-])", re.IGNORECASE)
_POSITIVE = ("yes", "true")

_CLAUSE_END = r"[.;:,!?\n()\[\]/\u2014]|\s-+\s"
_CLAUSE = re.compile(_CLAUSE_END)

# What may follow each word when it is the verdict. "No" is a determiner before a noun ("no doubt",
# "No one"), "true" and "false" are adjectives ("true that", "false positive"), "yes" is neither.
_STOPS = (
    rf"\s*$|\s*(?!\?)(?:{_CLAUSE_END})"
    r"|\s+(?:because|since|as|and|or|but|though|although|yes|no|true|false)\b"
)
_IS_ANSWER = r"\s+is\s+(?:the\s+|my\s+)?(?:(?:correct|right|best|final)\s+)*(?:answer|correct|right)\b"
_SUBJECT = (
    r"\s+(?:it|its|they|their|he|his|she|her|this|that|these|those|there|the|an?|we|you|i|if|when|wait"
    r"|actually|sorry)\b"
)
_HEDGE = r"(?:maybe|perhaps|possibly|probably|presumably|(?:most\s+|very\s+)?likely|sometimes)"
# "Yes pears float" answers without a comma; "yes man", "yes is wrong" and "yes vote" do not answer.
_PROSE = rf"\s+(?!(?:is|was|isn't|wasn't|are|or|{_HEDGE})\b)[\w'-]+\s+\w"
_SURELY = r"\s+(?:indeed|definitely|absolutely|certainly|surely|of\s+course)\b"
_STANDS = {
    "yes": re.compile(f"{_STOPS}|{_SUBJECT}|{_IS_ANSWER}|{_SURELY}|{_PROSE}", re.IGNORECASE),
    "no": re.compile(f"{_STOPS}|{_SUBJECT}|{_IS_ANSWER}", re.IGNORECASE),
    "true": re.compile(_STOPS, re.IGNORECASE),
}
_STANDS["false"] = _STANDS["true"]

# What may stand before a verdict in its clause. No negation and no hedge is among it.
_LEAD = re.compile(
    r"""(?:\s*(?:
      so|thus|hence|therefore|then|finally|in\s+conclusion|well|okay|ok|sure|clearly|definitely|indeed
    | simply|absolutely|but|or|and|also|actually|rather|instead|however|alternatively|though|although
    | wait|sorry|hmm|oh|i\s+mean|on\s+second\s+thought|an?|yes|no|true|false
    | i(?:\s+would|'d)?\s+(?:think|believe|say)(?:\s+that)?
    | (?:(?:the|my|our|this|that)\s+)?(?:(?:correct|final|right|best|short)\s+)*
      (?:answer|statement|sentence|claim|conclusion|assertion|verdict)(?:\s+to\s+(?:this|the)\s+\w+)?
    | it|this|that|is|would\s+be|must\s+be|should\s+be|=
    )\b|'s\b)*\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_OPENS = re.compile(rf"\b(?:and|but|or)\s+$|^{_LEAD.pattern}$", re.IGNORECASE | re.VERBOSE)
_ASKED = re.compile(r"\s*\?|\s+(?:in|for|on|under|with)\s", re.IGNORECASE)
_LONGEST_LEAD = 120
_LONGEST_CONCESSION = 200
# The same statement in the middle of a clause: "... of skates So the answer is".
_ANSWER_IS = re.compile(r"\bthe\s+(?:(?:correct|final)\s+)?answer\s+is\s*", re.IGNORECASE)
# "It is false that the answer is", "Perhaps the answer is": what governs a statement, and doubts it.
_GOVERNS = re.compile(
    rf"\b(?:that|if|unless|whether|sa(?:y|ys|id)|think(?:s|ing)?|thought|believe[sd]?|claim(?:s|ed)?"
    rf"|mean|suppose|assum(?:e|ing)|doubts?|den(?:y|ies)|{_HEDGE})"
    r"\s+(?:the\s+(?:(?:correct|final)\s+)?answer\s+is\s+)?$",
    re.IGNORECASE,
)
_DOUBTS = re.compile(
    rf"\b(?:not|never|cannot|no|nobody|none|neither|nor|few|some|many|others|people|false|untrue|wrong"
    r"|incorrect|unlikely|unclear|(?:im)?possible|doubt\w*|den(?:y|ies)|lie|myth|mistake|hardly|if|unless"
    rf"|whether|may|might|could|suppose|assum(?:e|ing)|{_HEDGE})\b|n't\b",
    re.IGNORECASE,
)
_CONJUNCTION = re.compile(r"\b(?:so(?!\s+that\b)|thus|hence|therefore|and|but|which|because|since)\b", re.I)
_NAMED_VERDICT = re.compile(r"\b(yes|no|true|false)\s+(?:is|was|would\s+be)\s+$", re.IGNORECASE)
_NEGATION = re.compile(r"(?:\bnot|n't|\bnever|\bneither|\bnor)\s+(?:an?\s+)?$", re.IGNORECASE)
_HEDGING_CLAUSE = re.compile(
    rf"\s*(?:(?:but|and|or|well|quite)\s+)*(?:{_HEDGE}|unsure|unclear|not\s+sure|depends|partly"
    r"|partially)(?:\s+(?:so|not))?\s*",
    re.IGNORECASE,
)
_VERDICT = r"\b(?:yes|no|true|false)\b\W*"
_HEDGED = re.compile(
    r"\bit\s+depends\b|\bi(?:'m|\s+am)\s+(?:not\s+(?:\w+\s+)?(?:sure|certain)|unsure|uncertain)\b"
    r"|\bhard\s+to\s+(?:say|tell)\b|\bi\s+(?:don't|do\s+not|cannot|can't)\s+(?:know|say|tell)\b"
    r"|\bi\s+guess\b|\bwho\s+knows\s*(?:[.,;!?]|$)|\beither\s+way\b"
    r"|\bno\s+(?:idea|way\s+to\s+(?:know|tell))\b"
    rf"|{_VERDICT}or\s+(?:some(?:thing|how|what)|so|whatever|anything|the\s+like|similar|{_HEDGE})\b",
    re.IGNORECASE,
)
_IT = r"(?:it|that|this|the\s+(?:statement|claim|sentence|assertion))"
_FALSITY = re.compile(r"\b(?:false|wrong|incorrect|untrue|lie|myth)\b", re.IGNORECASE)
# "Yes, that is wrong", "No. It is true that he did": read after a verdict or at the start of a sentence.
_JUDGEMENT = re.compile(
    rf"(?:{_VERDICT}|[.!?\n]\s*)(?:(?:but|and|well|actually|in\s+fact|however)\b[\s,]*)*"
    rf"{_IT}(?:\s+is|'s|(?=\s+isn't))"
    r"(?:\s+(?:\w+ly|indeed|in\s+fact|of\s+course))?\s+"
    r"(?:(true|correct|right)|(?:isn't|not)\s+(?:true|correct|right)"
    r"|false|wrong|incorrect|untrue|an?\s+(?:lie|myth))\b",
    re.IGNORECASE,
)
# "No. Actually, it is.": the whole sentence is the verdict said again. "No, it is green." explains.
_ELLIPSIS = re.compile(
    rf"{_VERDICT}(?:(?:but|and|well|wait|actually|really|in\s+fact|however|sorry)\b\W*)*"
    r"\b(?:it|this|that|they|these|those|there|he|she|we|you|i)\s+"
    r"(?:is|are|am|was|were|do|does|did|would|wo|could|can?|will|should|must|has|have|had)"
    r"(n't|\s*not)?\s*(?:[.!\n]|$)",
    re.IGNORECASE,
)
_CONCESSION = re.compile(r"\b(?:but|however|yet|though|although)\b", re.IGNORECASE)
_AGREEING = ("yeah", "yep", "yup", "correct", "right")
_ASIDE = re.compile(
    rf"(?:^|(?:{_CLAUSE_END})\s*(?:(?:but|or|and|wait|actually|well)\s+)?|\b(?:yes|no)\s+(?:or|but|and)\s+)"
    rf"(yeah|yep|yup|correct|right|nope|nah|not|wrong|incorrect)\s*(?=$|{_CLAUSE_END})",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    rf"{_VERDICT}(?:(?<=\()|(?:which|(?:but\s+)?(?:that|this|the)\s+answer|but\s+(?:that|this|it))"
    r"(?:\s+is|'s)\s+)"
    r"(?:wrong|incorrect|false|untrue|not\s+(?:true|correct|right))\b",
    re.IGNORECASE,
)


@register("yes_no", kind="correctness", domains=("logic",))
def yes_no(completion: Completion, example: Example) -> Score | None:
  """1.0 when the answer's verdict (yes, no, true or false) is the reference's, else 0.0.

  A verdict opens a clause ("No, because ...", "The answer is no.", "..., so no") and is read as a
  word, not as a determiner: "Yes, there is no reason to doubt it" says yes alone. An explanation may
  follow. A row of choices is judged as a choice; None for references of other types.

  A policy might say both ("yes and no", "Yes. No."), turn around ("yes, but actually no"), hedge
  ("probably yes", "it depends") or negate ("not yes"); "no" also hides in "know" and "nothing". Every
  verdict in the answer must be the same one, and none may be asked, hedged, negated, contradicted by
  an aside ("No. It is true that he did.") or taken back ("Yes. Just kidding.").
  """
  reference = example.reference
  if isinstance(reference, Choice):
    return answers.score_choice(completion.answer, reference, example.prompt)
  if not isinstance(reference, YesNo):
    return None
  expected = f"expected {reference.text!r}"
  if len(completion.answer) > answers.MAX_CHARACTERS:
    return Score(0.0, reason=f"the answer is too long for a verdict, {expected}")
  verdicts, problem = _verdicts(answers.unwrap(completion.answer), example.prompt)
  if problem:
    return Score(0.0, reason=f"{problem}, {expected}")
  stated = "yes" if verdicts == {True} else "no"
  return Score(float(verdicts == {reference.value}), reason=f"the answer states {stated!r}, {expected}")


def _states(before: str) -> bool:
  return any(match.end() == len(before) for match in _ANSWER_IS.finditer(before))


def _is_doubted(before: str) -> bool:
  """Says whether what stands before a verdict denies or hedges it: "It is false that the answer is"."""
  own = _CONJUNCTION.split(before)[-1]  # "Stones do not float and that is why ..."
  return bool(_GOVERNS.search(own) and _DOUBTS.search(own))


def _verdicts(text: str, prompt: str) -> tuple[set[bool], str]:
  """Returns the verdicts that an unwrapped answer states, and what is wrong with them or ""."""
  stated: set[bool] = set()
  mentioned: set[bool] = set()
  for match in _WORD.finditer(text):
    word = match[1].lower()
    start = max(0, match.start() - _LONGEST_LEAD)
    before = _CLAUSE.split(text[start : match.start()])[-1]
    if not _STANDS[word].match(text, match.end()):
      # "Yes? No.", "Yes, or is it no?", "Yes for some, no for others"; but "Is it true? No." asks itself.
      if word in ("yes", "no") and _OPENS.search(before) and _ASKED.match(text, match.end()):
        mentioned.add(word in _POSITIVE)
      continue
    negation = _NEGATION.search(before)
    named = _NAMED_VERDICT.search(before)
    if named:  # "The answer no is false" speaks of a verdict
      mentioned.add((word in _POSITIVE) == (named[1].lower() in _POSITIVE))
    elif negation:  # "No. That is not true." says the same twice, "Yes. It is not true." does not
      if _LEAD.fullmatch(before, 0, negation.start()):
        mentioned.add(word not in _POSITIVE)
    elif _LEAD.fullmatch(before) or _states(before):
      if _is_doubted(before):
        mentioned.add(word not in _POSITIVE)
        continue
      stated.add(word in _POSITIVE)
    elif word in ("yes", "no"):
      mentioned.add(word in _POSITIVE)
  if not stated:
    return stated, "the answer states no verdict"
  if len(stated | mentioned | _asides(text, prompt)) > 1:
    return stated, "the answer contradicts itself"
  if _HEDGED.search(text) or any(map(_HEDGING_CLAUSE.fullmatch, _CLAUSE.split(text))):
    return stated, "the answer hedges"
  if answers.recants(text) or _TAKEN_BACK.search(text):
    return stated, "the answer takes its verdict back"
  return stated, ""


def _asides(text: str, prompt: str) -> set[bool]:
  """Returns the verdicts of an answer's asides: ", yeah", ". It is true that he did.", ". It is."."""
  found = {match[1].lower() in _AGREEING for match in _ASIDE.finditer(text)}
  found.update(not match[1] for match in _ELLIPSIS.finditer(text))
  if not _FALSITY.search(prompt):  # "Is it wrong to lie?" may be answered "Yes, it is wrong."
    found.update(
        bool(match[1]) for match in _JUDGEMENT.finditer(text)
        if not _CONCESSION.search(text, match.end(), match.end() + _LONGEST_CONCESSION)
    )
  return found
