"""All that training drew, in Parquet: a row a completion, a file each FILE_STEPS steps.

  completions/000040.parquet holds steps 40 to 49; with DuckDB, for one:
  SELECT step, uid, completion FROM 'completions/*.parquet' WHERE guards['pasting'] < 0.5

`scores` and `guards` map a component's name to what it said; `gate` is "" or why the format failed,
`log_probability` the sum over the completion's tokens as they were drawn, `advantage` null for a group
that was replaced. A file is replaced as a whole, and before each checkpoint, so that what a checkpoint
stands for is on the disk.
"""

import pathlib
from typing import Any

import numpy as np

from reasoner.policy import experience
from reasoner.run import files

FILE_STEPS = 10


class Completions:
  """Writes the completions of each step.

  Args:
    directory: where the files live.
    start: the first step to come; what a killed run left from there on is dropped.
  """

  def __init__(self, directory: pathlib.Path, start: int):
    import pyarrow.parquet as parquet

    self._directory = directory
    self._first = start - start % FILE_STEPS
    self._rows: list[dict[str, Any]] = []
    for path in sorted(directory.glob("*.parquet")):
      if int(path.stem) == self._first:
        rows = parquet.read_table(path).to_pylist(maps_as_pydicts="strict")
        self._rows = [row for row in rows if row["step"] < start]
      if int(path.stem) > self._first or int(path.stem) == start:
        path.unlink()
    self.flush()

  def write(self, step: int, drawn: experience.Collected, advantages: np.ndarray) -> None:
    """Takes a step's completions; advantages: of those that were learned from."""
    if step >= self._first + FILE_STEPS:
      self.flush()
      self._first, self._rows = step - step % FILE_STEPS, []
    learned = {id(breakdown): float(a) for breakdown, a in zip(drawn.learned.breakdowns, advantages)}
    for own in (drawn.scheduled, *drawn.further):
      for i, breakdown in enumerate(own.breakdowns):
        self._rows.append({"step": step, **_row(own, i), "advantage": learned.get(id(breakdown))})

  def flush(self) -> None:
    """Writes what came since the file's first step."""
    if not self._rows:
      return
    import pyarrow as pa
    import pyarrow.parquet as parquet

    self._directory.mkdir(parents=True, exist_ok=True)
    with files.replacing(self._directory / f"{self._first:06}.parquet") as temporary:
      parquet.write_table(pa.Table.from_pylist(self._rows, schema=_schema()), temporary, compression="zstd")


def _row(drawn: experience.Experience, i: int) -> dict[str, Any]:
  example = drawn.rows[i // drawn.generations]
  breakdown, rollout = drawn.breakdowns[i], drawn.rollout
  scores = {name: None if score is None else float(score) for name, score in breakdown.scores.items()}
  return {
      "domain": example.domain,
      "uid": example.uid,
      "prompt": example.prompt,
      "completion": rollout.texts[i].encode("utf-8", "replace").decode(),  # a model may write lone surrogates
      "tokens": int(rollout.lengths[i]),
      "truncated": bool(rollout.truncated[i]),
      "gate": breakdown.failure or "",
      "correct": breakdown.correct,
      "total": breakdown.total,
      "scores": {name: score for name, score in scores.items() if name not in breakdown.guards},
      "guards": {name: score for name, score in scores.items() if name in breakdown.guards},
      "log_probability": float(rollout.log_probabilities[i, : rollout.lengths[i]].sum()),
  }


def _schema():
  import pyarrow as pa

  text, number, by_name = pa.string(), pa.float64(), pa.map_(pa.string(), pa.float64())
  return pa.schema({
      "step": pa.int32(), "domain": text, "uid": text, "prompt": text, "completion": text,
      "tokens": pa.int32(), "truncated": pa.bool_(), "gate": text, "correct": pa.bool_(), "total": number,
      "scores": by_name, "guards": by_name, "advantage": number, "log_probability": number,
  })  # fmt: skip
