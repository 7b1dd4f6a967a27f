"""Texts as arrays of hashed word n-grams: what contamination and near duplicates are found with.

  ngrams([("A robe takes 2 bolts",)], 3)  ->  3 hashes: "a robe takes", "robe takes 2", "takes 2 bolts"

Words are runs of letters, digits and underscores without their case: marks, spacing and line breaks
make no difference, a number does. 64 bits of hash: among 10 million n-grams two are taken for one
another with a chance of 1 in 100,000.
"""

import array
from collections.abc import Iterable, Sequence
import hashlib
import re

import numpy as np

_WORD = re.compile(r"\w+")
# What `_WORD` and `casefold` make of ASCII: capitals become small, all that is in no word a space.
_ASCII = "".join(character.lower() if _WORD.match(character) else " " for character in map(chr, range(128)))
_MOST_REMEMBERED = 2_000_000  # words; about 300 MB


def words(text: str) -> list[str]:
  """Returns the words of a text, in lower case."""
  if text.isascii():
    return text.translate(_ASCII).split()  # four times as fast
  return _WORD.findall(text.casefold())


class _Hashes(dict):
  """64-bit hashes by word, the same in every process; a word is hashed when it is first seen."""

  def __missing__(self, word: str) -> int:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    self[word] = value = int.from_bytes(digest, "little")
    return value


_hashes = _Hashes()


def ngrams(rows: Iterable[Sequence[str]], n: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns the hashes of all n-grams, and whose they are; none runs over the end of a text.

  Args:
    rows: the texts of each row.

  Returns:
    hashes: [all n-grams] uint64, in the order of the texts.
    bounds: [rows + 1] int64: those of row i are hashes[bounds[i] : bounds[i + 1]].
  """
  if len(_hashes) > _MOST_REMEMBERED:
    _hashes.clear()
  values = array.array("Q")
  lengths, texts_of_row = [], []
  for texts in rows:
    for text in texts:
      found = words(text)
      values.extend(map(_hashes.__getitem__, found))
      lengths.append(len(found))
    texts_of_row.append(len(texts))
  by_word = np.frombuffer(values, np.uint64)
  lengths = np.array(lengths, np.int64)
  counts = np.maximum(lengths - n + 1, 0)
  bounds = np.concatenate([[0], np.cumsum(counts)])[np.cumsum([0, *texts_of_row])]
  if len(by_word) < n:
    return np.zeros(0, np.uint64), bounds
  total = np.zeros(len(by_word) - n + 1, np.uint64)
  for position in range(n):
    total += by_word[position : position + len(total)] * _MULTIPLIERS[position]
  text_of_word = np.repeat(np.arange(len(lengths)), lengths)
  whole = text_of_word[: len(total)] == text_of_word[n - 1 :]
  return _mixed(total[whole]), bounds


# Odd, so that no bit of a word is lost; each position has its own, so that order counts.
_MULTIPLIERS = np.array(
    [int.from_bytes(hashlib.blake2b(bytes([i]), digest_size=8).digest(), "little") | 1 for i in range(32)],
    np.uint64,
)


def _mixed(values: np.ndarray) -> np.ndarray:
  """Spreads what the sums differ in over all bits: MurmurHash3's finalizer."""
  for shift, factor in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53)):
    values = (values ^ (values >> np.uint64(shift))) * np.uint64(factor)
  return values ^ (values >> np.uint64(33))
