"""Words: when two texts say the same, and the closed lists of what may stand around a verdict.

Two real inputs: "The Fight-or-Flight responses." and "fight or flight response" have one key, since case,
articles, punctuation, hyphens, spaces and plural do not count. "No. But it is not clear." says "no" and
takes it back. Not here: synonyms, ordinals in words, other spellings than the American.
"""

import functools
import re

from rewards.reading.dress import undress
from rewards.reading.dress import wordy


class Refused(Exception):
  """An answer that states no single verdict; str() names the rule, `cause` is counted in metrics."""

  def __init__(self, cause: str, reason: str):
    super().__init__(reason)
    self.cause = cause


# ---- Keys ----------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"[0-9]+(?:[.,][0-9]+)*|\.[0-9]+|[^\W\d_]+(?:'[^\W\d_]+)*|(?<![\w)])-(?=\s?[0-9.])"
    r"|[\u2192+%\u00b0=<>/\u00d7&]"
)
_ARTICLES = frozenset(("a", "an", "the"))
_SAME = dict(pair.split(":") for pair in """
    percent:% &:and degree:\u00b0 degrees:\u00b0 celsius:c fahrenheit:f calorie:calory
    mitochondria:mitochondrion bacteria:bacterium nuclei:nucleus fungi:fungus alveoli:alveolus larvae:larva
    vertebrae:vertebra algae:alga hypotheses:hypothesis phenomena:phenomenon mice:mouse teeth:tooth
    feet:foot men:man women:woman children:child people:person leaves:leaf halves:half wolves:wolf
    lives:life gases:gas lenses:lens
    """.split())  # fmt: skip
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL = {w: n for n, w in enumerate(_ONES)} | {w: 10 * n for n, w in enumerate(_TENS, start=2)}
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ANY = "|".join([*_SMALL, *SCALES])
_NUMBER_WORDS = re.compile(
    rf"\b(?:an? (?:{'|'.join(SCALES)})|(?:{'|'.join(_SMALL)}))(?:(?:\s+and\s+|[\s-]+)(?:{_ANY})\b)*\b",
    re.IGNORECASE,
)


def _singular(word: str) -> str:
  if len(word) < 4 or word[-1] != "s" or word[-2] in "siu":
    return word
  if word.endswith("ies") and len(word) > 4:
    return word[:-3] + "y"
  if word.endswith(("sses", "xes", "ches", "shes", "zzes")) or word.endswith("oes") and len(word) > 5:
    return word[:-2]
  if word.endswith("uses") and len(word) > 5 and word[-5] not in "ao":
    return word[:-2]  # viruses and fetuses, but not houses and causes
  return word[:-1]


def digits(text: str) -> str:
  """Returns a text with its number words in digits: "twenty-one cells" is "21 cells"."""
  return _NUMBER_WORDS.sub(lambda match: str(_spelled(match[0])), text)


def _spelled(words: str) -> int:
  total = current = 0
  for word in re.findall("[a-z]+", words.lower()):
    if word == "hundred":
      current = max(current, 1) * 100
    elif word in SCALES:
      total, current = total + max(current, 1) * SCALES[word], 0
    else:
      current += _SMALL.get(word, 0)
  return total + current


