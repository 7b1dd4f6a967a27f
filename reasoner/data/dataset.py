"""What an adapter says about its data set, and what it makes of a row.

  DATASET = DataSet(name="gsm8k", hub_id="openai/gsm8k", configs=("main",), ...)
  DATASET.task({"question": "A robe takes 2 bolts ...", "answer": "... #### 3"}, "math")
      ->  Task(text="A robe takes 2 bolts ...", reference=Number(text="3"))

No file is opened here: reading.py knows where rows come from, loading.py what becomes of them.
"""

from collections.abc import Callable, Mapping
import dataclasses
import functools
import importlib
import inspect
import pkgutil
from typing import Any

from rewards.errors import ConfigError
from rewards.errors import suggest
from rewards.rows import RowError
from rewards.schema import Reference


class Dropped(Exception):
  """Raised by an adapter for a readable row that is of no use; the message is what is counted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
  """One row as a task.

  text: the row's own words (a question, an article), by which the same task is recognised anywhere.
  prompt: the complete task as it is put to the model; "" where that is `text` itself. Where it is
    not, the Example carries `text` as extra["task_text"]: a reward for taking up the prompt must
    not pay for our own "Write a story".
  passage: the part of the prompt that may be cut where it is too long: an article, a supporting text.
    The rest never is: a question, its options, tests.
  rationale: the data set's own reasoning, "" where it has none; extra["rationale"].
  """

  text: str
  reference: Reference
  prompt: str = ""
  passage: str = ""
  rationale: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSet:
  """A data set on the hub, and the same columns in local files.

  domains: the domains that it can feed.
  columns: what a row must have, by type; columns that only some copies carry are not listed.
  task: (row, domain, *, settings) -> Task; keyword-only parameters are settings of the config.
  configs: the hub's names for its parts; () where there is one without a name.
  splits: those on the hub. Local files may have any name.
  official_split: False where the hub has training rows alone, so that naming one split for both
    roles carves the evaluation off by a hash of the uid.
  uid_column: the row's own id; None counts rows.
  min_words: a `text` with fewer is dropped.
  revision: the hub's branch.
  folder: local folder; by default the hub id with "__" for "/".
  licence: as the data set's own page or repository states it.
  redistribution: what it leaves to those who want to pass rows on, in words for a data set card.
  """

  name: str
  hub_id: str
  domains: tuple[str, ...]
  columns: Mapping[str, type | tuple[type, ...]]
  task: Callable[..., Task]
  configs: tuple[str, ...] = ()
  splits: tuple[str, ...] = ("train", "validation", "test")
  official_split: bool = True
  uid_column: str | None = None
  min_words: int = 5
  revision: str | None = None
  folder: str = ""
  licence: str = "not stated"
  redistribution: str = "unknown: ask whose rows they are"

  @property
  def settings(self) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(self.task).parameters.values()
    return {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}

  @property
  def local_folder(self) -> str:
    return self.folder or self.hub_id.replace("/", "__")

  def check_row(self, row: Mapping[str, Any], place: str) -> None:
    """Raises RowError unless the row has the data set's columns."""
    for column, accepted in self.columns.items():
      value = row.get(column)
      if column not in row or not isinstance(value, accepted):
        kinds = accepted if isinstance(accepted, tuple) else (accepted,)
        found = f"{value!r:.80}" if column in row else "missing"
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise RowError(f"{place}: column {column!r} of {self.name} is {found}; expected {wanted}.")


@functools.cache
def known() -> dict[str, DataSet]:
  """Returns the data sets that have an adapter in this package, by name."""
  from reasoner.data import adapters

  found = {}
  for module in pkgutil.iter_modules(adapters.__path__, f"{adapters.__name__}."):
    dataset = getattr(importlib.import_module(module.name), "DATASET", None)
    if dataset:
      found[dataset.name] = dataset
  return found


def get(name: str, place: str) -> DataSet:
  """Returns the data set `name`. Raises ConfigError, naming `place`, where there is none."""
  if name not in known():
    raise ConfigError(
        f"{place}: unknown data set {name!r}. {suggest(name, known())}"
        f"Known: {', '.join(sorted(known()))}."
    )
  return known()[name]
