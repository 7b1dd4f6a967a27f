"""DISCO: how much of each domain is drawn, and which example next, so that small domains are heard.

A domain's share is p_d ~ w_d * n_d ** alpha: alpha 1 is the natural distribution, 0 the uniform
one, and 0.5 the default. For the published pool of seven domains and 10,000 draws:

  >>> counts = dict(science=13610, summarization=10000, math=7473, creative_writing=5968,
  ...               creative_ideation=2831, logic=2260, coding=974)
  >>> {d: round(100 * s, 1) for d, s in shares(counts).items()}["coding"]
  6.1

Everything here is a pure function of counts and seed: step k draws the same rows whatever ran
before it, which is what makes a resumed run see what an uninterrupted one would.

(The published write-up states n ** (1 / T) with T = 0.5, that is n squared; its own table is
n ** 0.5, which is what stands here.)
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import functools
import math
import random
from typing import Annotated

from rewards.errors import ConfigError
from rewards.settings import Count
from rewards.settings import NotNegative
from rewards.settings import Range
from rewards.settings import Section


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shares(Section, place="config.disco"):
  """How much of each domain is drawn."""

  alpha: Annotated[float, Range(0.0, 10.0)]  # share ~ weight * rows ** alpha: 1 is natural, 0 uniform
  max_repeats: Count  # how often one row may be drawn in a run
  weights: Mapping[str, NotNegative]  # by domain; 1 where a domain is not named


def shares(
    counts: Mapping[str, int], *, alpha: float = 0.5, weights: Mapping[str, float] | None = None
) -> dict[str, float]:
  """Returns each domain's share of the draws, summing to 1.

  Args:
    counts: rows by domain, each above 0.
    alpha: 0 or more.
    weights: by domain, 0 or more; 1 where a domain is not named.

  Raises:
    ConfigError: nothing would be drawn.
  """
  weights = weights or {}
  scores = {domain: weights.get(domain, 1.0) * count**alpha for domain, count in counts.items()}
  total = sum(scores.values())
  if not total:
    raise ConfigError("config.disco.weights are all 0: nothing would be drawn; expected one above 0.")
  return {domain: score / total for domain, score in scores.items()}


def quotas(
    counts: Mapping[str, int],
    draws: int,
    *,
    alpha: float = 0.5,
    weights: Mapping[str, float] | None = None,
    max_repeats: int | None = None,
) -> dict[str, int]:
  """Returns how many of `draws` each domain gets: largest remainder, adding up exactly.

  Args:
    counts, alpha, weights: as `shares` takes them.
    draws: in all.
    max_repeats: how often a row may be drawn; what a domain may not take, the others share.

  Raises:
    ConfigError: as `shares` does, or `max_repeats` leaves fewer rows than draws.
  """
  caps = {d: n * max_repeats if max_repeats else draws for d, n in counts.items()}
  quota = dict.fromkeys(counts, 0)
  open_domains = {d for d, s in shares(counts, alpha=alpha, weights=weights).items() if s > 0}
  left = draws
  while left:
    if not open_domains:
      raise ConfigError(
          f"{draws} draws were asked for, but config.disco.max_repeats={max_repeats} allows "
          f"{sum(quota.values())}: raise it, or lower config.train.steps."
      )
    among = shares({d: counts[d] for d in open_domains}, alpha=alpha, weights=weights)
    full = {d for d, share in among.items() if quota[d] + share * left > caps[d]}
    if not full:
      return {d: q + e for (d, q), e in zip(quota.items(), _round(quota, among, left, caps))}
    for domain in full:
      left -= caps[domain] - quota[domain]
      quota[domain] = caps[domain]
    open_domains -= full
  return quota


def _round(quota, among: Mapping[str, float], left: int, caps) -> list[int]:
  """Splits `left` by share into integers by largest remainder, ties by name."""
  exact = {d: among.get(d, 0.0) * left for d in quota}
  whole = {d: math.floor(x) for d, x in exact.items()}
  spare = left - sum(whole.values())
  order = sorted(among, key=lambda d: (whole[d] - exact[d], d))
  able = [d for d in order if quota[d] + whole[d] < caps[d]]
  for domain in able[:spare]:
    whole[domain] += 1
  return list(whole.values())


class Schedule:
  """Which rows each step draws.

  A domain's draws are spread evenly over the run, so every step's mix is close to the whole's, and
  its rows come in a seeded order that is exhausted before one repeats.

  Args:
    counts: rows by domain.
    steps, prompts_per_step: the run.
    seed: of the orders.
    alpha, weights, max_repeats: as `quotas` takes them.
  """

  def __init__(
      self,
      counts: Mapping[str, int],
      *,
      steps: int,
      prompts_per_step: int,
      seed: int,
      alpha: float = 0.5,
      weights: Mapping[str, float] | None = None,
      max_repeats: int | None = None,
  ):
    self.counts = dict(sorted(counts.items()))
    self.quotas = quotas(
        self.counts, steps * prompts_per_step, alpha=alpha, weights=weights, max_repeats=max_repeats
    )
    self._seed = seed
    self._steps, self._prompts_per_step = steps, prompts_per_step
    draws = []
    for domain, quota in self.quotas.items():
      offset = random.Random(f"{seed}/offset/{domain}").random()
      draws += [((k + offset) / quota, domain, k) for k in range(quota)]
    self._draws = [(domain, k) for _, domain, k in sorted(draws)]

  def rows(self, step: int) -> list[tuple[str, int]]:
    """Returns the (domain, row) pairs that `step`, counted from 0, draws."""
    first = step * self._prompts_per_step
    return [(d, self._row(d, k)) for d, k in self._draws[first : first + self._prompts_per_step]]

  def pairs(self) -> list[tuple[str, int]]:
    """Returns what all steps draw, in order."""
    return [pair for step in range(self._steps) for pair in self.rows(step)]

  def drawn(self, steps: Iterable[int]) -> set[str]:
    """Returns the domains that these steps draw from."""
    return {domain for step in steps for domain, _ in self.rows(step)}

  def _row(self, domain: str, draw: int) -> int:
    epoch, position = divmod(draw, self.counts[domain])
    return self._order(domain, epoch)[position]

  @functools.lru_cache(maxsize=64)  # noqa: B019 (a schedule lives as long as its run)
  def _order(self, domain: str, epoch: int) -> Sequence[int]:
    order = list(range(self.counts[domain]))
    random.Random(f"{self._seed}/order/{domain}/{epoch}").shuffle(order)
    return order

  @property
  def shares(self) -> dict[str, float]:
    """Each domain's share of all draws."""
    draws = sum(self.quotas.values())
    return {domain: quota / draws for domain, quota in self.quotas.items()}

  def table(self) -> list[dict[str, float | int | str]]:
    """Returns a row for each domain: its rows, natural and DISCO share, draws and epochs."""
    rows = sum(self.counts.values())
    return [
        {
            "domain": domain,
            "rows": count,
            "natural_share": count / rows,
            "disco_share": self.shares[domain],
            "draws": self.quotas[domain],
            "epochs": self.quotas[domain] / count,
        }
        for domain, count in sorted(self.counts.items(), key=lambda item: -item[1])
    ]

  def lines(self) -> list[str]:
    """Returns `table` as lines to print: natural share -> DISCO share -> rows drawn."""
    lines = [f"{'domain':<20}{'rows':>8}{'natural':>10}{'DISCO':>10}{'drawn':>8}{'epochs':>8}"]
    for row in self.table():
      lines.append(
          f"{row['domain']:<20}{row['rows']:>8,}{row['natural_share']:>10.1%}{row['disco_share']:>10.1%}"
          f"{row['draws']:>8,}{row['epochs']:>8.2f}"
      )
    unheard = [domain for domain, quota in self.quotas.items() if not quota]
    if unheard:
      lines.append(f"warning: {', '.join(unheard)}: not drawn at all; raise config.disco.weights or train.steps.")
    return lines
