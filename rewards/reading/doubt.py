"""Doubt: the one closed list of what withdraws a verdict from outside of it, for all kinds of answers.

One real input: `No. But it is not clear.` says "no" and takes it back. Inside of a verdict's own sentence
words are on a list of what may stand there (words.harmful); this is what may not stand behind or before it.
"""

import re

# Behind a verdict "not", "may" and "if" explain, unless they open the reason or speak of the answer.
_OPENS = re.compile(
    r"[\s,.;:!()\u2014-]*(?:and |well |even |yet )*(?:but|though|although|however|yet|except|unless|if|only|provided"
    r"|providing|assuming|supposing|given that|as long as|when|whenever|in case|otherwise|or|and/or|nor|maybe"
    r"|in (?:fairy|dreams?|fiction)|no,? wait|not[.!\s]*$)\b",
    re.IGNORECASE,
)
_WITHDRAWS = re.compile(
    r"\b(?:as far as (?:I|we) know|to the best of (?:my|our)|hopefully|arguably|give or take|more or less|at best"
    r"|maybe|perhaps|possibly|probably|presumably|supposedly|allegedly|apparently|(?:un)?likely|hypothetically"
    r"|unsure|uncertain|unclear|unknown|depends|guess\w*|suspect|suppos\w+|assum(?:e|es|ing)|pretend|imagine"
    r"|doubt(?:s|ful|ed)?|no (?:idea|clue)|so to speak|partly|partially|or so|or something|ish|either way"
    r"|(?:one|a) possibility|one of (?:them|these|several)|in (?:theory|principle|some (?:sense|cases|ways))"
    r"|hard to (?:say|tell|know|be)|(?:don't|do not) (?:\w+ )?(?:know|believe|trust)"
    r"|(?:un|not |n't )(?:\w+ )?(?:sure|certain|clear)|(?:can(?:'t|not)?|could|who|nobody|(?:no|any) ?one)"
    r" (?:\w+ )?(?:knows?|be (?:sure|certain)|say|tell)|\d+ ?% (?:sure|certain|yes|no|true|likely)"
    r"|wrong|incorrect|false|untrue|mistaken|mistakes?|nonsense|bogus|rubbish|l(?:ie|ies|ied|ying)|jok(?:e|ing)"
    r"|kidding|sarcas\w+|lol|opposite|contrary|actually|wait|oops|whoops|sorry|correction|instead|myth"
    r"|alternative(?:ly)?|made (?:\w+ )?up|(?:ignore|disregard|forget|scratch|strike) (?:that|this|it)|never ?mind"
    r"|second (?:thought|guess)s?|take (?:it|that|this) back|changed? my mind|in truth|another|anything|everything"
    r"|different (?:answer|question|problem)|(?:also|equally) (?:possible|correct|right|valid|acceptable|known)"
    r"|aka|a\.k\.a|known as well|my (?:bad|hunch)|a (?:trap|trick|bluff|fake|decoy|typo)"
    r"|I (?:think|believe|reckon)|isn't (?:right|true|correct|it)"
    r"|(?:it|this|that|answer|I|one|which) (?:could|might|may|would) (?:also |well )?(?:be|as well)"
    r"|not (?:really|quite|exactly|right|true|correct|the (?:right |correct )?(?:answer|case)|it|so))\b|\?"
    r"|(?:^|[.,;:!(\n])\s*(?:and/)?(?:or\b|nope\b|not[.!]*\s*$)|\bor not\b|\+[\s.!]*$",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"\bno(?:t a)? (?:\w+ )?doubt(?: about (?:it|that))?|\bno reason to doubt\b|\bwithout (?:a )?doubt\b", re.IGNORECASE
)
_BEFORE = re.compile(
    r"\?|\b(?:not|never|no|nor|none|nobody|neither|cannot|either|(?-i:may)|might|could|if|unless|whether|except|but"
    r"|other than|rather|hardly|about|around|roughly|approximately|nearly|almost|(?:close|next) to|at (?:least|most)|(?:I|we|you|they|people|some|many) (?:\w+ )?(?:think|believe|say|reckon|claim))\b|n't\b"
    rf"|{_WITHDRAWS.pattern}",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"(?:^|(?<=[.!?\n;*)}$\]\w]))\s*(?:and )?(?:(?:please )?(?:(?:let me know|feel free|(?:don't|do not) hesitate)\b)"
    r"|(?:happy|glad) to help|(?:I )?hope (?:this|that|it)(?: is| was)? (?:help\w*|correct|clear|useful)"
    r"|(?:you are|you're) welcome|(?:is there )?anything else|thank(?:s| you)\b|good luck\b|cheers\b"
    r"|if you (?:have|need|would|'d|want)\b[^.!\n]{0,60}(?:let me know|ask|help|question)"
    r"|have a (?:great|nice|good|wonderful)\b)[^.!?\n]{0,120}(?:[.!?]+|$)\s*",
    re.IGNORECASE,
)


def without_courtesy(text: str) -> str:
  """Returns `text` without the courtesies that close it: "I hope this helps! Let me know if ..."."""
  for match in _COURTESY.finditer(text, max(0, len(text) - 600)):
    if not _COURTESY.sub("", text[match.start() :]).strip() and text[: match.start()].strip():
      return text[: match.start()].rstrip()
  return text


def before(clause: str) -> str:
  """Returns the words of a clause that put a verdict behind it in doubt, or ""."""
  found = _BEFORE.search(clause)
  return found[0].strip() if found else ""


def behind(reason: str) -> str:
  """Returns the words of what follows a verdict that withdraw it, or ""."""
  reason = _HARMLESS.sub(" ", reason)
  found = _OPENS.match(reason) or _WITHDRAWS.search(reason)
  return found[0].strip(" ,.;:\n()") if found else ""
