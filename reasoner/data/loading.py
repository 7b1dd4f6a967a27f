"""From the data section of a config to a Corpus: training and evaluation rows by domain.

  sources = {"science": {"sciq": {"evaluation": ("test",), "support": True},
                         "ai2_arc": {"train": ("train",), "limit": 1931}}}
  corpus = load(sources, domains=("science",), root="rows", seed=0)
  print("\\n".join(corpus.table()))

What is evaluated is never trained on, by uid and by normalised text, over all data sets and pools.
Every row that is read is counted: as kept, or with the reason why not. How often a row is then
drawn is sampling.py's business; whether a reward accepts a gold answer is gold.py's.
"""

import ast
import collections
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
import hashlib
import heapq
import json
import pathlib
import re
from typing import Any
from typing import NamedTuple
import warnings

from reasoner.data import pool
from reasoner.data import reading
from reasoner.data.corpus import Corpus
from reasoner.data.corpus import EVALUATION
from reasoner.data.corpus import KEPT
from reasoner.data.corpus import Origin
from reasoner.data.corpus import TRAIN
from reasoner.data.dataset import DataSet
from reasoner.data.dataset import Dropped
from reasoner.data.reading import File
from reasoner.data.sources import check
from reasoner.data.sources import Source
from rewards.errors import ConfigError
from rewards.errors import suggest
from rewards.rows import is_no_number
from rewards.rows import RowError
from rewards.schema import Choice
from rewards.schema import Example
from rewards.schema import Number
from rewards.schema import UnitTests

HELD_OUT_FRACTION = 0.1  # of rows without an official split


def load(
    sources: Mapping[str, Mapping[str, Mapping[str, Any] | None]],
    *,
    domains: Sequence[str],
    truths: Collection[str] | None = None,
    root: str | None = None,
    pools: Sequence[str] = (),
    evaluation_sets: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    on_bad_row: str = "stop",
    quarantine_path: str | pathlib.Path | None = None,
    seed: int = 0,
) -> Corpus:
  """Reads, validates and separates all rows that a config names.

  Args:
    sources: {domain: {data set: {"train": splits, "evaluation": splits, "limit": most training
      rows, "configs": parts of the data set, setting: value}}}; an entry of None is left out.
    domains: those of config.rewards; each must end up with rows to train on and to evaluate.
    truths: those of them with a correctness reward, whose rows need a reference; None: all.
    root: folder of local files; None reads from the hub.
    pools: files of pool rows.
    evaluation_sets: {name: {data set: splits}}, further rows to report on, also never trained on.
    on_bad_row: "stop", or "quarantine": rows that cannot be read go to `quarantine_path`.
    seed: chooses the rows under a `limit`; which are held out depends on the rows alone.

  Raises:
    ConfigError: as `check`; an empty domain; a pool row of a domain that has no rewards.
    RowError: with on_bad_row="stop", the file, line and cause of a row that cannot be read.
  """
  plan = check(
      sources,
      domains=domains,
      root=root,
      pools=pools,
      evaluation_sets=evaluation_sets,
  )
  if on_bad_row == "quarantine" and quarantine_path is None:
    raise ConfigError("config.data.on_bad_row='quarantine' needs a file to put the rows in.")
  loader = Loader(domains, domains if truths is None else truths, seed, quarantine=on_bad_row == "quarantine")
  for source in plan:
    for role, files in source.evaluation.items():
      loader.add_evaluation(source, role, files)
  pooled = loader.read_pools(pools)
  loader.add_pools(pooled, EVALUATION)
  for source in plan:
    loader.add_train(source)
  loader.add_pools(pooled, TRAIN)
  if quarantine_path is not None:
    loader.write_quarantine(pathlib.Path(quarantine_path))
  corpus = loader.corpus(evaluation_sets or {})
  corpus.require_rows()
  return corpus


