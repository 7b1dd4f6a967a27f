"""What is decided about a row from the row alone, in as many processes as there are cores.

  screen(job, screener, folder)   # reads a part of a file; leaves part.arrow and part.pickle

A part is the unit of work: it is read, judged and put on disk, and a part that lies there is not
read again. What depends on other training rows (duplicates, limits) is decided afterwards, in the
order of the files and in one process, so the number of processes changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
import dataclasses
import functools
import itertools
import os
import pathlib
import pickle
from typing import Any

import numpy as np

from reasoner.data import loading
from reasoner.data import pool
from reasoner.data import reading
from reasoner.data.corpus import Origin
from reasoner.data.corpus import TRAIN
from reasoner.data.curation import duplicates
from reasoner.data.curation import language
from reasoner.data.curation import privacy
from reasoner.data.curation import words
from reasoner.data.curation.contamination import Index
from reasoner.data.curation.contamination import NGRAM_WORDS
from reasoner.data.curation.settings import Curation
from reasoner.data.sources import Source
from rewards.schema import Example
from rewards.schema import Text

CONTAMINATED = f"shares {NGRAM_WORDS} words with evaluation"
NOT_ENGLISH = "not English"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
  """Rows to screen: a part of a source's file, or pool rows that were read already.

  truths: the domains whose rows need a reference. low, high: rows whose rank lies in [low, high) are
  screened, the others are counted. carved: the file's evaluation rows were carved off by a hash, and are
  passed over.
  """

  name: str
  origin: Origin
  truths: tuple[str, ...]
  seed: int
  source: Source | None = None
  file: reading.File | None = None
  part: reading.Part = reading.WHOLE
  carved: bool = False
  low: float = 0.0
  high: float = 1.0
  pooled: tuple[pool.PoolRow, ...] = ()

  @property
  def rows(self) -> int:
    return len(self.pooled) or self.part.rows or 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Screened:
  """The rows that passed, in order, but for their text, which lies beside it as an Arrow table.

  ranks, tokens ([rows, 2]: prompt and answer), reasoned (has a rationale), signatures: arrays by row; keys: as loading.keys
  makes them; answers: the short truth, "" where there is none. counts: dropped rows by reason.
  inside, outside: rows whose rank is in and above the job's band. dropped: a record of each row that
  was dropped here. masked: kinds of personal data by number of rows. flagged: (rank, texts) of the
  contaminated rows.
  """

  origin: Origin
  uids: list[str]
  keys: list[tuple[bytes, bytes]]
  answers: list[str]
  ranks: np.ndarray
  tokens: np.ndarray
  reasoned: np.ndarray
  signatures: np.ndarray
  counts: Counter
  quarantine: dict[str, dict[str, Any]]
  inside: int
  outside: int
  dropped: list[dict[str, Any]]
  masked: Counter
  flagged: list[tuple[float, tuple[str, ...]]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Screener:
  """What rows are held against. count_tokens: the length of a text."""

  curation: Curation
  index: Index
  count_tokens: Callable[[str], int]


def texts_of(example: Example, text: str) -> tuple[str, ...]:
  """Returns what contamination is looked for in: the row's own words, a free answer, the rationale.

  Not programs, nor our own frame around a task: idioms are shared by all who write them.
  """
  free = example.reference.text if isinstance(example.reference, Text) else ""
  return text, free, str(example.extra.get("rationale") or "")


def texts_of_row(row: Mapping[str, Any]) -> tuple[str, ...]:
  """Returns the same of a row as `pool.write_row` makes it."""
  metadata = row["metadata"]
  free = row["answer"] if metadata["type"] == "text" else ""
  return metadata["task_text"] or row["prompt"], free, metadata["rationale"] or ""


def answer_of(example: Example) -> str:
  """Returns the short truth by which near duplicates are told apart, "" where there is none."""
  has_one = not isinstance(example.reference, Text) and not hasattr(example.reference, "tests")
  return example.reference.text if has_one else ""


def masked(example: Example) -> tuple[Example, Counter]:
  """Returns the example with personal data masked, where its answer is free text."""
  reference = example.reference
  if not isinstance(reference, Text):
    return example, Counter()
  found: set[str] = set()

  def mask(text):
    text, kinds = privacy.mask(text)
    found.update(kinds)
    return text

  prompt, passage = mask(example.prompt), mask(example.passage)
  text, aliases = mask(reference.text), tuple(map(mask, reference.aliases))
  extra = {k: mask(v) if k in ("task_text", "rationale") else v for k, v in example.extra.items()}
  if not found:
    return example, Counter()
  reference = dataclasses.replace(reference, text=text, aliases=aliases)
  passage = passage if passage in prompt else ""  # what touches its ends may be masked in the prompt alone
  example = dataclasses.replace(
      example, prompt=prompt, passage=passage, reference=reference, extra=extra
  )
  return example, Counter(found)


def screen(job: Job, screener: Screener, folder: pathlib.Path) -> None:
  """Screens the rows of a job and leaves what passed in `folder`, under the job's name."""
  import pyarrow

  dropped: list[dict[str, Any]] = []
  reader = loading.RowReader(job.truths, quarantine=True, log=dropped.append)
  candidates, outside = _candidates(job, reader)
  inside = len(candidates)

  drop = functools.partial(reader.drop, job.origin)
  curation = screener.curation
  kept, lengths = [], []
  for rank, example, text in candidates:
    if example is None:
      continue
    if curation.english_only and not language.is_english(text):
      drop(example.uid, NOT_ENGLISH)
      continue
    tokens = screener.count_tokens(example.prompt), screener.count_tokens(example.reference.text)
    limits = ("prompt", curation.max_prompt_tokens), ("answer", curation.max_answer_tokens)
    too_long = [f"{name} over {most:,} tokens" for (name, most), n in zip(limits, tokens) if n > most]
    if too_long:
      drop(example.uid, too_long[0], tokens=max(tokens))
      continue
    kept.append((rank, example, text))
    lengths.append(tokens)
  texts = [texts_of(example, text) for _, example, text in kept]
  matches = screener.index.matches(*words.ngrams(texts, NGRAM_WORDS))
  flagged, clean = [], []
  for place, (rank, example, text) in enumerate(kept):
    match = matches.get(place)
    if match:
      flagged.append((rank, texts[place]))
      more = {"of": match.uid, "shared": match.shared, "overlap": round(match.overlap, 3)}
      more["words"] = screener.index.shared_words(texts[place])
      if curation.shared_ngrams == "drop":
        drop(example.uid, CONTAMINATED, **more)
        continue
      dropped.append({"uid": example.uid, "role": TRAIN, "reason": f"kept: {CONTAMINATED}", **more})
    clean.append((rank, example, text, lengths[place]))
  masks: Counter = Counter()
  rows, keys = [], []
  for _, example, text, _ in clean:
    keys.append(loading.keys(example, text))  # of what was read: copies differ in no mask
    example, kinds = masked(example)
    masks.update(kinds)
    rows.append(pool.write_row(example, TRAIN))
  result = Screened(
      origin=job.origin,
      uids=[example.uid for _, example, _, _ in clean],
      keys=keys,
      answers=[answer_of(example) for _, example, _, _ in clean],
      ranks=np.array([rank for rank, *_ in clean], np.float64),
      tokens=np.array([tokens for *_, tokens in clean], np.int32).reshape(-1, 2),
      reasoned=np.array([bool(example.extra.get("rationale")) for _, example, _, _ in clean], bool),
      signatures=duplicates.signatures([example.prompt for _, example, _, _ in clean])
      if curation.near_duplicates < 1
      else np.zeros((len(clean), 0), np.uint32),
      counts=reader.counts.get(job.origin, Counter()),
      quarantine=reader.quarantine,
      inside=inside,
      outside=outside,
      dropped=dropped,
      masked=masks,
      flagged=flagged,
  )
  table = pyarrow.Table.from_pylist(rows, schema=pool.parquet_schema())
  # Written once, read twice, then thrown away: Arrow's own format needs neither coding nor copying.
  with pyarrow.ipc.new_file(str(folder / f"{job.name}.arrow"), table.schema) as file:
    file.write_table(table)
  scratch = folder / f"{job.name}.{os.getpid()}"
  scratch.write_bytes(pickle.dumps(result, protocol=pickle.HIGHEST_PROTOCOL))
  scratch.rename(folder / f"{job.name}.pickle")  # with it the part is done


