"""Training rows that share eight words in a row with an evaluation row.

  index = Index.build(uids, rows)            # of all evaluation rows
  index.matches(*words.ngrams(rows, 8))      # {7: Match(uid="gsm8k/main/test/4", shared=31, overlap=0.94)}

Eight words is what the GPT-2 report and many after it take. It errs on the careful side: "how many
... does she have in total if" is eight words too, and data sets written to templates lose rows that
give nothing away. How many is said in two ways: `Match.overlap` tells a row that is nearly the
evaluation row's own from one that shares a phrase, and `chance_rate` measures how often training
rows share eight words with *each other*, where by construction nothing leaks.
"""

from collections.abc import Sequence
import dataclasses
import pathlib

import numpy as np

from reasoner.data.curation import words

NGRAM_WORDS = 8
_ARRAYS = ("hashes", "owners", "sizes", "heads")
SAME_TASK = 0.5  # of the n-grams of the shorter row: from here on the rows are taken for the same


@dataclasses.dataclass(frozen=True, kw_only=True)
class Match:
  """An evaluation row that a row shares n-grams with: the one that it shares most with.

  uid: the evaluation row's. shared: how many distinct ones. overlap: of the row that has fewer, 0 to 1.
  """

  uid: str
  shared: int
  overlap: float


class Index:
  """All n-grams of the evaluation rows, each with the first row that has it.

  hashes: [n] uint64, ascending. owners: [n] int32, places in `uids`. sizes: [rows] int32, the
  distinct n-grams of each row. heads: [8 to 16 x n] bool, whether some hash begins with these bits:
  nine of ten that are not there need no search.
  """

  def __init__(
      self, uids: Sequence[str], hashes: np.ndarray, owners: np.ndarray, sizes: np.ndarray, heads: np.ndarray
  ):
    self.uids, self.hashes, self.owners, self.sizes, self.heads = uids, hashes, owners, sizes, heads
    self._shift = np.uint64(65 - len(heads).bit_length())

  @classmethod
  def build(cls, uids: Sequence[str], rows: Sequence[Sequence[str]]) -> "Index":
    """Returns the index of rows, each given by its texts."""
    hashes, bounds = words.ngrams(rows, NGRAM_WORDS)
    owners = np.repeat(np.arange(len(uids), dtype=np.int32), np.diff(bounds))
    sizes = [len(np.unique(hashes[a:b])) for a, b in zip(bounds[:-1], bounds[1:])]
    hashes, first = np.unique(hashes, return_index=True)
    return cls(list(uids), hashes, owners[first], np.array(sizes, np.int32), heads(hashes))

  def save(self, folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in _ARRAYS:
      np.save(folder / f"{name}.npy", getattr(self, name))
    (folder / "uids.txt").write_text("\n".join(self.uids), encoding="utf-8", errors="surrogatepass")

  @classmethod
  def open(cls, folder: pathlib.Path) -> "Index":
    """Returns a saved index; its arrays stay on disk, and processes share what they read of them."""
    arrays = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS]
    uids = (folder / "uids.txt").read_text(encoding="utf-8", errors="surrogatepass").split("\n")
    return cls(uids, *arrays)

  def matches(self, hashes: np.ndarray, bounds: np.ndarray) -> dict[int, Match]:
    """Returns the match of each row that has one, by place; arguments as `words.ngrams` returns them."""
    places, hit = self.find(hashes)
    found = {}
    for row in np.unique(np.searchsorted(bounds, np.flatnonzero(hit), side="right") - 1):
      own = slice(bounds[row], bounds[row + 1])
      shared = self.owners[np.unique(places[own][hit[own]])]
      owners, counts = np.unique(shared, return_counts=True)
      best = int(counts.argmax())
      fewer = min(len(np.unique(hashes[own])), int(self.sizes[owners[best]]))
      found[int(row)] = Match(
          uid=self.uids[owners[best]], shared=len(shared), overlap=min(1.0, float(counts[best]) / fewer)
      )
    return found

  def find(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns whether each hash is there, and where: 0 for one that is not."""
    places, hit = np.zeros(len(hashes), np.int64), self.heads[hashes >> self._shift]
    maybe = np.flatnonzero(hit)
    found = np.searchsorted(self.hashes, hashes[maybe])
    hit[maybe] = there = self.hashes[np.minimum(found, len(self.hashes) - 1)] == hashes[maybe]
    places[maybe[there]] = found[there]
    return places, hit

  def shared_words(self, texts: Sequence[str]) -> str:
    """Returns the first eight words that these texts share with an evaluation row."""
    for text in texts:
      _, hit = self.find(words.ngrams([(text,)], NGRAM_WORDS)[0])
      if hit.any():
        first = int(hit.argmax())
        return " ".join(words.words(text)[first : first + NGRAM_WORDS])
    return ""


def heads(hashes: np.ndarray) -> np.ndarray:
  """Returns which beginnings the hashes have, as `Index` keeps them: [a power of two] bool."""
  bits = 3 + len(hashes).bit_length()
  found = np.zeros(1 << bits, bool)
  found[hashes >> np.uint64(64 - bits)] = True
  return found


def chance_rate(rows: Sequence[Sequence[str]], indexed: int) -> float | None:
  """Returns the share of training rows that share an n-gram with `indexed` *other training rows*.

  It is what the rule would drop where nothing leaks, so long as no row is another's copy: the rate of
  its false positives. None where there are not as many rows again to try it on.

  Args:
    rows: the texts of each, in random order.
    indexed: as many as there are evaluation rows.
  """
  indexed = min(indexed, len(rows) // 2)
  if not indexed:
    return None
  index = Index.build([""] * indexed, rows[:indexed])
  return len(index.matches(*words.ngrams(rows[indexed:], NGRAM_WORDS))) / (len(rows) - indexed)