class RowReader:
  """Rows to Examples, one at a time; counts what is dropped and keeps what cannot be read.

  counts: {origin: {reason: rows}}. quarantine: by place; None where a bad row stops the run. log: takes a
  record of each row that is dropped, but for those beyond a limit.
  """

  def __init__(
      self, truths: Collection[str], quarantine: bool, log: Callable[[dict[str, Any]], None] = lambda record: None
  ):
    self._truths, self.log = frozenset(truths), log
    self.counts: dict[Origin, Counter] = {}
    self.quarantine: dict[str, dict[str, Any]] | None = {} if quarantine else None

  def rows(
      self, file: File, origin: Origin, part: reading.Part = reading.WHOLE
  ) -> Iterator[tuple[str, str, reading.Row]]:
    """Yields (place, uid, row) of what can be read; `origin` is where the rest is counted."""
    dataset = file.dataset
    for index, (place, row) in enumerate(reading.read(file, part), start=part.first):
      try:
        if isinstance(row, RowError):
          raise row
        dataset.check_row(row, place)
      except RowError as error:
        self.bad_row(origin, place, row, error)
        continue
      number = row[dataset.uid_column] if dataset.uid_column else index
      yield place, f"{dataset.name}/{file.name}/{number}", row

  def example(
      self, source: Source, origin: Origin, place: str, uid: str, row: reading.Row
  ) -> tuple[Example | None, str]:
    """Returns the Example and the row's own words; None where the row was dropped and counted."""
    try:
      task = source.dataset.task(row, source.domain, **source.settings)
    except Dropped as reason:
      self.drop(origin, uid, str(reason))
      return None, ""
    except (AttributeError, IndexError, KeyError, TypeError) as error:
      cause = RowError(
          f"{place}: {source.dataset.name} could not read this row "
          f"({type(error).__name__}: {error})."
      )
      cause.__cause__ = error
      self.bad_row(origin, place, row, cause)
      return None, ""
    usable = task.rationale and not pool.rationale_problem(task.rationale)
    extra = {"rationale": task.rationale} if usable else {}
    if task.prompt:
      extra["task_text"] = task.text
    example = Example(
        uid=uid,
        domain=source.domain,
        prompt=task.prompt or task.text,
        reference=task.reference,
        passage=task.passage,
        extra=extra,
    )
    problem = _problem(example, task.text, source.dataset.min_words, source.domain in self._truths)
    if problem:
      self.drop(origin, uid, problem)
      return None, ""
    return example, task.text

  def drop(self, origin: Origin, uid: str, reason: str, **more: Any) -> None:
    """Counts a dropped row and logs it, with what `more` there is to say."""
    self.count(origin, reason)
    self.log({"uid": uid, "role": origin.role, "reason": reason, **more})

  def count(self, origin: Origin, reason: str, rows: int = 1) -> None:
    if origin not in self.counts:
      self.counts[origin] = Counter()
    self.counts[origin][reason] += rows

  def bad_row(self, origin: Origin, place: str, row: Any, error: RowError) -> None:
    if self.quarantine is None:
      raise error
    if place not in self.quarantine:  # a data set that feeds three domains is read three times
      row = None if isinstance(row, RowError) else row
      self.quarantine[place] = {"place": place, "reason": str(error), "row": row}
      self.count(origin, "in quarantine")


