"""Undoes the spacing of tokenised corpora.

  `` You ca n't , '' he said .  ->  "You can't," he said.
"""

import re

# A plain replacement takes a tenth of a pattern's time: patterns are for what only they can say.
_SPACES = re.compile(r"  +")
_CLITIC = re.compile(r" (n['’]t|['’](?:s|m|d|re|ve|ll))\b", re.IGNORECASE)
_BEFORE, _AFTER = ",;:!?%)]", "(["
_STOPS = re.compile(r" (\.+(?!\w))")
_LINES = re.compile(r"\n[ \n]*")


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
