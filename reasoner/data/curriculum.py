"""A curriculum by measured difficulty: rows that the model answers neither always nor never are drawn more.

  right 4 of 8 times: 0.23    never seen: 0.17    8 of 8: 0.08    16 of 16: 0.05

A completion of a prompt that is answered right with probability p varies by p (1 - p), and so does what a
group of them teaches. After r right and w wrong completions, p being as likely anywhere before, its mean is

  (r + 1) (w + 1) / ((r + w + 2) (r + w + 3))

and that is the row's weight: nothing is never drawn again, and an unseen row lies between. As the policy
moves, what was seen ages: it counts half with each further group of the row. A row without a truth has the
spread of its groups' rewards instead, held against its domain's mean and, as long as little was seen, drawn
towards it.

Domains keep their draws, step by step, and a row its config.disco.max_repeats; which row is drawn is a
function of seed, step and the record, which is part of the checkpoint.
"""

from collections.abc import Iterable, Mapping, Sequence
import math
import random
from typing import Any

from reasoner.data.sampling import Outcome
from reasoner.data.sampling import Pair
from reasoner.data.sampling import Schedule

UNSEEN = 1 / 6  # the weight of a row of which nothing is known
_AGING = 0.5  # what a group counts beside the next one of its row


def of_correctness(right: float, wrong: float) -> float:
  """Returns the mean of p (1 - p) after so many right and wrong completions."""
  seen = right + wrong
  return (right + 1) * (wrong + 1) / ((seen + 2) * (seen + 3))


def of_spread(total: float, groups: float, mean: float) -> float:
  """Returns the weight of a row by its groups' spreads, `total` in all; the mean is its domain's."""
  return UNSEEN * (total / mean + 1) / (groups + 1) if mean else UNSEEN


class Record:
  """What is known of one row: right and wrong completions, spreads of groups, and how often it was drawn."""

  __slots__ = ("right", "wrong", "spread", "groups", "draws")

  def __init__(self, right=0.0, wrong=0.0, spread=0.0, groups=0.0, draws=0):
    self.right, self.wrong, self.spread, self.groups, self.draws = right, wrong, spread, groups, draws

  def add(self, outcome: Outcome) -> None:
    """Counts a group; one of which fewer than two completions were scored says nothing."""
    if math.isnan(outcome.spread):
      return
    self.right = _AGING * self.right + outcome.right
    self.wrong = _AGING * self.wrong + outcome.wrong
    self.spread = _AGING * self.spread + outcome.spread
    self.groups = _AGING * self.groups + 1

  @property
  def has_truth(self) -> bool:
    return self.right + self.wrong > 0

  def values(self) -> list[float]:
    return [getattr(self, name) for name in self.__slots__]


class Curriculum(Schedule):
  """A schedule whose domains are drawn as ever and whose rows are drawn by what their groups taught.

  Args: as Schedule's.
  """

  def __init__(self, counts: Mapping[str, int], *, max_repeats: int | None = None, **settings):
    super().__init__(counts, max_repeats=max_repeats, **settings)
    self._max_repeats = max_repeats
    self._records: dict[str, dict[int, Record]] = {domain: {} for domain in self.counts}

  def rows(self, step: int) -> list[Pair]:
    return self._draw(self.domains(step), f"{self._seed}/curriculum/{step}", self._max_repeats)

  def others(self, step: int, attempt: int, domains: Sequence[str], taken: Iterable[Pair]) -> list[Pair]:
    return self._draw(domains, f"{self._seed}/curriculum/{step}/{attempt}", None, taken)

  def pairs(self) -> list[Pair]:
    return self.every()

  def record(self, outcomes: Iterable[Outcome], *, scheduled: bool = True) -> None:
    for outcome in outcomes:
      domain, row = outcome.pair
      record = self._records[domain].setdefault(row, Record())
      record.add(outcome)
      record.draws += scheduled

  def state(self) -> dict[str, Any]:
    return {
        domain: {str(row): record.values() for row, record in sorted(records.items())}
        for domain, records in self._records.items()
    }

  def restore(self, state: Mapping[str, Any]) -> None:
    self._records = {
        domain: {int(row): Record(*values) for row, values in state.get(domain, {}).items()}
        for domain in self.counts
    }

  def weights(self, domain: str) -> list[float]:
    """Returns each row's weight among those of its domain."""
    records = self._records[domain]
    open_ones = [record for record in records.values() if record.groups and not record.has_truth]
    groups = math.fsum(record.groups for record in open_ones)
    mean = math.fsum(record.spread for record in open_ones) / groups if groups else 0.0
    weights = [UNSEEN] * self.counts[domain]
    for row, record in records.items():
      if record.has_truth:
        weights[row] = of_correctness(record.right, record.wrong)
      elif record.groups:
        weights[row] = of_spread(record.spread, record.groups, mean)
    return weights

  def _draw(
      self, domains: Sequence[str], seed: str, max_repeats: int | None, taken: Iterable[Pair] = ()
  ) -> list[Pair]:
    """Draws a row for each of `domains`: by weight, none twice unless all others are drawn too."""
    chosen = {}
    for domain in sorted(set(domains)):
      keys = self._keys(domain, seed)
      drawn = {row: record.draws for row, record in self._records[domain].items()}
      seen = {row for name, row in taken if name == domain}
      chosen[domain], need = [], domains.count(domain)
      while len(chosen[domain]) < need:
        able = [row for row in keys if max_repeats is None or drawn.get(row, 0) < max_repeats] or keys
        fresh = [row for row in able if row not in seen]
        rows = (fresh or able)[: need - len(chosen[domain])]
        seen = (seen if fresh else set()) | set(rows)
        drawn |= {row: drawn.get(row, 0) + 1 for row in rows}
        chosen[domain] += rows
    left = {domain: iter(rows) for domain, rows in chosen.items()}
    return [(domain, next(left[domain])) for domain in domains]

  def _keys(self, domain: str, seed: str) -> list[int]:
    """Returns the domain's rows in an order of which each beginning is a draw by weight without return.

    https://doi.org/10.1016/j.ipl.2005.11.003
    """
    rng = random.Random(f"{seed}/{domain}")
    keys = [math.log(1.0 - rng.random()) / weight for weight in self.weights(domain)]
    return sorted(range(len(keys)), key=lambda row: (-keys[row], row))
