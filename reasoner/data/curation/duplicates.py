"""Near duplicates: prompts that share most of their three-word phrases, by MinHash and LSH.

  near = Near(0.8)
  near.find(signature, answer)        ->  ("dolly/train/17", 0.91), or None
  near.add("dolly/train/99", signature, answer)

Signatures and buckets are datasketch's (Zhu et al., https://ekzhu.com/datasketch). A task with other
numbers is another task: where a row has a short truth, only a row with the same truth is its
duplicate. Exact duplicates are found before, by the loader.
"""

import numpy as np

from reasoner.data.curation import words

SHINGLE_WORDS = 3
PERMUTATIONS = 128  # of a Jaccard of 0.8 the estimate's standard deviation is 0.035
_SEED = 1


def _minhash(**arguments):
  from datasketch import MinHash

  return MinHash(num_perm=PERMUTATIONS, seed=_SEED, hashfunc=int, **arguments)


def signatures(prompts: list[str]) -> np.ndarray:
  """Returns [prompts, PERMUTATIONS] uint32; a prompt of fewer than three words is like none."""
  hashes, bounds = words.ngrams(((prompt,) for prompt in prompts), SHINGLE_WORDS)
  short = (hashes & np.uint64(0xFFFFFFFF)).astype(np.uint32)
  empty = _minhash()
  rows = np.empty((len(prompts), PERMUTATIONS), np.uint32)
  for row, (start, stop) in enumerate(zip(bounds[:-1], bounds[1:])):
    signature = empty.copy()
    signature.update_batch(short[start:stop].tolist())
    rows[row] = signature.hashvalues
  return rows


class Near:
  """Rows seen so far, to be asked for one that is nearly the same.

  similarity: the least Jaccard similarity, of sets of three-word phrases, that counts; in (0, 1).
  """

  def __init__(self, similarity: float):
    from datasketch import MinHashLSH

    self._similarity = similarity
    # Missing a pair is worse than looking at one for nothing: each candidate is compared anyway.
    self._buckets = MinHashLSH(threshold=similarity, num_perm=PERMUTATIONS, weights=(0.2, 0.8))
    self._known: dict[str, tuple[np.ndarray, str]] = {}
    empty = _minhash()
    self._empty = empty.hashvalues
    self._settings = {"permutations": empty.permutations, "scheme": empty.scheme}

  def find(self, signature: np.ndarray, answer: str) -> tuple[str, float] | None:
    """Returns the uid and similarity of the row that is most alike, or None.

    Args:
      answer: the row's short truth, "" where it has none.
    """
    alike = []
    for uid in self._buckets.query(_minhash(hashvalues=signature, **self._settings)):
      other, its_answer = self._known[uid]
      similarity = float((other == signature).mean())
      if similarity >= self._similarity and its_answer == answer:
        alike.append((-similarity, uid))
    return (min(alike)[1], -min(alike)[0]) if alike else None

  def add(self, uid: str, signature: np.ndarray, answer: str) -> None:
    if uid not in self._known and not np.array_equal(signature, self._empty):
      self._known[uid] = signature, answer
      self._buckets.insert(uid, _minhash(hashvalues=signature, **self._settings))
