"""Undoes the spacing of tokenised corpora, and gives lists their line breaks back.

  `` You ca n't , '' he said .  ->  "You can't," he said.
  1.\nChess 2.\nGo  ->  1. Chess\n2. Go
"""

import re

# A plain replacement takes a tenth of a pattern's time: patterns are for what only they can say.
_SPACES = re.compile(r"  +")
_CLITIC = re.compile(r" (n['’]t|['’](?:s|m|d|re|ve|ll))\b", re.IGNORECASE)
_BEFORE, _AFTER = ",;:!?%)]", "(["
_STOPS = re.compile(r" (\.+(?!\w))")
_LINES = re.compile(r"\n[ \n]*")
_NUMBER = re.compile(r"(^|(?<!\s)\s++)((\d{1,2})[.)])(?=(\s+)\S)")
# A list begins with the text, or behind a colon or a sentence's end: "Ponting - 71" begins none.
_FIRST_BULLET = re.compile(r"(?:^|(?<=[:.!?])\s+)([-*\u2022])\s")
_BULLET = {c: re.compile(rf"(^|(?<!\s)\s++)({re.escape(c)})(?=(\s+)\S)") for c in "-*\u2022"}


def repair_spacing(text: str) -> str:
  """Returns `text` as it was written before tokenisation, as far as that can be told.

  Straight quotes that open and close alike (`" word "`) are left alone: which is which is a guess.
  Runs of line breaks, which tokenised corpora use between paragraphs, become one blank line.
  """
  text = text.replace("`` ", '"').replace("``", '"').replace(" ''", '"').replace("''", '"')
  text = _SPACES.sub(" ", text).replace(" \n", "\n")
  if "'" in text or "’" in text:
    text = _CLITIC.sub(r"\1", text)
  text = _STOPS.sub(r"\1", text)
  for mark in _BEFORE:
    text = text.replace(f" {mark}", mark)
  for mark in _AFTER:
    text = text.replace(f"{mark} ", mark)
  return _LINES.sub(lambda run: "\n\n" if run[0].count("\n") > 1 else "\n", text).strip()


def repair_lists(text: str) -> str:
  """Returns `text` with each item of a list in a line of its own, behind its number or bullet.

  A list is numbers that count up from 1, two at least, or one kind of bullet three times; it is left alone where most
  of its items have their line. Of lost breaks which " - " was a bullet and which a dash is a guess: all are
  taken for bullets.
  """
  items: list[re.Match[str]] = []
  for number in _NUMBER.finditer(text):
    items += [number] if int(number[3]) == len(items) + 1 else []
  if len(items) < 2:
    first = _FIRST_BULLET.search(text)
    items = list(_BULLET[first[1]].finditer(text, first.start())) if first else []
    if len(items) < 3:
      return text
  lost = [item for item in items if item[1] and "\n" not in item[1] or "\n" in item.groups()[-1]]
  if 2 * len(lost) <= len(items):
    return text
  said, end = [], 0
  for item in items:
    said += [text[end : item.start()], "\n" if item.start() else "", item[2], " "]
    end = item.end(item.lastindex)
  return "".join([*said, text[end:]])
