"""The story of a curation: from a plan of sources to a pool on disk, in steps that can be killed.

  pool/train.parquet, pool/evaluation.parquet   rows that config.data.pools reads
  pool/README.md, lengths.png                   the data set card
  pool/dropped.jsonl                            a line for each dropped row, but those beyond a limit: uid, reason
  pool/quarantine.jsonl                         rows that could not be read; none where there are none
  pool/curation.json                            the figures of the card, and what was asked for

While it works, `pool/.parts` holds what was screened; the same command goes on from there. It writes
no date, duration or, but in the quarantine, local path: the same rows, config and seed give the same bytes.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
import dataclasses
import hashlib
import json
import pathlib
import shutil
from typing import Any

import numpy as np

from reasoner.data import gold
from reasoner.data import loading
from reasoner.data import pool
from reasoner.data import reading
from reasoner.data.corpus import Corpus
from reasoner.data.corpus import EVALUATION
from reasoner.data.corpus import KEPT
from reasoner.data.corpus import Origin
from reasoner.data.corpus import TRAIN
from reasoner.data.curation import card
from reasoner.data.curation import contamination
from reasoner.data.curation import screening
from reasoner.data.curation import selection
from reasoner.data.curation.settings import Curation
from reasoner.data.sources import Source
from rewards.errors import ConfigError
from rewards.schema import Example

PART_ROWS = 4000
OVERSAMPLED = 2.0  # of a limit: what screening and near duplicates may take away before a second band
TRAIN_FILE, EVALUATION_FILE, RECORD = "train.parquet", "evaluation.parquet", "curation.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
  """What is to be curated.

  plan: as sources.check returns it. pools: further files of rows. truths: the domains whose rows need
  a reference. count_tokens: picklable, the length of a text; its `name` says in which tokens. draws: the
  DISCO table of rows by domain. identity: what else the pool depends on, for its fingerprint.
  processes: that screen rows.
  """

  plan: Sequence[Source]
  pools: Sequence[str]
  domains: Sequence[str]
  truths: tuple[str, ...]
  evaluation_sets: Sequence[str]
  seed: int
  curation: Curation
  count_tokens: Callable[[str], int]
  draws: Callable[[Mapping[str, int]], list[dict[str, Any]]]
  identity: Any
  output: pathlib.Path
  processes: int


def curate(
    request: Request,
    verdicts: Callable[[], gold.Verdicts],
    progress: Callable[[int, int, str], None] = lambda rows, total, what: None,
) -> Corpus:
  """Makes the pool, or goes on with it, and returns its corpus without training examples' text.

  Args:
    verdicts: starts what gold answers are checked with.
    progress: called with rows done just now, rows in all, and what they belong to.

  Raises:
    ConfigError: the output holds another pool, or a domain has no row left.
  """
  fingerprint = _fingerprint(request)
  output, parts = request.output, request.output / ".parts"
  if is_finished(output, fingerprint):
    raise AlreadyThere(f"{output} holds this pool already: {output / 'README.md'}.")
  _claim(output, parts, fingerprint)
  with (output / "dropped.jsonl").open("w", encoding="utf-8") as lines:

    def log(record: Mapping[str, Any]) -> None:
      lines.write(json.dumps(record, ensure_ascii=False) + "\n")

    loader = loading.Loader(request.domains, request.truths, request.seed, quarantine=True, log=log)
    for source in request.plan:
      for role, files in source.evaluation.items():
        loader.add_evaluation(source, role, files)
    pooled = loader.read_pools(request.pools)
    loader.add_pools(pooled, EVALUATION)
    protected = loader.corpus(request.evaluation_sets)
    judge = verdicts()
    selector = selection.Selector(loader, judge, request.curation.near_duplicates, parts)
    sets = protected.evaluation, *protected.evaluation_sets.values()
    everyone = [example for by_domain in sets for example in _all(by_domain)]
    texts = [screening.texts_of(e, e.extra.get("task_text") or e.prompt) for e in everyone]
    index = contamination.Index.build([e.uid for e in everyone], texts)
    selector.protect(everyone)
    evaluation = _evaluation_rows(loader, protected, judge)
    work = screening.Screening(request.curation, index, request.count_tokens, parts, request.processes)
    try:
      jobs = _select(request, selector, work, pooled, progress)
    finally:
      work.close()
  if loader.quarantine:
    loader.write_quarantine(output / "quarantine.jsonl")
  masked = _write_evaluation(output / EVALUATION_FILE, evaluation)
  _write_train(output / TRAIN_FILE, selector, jobs)
  corpus = dataclasses.replace(loader.corpus(()), counts=loader.counts)
  _require_rows(request, corpus)
  figures = _figures(request, corpus, selector, jobs, masked)
  card.write(output, figures, selector.tallies)
  record = {"fingerprint": fingerprint, "figures": figures}
  scratch = parts / RECORD
  scratch.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
  scratch.rename(output / RECORD)  # with it the pool is finished
  shutil.rmtree(parts)
  return corpus


def _require_rows(request: Request, corpus: Corpus) -> None:
  for role in (TRAIN, EVALUATION):
    for domain in request.domains:
      reasons = corpus.reasons(role, domain)
      if not reasons[KEPT]:
        said = ", ".join(f"{n:,} {reason}" for reason, n in sorted(reasons.items()) if n)
        raise ConfigError(
            f"domain {domain!r}: no row is left for {role} ({said or 'none were read'}). Loosen "
            "config.curation, or name more rows in config.data."
        )


def summary(output: pathlib.Path) -> list[str]:
  """Returns what a finished curation found shared with evaluation, as lines to print."""
  figures = json.loads((output / RECORD).read_text(encoding="utf-8"))["figures"]
  lines = []
  for row in figures["contamination"]:
    rate = row["chance_rate"]
    by_chance = "too few rows to estimate chance" if rate is None else f"{rate:.1%} would by chance alone"
    share = row["flagged"] / max(row["screened"], 1)
    lines.append(
        f"{row['domain']}/{row['dataset']}: {row['flagged']:,} of {row['screened']:,} rows ({share:.1%}) share "
        f"{contamination.NGRAM_WORDS} words with evaluation, {row['same_task']:,} of them nearly a whole task; "
        f"{by_chance}"
    )
  return lines


class AlreadyThere(Exception):
  """The output holds the finished pool that was asked for."""


def is_finished(output: pathlib.Path, fingerprint: str) -> bool:
  path = output / RECORD
  return path.is_file() and json.loads(path.read_text(encoding="utf-8")).get("fingerprint") == fingerprint


def _claim(output: pathlib.Path, parts: pathlib.Path, fingerprint: str) -> None:
  if output.exists() and not output.is_dir():
    raise ConfigError(f"--output={output} is a file: name a directory.")
  if (output / RECORD).exists():
    raise ConfigError(f"--output={output} holds a pool of other rows or settings: name another directory.")
  mark = parts / "fingerprint"
  if parts.is_dir() and not (mark.is_file() and mark.read_text() == fingerprint):
    shutil.rmtree(parts)  # screened under other rules, by a curation that did not finish
  elif output.is_dir() and not parts.is_dir() and any(output.iterdir()):
    raise ConfigError(f"--output={output} is not empty and holds no curation: name another directory.")
  parts.mkdir(parents=True, exist_ok=True)
  mark.write_text(fingerprint)


def _fingerprint(request: Request) -> str:
  """Hashes what the pool depends on: rules, seed, the code here, and the files' content."""
  said = request.identity, request.seed, request.curation, request.count_tokens.name
  digest = hashlib.sha256(repr(said).encode("utf-8", "backslashreplace"))
  for source in request.plan:
    for file in (*source.train, *(f for files in source.evaluation.values() for f in files)):
      digest.update(f"{source.domain} {file.dataset.hub_id} {file.name} {file.dataset.revision}".encode())
      if file.path:
        _add(digest, file.path)
  for path in request.pools:
    _add(digest, pathlib.Path(path))
  for path in sorted(pathlib.Path(loading.__file__).parent.rglob("*.py")):
    _add(digest, path)
  return digest.hexdigest()[:32]


