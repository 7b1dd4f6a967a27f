"""Words: when two short texts say the same, and which words a question brings along.

One real input: "The Fight-or-Flight responses." and "fight or flight response" have one key. Case,
articles, punctuation, hyphens, spaces and plural do not count; numbers are compared in digits.
Not here: synonyms, ordinals in words, other spellings than the American.
"""

import functools
import re

from rewards.reading.arithmetic import digits
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


_FUNCTION = frozenset(
    "a an the of in on for to that which this these it its is are was were be been by with from at as there "
    "called known named do does did has have had what into during through via using use".split()
)
_STEM = re.compile(r"(?:ing|en|ed|es|e|s)$")


def stem(word: str) -> str:
  """Returns one form for "take", "taken" and "taking"."""
  return _STEM.sub("", word) if len(word) > 3 else word


def restates(sentence: str, own: list[str], prompt: str) -> bool:
  """Says whether a sentence is made of the words `own`, once and in order, and of the question's words.

  "Plants take in carbon dioxide." answers "Which gas do plants take in?". A list is no such sentence:
  "and" and commas are the question's too, or there are none; nor does one ask or name an alternative.
  """
  words, size, known = tokens(sentence), len(own), prompt_words(prompt)
  places = [i for i in range(len(words) - size + 1) if words[i : i + size] == own]
  if len(places) != 1 or not size or "or" in known or key(sentence) in key(prompt):
    return False
  others = words[: places[0]] + words[places[0] + size :]
  if "or" in others or "and" in others and "and" not in known or "," in sentence and "," not in prompt:
    return False
  is_about = any(word not in _FUNCTION for word in others)
  return is_about and all(word in _FUNCTION or stem(word) in known for word in others)