Candidate = tuple[float, Example | None, str]


def _candidates(job: Job, reader: loading.RowReader) -> tuple[list[Candidate], int]:
  """Returns (rank, example or None, own words) of the rows inside the band, and how many are above it."""
  if job.source is None:
    return [(_rank(row.example.uid, job), row.example, row.text) for row in job.pooled], 0
  found, outside = [], 0
  # What has no uid is in no band: the first one counts it.
  unread = reader if job.low == 0.0 else loading.RowReader(job.truths, quarantine=True)
  for place, uid, row in unread.rows(job.file, job.origin, job.part):
    if job.carved and loading.is_held_out(uid):
      continue
    rank = _rank(uid, job)
    if rank >= job.high:
      outside += 1
    elif rank >= job.low:
      found.append((rank, *reader.example(job.source, job.origin, place, uid, row)))
  return found, outside


def _rank(uid: str, job: Job) -> float:
  return loading.fraction(uid, job.seed)


def load(job: Job, folder: pathlib.Path) -> Screened:
  """Returns what `screen` left of a job."""
  return pickle.loads((folder / f"{job.name}.pickle").read_bytes())


def load_table(job: Job, folder: pathlib.Path):
  """Returns the pool rows that `screen` left of a job, as a pyarrow.Table whose values stay on disk."""
  import pyarrow

  with pyarrow.memory_map(str(folder / f"{job.name}.arrow")) as file:
    return pyarrow.ipc.open_file(file).read_all()