def _add(digest, path: pathlib.Path) -> None:
  with path.open("rb") as file:
    digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())


def _all(by_domain: Mapping[str, Sequence[Example]]) -> list[Example]:
  return [example for domain in sorted(by_domain) for example in by_domain[domain]]


def _evaluation_rows(loader, corpus: Corpus, judge: gold.Verdicts) -> list[Example]:
  """Returns the evaluation rows whose gold answer holds. The others are protected all the same."""
  rows = _all(corpus.evaluation)
  refused = judge.refused(rows)
  for uid, reason in refused.items():
    loader.count(corpus.origins[uid], KEPT, -1)
    loader.drop(corpus.origins[uid], uid, reason, said=judge.said.get(uid, ""))
  return [example for example in rows if example.uid not in refused]


def _select(request: Request, selector, work, pooled, progress) -> list[screening.Job]:
  """Screens and selects all sources, and returns their jobs in order."""
  plans = []
  for number, source in enumerate(s for s in request.plan if s.train):
    rows = sum(p.rows for f in source.train for p in reading.parts(f, PART_ROWS)) if source.limit else 0
    high = min(1.0, OVERSAMPLED * source.limit / max(rows, 1)) if source.limit else 1.0
    jobs = _jobs(request, source, number, 0.0, high)
    plans.append((source, number, high, jobs))
    work.submit(jobs)
  pool_jobs = _pool_jobs(request, pooled)
  work.submit(pool_jobs)
  total = sum(job.rows for *_, jobs in plans for job in jobs) + sum(job.rows for job in pool_jobs)
  done: list[screening.Job] = []

  def result(job: screening.Job) -> screening.Screened:
    screened = work.result(job)
    progress(job.rows, total, f"{job.origin.domain}/{job.origin.dataset}")
    done.append(job)
    return screened

  def bands(source, number, high, jobs):
    yield jobs
    while high < 1.0:
      low, high = high, min(1.0, 2 * high)
      jobs = _jobs(request, source, number, low, high)
      work.submit(jobs)
      yield jobs

  for source, number, high, jobs in plans:
    if source.limit:
      selector.take_best(bands(source, number, high, jobs), result, source.limit)
    else:
      selector.take_all(jobs, result)
  selector.take_all(pool_jobs, result)
  return done


