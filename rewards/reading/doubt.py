"""Doubt: the one closed list of words that withdraw a verdict, for all kinds of answers.

One real input: `No. But it is not clear.` says "no" and takes it back. `in_verdict` looks at the
sentence that holds the verdict, `in_reason` at what follows it. Not here: what another candidate is.
"""

import re

# In the verdict's own sentence: negation, alternatives, hedges, conditions and retractions.
_HEDGES = (
    r"as far as (?:I|we) know|to the best of (?:my|our)|hopefully|arguably|give or take|more or less|at best"
    r"|maybe|perhaps|possibly|probably|presumably|supposedly|allegedly|apparently|(?:un)?likely"
    r"|hypothetically"
    r"|unsure|uncertain|unclear|unknown|depends|guess\w*|suspect|suppos\w+|assum(?:e|es|ing)|pretend|imagine"
    r"|doubt(?:s|ful|ed)?|no (?:idea|clue)|so to speak|partly|partially|or so|or something"
    r"|(?:one|a) possibility|one of (?:them|these|several)"
    r"|in (?:theory|principle|some (?:sense|cases|ways))|hard to (?:say|tell|know|be)|(?:don't|do not) know"
    r"|(?:un|not |n't )(?:\w+ )?(?:sure|certain|clear)\b|(?:can(?:'t|not)?|could|who|nobody|(?:no|any) ?one)"
    r" (?:\w+ )?(?:knows?|be (?:sure|certain)|say|tell)\b|\d+ ?% (?:sure|certain|yes|no|true|likely)"
)
_RETRACTIONS = (
    r"wrong|incorrect|false|untrue|mistaken|mistakes?|nonsense|bogus|rubbish|l(?:ie|ies|ied|ying)"
    r"|jok(?:e|ing)|kidding|sarcas\w+|lol|opposite|contrary|actually|wait|oops|whoops|sorry|correction"
    r"|instead|myth|alternative(?:ly)?|made (?:\w+ )?up"
    r"|(?:ignore|disregard|forget|scratch|strike) (?:that|this|it)"
    r"|never ?mind|second (?:thought|guess)s?|take (?:it|that|this) back|changed? my mind|in truth|another"
    r"|(?:do not|don't) (?:\w+ )?(?:believe|trust)|different (?:answer|question|problem)|anything|everything"
    r"|(?:also|equally) (?:possible|correct|right|valid|acceptable|known)|aka|a\.k\.a|known as well"
    r"|my (?:bad|hunch)|a (?:trap|trick|bluff|fake|decoy|typo)"
)
_OWN = re.compile(
    r"\?|~\s*(?=[$\d\\])|\b(?:not|never|no|nor|none|nobody|neither|cannot|or|either|(?-i:may)|might|could|if"
    r"|unless|whether|except|excluding|besides|but|other than|rather|versus|vs|lacks?|without|hardly|barely"
    r"|ish|thereabouts|(?:I|we|you|they|people|some|many) (?:\w+ )?(?:think|believe|say|reckon|claim)"
    rf"|like to hear|seem\w*|{_HEDGES}|{_RETRACTIONS})\b|n't\b",
    re.IGNORECASE,
)
# Around a number: approximation and bounds.
_AROUND = re.compile(
    r"\b(?:about|around|roughly|approximately|approx|circa|nearly|almost|close to|near|next to|shy of"
    r"|short of|up to|over|under|above|below|beyond|at (?:least|most)|(?:min|max)imum(?: of)?|than|between"
    r"|(?:more|less|fewer|greater|other|rather) than|exceed(?:s|ing)|as (?:many|much|few|little) as"
    r"|upwards of|on the order of|(?:region|neighbou?rhood|ballpark|order|vicinity) of|one of|say|like"
    r"|north of)[\s$€£(]*(?:an? |the )?[-+]?(?=[\d.])"
    r"|\\(?:pm|mp|approx|simeq|sim|ge|le|geq|leq|ne|neq)(?![a-zA-Z])|[<>~±]|!="
    r"|\d\s*-?\s*(?:ish|something|odd|plus|or more|or less|and up|give or take|tops"
    r"|max(?:imum)?|min(?:imum)?)\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"\bwho (?:\w+ )?(?:not\b|\w+n't\b)", re.IGNORECASE)

# What follows the verdict: there "not", "may" and "if" explain, unless they open it or speak of the answer.
_OPENS = re.compile(
    r"[\s,.;:!()\u2014-]*(?:and |well |even |yet )*(?:but|though|although|however|yet|except|unless|if|only"
    r"|provided|providing|assuming|supposing|given that|as long as|when|whenever|in case|otherwise|or|and/or"
    r"|nor|in (?:fairy|dreams?|fiction)|maybe|no,? wait|not[.!\s]*$)\b",
    re.IGNORECASE,
)
_WITHDRAWS = re.compile(
    rf"\b(?:{_HEDGES}|{_RETRACTIONS}|I (?:think|believe|reckon)|ish|either way"
    r"|isn't (?:right|true|correct|it)|(?:it|this|that|answer|I|one|which) "
    r"(?:could|might|may|would) (?:also |well )?(?:be|as well)"
    r"|not (?:really|quite|exactly|right|true|correct|the (?:right |correct )?(?:answer|case)|it|so))\b|\?"
    r"|(?:^|[.,;:!(\n])\s*(?:and/)?(?:or\b|nope\b|not[.!]*\s*$)|\bor not\b|\+[\s.!]*$",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"\bno(?:t a)? (?:\w+ )?doubt(?: about (?:it|that))?|\bno reason to doubt\b|\bwithout (?:a )?doubt\b",
    re.IGNORECASE,
)

_COURTESY = re.compile(
    r"(?:^|(?<=[.!?\n;*)}$\]\w]))\s*(?:and )?(?:(?:please )?"
    r"(?:(?:let me know|feel free|(?:don't|do not) hesitate)\b)|(?:happy|glad) to help"
    r"|(?:I )?hope (?:this|that|it)(?: is| was)? (?:help\w*|correct|clear|useful)"
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


def in_verdict(sentence: str, *, number: bool = False) -> str:
  """Returns the word that puts the verdict of a sentence in doubt, or ""."""
  found = _OWN.search(_RELATIVE.sub(" ", sentence)) or (number and _AROUND.search(sentence))
  return found[0].strip() if found else ""


def in_reason(reason: str) -> str:
  """Returns the words of what follows a verdict that withdraw it, or ""."""
  reason = _HARMLESS.sub(" ", reason)
  found = _OPENS.match(reason) or _WITHDRAWS.search(reason)
  return found[0].strip(" ,.;:\n()") if found else ""
