"""Which screened rows enter the pool, as far as it depends on other rows: duplicates, gold, limits.

One process, in the order of the files, so the result depends on the rows, the config and the seed
alone. Where a data set has a limit its rows are taken by rank, a hash of uid and seed: near
duplicates do not count towards it, and rows are screened in bands of ranks until it is full.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
import dataclasses
import pathlib

import numpy as np

from reasoner.data import gold
from reasoner.data import loading
from reasoner.data import pool
from reasoner.data.corpus import KEPT
from reasoner.data.corpus import Origin
from reasoner.data.curation import duplicates
from reasoner.data.curation import screening
from reasoner.data.curation.contamination import SAME_TASK
from reasoner.data.curation.screening import Job
from reasoner.data.curation.screening import Screened
from rewards.schema import Example

NEAR, NEAR_EVALUATION = "near duplicate", "near duplicate of evaluation"
BEYOND = "beyond the limit"
CHANCE_ROWS = 4000  # rows on which false positives of contamination are estimated


@dataclasses.dataclass(kw_only=True)
class Tally:
  """What was seen of one data set's training rows in one domain.

  rows: screened. masked: rows with personal data, by kind. contaminated: rows that share an n-gram with
  an evaluation row; same_task: those of them that are nearly that row; flagged: (rank, texts) of them.
  tokens: [rows, 2] int32 for the kept rows of each part: of prompt and answer. reasoned: those with a rationale.
  """

  rows: int = 0
  masked: Counter = dataclasses.field(default_factory=Counter)
  contaminated: int = 0
  same_task: int = 0
  flagged: list[tuple[float, tuple[str, ...]]] = dataclasses.field(default_factory=list)
  tokens: list[np.ndarray] = dataclasses.field(default_factory=list)
  reasoned: int = 0


class Selector:
  """Takes screened parts in order; `kept` says which of their rows enter the pool.

  kept: by job, [rows] bool; ranks: [rows] float64. tallies: by (domain, data set). evaluated: rows to protect by domain.

  Args:
    loader: has the evaluation rows already; counts and logs what is dropped here.
    similarity: of near duplicates; 1 looks for none.
    folder: of what screening left.
  """

  def __init__(
      self,
      loader: loading.Loader,
      verdicts: gold.Verdicts,
      similarity: float,
      folder: pathlib.Path,
  ):
    self.kept: dict[str, np.ndarray] = {}
    self.ranks: dict[str, np.ndarray] = {}
    self.tallies: dict[tuple[str, str], Tally] = {}
    self._loader, self._verdicts, self._folder = loader, verdicts, folder
    self._similarity = similarity
    self._near: dict[str, duplicates.Near] = {}
    self._evaluated: set[str] = set()
    self.evaluated: Counter = Counter()

  def protect(self, examples: Sequence[Example]) -> None:
    """Makes near duplicates of these evaluation rows be found."""
    self._evaluated.update(example.uid for example in examples)
    self.evaluated.update(example.domain for example in examples)
    if self._similarity < 1:
      for example, signature in zip(examples, duplicates.signatures([e.prompt for e in examples])):
        self._near_in(example.domain).add(example.uid, signature, screening.answer_of(example))

  def take_all(self, jobs: Sequence[Job], result: Callable[[Job], Screened]) -> None:
    """Takes every row of these jobs that is new and right."""
    for job in jobs:
      screened = result(job)
      self._account(job, screened)
      places = range(len(screened.uids))
      refused = self._refused(job, places)
      for place in places:
        self._take(job, screened, place, refused)
      self._account_kept(job, screened)

  def take_best(
      self, bands: Iterable[Sequence[Job]], result: Callable[[Job], Screened], limit: int
  ) -> None:
    """Takes the `limit` rows of the lowest ranks; a further band is asked for where one has too few."""
    taken, beyond = 0, Counter()
    for number, jobs in enumerate(bands):
      ranked, refused = [], {}
      for job in jobs:
        screened = result(job)
        self._account(job, screened)
        beyond[job.origin] += -screened.inside if number else screened.outside
        refused |= self._refused(job, range(len(screened.uids)))
        ranked += [(rank, job, screened, place) for place, rank in enumerate(screened.ranks)]
      for _, job, screened, place in sorted(ranked, key=lambda row: row[0]):
        if taken == limit:
          beyond[job.origin] += 1
        else:
          taken += self._take(job, screened, place, refused)
      for job, screened in {job.name: (job, screened) for _, job, screened, _ in ranked}.values():
        self._account_kept(job, screened)
      if taken == limit:
        break
    for origin, rows in (+beyond).items():
      self._loader.count(origin, BEYOND, rows)

  def _account(self, job: Job, screened: Screened) -> None:
    """Counts what screening found."""
    origin = job.origin
    tally = self.tallies.setdefault((origin.domain, origin.dataset), Tally())
    tally.rows += screened.inside
    tally.masked.update(screened.masked)
    tally.flagged = sorted(tally.flagged + screened.flagged)[: self._most_flagged(origin)]
    for record in screened.dropped:
      if "overlap" in record:
        tally.contaminated += 1
        tally.same_task += record["overlap"] >= SAME_TASK
      self._loader.log(record)
    for reason, rows in screened.counts.items():
      self._loader.count(origin, reason, rows)
    self._loader.quarantine.update(screened.quarantine)
    self.kept[job.name] = np.zeros(len(screened.uids), bool)
    self.ranks[job.name] = screened.ranks

  def _refused(self, job: Job, places: Sequence[int]) -> dict[str, str]:
    """Returns by uid why gold answers do not hold."""
    if not self._verdicts.has_truth(job.origin.domain):
      return {}
    return self._verdicts.refused([row.example for row in self.examples(job, places)])

  def _take(self, job: Job, screened: Screened, place: int, refused: Mapping[str, str]) -> bool:
    """Keeps a row, or drops it with its reason; says which."""
    origin, uid, answer = job.origin, screened.uids[place], screened.answers[place]
    reason, more = self._loader.refusal(origin, uid, *screened.keys[place]), {}
    if not reason and uid in refused:
      reason, more = refused[uid], {"said": self._verdicts.said.get(uid, "")}
    if not reason and self._similarity < 1:
      near, signature = self._near_in(origin.domain), screened.signatures[place]
      found = near.find(signature, answer)
      if found:
        reason = NEAR_EVALUATION if found[0] in self._evaluated else NEAR
        more = {"of": found[0], "similarity": round(found[1], 3)}
      else:
        near.add(uid, signature.copy(), answer)  # a view would keep the whole part in memory
    if reason:
      self._loader.drop(origin, uid, reason, **more)
      return False
    self.kept[job.name][place] = True
    return True

  def _account_kept(self, job: Job, screened: Screened) -> None:
    """Counts what was kept of a job."""
    kept, tally = self.kept[job.name], self.tallies[job.origin.domain, job.origin.dataset]
    if kept.any():
      self._loader.count(job.origin, KEPT, int(kept.sum()))
      tally.tokens.append(screened.tokens[kept])
      tally.reasoned += int(screened.reasoned[kept].sum())

  def table(self, job: Job):
    """Returns the pool rows of a job that passed screening, as a pyarrow.Table."""
    return screening.load_table(job, self._folder)

  def examples(self, job: Job, places: Sequence[int]) -> list[pool.PoolRow]:
    """Returns what a run would read at these places."""
    import pyarrow

    rows = self.table(job).take(pyarrow.array(places, pyarrow.int64())).to_pylist()
    truth = self._verdicts.has_truth(job.origin.domain)
    return [pool.read_row(row, row["uid"], truth=truth) for row in rows]

  def _near_in(self, domain: str) -> duplicates.Near:
    if domain not in self._near:
      self._near[domain] = duplicates.Near(self._similarity)
    return self._near[domain]

  def _most_flagged(self, origin: Origin) -> int:
    """Returns how many contaminated rows are remembered: enough to estimate what chance does."""
    return 2 * self.evaluated[origin.domain] + CHANCE_ROWS
