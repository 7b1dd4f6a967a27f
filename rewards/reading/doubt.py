"""Doubt: the one closed list of words that withdraw a verdict, for all kinds of answers.

One real input: `No. But it is not clear.` says "no" and takes it back. `in_verdict` looks at the
sentence that holds the verdict, `in_reason` at what follows it. Not here: what another candidate is.
"""

import re

# In the verdict's own sentence: negation, alternatives, hedges, conditions and retractions.
_HEDGES = (
    r"as far as (?:I|we) know|to the best of (?:my|our)|hopefully|arguably|give or take|more or less|at best|maybe|perhaps|possibly|probably|presumably|supposedly|allegedly|apparently|hypothetically|likely"
    r"|unlikely|unsure|uncertain|unclear|unknown|depends|guess\w*|suspect|suppos\w+|assum(?:e|es|ing)"
    r"|pretend|imagine|doubt(?:s|ful|ed)?|no (?:idea|clue)|so to speak|partly|partially|or so|or something"
    r"|in (?:theory|principle|some (?:sense|cases|ways))|hard to (?:say|tell|know|be)|(?:don't|do not) know"
    r"|(?:un|not |n't )(?:\w+ )?(?:sure|certain|clear)\b|(?:can(?:'t|not)?|could|who|nobody|(?:no|any) ?one)"
    r" (?:\w+ )?(?:knows?|be (?:sure|certain)|say|tell)\b|\d+ ?% (?:sure|certain|yes|no|true|likely)"
)
_RETRACTIONS = (
    r"wrong|incorrect|false|untrue|mistaken|mistakes?|nonsense|bogus|rubbish|l(?:ie|ies|ied|ying)|jok(?:e|ing)"
    r"|kidding|sarcas\w+|lol|opposite|contrary|actually|wait|oops|whoops|sorry|correction|instead|alternative(?:ly)?"
    r"|made (?:\w+ )?up|(?:ignore|disregard|forget|scratch|strike) (?:that|this|it)|never ?mind|second (?:thought|guess)s?"
    r"|take (?:it|that|this) back|changed? my mind|(?:do not|don't) (?:\w+ )?(?:believe|trust)|in truth|another"
    r"|different (?:answer|question|problem)|(?:also|equally) (?:possible|correct|right|valid|acceptable|known)"
    r"|aka|a\.k\.a|known as well|my (?:bad|hunch)|myth|anything|everything|a (?:trap|trick|bluff|fake|decoy|typo)"
)
_OWN = re.compile(
    rf"\?|~\s*(?=[$\d\\])|\b(?:not|never|no|nor|none|nobody|neither|cannot|or|either|(?-i:may)|might|could|if|unless"
    rf"|whether|except|excluding|besides|but|other than|rather|versus|vs|lacks?|without|hardly|barely|ish|thereabouts"
    rf"|(?:I|we|you|they|people|some|many) (?:\w+ )?(?:think|believe|say|reckon|claim)|like to hear|seem\w*|{_HEDGES}|{_RETRACTIONS})\b|n't\b",
    re.IGNORECASE,
)  # fmt: skip
# Around a number: approximation and bounds.
_AROUND = re.compile(
    r"\b(?:about|around|roughly|approximately|approx|circa|nearly|almost|close to|near|next to|shy of|short of|up to|over"
    r"|under|above|below|beyond|at (?:least|most)|(?:min|max)imum(?: of)?|(?:more|less|fewer|greater|other|rather)"
    r" than|than|between|exceed(?:s|ing)|as (?:many|much|few|little) as|upwards of|on the order of|(?:region|neighbou?rhood"
    r"|ballpark|order|vicinity) of|one of|say|like|north of)[\s$€£(]*(?:an? |the )?[-+]?(?=[\d.])"
    r"|\\(?:pm|mp|approx|simeq|sim|ge|le|geq|leq|ne|neq)(?![a-zA-Z])|[<>~±]|!="
    r"|\d\s*-?\s*(?:ish|something|odd|plus|or more|or less|and up|give or take|tops|max(?:imum)?|min(?:imum)?)\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"\bwho (?:\w+ )?(?:not\b|\w+n't\b)", re.IGNORECASE)

# What follows the verdict: there "not", "may" and "if" explain, unless they open it or speak of the answer.
_OPENS = re.compile(
    r"[\s,.;:!()\u2014-]*(?:and |well |even |yet )*(?:but|though|although|however|yet|except|unless|if|only|provided|providing"
    r"|assuming|supposing|given that|as long as|when|whenever|in case|otherwise|or|and/or|nor|in (?:fairy|dreams?|fiction)"
    r"|maybe|no,? wait|not[.!\s]*$)\b",
    re.IGNORECASE,
)
_WITHDRAWS = re.compile(
    rf"\b(?:{_HEDGES}|{_RETRACTIONS}|(?:it|this|that|answer|I|one|which) (?:could|might|may|would) (?:also |well )?(?:be|as well)"
    rf"|I (?:think|believe|reckon)|ish|either way|not (?:really|quite|exactly|right|true|correct|the (?:right |correct )?(?:answer|case)|it|so)"
    rf"|isn't (?:right|true|correct|it))\b|\?|(?:^|[.,;:!(\n])\s*(?:and/)?(?:or\b|nope\b|not[.!]*\s*$)|\bor not\b",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"\bno(?:t a)? (?:\w+ )?doubt(?: about (?:it|that))?|\bno reason to doubt\b|\bwithout (?:a )?doubt\b", re.IGNORECASE
)

_COURTESY = re.compile(
    r"(?:^|(?<=[.!?\n;*)}$\]\w]))\s*(?:and )?(?:(?:I )?hope (?:this|that|it)(?: is| was)? (?:help\w*|correct|clear|useful)"
    r"|(?:please )?let me know\b|(?:please )?feel free\b|(?:you are|you're) welcome|happy to help|glad to help"
    r"|(?:please )?(?:don't|do not) hesitate|if you (?:have|need|would|'d|want)\b[^.!\n]{0,60}"
    r"(?:let me know|ask|help|question)|(?:is there )?anything else|thank(?:s| you)\b|(?:good luck|cheers|have a (?:great|nice|good|wonderful))\b)"
    r"[^.!?\n]{0,120}(?:[.!?]+|$)\s*",
    re.IGNORECASE,
)


def without_courtesy(text: str) -> str:
  """Returns `text` without the courtesies that close it: "I hope this helps! Let me know if ..."."""
  for match in _COURTESY.finditer(text, max(0, len(text) - 600)):
    if not _COURTESY.sub("", text[match.start() :]).strip() and text[: match.start()].strip():
      return text[: match.start()].rstrip()
  return text


def in_verdict(sentence: str, *, number: bool = False) -> str:
  """Returns the word that puts the verdict of a sentence in doubt, or ""."""
  found = _OWN.search(_RELATIVE.sub(" ", sentence)) or (number and _AROUND.search(sentence))
  return found[0].strip() if found else ""


def in_reason(reason: str) -> str:
  """Returns the words of what follows a verdict that withdraw it, or ""."""
  reason = _HARMLESS.sub(" ", reason)
  found = _OPENS.match(reason) or _WITHDRAWS.search(reason)
  return found[0].strip(" ,.;:\n()") if found else ""
