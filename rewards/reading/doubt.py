"""Doubt: the one closed list of what withdraws a verdict from outside of it, for all kinds of answers.

One real input: `No. But it is not clear.` says "no" and takes it back. Inside of a verdict's own sentence
words are on a list of what may stand there (words.refuse_beside); this is what may not stand behind or before it.
"""

import re


class Refused(Exception):
  """An answer that states no single verdict; str() names the rule, `cause` is counted in metrics."""

  def __init__(self, cause: str, reason: str):
    super().__init__(reason)
    self.cause = cause


# Behind a verdict "not", "may" and "if" explain, unless they open the reason or speak of the answer.
_OPENS = re.compile(
    r"[\s,.;:!()\u2014-]*(?:and |well |even |yet )*(?:but|though|although|however|yet|except|unless|if|only"
    r"|provided|providing|assuming|supposing|given that|as long as|when|whenever|in case|otherwise|or|and/or"
    r"|nor|maybe|in (?:fairy|dreams?|fiction)|no,? wait|not[.!\s]*$)\b",
    re.IGNORECASE,
)
_WITHDRAWS = re.compile(
    r"\b(?:as far as (?:I|we) know|to the best of (?:my|our)|hopefully|arguably|give or take|more or less"
    r"|at best|maybe|perhaps|possibly|probably|presumably|supposedly|allegedly|apparently|(?:un)?likely"
    r"|hypothetically|unsure|uncertain|unclear|unknown|depends|guess\w*|suspect|suppos\w+|assum(?:e|es|ing)"
    r"|pretend|imagine|doubt(?:s|ful|ed)?|no (?:idea|clue)|so to speak|partly|partially|or so|or something"
    r"|ish|either way|(?:one|a) possibility|one of (?:them|these|several)|in (?:theory|principle"
    r"|some (?:sense|cases|ways))|hard to (?:say|tell|know|be)|(?:don't|do not) (?:\w+ )?(?:know|believe"
    r"|trust)|(?:un|not |n't )(?:\w+ )?(?:sure|certain|clear)|(?:can(?:'t|not)?|could|who|nobody|(?:no"
    r"|any) ?one) (?:\w+ )?(?:knows?|be (?:sure|certain)|say|tell)|\d+ ?% (?:sure|certain|yes|no|true|likely)"
    r"|wrong|incorrect|false|untrue|mistaken|mistakes?|nonsense|bogus|rubbish|l(?:ie|ies|ied|ying)|jok(?:e"
    r"|ing)|kidding|sarcas\w+|lol|opposite|contrary|actually|wait|oops|whoops|sorry|correction|instead|myth"
    r"|alternative(?:ly)?|made (?:\w+ )?up|(?:ignore|disregard|forget|scratch|strike|reverse) (?:that|this"
    r"|it)|never ?mind|second (?:thought|guess)s?|take (?:it|that|this) back|changed? my mind|in truth"
    r"|another|anything|everything|different (?:answer|question|problem)|(?:also|equally) (?:possible|correct"
    r"|right|valid|acceptable|known)|aka|a\.k\.a|known as well|my (?:bad|hunch)|a (?:trap|trick|bluff|fake"
    r"|decoy|typo)|(?:I|we|you|they|people|some|many) (?:\w+ )?(?:think|believe|say|reckon|claim)"
    r"|isn't (?:right|true|correct|it)|(?:it|this|that|answer|I|one|which) (?:could|might|may|would) (?:also "
    r"|well )?(?:be|as well)|not (?:really|quite|exactly|right|true|correct|the (?:right |correct )?(?:answer"
    r"|case)|it|so))\b|\?|(?:^|[.,;:!(\n])\s*(?:and/)?(?:or\b|nope\b|not?[.!)]*\s*$)|\bor not\b|\+[\s.!]*$",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"\bno(?:t a)? (?:\w+ )?doubt(?: about (?:it|that))?|\bno reason to doubt\b|\bwithout (?:a )?doubt\b",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"\?|\b(?:not|never|no|nor|none|nobody|neither|cannot|either|(?-i:may)|might|could|if|unless|whether"
    r"|except|but|other than|rather|hardly|about|around|roughly|approximately|nearly|almost|(?:close|next) to"
    r"|at (?:least|most)|(?:I|we|you|they|people|some|many) (?:\w+ )?(?:think|believe|say|reckon|claim))\b"
    r"|n't\b"
    rf"|{_WITHDRAWS.pattern}",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"(?:^|(?<=[.!?\n;*)}$\]\w]))\s*(?:and )?(?:(?:please )?(?:(?:let me know|feel free|(?:don't"
    r"|do not) hesitate)\b)|(?:happy|glad) to help|(?:I )?hope (?:this|that|it)(?: is| was)? (?:help\w*"
    r"|correct|clear|useful)|(?:you are|you're) welcome|(?:is there )?anything else|thank(?:s| you)\b"
    r"|good luck\b|cheers\b|if you (?:have|need|would|'d|want)\b[^.!\n]{0,60}(?:let me know|ask|help"
    r"|question)|have a (?:great|nice|good|wonderful)\b)[^.!?\n]{0,120}(?:[.!?]+|$)\s*",
    re.IGNORECASE,
)


def without_courtesy(text: str) -> str:
  """Returns `text` without the courtesies that close it: "I hope this helps! Let me know if ..."."""
  for match in _COURTESY.finditer(text, max(0, len(text) - 600)):
    if not _COURTESY.sub("", text[match.start() :]).strip() and text[: match.start()].strip():
      return text[: match.start()].rstrip()
  return text


def refuse_before(clause: str) -> None:
  """Refuses a clause that puts the verdict behind it in doubt."""
  found = _BEFORE.search(clause)
  if found:
    raise Refused("hedged", f"Doubt: {found[0].strip()!r} stands before the verdict.")


def refuse_behind(reason: str) -> None:
  """Refuses what follows a verdict where it withdraws it."""
  reason = _HARMLESS.sub(" ", reason)
  found = _OPENS.match(reason) or _WITHDRAWS.search(reason)
  if found:
    raise Refused("hedged", f"Doubt: {found[0].strip(' ,.;:()')!r} withdraws the verdict.")