def is_done(job: Job, folder: pathlib.Path) -> bool:
  return (folder / f"{job.name}.pickle").is_file()


_state: dict[str, Any] = {}  # of a worker process, set once by `_start`


def _start(curation: Curation, index_folder: pathlib.Path, count_tokens, folder: pathlib.Path) -> None:
  _state["screener"] = Screener(
      curation=curation, index=Index.open(index_folder), count_tokens=count_tokens
  )
  _state["folder"] = folder


def _work(job: Job) -> None:
  screen(job, _state["screener"], _state["folder"])


class Screening:
  """Screens jobs in the background and hands them over in the order that they were given in.

  Args:
    processes: 1 works in this process, when a result is asked for.
  """

  def __init__(
      self,
      curation: Curation,
      index: Index,
      count_tokens: Callable[[str], int],
      folder: pathlib.Path,
      processes: int,
  ):
    self._folder, self._executor = folder, None
    self._screener = Screener(curation=curation, index=index, count_tokens=count_tokens)
    if processes > 1:
      import concurrent.futures
      import multiprocessing

      index.save(folder / "index")
      self._executor = concurrent.futures.ProcessPoolExecutor(
          processes,
          multiprocessing.get_context("spawn"),
          initializer=_start,
          initargs=(curation, folder / "index", count_tokens, folder),
      )
    self._futures: dict[str, Any] = {}

  def submit(self, jobs: Sequence[Job]) -> None:
    for job in jobs:
      if self._executor and not is_done(job, self._folder):
        self._futures[job.name] = self._executor.submit(_work, job)

  def result(self, job: Job) -> Screened:
    future = self._futures.pop(job.name, None)
    if future:
      future.result()
    elif not is_done(job, self._folder):
      screen(job, self._screener, self._folder)
    return load(job, self._folder)

  def close(self) -> None:
    if self._executor:
      self._executor.shutdown(cancel_futures=True)


def jobs_of(
    source: Source, number: int, *, low: float, high: float, part_rows: int, carved: Callable, **fields: Any
) -> list[Job]:
  """Returns the jobs of a source's training files, in the files' order; fields: others of Job."""
  jobs: list[Job] = []
  count = itertools.count()
  for file in source.train:
    origin = Origin(TRAIN, source.domain, source.dataset.name, file.name)
    for part in reading.parts(file, part_rows):
      jobs.append(
          Job(
              name=f"{number:03d}-{source.domain}-{source.dataset.name}-{low:.6f}-{next(count):05d}",
              origin=origin,
              source=source,
              file=file,
              part=part,
              carved=carved(file),
              low=low,
              high=high,
              **fields,
          )
      )
  return jobs
