"""Words: when two short texts say the same, and which words are harmless beside a verdict.

One real input: "The Fight-or-Flight responses." and "fight or flight response" have one key. Case,
articles, punctuation, hyphens, spaces and plural do not count; numbers are compared in digits.
Not here: synonyms, ordinals in words, other spellings than the American.
"""

import functools
import re

from rewards.reading.doubt import Refused
from rewards.reading.dress import undress
from rewards.reading.dress import wordy

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
    "year m cm mm km ft g kg mg l ml s h hr min mph kph kmh sq square cubic unit inches feet oz lb am pm".split()
)
_TURNS = frozenset(
    "not no never none nor neither nobody nothing cannot or either if unless whether but except maybe "
    "perhaps possibly probably likely unlikely may might could think believe guess suspect suppose assume "
    "say says said doubt false wrong incorrect untrue another other opposite instead about around roughly "
    "approximately nearly almost least most more less fewer than over under up between half twice double "
    "triple dozen pair times plus minus squared cubed reciprocal inverse without lack lacks seem seems "
    "would-be some many hundred thousand million billion trillion tens score lakh crore isnt arent "
    "wasnt werent dont doesnt didnt wont wouldnt cant couldnt shouldnt hasnt havent hadnt".split()
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


def refuse_beside(words: list[str], prompt: str, allowed: frozenset[str] = frozenset()) -> None:
  """Refuses words that may not stand beside a verdict: who doubts or computes, or who is not known.

  Args:
    allowed: further words that may, such as units.
  """
  known = prompt_words(prompt)
  for word in map(str.lower, words):
    forms = {word, _singular(word)}
    if forms & _TURNS or word.replace("'", "") in _TURNS:
      raise Refused("hedged", f"Doubt: {word!r} stands beside the verdict.")
    if not forms & (FUNCTION | allowed) and not (len(word) > 1 and set(map(stem, forms)) & known):
      raise Refused("unreadable", f"Beside: {word!r} is no small word, no unit and no word of the question.")
