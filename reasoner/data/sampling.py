"""DISCO: how much of each domain is drawn, and which example next, so that small domains are heard.

A domain's share is p_d ~ w_d * n_d ** alpha: alpha 1 is the natural distribution, 0 the uniform
one, and 0.5 the default. For the published pool of seven domains and 10,000 draws:

  >>> counts = dict(science=13610, summarization=10000, math=7473, creative_writing=5968,
  ...               creative_ideation=2831, logic=2260, coding=974)
  >>> {d: round(100 * s, 1) for d, s in shares(counts).items()}["coding"]
  6.1

Everything here is a pure function of counts and seed: step k draws the same rows whatever ran
before it, which is what makes a resumed run see what an uninterrupted one would. (curriculum.py draws by
what was learned as well, and keeps its record in the checkpoint.)

(The published write-up states n ** (1 / T) with T = 0.5, that is n squared; its own table is
n ** 0.5, which is what stands here.)
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import functools
import itertools
import math
import random
from typing import Annotated, Any, NamedTuple

from rewards.errors import ConfigError
from rewards.settings import Count
from rewards.settings import NotNegative
from rewards.settings import Range
from rewards.settings import Section


Pair = tuple[str, int]  # a domain, and the place of a row among its training rows


class Outcome(NamedTuple):
  """How a group went: its completions that were right and wrong (0 and 0 where there is no truth), and the
  greatest of their rewards less the least, nan where fewer than two were scored."""

  pair: Pair
  right: int
  wrong: int
  spread: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shares(Section, place="config.disco"):
  """How much of each domain is drawn."""

  alpha: Annotated[float, Range(0.0, 10.0)]  # share ~ weight * rows ** alpha: 1 is natural, 0 uniform
  max_repeats: Count  # how often one row may be drawn in a run
  weights: Mapping[str, NotNegative]  # by domain; 1 where a domain is not named
  curriculum: bool = False  # whether rows answered neither always nor never are drawn more, in their domain


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
    first: the number of the first step, where another schedule ended; rows then come in orders of their own.
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
      first: int = 0,
  ):
    self.first, self.last = first, first + steps
    self.counts = dict(sorted(counts.items()))
    self.quotas = quotas(
        self.counts, steps * prompts_per_step, alpha=alpha, weights=weights, max_repeats=max_repeats
    )
    self._seed = seed = f"{seed}+{first}" if first else seed
    self._prompts_per_step = prompts_per_step
    draws = []
    for domain, quota in self.quotas.items():
      offset = random.Random(f"{seed}/offset/{domain}").random()
      draws += [((k + offset) / quota, domain, k) for k in range(quota)]
    self._draws = [(domain, k) for _, domain, k in sorted(draws)]

  def _drawn_at(self, step: int) -> list[tuple[str, int]]:
    """Returns the domains that a step draws, each with how many draws came before; none for another's step."""
    start = (step - self.first) * self._prompts_per_step
    return self._draws[start : start + self._prompts_per_step] if start >= 0 else []

  def domains(self, step: int) -> list[str]:
    """Returns the domain of each prompt of `step`, counted from 0."""
    return [domain for domain, _ in self._drawn_at(step)]

  def rows(self, step: int) -> list[Pair]:
    """Returns the (domain, row) pairs that `step` draws."""
    return [(domain, self._row(domain, draw)) for domain, draw in self._drawn_at(step)]

  def others(self, step: int, attempt: int, domains: Sequence[str], taken: Iterable[Pair]) -> list[Pair]:
    """Returns a pair for each of `domains`, none of `taken` while there is another.

    They come on top of what the run draws: neither quotas nor max_repeats count them.
    """
    taken, queues = set(taken), {}
    for domain in sorted(set(domains)):
      order = list(range(self.counts[domain]))
      random.Random(f"{self._seed}/others/{domain}/{step}/{attempt}").shuffle(order)
      order.sort(key=lambda row, domain=domain: (domain, row) in taken)
      queues[domain] = itertools.cycle(order)
    return [(domain, next(queues[domain])) for domain in domains]

  def pairs(self) -> list[Pair]:
    """Returns what the steps may draw: here what they do, in order."""
    return [pair for step in range(self.first, self.last) for pair in self.rows(step)]

  def every(self) -> list[Pair]:
    """Returns all there is to draw."""
    return [(domain, row) for domain, count in self.counts.items() for row in range(count)]

  def drawn(self, steps: Iterable[int]) -> set[str]:
    """Returns the domains that these steps draw from."""
    return {domain for step in steps for domain in self.domains(step)}

  def record(self, outcomes: Iterable[Outcome], *, scheduled: bool = True) -> None:
    """Takes note of how groups went; scheduled: whether `rows` drew them. No concern of a fixed schedule."""

  def state(self) -> dict[str, Any]:
    """Returns what was recorded, as JSON holds it."""
    return {}

  def restore(self, state: Mapping[str, Any]) -> None:
    """Goes on from what `state` returned."""

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
