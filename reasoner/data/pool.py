"""Pools: files of rows in the published exchange format, of any domain.

  {"domain": "logic", "prompt": "Can a whale breathe under water?", "answer": "no", "metadata": {}}

rewards/rows.py knows the format; here stands what training adds to it: which rows are of use,
options that the prompt does not show, `split` where the row has one, and `metadata.passage`: the part
of the prompt that may be cut (of a summary's, what stands after the first blank line).
"""

import dataclasses
from typing import Any

from reasoner.data.choices import with_options
from reasoner.data.dataset import Dropped
from reasoner.data.reading import Row
from rewards.rows import example_from_row
from rewards.rows import RowError
from rewards.schema import Choice
from rewards.schema import Example

SPLITS = {
    "train": "train",
    "evaluation": "evaluation",
    "validation": "evaluation",
    "test": "evaluation",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoolRow:
  """An Example, the row's own words, and "train", "evaluation" or "" where it does not say."""

  example: Example
  text: str
  split: str


def read_row(row: Row, place: str, *, truth: bool = True) -> PoolRow:
  """Returns what a pool row says; where its domain has no `truth` it may lack an answer.

  Raises:
    RowError: the row is not of the pool schema.
    Dropped: it is, and has nothing to answer or nothing to compare an answer with.
  """
  metadata = row.get("metadata")
  if isinstance(metadata, dict):
    # Parquet knows one type for all rows: what a row lacks stands there as None.
    row = {**row, "metadata": {k: v for k, v in metadata.items() if v is not None}}
  if row.get("prompt") == "":
    raise Dropped("empty prompt")
  split = row.get("split") or ""
  if split and (not isinstance(split, str) or split not in SPLITS):
    raise RowError(f"{place}: 'split' is {split!r}; expected one of {', '.join(SPLITS)}.")
  tests = isinstance(metadata, dict) and metadata.get("test_cases")
  if truth and not tests and _is_empty(row.get("answer")):
    raise Dropped("empty reference")
  example = example_from_row(row, place, truth=truth)
  text, reference = example.prompt.strip(), example.reference
  if isinstance(reference, Choice):
    shown = text.casefold()
    if not all(choice.strip().casefold() in shown for _, choice in reference.choices):
      example = dataclasses.replace(example, prompt=with_options(text, reference.choices))
  passage = example.extra.get("passage")
  if passage is None and example.domain == "summarization":  # whose rewards take it for the source
    passage = text.partition("\n\n")[2]
  if passage and (not isinstance(passage, str) or passage not in example.prompt):
    raise RowError(f"{place}: metadata.passage is {passage!r:.80}; expected a part of the prompt, which may be cut.")
  example = dataclasses.replace(example, passage=passage or "")
  return PoolRow(example=example, text=text, split=SPLITS.get(split, ""))


def _is_empty(answer: Any) -> bool:
  return answer is None or isinstance(answer, str) and not answer.strip()
