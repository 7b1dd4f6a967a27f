"""Undoes the spacing of tokenised corpora.

  `` You ca n't , '' he said .  ->  "You can't," he said.
"""

import re

_SPACES = re.compile(r"  +")
_CLITIC = re.compile(r" (n['’]t|['’](?:s|m|d|re|ve|ll))\b", re.IGNORECASE)
_BEFORE = re.compile(r" ([,;:!?%)\]]|\.+(?!\w))")
_AFTER = re.compile(r"([(\[]) +")
_LINES = re.compile(r"\n[ \n]*")


def repair_spacing(text: str) -> str:
  """Returns `text` as it was written before tokenisation, as far as that can be told.

  Straight quotes that open and close alike (`" word "`) are left alone: which is which is a guess.
  Runs of line breaks, which tokenised corpora use between paragraphs, become one blank line.
  """
  text = text.replace("`` ", '"').replace("``", '"').replace(" ''", '"').replace("''", '"')
  text = _SPACES.sub(" ", text).replace(" \n", "\n")
  text = _CLITIC.sub(r"\1", text)
  text = _BEFORE.sub(r"\1", text)
  text = _AFTER.sub(r"\1", text)
  return _LINES.sub(lambda run: "\n\n" if run[0].count("\n") > 1 else "\n", text).strip()
