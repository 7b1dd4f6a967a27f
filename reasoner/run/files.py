"""Files written so that a kill at any instant, or a full disk, leaves each of them whole or a line short.

JSON is strict, as every reader takes it: a number that is not finite is written as null.
"""

from collections.abc import Iterator
import contextlib
import json
import math
import os
import pathlib
from typing import Any


def write_json(path: pathlib.Path, value: Any) -> None:
  """Replaces a file as one step: readers see the old content or the new, never a part."""
  write_text(path, json.dumps(_strict(value), indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: pathlib.Path) -> Any:
  return json.loads(path.read_text(encoding="utf-8"))


def write_text(path: pathlib.Path, text: str) -> None:
  with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="surrogatepass") as file:
    file.write(text)
    file.flush()
    os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Gives a path to write to, which becomes `path` at the end; what fails leaves nothing behind."""
  temporary = path.with_name(f".{path.name}.partial")
  try:
    yield temporary
    temporary.replace(path)
  finally:
    temporary.unlink(missing_ok=True)


def write_lines(path: pathlib.Path, rows: list[dict[str, Any]]) -> None:
  """Replaces a JSONL file as one step."""
  write_text(path, "".join(map(_line, rows)))


def append_line(path: pathlib.Path, row: dict[str, Any]) -> None:
  with path.open("a", encoding="utf-8") as file:
    file.write(_line(row))


def _line(row: dict[str, Any]) -> str:
  return json.dumps(_strict(row), allow_nan=False) + "\n"


def _strict(value: Any) -> Any:
  if isinstance(value, dict):
    return {key: _strict(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [_strict(item) for item in value]
  return None if isinstance(value, float) and not math.isfinite(value) else value


def read_lines(path: pathlib.Path) -> list[dict[str, Any]]:
  """Returns the rows of a JSONL file; a last line that a kill cut short is left out."""
  if not path.exists():
    return []
  lines = path.read_text(encoding="utf-8").split("\n")
  return [json.loads(line) for line in lines[:-1]]  # what follows the last line break was cut


def keep_steps(path: pathlib.Path, *, below: int) -> None:
  """Drops the rows of a JSONL file whose "step" is `below` or above it."""
  if path.exists():
    write_lines(path, [row for row in read_lines(path) if row["step"] < below])
