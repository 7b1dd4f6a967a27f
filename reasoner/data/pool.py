"""Pools: files of rows in the published exchange format, of any domain.

  {"domain": "logic", "prompt": "Can a whale breathe under water?", "answer": "no", "metadata": {}}

rewards/rows.py knows the format; here stands what training adds to it: which rows are of use,
options that the prompt does not show, `split` where the row has one, and `metadata.passage`: the part
of the prompt that may be cut (of a summary's, what stands after the first blank line). `write_row` is
the way back: what it makes of an Example, `read_row` reads as the same Example.
"""

import dataclasses
import re
from typing import Any

from reasoner.data.choices import with_options
from reasoner.data.dataset import Dropped
from reasoner.data.reading import Row
from rewards import format as output_format
from rewards.measures import text as text_lib
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

# What a written row's metadata may hold.
METADATA = (
    "type", "dataset", "task_text", "passage", "rationale", "choices", "aliases", "test_cases", "test_setup_code",
)  # fmt: skip


# What a teacher leaves around its reasoning. In a trace it would teach what the gate refuses, or end the turn.
_FRAME = re.compile(r"</?(?:reasoning|answer|think|bos|eos|pad)>|<(?:start|end)_of_turn>", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoolRow:
  """An Example, the row's own words, and "train", "evaluation" or "" where it does not say.

  The row's own words are `metadata.task_text` where a prompt adds to them.
  """

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
    for field in ("rationale", "task_text"):
      if not isinstance(metadata.get(field), str | None):
        raise RowError(f"{place}: metadata.{field} is {metadata[field]!r:.80}; expected a text.")
    if (metadata.get("rationale") or "").strip() and (problem := rationale_problem(metadata["rationale"])):
      raise RowError(f"{place}: metadata.rationale {problem}")
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
  own_words = str(example.extra.get("task_text") or "").strip() or text
  if isinstance(reference, Choice):
    shown = text.casefold()
    if not all(choice.strip().casefold() in shown for _, choice in reference.choices):
      example = dataclasses.replace(example, prompt=with_options(text, reference.choices))
  passage = example.extra.get("passage")
  if passage is None and example.domain == "summarization":  # whose rewards take it for the source
    passage = text_lib.split_at_blank_line(text)[1]
  if passage and (not isinstance(passage, str) or passage not in example.prompt):
    raise RowError(f"{place}: metadata.passage is {passage!r:.80}; expected a part of the prompt, which may be cut.")
  example = dataclasses.replace(example, passage=passage or "")
  return PoolRow(example=example, text=own_words, split=SPLITS.get(split, ""))


def rationale_problem(rationale: str) -> str | None:
  """Returns why a rationale is not reasoning alone, as the end of a sentence that names it; else None."""
  if frame := _FRAME.search(rationale):
    return f"holds {frame[0]}; expected the reasoning alone, without tags."
  if output_format.parse(output_format.render(rationale, "-")).failure:
    return f"is {rationale!r:.80}; expected words."
  return None


def write_row(example: Example, split: str) -> dict[str, Any]:
  """Returns the pool row of an Example; every row has every field, None where it has no use.

  Args:
    split: "train" or "evaluation".
  """
  row = example.as_row()
  own = {field: example.extra.get(field) for field in ("task_text", "rationale")}
  own["dataset"] = example.uid.split("/")[0]
  metadata = dict.fromkeys(METADATA) | {k: v or None for k, v in (row["metadata"] | own).items()}
  if example.domain == "summarization":  # whose rows are given a passage where they say nothing
    metadata["passage"] = example.passage
  fields = {field: row[field] for field in ("uid", "domain", "prompt", "answer")}
  return fields | {"split": split, "metadata": metadata}


def parquet_schema():
  """Returns the columns of a file of `write_row`'s rows."""
  import pyarrow

  text, texts = pyarrow.string(), pyarrow.list_(pyarrow.string())
  kinds = dict.fromkeys(METADATA, text) | {
      "choices": pyarrow.struct([("label", texts), ("text", texts)]),
      "aliases": texts,
      "test_cases": texts,
  }
  columns = dict.fromkeys(("uid", "domain", "prompt", "answer", "split"), text)
  return pyarrow.schema([*columns.items(), ("metadata", pyarrow.struct(list(kinds.items())))])


def _is_empty(answer: Any) -> bool:
  return answer is None or isinstance(answer, str) and not answer.strip()
