"""Personal data in texts that people wrote: e-mail addresses, phone numbers, names of accounts.

  mask("Write to jane.doe@example.org or call (555) 123-4567.")
      ->  "Write to [e-mail] or call [phone]."

Found by form alone, so names and street addresses stay, and a number in the form of a telephone's
is taken for one. Tasks with a truth are not to be masked: in "extract the address from
'ann@x.org'" it is the question.
"""

from collections import Counter
import re

_END = r"(?:com|org|net|edu|gov|info|co|uk|de|io)(?![\w-])"
_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])"
    # Tokenised corpora stand off the signs, and who hides an address spells them; there a common ending is asked for.
    r"|(?<![\w.+-])[\w.+-]{1,64} @ (?:[\w-]{1,63} ?\. ?){1,3}" + _END +
    r"|(?<![\w.+-])[\w.+-]{1,64} ?[\[({] ?at ?[\])}] ?(?:[\w-]{1,63} ?(?:\.|[\[({] ?dot ?[\])}]) ?){1,3}" + _END,
    re.IGNORECASE,
)
# +49 30 1234567, (555) 123-4567, 555-123-4567, 1-800-555-0199, 020 7946 0958, 07700 900123
_PHONE = re.compile(
    r"(?<![\w.,$£€+/-])(?:"
    r"(?:\+|00)\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}"
    r"|(?:1[ .-])?\(\d{3}\)[ .-]?\d{3}[ .-]\d{4}"
    r"|(?:1[ .-])?\d{3}([.-])\d{3}\1\d{4}"
    r"|\d{3} - \d{3} - \d{4}"
    r"|1-\d{3}-\d{3}-\d{4}"
    r"|[2-9]\d{2} [2-9]\d{2} \d{4}"  # no area or exchange begins with 0 or 1
    r"|0\d{2,4} \d{3,4} \d{3,4}"
    r"|0\d{4} \d{6}"
    r")(?![\w/-])(?!\.\d)"
)
_LEAST_DIGITS = 9
_ACCOUNT = re.compile(r"(?<![\w/])/?u/[A-Za-z0-9_-]{3,20}(?![\w/-])")

_TRACE = re.compile(r"\d\d[\d .)-]")  # what each telephone number has
_AT = re.compile(r"@|[\[({] ?at ?[\])}]", re.IGNORECASE)  # and each address
# Signs that look like these, one for one, so that what is found in one text stands there in the other.
_ALIKE = str.maketrans("\u2010\u2011\u2012\u2013\u00a0\u202f\uff20", "----  @")

MASKS = {"e-mail": "[e-mail]", "phone": "[phone]", "account": "[account]"}


def mask(text: str) -> tuple[str, Counter]:
  """Returns the text with masks, and how many of each kind it has."""
  found: Counter = Counter()

  plain = text.translate(_ALIKE)

  def hide(kind: str, pattern: re.Pattern, least_digits: int = 0) -> None:
    nonlocal text, plain
    for match in reversed(list(pattern.finditer(plain))):
      if sum(character.isdigit() for character in match[0]) >= least_digits:
        text, plain = (t[: match.start()] + MASKS[kind] + t[match.end() :] for t in (text, plain))
        found[kind] += 1

  if _AT.search(plain):
    hide("e-mail", _EMAIL)
  if "u/" in plain:
    hide("account", _ACCOUNT)
  if _TRACE.search(plain):
    hide("phone", _PHONE, _LEAST_DIGITS)
  return text, found