class Loader(RowReader):
  """Rows kept so far, and what they forbid to those that follow; evaluation goes first."""

  def __init__(
      self, domains: Sequence[str], truths: Collection[str], seed: int, quarantine: bool,
      log: Callable[[dict[str, Any]], None] = lambda record: None,
  ):  # fmt: skip
    super().__init__(truths, quarantine, log)
    self._domains = tuple(sorted(domains))
    self._seed = seed
    self._examples: dict[tuple[str, str], list[Example]] = {}
    self._origins: dict[str, Origin] = {}
    self._evaluated: set[bytes] = set()  # texts and prompts, as `key` makes them
    self._prompts: dict[str, set[bytes]] = collections.defaultdict(set)  # by role

  def add_evaluation(self, source: Source, role: str, files: Sequence[File]) -> None:
    for file in files:
      carved = role == EVALUATION and file in source.train
      origin = Origin(role, source.domain, source.dataset.name, file.name)
      for place, uid, row in self.rows(file, origin):
        if not carved or is_held_out(uid):
          self._add(origin, *self.example(source, origin, place, uid, row))

  def add_train(self, source: Source) -> None:
    """Keeps a source's rows or, under a limit, those first in hash order: a copy of a row that the
    limit displaces is as new as if that row had never been read."""
    chosen: list[_Chosen] = []  # heap, the last in hash order on top
    held: dict[bytes, _Chosen] = {}  # by prompt
    number = 0
    for file in source.train:
      carved = file in source.evaluation[EVALUATION]
      origin = Origin(TRAIN, source.domain, source.dataset.name, file.name)
      for place, uid, row in self.rows(file, origin):
        if carved and is_held_out(uid):
          continue
        number += 1
        rank = -fraction(uid, self._seed)
        if source.limit and len(chosen) == source.limit and rank <= chosen[0].rank:
          self.count(origin, "beyond the limit")  # without the cost of making an Example
          continue
        example, text = self.example(source, origin, place, uid, row)
        if example is None:
          continue
        candidate = _Chosen(rank, number, origin, example)
        copy = held.get(key(example.prompt)) if source.limit else None
        if copy and copy.rank < rank:  # of two copies, the one that the limit would keep longer
          chosen.remove(copy)
          heapq.heapify(chosen)
          self._forget(copy, held, "duplicate")
        if self._is_new(origin, example, text):
          held[key(example.prompt)] = candidate
          heapq.heappush(chosen, candidate)
          if source.limit and len(chosen) > source.limit:
            self._forget(heapq.heappop(chosen), held, "beyond the limit")
    for candidate in sorted(chosen, key=lambda candidate: candidate.number):
      self._keep(candidate.origin, candidate.example)

  def _forget(self, displaced: "_Chosen", held: dict[bytes, "_Chosen"], reason: str) -> None:
    prompt = key(displaced.example.prompt)
    self._prompts[TRAIN].discard(prompt)
    del held[prompt], self._origins[displaced.example.uid]
    self.count(displaced.origin, reason)

  def read_pools(self, paths: Sequence[str]) -> list[tuple[str, str, pool.PoolRow]]:
    """Returns (role, file name, row) of all pools, with 10 % of the unsplit rows held out."""
    rows = []
    for path in paths:
      name = pathlib.Path(path).name
      for place, row in reading.read_path(pathlib.Path(path)):
        origin = Origin(TRAIN, "?", name, "pool")
        try:
          if isinstance(row, RowError):
            raise row
          domain = row.get("domain")
          if isinstance(domain, str) and domain.strip():
            if domain not in self._domains:
              raise ConfigError(
                  f"{place}: domain {domain!r} has no rewards. {suggest(domain, self._domains)}"
                  f"config.rewards has: {', '.join(self._domains)}."
              )
            origin = origin._replace(domain=domain)
          pooled = pool.read_row(row, place, truth=domain in self._truths)
          problem = _problem(pooled.example, row["prompt"], DataSet.min_words, domain in self._truths)
          if problem:
            raise Dropped(problem)
          rows.append((name, pooled))
        except RowError as error:
          self.bad_row(origin, place, row, error)
        except Dropped as reason:
          self.drop(origin, str(row.get("uid") or place), str(reason))
    return [(role, name, row) for role, (name, row) in zip(self._pool_roles(rows), rows)]

  def _pool_roles(self, rows: Sequence[tuple[str, pool.PoolRow]]) -> list[str]:
    # By text, so that copies of a prompt are on the same side, whatever the seed.
    ranks = [fraction(_normal(row.text)) for _, row in rows]
    roles = [
        row.split or (EVALUATION if rank < HELD_OUT_FRACTION else TRAIN)
        for (_, row), rank in zip(rows, ranks)
    ]
    for domain in sorted({row.example.domain for _, row in rows}):
      mine = [i for i, (_, row) in enumerate(rows) if row.example.domain == domain]
      unsplit = [i for i in mine if not rows[i][1].split]
      evaluated = (EVALUATION, domain) in self._examples or EVALUATION in (roles[i] for i in mine)
      if len(unsplit) > 1 and not evaluated:  # too few rows for a tenth of them to be one
        roles[min(unsplit, key=ranks.__getitem__)] = EVALUATION
    return roles

  def add_pools(self, rows: Sequence[tuple[str, str, pool.PoolRow]], role: str) -> None:
    for row_role, name, row in rows:
      if row_role == role:
        self._add(Origin(role, row.example.domain, name, "pool"), row.example, row.text)

  def corpus(self, evaluation_sets: Sequence[str]) -> Corpus:
    def by_domain(role):
      return {domain: tuple(self._examples.get((role, domain), ())) for domain in self._domains}

    notes = []
    if self.quarantine:
      notes.append(f"{len(self.quarantine):,} rows could not be read and are in quarantine.")
    return Corpus(
        train=by_domain(TRAIN),
        evaluation=by_domain(EVALUATION),
        evaluation_sets={
            name: {domain: rows for domain, rows in by_domain(name).items() if rows}
            for name in sorted(evaluation_sets)
        },
        counts=self.counts,
        origins=self._origins,
        notes=tuple(notes),
    )

  def write_quarantine(self, path: pathlib.Path) -> None:
    """Writes one JSON object for each bad row; an earlier run's file does not outlive this one."""
    path.unlink(missing_ok=True)
    if self.quarantine:
      path.parent.mkdir(parents=True, exist_ok=True)
      with path.open("w", encoding="utf-8") as out:
        for record in self.quarantine.values():
          out.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")

  def _add(self, origin: Origin, example: Example | None, text: str) -> None:
    if self._is_new(origin, example, text):
      self._keep(origin, example)

  def _is_new(self, origin: Origin, example: Example | None, text: str) -> bool:
    """Drops and counts what was there before; remembers the rest."""
    if example is None:
      return False
    refusal = self.refusal(origin, example.uid, *keys(example, text))
    if refusal:
      self.drop(origin, example.uid, refusal)
    return not refusal

  def refusal(self, origin: Origin, uid: str, prompt: bytes, task: bytes) -> str | None:
    """Returns why a row, given by its keys, was there before; None remembers it."""
    seen = self._prompts[origin.role]
    known = self._origins.get(uid)
    if origin.role == TRAIN and (
        prompt in self._evaluated or task in self._evaluated or (known and known.role != TRAIN)
    ):
      return "also in evaluation"
    if prompt in seen:
      return "duplicate"
    if known:
      return "duplicate uid"
    seen.add(prompt)
    if origin.role != TRAIN:
      self._evaluated |= {prompt, task}
    self._origins[uid] = origin
    return None

  def _keep(self, origin: Origin, example: Example) -> None:
    self._examples.setdefault((origin.role, origin.domain), []).append(example)
    self.count(origin, KEPT)


