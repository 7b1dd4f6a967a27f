"""Where raw rows come from: JSONL and Parquet files, or the hub.

  File(path="rows/openai__gsm8k/main/train.jsonl")
      -> ("rows/openai__gsm8k/main/train.jsonl:18", {"question": ..., "answer": ...}), ...

Local files are read line by line rather than through `datasets`: an error can then name its line,
and no column's type is guessed from the first rows. What a row means is not known here.
"""

from collections.abc import Iterator, Mapping
import dataclasses
import functools
import json
import pathlib
from typing import Any

from reasoner.data.dataset import DataSet
from rewards.errors import ConfigError
from rewards.errors import suggest
from rewards.rows import RowError

SUFFIXES = (".jsonl", ".parquet")

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class File:
  """One split of one part of a data set. path: None for rows from the hub."""

  dataset: DataSet
  config: str
  split: str
  path: pathlib.Path | None

  @property
  def name(self) -> str:
    """`main/train`: with the data set's name and the row's id it makes a uid."""
    return f"{self.config}/{self.split}" if self.config else self.split


def find(dataset: DataSet, config: str, split: str, root: str | None, place: str) -> File:
  """Returns the file of a split, which must exist under `root`; None means the hub.

  Raises:
    ConfigError: naming `place`, the split, and those that there are.
  """
  if root is None:
    if split not in dataset.splits:
      raise ConfigError(
          f"{place} names split {split!r}. {suggest(split, dataset.splits)}"
          f"{dataset.hub_id} has: {', '.join(dataset.splits)}."
      )
    return File(dataset=dataset, config=config, split=split, path=None)
  folder = pathlib.Path(root) / dataset.local_folder / config
  for suffix in SUFFIXES:
    path = folder / f"{split}{suffix}"
    if path.is_file():
      return File(dataset=dataset, config=config, split=split, path=path)
  there = sorted(p.stem for p in folder.glob("*") if p.suffix in SUFFIXES)
  raise ConfigError(
      f"{place} names {split!r}, but {folder / split}.jsonl (or .parquet) does not exist. "
      f"{suggest(split, there)}There: {', '.join(there) or 'no JSONL or Parquet file'}."
  )


def read(file: File) -> Iterator[tuple[str, Row | RowError]]:
  """Yields (place, row) for each row; a RowError stands for one that cannot be read."""
  return read_path(file.path) if file.path else _read_hub(file)


def read_path(path: pathlib.Path) -> Iterator[tuple[str, Row | RowError]]:
  """Yields (place, row) of a .parquet file, or of JSONL by any name; blank lines are skipped."""
  return _read_parquet(path) if path.suffix == ".parquet" else _read_jsonl(path)


def _read_jsonl(path: pathlib.Path) -> Iterator[tuple[str, Row | RowError]]:
  with path.open("rb") as lines:
    for number, line in enumerate(lines, start=1):
      if line.strip():
        place = f"{path}:{number}"
        yield place, _decode(line, place)


def _decode(line: bytes, place: str) -> Row | RowError:
  try:
    row = json.loads(line)
  except json.JSONDecodeError as error:
    return RowError(f"{place} is not JSON: {error.msg} at column {error.colno}.")
  except UnicodeDecodeError as error:
    return RowError(f"{place} is not UTF-8: {error.reason} at byte {error.start + 1}.")
  except RecursionError:
    return RowError(f"{place} is nested too deeply to be read.")
  except ValueError as error:  # a number of more digits than Python reads
    return RowError(f"{place} cannot be read: {error}")
  if not isinstance(row, dict):
    return RowError(f"{place} is {type(row).__name__}, not a JSON object.")
  return row


def _read_parquet(path: pathlib.Path) -> Iterator[tuple[str, Row]]:
  import pyarrow
  import pyarrow.parquet

  try:
    number = 0
    with pyarrow.parquet.ParquetFile(path) as file:
      for batch in file.iter_batches(batch_size=1024):
        for row in batch.to_pylist():
          number += 1
          yield f"{path}:{number}", row
  except pyarrow.ArrowException as error:
    raise RowError(f"{path}:{number + 1} cannot be read as Parquet: {error}") from None


def _read_hub(file: File) -> Iterator[tuple[str, Row]]:
  dataset = file.dataset
  rows = _hub_split(dataset.hub_id, file.config, file.split, dataset.revision)
  for index, row in enumerate(rows):
    yield f"{dataset.hub_id} {file.name} row {index}", row


@functools.lru_cache(maxsize=4)  # a data set that feeds three domains is read once for each
def _hub_split(hub_id: str, config: str, split: str, revision: str | None):
  import datasets

  try:
    return datasets.load_dataset(hub_id, config or None, split=split, revision=revision)
  except Exception as error:  # whatever the network, the hub or its cache may raise: never ours
    raise ConfigError(
        f"data set {hub_id!r}, split {split!r}, did not load from the hub "
        f"({type(error).__name__}: {error}). Local rows are used where config.data.root names "
        "their folder."
    ) from error
