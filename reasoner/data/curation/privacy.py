"""Personal data in texts that people wrote: e-mail addresses, phone numbers, names of accounts.

  mask("Write to jane.doe@example.org or call (555) 123-4567.")
      ->  "Write to [e-mail] or call [phone]."

Found by form alone, so names and street addresses stay, and a number in the form of a telephone's
is taken for one. Tasks with a truth are not to be masked: in "extract the address from
'ann@x.org'" it is the question.
"""

from collections import Counter
import re

_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])"
    # Tokenised corpora stand off the signs; there a common ending is asked for.
    r"|(?<![\w.+-])[\w.+-]{1,64} @ (?:[\w-]{1,63} ?\. ?){1,3}(?:com|org|net|edu|gov|co|uk|de|io)(?![\w-])"
)
# +49 30 1234567, (555) 123-4567, 555-123-4567, 1-800-555-0199, 020 7946 0958
_PHONE = re.compile(
    r"(?<![\w.,$£€+/-])(?:"
    r"\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}"
    r"|(?:1[ .-])?\(\d{3}\)[ .-]?\d{3}[ .-]\d{4}"
    r"|(?:1[ .-])?\d{3}([.-])\d{3}\1\d{4}"
    r"|1-\d{3}-\d{3}-\d{4}"
    r"|\d{3} \d{3} \d{4}"
    r"|0\d{2,4} \d{3,4} \d{3,4}"
    r")(?![\w/-])(?!\.\d)"
)
_LEAST_DIGITS = 9
_ACCOUNT = re.compile(r"(?<![\w/])/?u/[A-Za-z0-9_-]{3,20}(?![\w/-])")

_TRACE = re.compile(r"\d\d[\d .)-]")  # what each telephone number has

MASKS = {"e-mail": "[e-mail]", "phone": "[phone]", "account": "[account]"}


def mask(text: str) -> tuple[str, Counter]:
  """Returns the text with masks, and how many of each kind it has."""
  found: Counter = Counter()
  a_number = _TRACE.search(text)
  if not a_number and "@" not in text and "u/" not in text:
    return text, found
  if "@" in text:
    text, found["e-mail"] = _EMAIL.subn(MASKS["e-mail"], text)
  if "u/" in text:
    text, found["account"] = _ACCOUNT.subn(MASKS["account"], text)

  def phone(match: re.Match) -> str:
    if sum(character.isdigit() for character in match[0]) < _LEAST_DIGITS:
      return match[0]
    found["phone"] += 1
    return MASKS["phone"]

  return _PHONE.sub(phone, text) if a_number else text, +found
