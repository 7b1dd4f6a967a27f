"""How long a text is in tokens: the model's where its tokenizer is at hand, else by a stated factor.

  TokenizerLength(tokenizer, "gemma3_270m")("Jack is stranded ...")  ->  171
"""

import re

from reasoner.data.prompts import Tokenizer

# Gemma 3's tokenizer on 500 rows each: GSM8K questions 1.30, XSum 1.28, stories 1.34, Dolly 1.36; code 3.1.
TOKENS_PER_WORD = 1.35
_MOST_REMEMBERED = 500_000
# A word with the space before it, or white space that no word follows.
_PIECE = re.compile(r" ?\S+|\s+?(?= \S)|\s+")


class TokenizerLength:
  """Counts word by word and remembers each word, which is ten times faster than encoding texts.

  Of 3,000 texts of eight kinds 97 % had exactly the tokens of the whole text's encoding; 3 % were the
  most that one was off, where a piece joins words.
  """

  def __init__(self, tokenizer: Tokenizer, model: str):
    self.name = f"tokens of {model}, counted word by word"
    self._tokenizer = tokenizer
    self._known: dict[str, int] = {}

  def __call__(self, text: str) -> int:
    if len(self._known) > _MOST_REMEMBERED:
      self._known.clear()
    total = 0
    for piece in _PIECE.findall(text):
      if piece not in self._known:
        self._known[piece] = len(self._tokenizer.encode(piece))
      total += self._known[piece]
    return total


class WordLength:
  """Words times TOKENS_PER_WORD: for prose, a few per cent off; code has three tokens a word."""

  name = f"words x {TOKENS_PER_WORD}, since the model's tokenizer is not on this machine"

  def __call__(self, text: str) -> int:
    return round(TOKENS_PER_WORD * len(text.split()))