@functools.lru_cache(maxsize=65536)
def _canonical(token: str, singular: bool) -> str:
  word = token.lower()
  if word[0] in ".0123456789":
    word = word.replace(",", "") if re.fullmatch(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?", word) else word
    if word.count(".") == 1 and "," not in word:
      word = word.rstrip("0").rstrip(".")
      word = "0" + word if word.startswith(".") else word
    return word or "0"
  if word in _SAME or len(word) < 4:
    return _SAME.get(word, word)
  word = word.replace("'", "")
  return _singular(word) if singular else word


def tokens(text: str, *, singular: bool = True) -> list[str]:
  """Returns the words of a wordy text as `key` compares them: no articles, numbers in digits."""
  raw = _TOKEN.findall(digits(text))
  result = []
  for i, token in enumerate(raw):
    letter = token == "A" and i and not text.isupper()  # vitamin A keeps its letter
    if token.lower() not in _ARTICLES or i + 1 == len(raw) or letter:
      result.append(_canonical(token, singular))
  return result


def key(text: str, *, singular: bool = True) -> str:
  """Returns what `text` says regardless of case, articles, punctuation, hyphens, spaces and plural.

  >>> key("The Fight-or-Flight responses.") == key("fight or flight response")
  True
  """
  # "CO 2" is "CO2", but "1 0" is not "10".
  return re.sub(r"(?<![0-9]) | (?![0-9])", "", " ".join(tokens(text, singular=singular)))


@functools.lru_cache(maxsize=4096)
def prompt_words(prompt: str) -> frozenset[str]:
  """Returns the words of a prompt's question, up to its options: a line or a list of "A. ..." ends it."""
  options = r"(?i)\n\s*(?:options?:|\(?[A-J1-9][).:]\s)|\s\(A\)\s"
  asked = re.split(options, prompt[:20_000], maxsplit=1)[0]
  return frozenset(map(stem, tokens(wordy(undress(asked)))))


_STEM = re.compile(r"(?:ing|en|ed|es|e|s)$")


def stem(word: str) -> str:
  """Returns one form for "take", "taken" and "taking"."""
  return _STEM.sub("", word) if len(word) > 3 else word


# ---- Around a verdict ----------------------------------------------------------------------------

# Beside a verdict a word must be one of these, a unit or the question's; and never one that turns it.
FUNCTION = frozenset(
    "a an the of in on for to that which this these it its it's is are was were be been by with from at as "
    "there called known named do does did has have had he she his her they their them we you i your what "
    "into during through via using use so will would can must per each every all total altogether together "
    "left equals final answer value result solution solutions number amount make makes made get gets got "
    "give gives need needs take takes took spend spends spent cost costs pay pays paid earn earns earned buy "
    "buys bought sell sells sold use used remain remains remaining still now means profit".split()
)
UNITS = frozenset(
    "dollar cent euro pound percent degree c f meter metre centimeter millimeter kilometer inch foot yard "
    "mile liter milliliter gallon quart pint cup gram kilogram ounce ton second minute hour day week month "
    "year m cm mm km ft g kg mg l ml s h hr min mph kph sq square cubic unit inches feet oz lb am pm".split()
)
_TURNS = frozenset(
    "not no never none nor neither nobody nothing cannot hardly rather or either if unless whether but "
    "except maybe perhaps possibly probably likely unlikely may might could think believe guess suspect "
    "suppose assume say says said doubt false wrong incorrect untrue another other opposite instead about "
    "around roughly approximately nearly almost least most more less fewer than over under up between half "
    "twice double triple dozen pair times plus minus squared cubed reciprocal inverse close next without "
    "lack lacks seem seems would-be some many hundred thousand million billion trillion tens score lakh "
    "crore isnt arent wasnt werent dont doesnt didnt wont wouldnt cant couldnt shouldnt hasnt havent "
    "hadnt".split()
)
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
    r"|alternative(?:ly)?|made (?:\w+ )?up|(?:ignore|forget|scratch|strike|reverse|cancel|undo|delete|retract"
    r"|withdraw|trust|rely on|quote) (?:that|this|it|me|the answer)|disregard|psych|nah|bluff\w*|fabricat\w*"
    r"|hallucinat\w*|placeholder|fake|inaccurate|unverified|no (?:guarantee|basis)|double.check|close enough"
    r"|something like|random (?:pick|guess)|disagrees?|reverse is true|not (?:that|the final answer)(?=[.!])"
    r"|never ?mind|second (?:thought|guess)s?|take (?:it|that|this) back|changed? my mind|in truth|another"
    r"|anything|everything|different (?:answer|question|problem)|(?:also|equally) (?:possible|correct|right"
    r"|valid|acceptable|known)|aka|a\.k\.a|known as well|my (?:bad|hunch)|a (?:trap|trick|bluff|fake|decoy"
    r"|typo)|(?:I|we|you|they|people|some|many) (?:\w+ )?(?:think|believe|say|reckon|claim)|isn't (?:right"
    r"|true|correct|it)|(?:it|this|that|answer|I|one|which) (?:could|might|may|would) (?:also |well )?(?:be"
    r"|as well)|not (?:really|quite|exactly|right|true|correct|the (?:right |correct )?(?:answer|case)|it"
    r"|so))\b|\?|(?:^|[.,;:!(\n])\s*(?:and/)?(?:or\b|nope\b|not?[.!)]*\s*$)|\bor not\b|\+[\s.!]*$",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"\bno(?:t a)? (?:\w+ )?doubt(?: about (?:it|that))?|\bno reason to doubt\b|\bwithout (?:a )?doubt\b",
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


def turns(word: str) -> bool:
  """Whether a word, in lower case, turns a verdict round or puts it in doubt."""
  return word.endswith("n't") or not _TURNS.isdisjoint((word, _singular(word), word.replace("'", "")))


def refuse_beside(words: list[str], prompt: str, allowed: frozenset[str] = frozenset()) -> None:
  """Refuses words that may not stand beside a verdict: who doubts or computes, or who is not known.

  Args:
    allowed: further words that may, such as units.
  """
  known = prompt_words(prompt)
  for word in map(str.lower, words):
    forms = {word, _singular(word)}
    if turns(word):
      raise Refused("hedged", f"Doubt: {word!r} stands beside the verdict.")
    if not forms & (FUNCTION | allowed) and not (len(word) > 1 and set(map(stem, forms)) & known):
      raise Refused("unreadable", f"Beside: {word!r} is no small word, no unit and no word of the question.")


def without_courtesy(text: str) -> str:
  """Returns `text` without the courtesies that close it: "I hope this helps! Let me know if ..."."""
  for match in _COURTESY.finditer(text, max(0, len(text) - 600)):
    if not _COURTESY.sub("", text[match.start() :]).strip() and text[: match.start()].strip():
      return text[: match.start()].rstrip()
  return text


def refuse_before(clause: str) -> None:
  """Refuses a clause before a verdict that has a word which withdraws or turns it."""
  turned = (word for word in re.findall(r"[a-z]+(?:'t)?", clause.lower()) if turns(word))
  found = _WITHDRAWS.search(clause)
  if said := found[0] if found else next(turned, ""):
    raise Refused("hedged", f"Doubt: {said.strip()!r} stands before the verdict.")


def refuse_behind(reason: str) -> None:
  """Refuses what follows a verdict where it withdraws it."""
  reason = _HARMLESS.sub(" ", reason)
  found = _OPENS.match(reason) or _WITHDRAWS.search(reason)
  if found:
    raise Refused("hedged", f"Doubt: {found[0].strip(' ,.;:()')!r} withdraws the verdict.")
