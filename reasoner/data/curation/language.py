"""Whether a text is English, by its commonest words: a stated test in place of a model.

  is_english("Wie viele Muscheln hat Nora jetzt und wie viele hatte sie?")  ->  False

Of nine languages, the one whose function words are most of a text's words must be English. A text
that has too few words to tell, or none of anybody's, is let pass if its letters are Latin: a list of
names or a line of code has no language.
"""

import re

from reasoner.data.curation import words

LEAST_WORDS = 8
# Of another language's words; fewer may be names ("between Eid al-Fitr") and quotations.
LEAST_FOREIGN, LEAST_SHARE = 2, 0.08
LATIN_SHARE = 0.7  # of the letters

# Words that another of these languages also has (in, a, me, no, is, was, on, ...) are left out of its list.
_FUNCTION_WORDS = {
    "en": "the of and to in that is was for it with as his on be at by had are but from have this which or "
    "an they you were her she he we there would their been has when who will more if out so what up "
    "said its about than into them can only other how do does did my your i a not no all one me us",
    "de": "der die und das ist nicht ein eine zu den mit sich auf für von dem im als auch wie wird sind ich du "
    "wir sie er aus bei nach einer einem einen oder noch wenn wurde haben hat viele",
    "fr": "le la les et des est une dans qui que pour pas sur plus par avec ce il elle au sont du ne ses mais ou "
    "cette nous vous ils je leur être deux combien",
    "es": "el los las y del que es una por con para se su al lo como más pero sus este entre cuando muy sin "
    "sobre también hasta hay donde quien desde todo cuántos cuántas",
    "it": "il gli che di è una per con non si del della dei delle al alla nel anche più come ma sono ha questo "
    "quando chi ogni quanti quante loro",
    "pt": "os as e do da dos das em um uma para com não por mais se foi ao ele ela seu sua são como mas na nos "
    "também quando muito pelo pela isso quantos quantas",
    "nl": "de het een en van is dat niet te zijn met voor op aan ook er maar om uit dan nog bij naar wordt werd "
    "hij zij ik je hoeveel deze",
    "sv": "och det att som en på är av för den till med han inte ett om var jag sig från vi kan när hade men så "
    "hur många",
    "pl": "w i na z do się nie jest że to o jak po co ale od za przez być przy jego jej czy ile tego był była",
}
_BY_LANGUAGE = {name: frozenset(text.split()) for name, text in _FUNCTION_WORDS.items()}
ENGLISH = _BY_LANGUAGE.pop("en")
_OTHERS = {name: found - ENGLISH for name, found in _BY_LANGUAGE.items()}
_ALL_OTHERS = frozenset().union(*_OTHERS.values())
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_READ_WORDS = 400  # the start of a long text tells


def is_english(text: str) -> bool:
  """Returns False where a text is in another language or script."""
  if not text.isascii():
    letters = sum(character.isalpha() for character in text)
    if letters and len(_LATIN.findall(text)) < LATIN_SHARE * letters:
      return False
  found = words.words(text[: 8 * _READ_WORDS])
  if len(found) < LEAST_WORDS:
    return True
  english = sum(map(ENGLISH.__contains__, found))
  if sum(map(_ALL_OTHERS.__contains__, found)) <= english:
    return True
  most = max(sum(map(own.__contains__, found)) for own in _OTHERS.values())
  return most <= english or most < max(LEAST_FOREIGN, LEAST_SHARE * len(found))
