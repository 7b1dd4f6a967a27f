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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
  """Consecutive rows of a file, so that several processes can read it.

  first: the index of its first row. rows: how many; None for all that follow. line, offset: where a
  JSONL file has its first row, as a line counted from 1 and in bytes.
  """

  first: int = 0
  rows: int | None = None
  line: int = 1
  offset: int = 0


WHOLE = Part()


def parts(file: File, rows: int) -> list[Part]:
  """Returns a file as parts of `rows` rows, the last one shorter, without decoding any."""
  if file.path is None or file.path.suffix == ".parquet":
    count = len(_hub_rows(file)) if file.path is None else _parquet_rows(file.path)
    return [Part(first=first, rows=min(rows, count - first)) for first in range(0, count, rows)]
  found: list[Part] = []
  index = offset = 0
  with file.path.open("rb") as lines:
    for number, line in enumerate(lines, start=1):
      if line.strip():
        if index % rows == 0:
          found.append(Part(first=index, rows=rows, line=number, offset=offset))
        index += 1
      offset += len(line)
  if found:
    found[-1] = dataclasses.replace(found[-1], rows=index - found[-1].first)
  return found


def read(file: File, part: Part = WHOLE) -> Iterator[tuple[str, Row | RowError]]:
  """Yields (place, row) for each row; a RowError stands for one that cannot be read."""
  return read_path(file.path, part) if file.path else _read_hub(file, part)


def read_path(path: pathlib.Path, part: Part = WHOLE) -> Iterator[tuple[str, Row | RowError]]:
  """Yields (place, row) of a .parquet file, or of JSONL by any name; blank lines are skipped."""
  return _read_parquet(path, part) if path.suffix == ".parquet" else _read_jsonl(path, part)


def _read_jsonl(path: pathlib.Path, part: Part) -> Iterator[tuple[str, Row | RowError]]:
  left = part.rows
  with path.open("rb") as lines:
    lines.seek(part.offset)
    for number, line in enumerate(lines, start=part.line):
      if left == 0:
        break
      if line.strip():
        left = left and left - 1
        place = f"{path}:{number}"
        yield place, _decode(line, place)


def _decode(line: bytes, place: str) -> Row | RowError:
  try:
    row = json.loads(line.rstrip())
    if b"\\u" in line or b"\xed" in line:
      json.dumps(row, ensure_ascii=False).encode()
  except UnicodeEncodeError:
    return RowError(f"{place} holds half of a surrogate pair, which is no text.")
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


def _parquet_rows(path: pathlib.Path) -> int:
  import pyarrow
  import pyarrow.parquet

  try:
    return pyarrow.parquet.read_metadata(path).num_rows
  except pyarrow.ArrowException as error:
    raise RowError(f"{path} cannot be read as Parquet: {error}") from None


def _read_parquet(path: pathlib.Path, part: Part) -> Iterator[tuple[str, Row]]:
  import pyarrow
  import pyarrow.parquet

  try:
    number = 0
    with pyarrow.parquet.ParquetFile(path) as file:
      stop = file.metadata.num_rows if part.rows is None else part.first + part.rows
      for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if number + rows <= part.first or number >= stop:
          number += rows
          continue
        for batch in file.iter_batches(batch_size=1024, row_groups=[group]):
          for row in batch.to_pylist():
            number += 1
            if part.first < number <= stop:
              yield f"{path}:{number}", row
  except pyarrow.ArrowException as error:
    raise RowError(f"{path}:{number + 1} cannot be read as Parquet: {error}") from None


def _read_hub(file: File, part: Part) -> Iterator[tuple[str, Row]]:
  rows = _hub_rows(file)
  if part != WHOLE:
    rows = rows.select(range(part.first, part.first + part.rows))
  for index, row in enumerate(rows, start=part.first):
    yield f"{file.dataset.hub_id} {file.name} row {index}", row


def _hub_rows(file: File):
  """Returns a split as `datasets` maps it from its cache on disk: memory holds what is being read."""
  return _hub_split(file.dataset.hub_id, file.config, file.split, file.dataset.revision)


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
