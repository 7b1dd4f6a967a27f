"""Reasoning from elsewhere, such as a teacher's, joined to training rows: `config.cold_start.rationales`.

  {"id": "MDSA_2009_4_30", "config": "ARC-Challenge", "rationale": "Leo is a kind of constellation. ..."}

A line names its row by `uid`, by the data set's own `id` (with `dataset`, `config` or `split` where the
id alone is not unique), or by `prompt`, as it is put to the model or as the data set has it. It takes
the place of the row's own rationale. Rows that are evaluated take none, whatever a file says.
"""

from collections.abc import Sequence
import dataclasses
import pathlib
from typing import Any

from reasoner.data import loading
from reasoner.data import pool
from reasoner.data import reading
from reasoner.data.corpus import Corpus
from rewards.errors import ConfigError
from rewards.rows import RowError
from rewards.schema import Example

_NARROWING = ("dataset", "config", "split")


def join(corpus: Corpus, paths: Sequence[str]) -> Corpus:
  """Returns the corpus with these files' rationales in the `extra` of its training rows.

  Raises:
    ConfigError: a file does not exist, or none of its lines belongs to a row.
    RowError: a line has no rationale or names no row, or an id that several rows have.
  """
  if not paths:
    return corpus
  evaluated = [e for by_domain in (corpus.evaluation, *corpus.evaluation_sets.values()) for e in _all(by_domain)]
  trained, withheld = _Names(_all(corpus.train)), _Names(evaluated)
  given: dict[str, str] = {}
  notes = []
  for path in map(pathlib.Path, paths):
    if not path.is_file():
      raise ConfigError(f"config.cold_start.rationales names {str(path)!r}, which is not a file.")
    kept_apart = lines = repeated = 0
    joined: set[str] = set()
    unknown = ""
    for place, row in reading.read_path(path):
      if isinstance(row, RowError):
        raise row
      rationale = row.get("rationale")
      if not isinstance(rationale, str):
        raise RowError(f"{place}: 'rationale' is {rationale!r:.80}; expected a text.")
      if problem := pool.rationale_problem(rationale):
        raise RowError(f"{place}: 'rationale' {problem}")
      lines += 1
      uid = trained.find(row, place)
      if uid is not None:
        repeated += uid in joined
        joined.add(uid)
        given[uid] = rationale.strip()  # of several the last, in this file or a later one
      elif withheld.find(row, place) is not None:
        kept_apart += 1
      else:
        unknown = unknown or f" The first line that names no row: {place}."
    if not joined:
      raise ConfigError(
          f"config.cold_start.rationales: none of the {lines:,} lines of {path} belongs to a training row; "
          "expected 'uid', 'id' or 'prompt' of rows in config.data."
      )
    notes.append(
        f"{path.name}: {len(joined):,} of {lines:,} rationales joined training rows; {kept_apart:,} belong to "
        f"evaluation rows and are not used, {repeated:,} are replaced by a later line of the same row.{unknown}"
    )
  train = {
      domain: tuple(
          dataclasses.replace(e, extra={**e.extra, "rationale": given[e.uid]}) if e.uid in given else e
          for e in examples
      )
      for domain, examples in corpus.train.items()
  }
  return dataclasses.replace(corpus, train=train, notes=(*corpus.notes, *notes))


def _all(by_domain) -> list[Example]:
  return [example for examples in by_domain.values() for example in examples]


class _Names:
  """Examples by all that a line may call them."""

  def __init__(self, examples: Sequence[Example]):
    self._uids = {example.uid for example in examples}
    self._by_id: dict[str, list[str]] = {}
    self._by_text: dict[bytes, str] = {}
    for example in examples:
      self._by_id.setdefault(example.uid.rpartition("/")[2], []).append(example.uid)
      for key in loading.keys(example, example.extra.get("task_text") or example.prompt):
        self._by_text.setdefault(key, example.uid)

  def find(self, row: Any, place: str) -> str | None:
    """Returns the uid of the row that a line means, None where there is none."""
    for field, kinds in (("uid", str), ("id", str | int)):
      if not isinstance(row.get(field), kinds | None):
        raise RowError(f"{place}: {field!r} is {row[field]!r:.80}; expected that of a row.")
    if row.get("uid"):
      return row["uid"] if row["uid"] in self._uids else None
    if row.get("id") not in (None, ""):
      narrowing = {str(row[field]) for field in _NARROWING if row.get(field) is not None}
      found = [u for u in self._by_id.get(str(row["id"]), ()) if narrowing <= set(u.split("/"))]
      if len(found) > 1:
        raise RowError(f"{place}: id {row['id']!r} is that of {', '.join(found)}; name the 'uid' or the 'dataset'.")
      return found[0] if found else None
    if isinstance(row.get("prompt"), str):
      return self._by_text.get(loading.key(row["prompt"]))
    raise RowError(f"{place} names no row: expected 'uid', 'id' or 'prompt'.")
