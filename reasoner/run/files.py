"""Files written so that a kill at any instant leaves each of them whole or a line short."""

import json
import os
import pathlib
from typing import Any


def write_json(path: pathlib.Path, value: Any) -> None:
  """Replaces a file as one step: readers see the old content or the new, never a part."""
  write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: pathlib.Path) -> Any:
  return json.loads(path.read_text(encoding="utf-8"))


def write_text(path: pathlib.Path, text: str) -> None:
  temporary = path.with_name(f".{path.name}.partial")
  with temporary.open("w", encoding="utf-8", errors="surrogatepass") as file:
    file.write(text)
    file.flush()
    os.fsync(file.fileno())
  temporary.replace(path)


def write_lines(path: pathlib.Path, rows: list[dict[str, Any]]) -> None:
  """Replaces a JSONL file as one step."""
  write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def append_line(path: pathlib.Path, row: dict[str, Any]) -> None:
  with path.open("a", encoding="utf-8") as file:
    file.write(json.dumps(row) + "\n")


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