def _jobs(request: Request, source: Source, number: int, low: float, high: float) -> list[screening.Job]:
  carved_files = source.evaluation.get(EVALUATION, ())
  return screening.jobs_of(
      source, number, low=low, high=high, part_rows=PART_ROWS, carved=lambda file: file in carved_files,
      seed=request.seed, truths=request.truths,
  )  # fmt: skip


def _pool_jobs(request: Request, pooled) -> list[screening.Job]:
  groups: dict[tuple[str, str], list[pool.PoolRow]] = {}
  for role, name, row in pooled:
    if role == TRAIN:
      groups.setdefault((name, row.example.domain), []).append(row)
  return [
      screening.Job(
          name=f"pool-{hashlib.sha256(name.encode()).hexdigest()[:8]}-{domain}-{first:07d}",
          origin=Origin(TRAIN, domain, name, "pool"),
          truths=request.truths,
          seed=request.seed,
          pooled=tuple(rows[first : first + PART_ROWS]),
      )
      for (name, domain), rows in sorted(groups.items())
      for first in range(0, len(rows), PART_ROWS)
  ]


def _write_evaluation(path: pathlib.Path, examples: Sequence[Example]) -> Counter:
  """Writes the rows and returns how many have personal data, by (data set, kind)."""
  import pyarrow
  import pyarrow.parquet

  rows, found = [], Counter()
  for example in examples:
    example, kinds = screening.masked(example)
    found.update((example.uid.split("/")[0], kind) for kind in kinds)
    rows.append(pool.write_row(example, EVALUATION))
  pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=pool.parquet_schema()), path)
  return found


def _write_train(path: pathlib.Path, selector: selection.Selector, jobs: Sequence[screening.Job]) -> None:
  import pyarrow
  import pyarrow.parquet

  with pyarrow.parquet.ParquetWriter(path, pool.parquet_schema()) as writer:
    for job in jobs:
      if selector.kept[job.name].any():
        writer.write_table(selector.table(job).filter(pyarrow.array(selector.kept[job.name])))


def _figures(request: Request, corpus: Corpus, selector, jobs, masked: Counter) -> dict[str, Any]:
  """Returns what the card says, as plain values."""
  sources, kept = [], Counter()
  for origin, reasons in sorted(corpus.counts.items()):
    dropped = {reason: n for reason, n in sorted(reasons.items()) if reason != KEPT and n}
    row = {"read": sum(reasons.values()), "kept": reasons.get(KEPT, 0), "dropped": dropped}
    sources.append({**origin._asdict(), **row})
    if origin.role == TRAIN:
      kept[origin.domain] += row["kept"]
  shared = []
  for (domain, dataset), tally in sorted(selector.tallies.items()):
    rows = _chance_rows(request, selector, jobs, domain, dataset)
    rate = contamination.chance_rate(rows, selector.evaluated[domain])
    shared.append({
        "domain": domain,
        "dataset": dataset,
        "evaluation": selector.evaluated[domain],
        "screened": tally.rows,
        "flagged": tally.contaminated,
        "same_task": tally.same_task,
        "chance_rate": rate,
    })
  return {
      "seed": request.seed,
      "rules": dataclasses.asdict(request.curation),
      "tokens_of": request.count_tokens.name,
      "sources": sources,
      "contamination": shared,
      "reasoning": [
          {"domain": domain, "dataset": dataset, "rows": sum(map(len, tally.tokens)), "reasoned": tally.reasoned}
          for (domain, dataset), tally in sorted(selector.tallies.items())
      ],
      "masked": [
          {"role": TRAIN, "dataset": dataset, "kind": kind, "rows": rows}
          for (_, dataset), tally in sorted(selector.tallies.items())
          for kind, rows in sorted(tally.masked.items())
      ] + [
          {"role": EVALUATION, "dataset": dataset, "kind": kind, "rows": rows}
          for (dataset, kind), rows in sorted(masked.items())
      ],
      "disco": request.draws(dict(sorted(kept.items()))),
  }


def _chance_rows(request: Request, selector, jobs, domain: str, dataset: str) -> list[tuple[str, ...]]:
  """Returns texts of screened training rows in rank order, contaminated ones among them."""
  tally = selector.tallies[domain, dataset]
  share = (2 * selector.evaluated[domain] + selection.CHANCE_ROWS) / max(tally.rows, 1)
  ranked = list(tally.flagged) if request.curation.shared_ngrams == "drop" else []
  for job in jobs:
    if (job.origin.domain, job.origin.dataset) == (domain, dataset):
      ranks = selector.ranks[job.name]
      places = np.flatnonzero(selector.kept[job.name] & (ranks < share))
      rows = selector.table(job).take(places).to_pylist()
      ranked += zip(ranks[places], map(screening.texts_of_row, rows))
  return [texts for rank, texts in sorted(ranked) if rank < share]