class _Chosen(NamedTuple):
  """A training row that its source's limit has not displaced so far; number: its place in the source."""

  rank: float
  number: int
  origin: Origin
  example: Example


def _problem(example: Example, text: str, min_words: int, truth: bool) -> str | None:
  """Returns why an example is of no use, or None; without a truth in its domain it needs no reference."""
  if len(text.split()) < min_words:
    return f"shorter than {min_words} words"
  reference = example.reference
  if isinstance(reference, UnitTests):
    if not reference.tests:
      return "no tests"
    if not all(_parses(code) for code in (*reference.tests, reference.setup)):
      return "tests do not parse"
  elif truth and not reference.text.strip():
    return "empty reference"
  elif isinstance(reference, Number) and is_no_number(reference.text):
    return "reference is no number"
  if isinstance(reference, Choice):
    options = {" ".join(choice.casefold().split()) for _, choice in reference.choices}
    if len(options) != len(reference.choices):
      return "choices not distinct"
  return None


def _parses(code: str) -> bool:
  try:
    with warnings.catch_warnings():
      warnings.simplefilter("ignore")  # an odd escape in a row's string is the row's business
      ast.parse(code)
  except (SyntaxError, ValueError, RecursionError, MemoryError):
    return False
  return True


_NO_SPACE_BEFORE = ".,;:!?)'"
_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "`": "'"})


def _normal(text: str) -> str:
  """Returns `text` without what copies of it differ in: case, spacing, quotes, a final stop.

  Signs and digits stay: `2 + 2` and `2 - 2` are two tasks.
  """
  text = " ".join(text.translate(_QUOTES).casefold().split())
  for mark in _NO_SPACE_BEFORE:
    text = text.replace(f" {mark}", mark)
  return text.rstrip(".?! ")


def keys(example: Example, text: str) -> tuple[bytes, bytes]:
  """Returns what its prompt and the row's own words are recognised by, in any copy."""
  return key(example.prompt), key(text)


def is_held_out(uid: str) -> bool:
  """Says whether a row of a data set without an official split is evaluated and not trained on."""
  return fraction(uid) < HELD_OUT_FRACTION


def key(text: str) -> bytes:
  """Returns what a text is recognised by, whatever its case, spacing and quotes."""
  return hashlib.blake2b(_normal(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def fraction(text: str, seed: int | None = None) -> float:
  """Returns a number in [0, 1) that depends on the arguments alone; the seed shuffles."""
  text = text if seed is None else f"{seed}/{text}"
  digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
  return int.from_bytes(digest, "big") / 2**64
