"""Runs side by side: what differs between them, and whether the held-out rows show it.

  arms = arms_of([pathlib.Path(p) for p in ("runs/a/seed_0", "runs/a/seed_1", "runs/b/seed_0")])
  comparison = Comparison(arms)          # the first arm is what the others are held against
  write(pathlib.Path("compare.html"), comparison)

Runs that differ in their seed alone are one arm. Evaluation rows are the same in all runs, so
differences are paired: row by row, a row's value being its mean over the seeds that both arms have.

  p          sign-flip permutation test of the mean paired difference, exact up to 14 rows that differ
  adjusted   Holm's over all tests of a kind on the page (measures; components); `shown` below 0.05
  interval   mean +/- 1.96 standard errors of the paired differences

All three speak of rows. What another seed would give is not in them: with one seed a page says so,
with several it says in how many of them a difference has its sign.
"""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
import functools
import itertools
import pathlib
import re
import statistics
from typing import Any

import markupsafe
import numpy as np

from reasoner.data.corpus import HELD_OUT
from reasoner.reporting import charts
from reasoner.reporting import records
from reasoner.reporting import report
from reasoner.run import files
from reasoner.run.workdir import Workdir
from rewards.errors import ConfigError

MEASURES = ("format", "accuracy", "reward")  # reward: under the recipe's own weights, whatever a run paid
SHOWN = 0.05
_EXACT_ROWS, _FLIPS = 14, 20_000
# Fields that do not make two runs different experiments: what a run begins from, each seed has of its own.
_NO_EXPERIMENT = ("seed", "model.path")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arm:
  """Runs of one config under different seeds."""

  name: str
  runs: tuple[report.Results, ...]

  @property
  def seeds(self) -> list[int]:
    return [run.config["seed"] for run in self.runs]

  @functools.cached_property
  def _values(self) -> dict[int, dict[tuple[str, str], dict[str, float]]]:
    """By seed, domain and measure, the values of the held-out rows after training by uid."""
    found: dict[int, dict[tuple[str, str], dict[str, float]]] = {}
    for run in self.runs:
      own = found.setdefault(run.config["seed"], {})
      for record in run.after:
        if record["set"] != HELD_OUT:
          continue
        values = {
            "format": record["gate"], "accuracy": record["correct"], "reward": record["default_total"],
            **record["scores"],
        }  # fmt: skip
        for measure, value in values.items():
          if value is not None:
            for domain in (record["domain"], "all"):
              key = f"{record['domain']}/{record['uid']}"
              own.setdefault((domain, measure), {})[key] = float(value)
    return found

  def rows(self, seeds: Sequence[int], domain: str, measure: str) -> dict[str, float]:
    """Returns each row's mean over seeds, for rows that all of them have."""
    found = [self._values[seed].get((domain, measure), {}) for seed in seeds]
    common = set.intersection(*map(set, found))
    return {uid: statistics.fmean(own[uid] for own in found) for uid in common}

  def means(self, domain: str, measure: str) -> dict[int, float]:
    """Returns the mean over rows by seed."""
    found = {seed: self._values[seed].get((domain, measure), {}) for seed in self.seeds}
    return {seed: statistics.fmean(own.values()) for seed, own in found.items() if own}

  def measures(self, domain: str) -> set[str]:
    return {measure for own in self._values.values() for found, measure in own if found == domain}

  def curve(self, path: str) -> tuple[list[int], list[float]]:
    """Returns a metric's mean over seeds at the steps that all of them have."""
    found = [dict(zip(*run.series(path))) for run in self.runs]
    steps = sorted(set.intersection(*map(set, found)))
    return steps, [statistics.fmean(own[step] for own in found) for step in steps]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Difference:
  """An arm's mean less the baseline's, over the rows that both have. by_seed: in each seed that both have."""

  arm: str
  domain: str
  measure: str
  baseline: float
  value: float
  interval: tuple[float, float]
  n: int
  p: float
  by_seed: Sequence[float]
  adjusted: float = 1.0

  @property
  def difference(self) -> float:
    return self.value - self.baseline

  @property
  def shown(self) -> bool:
    return self.adjusted < SHOWN

  @property
  def agreeing(self) -> int:
    """In how many seeds the difference has its sign."""
    return sum(seed * self.difference > 0 for seed in self.by_seed)


class Comparison:
  """Arms held against the first.

  Raises:
    ConfigError: no evaluation rows are common to all arms.
  """

  def __init__(self, arms: Sequence[Arm]):
    self.arms = list(arms)
    self.baseline, *self.others = self.arms
    self.domains = [d for d in self.baseline.runs[0].domains if all(a.measures(d) for a in self.arms)]
    if not self.domains:
      raise ConfigError("these runs have no evaluated domain in common.")
    self.colours = dict(zip((arm.name for arm in self.arms), itertools.cycle(charts.PALETTE)))

  @functools.cached_property
  def differences(self) -> dict[tuple[str, str, str], Difference]:
    """By arm, domain ("all" for their union) and measure; components by their names, in a domain alone."""
    main, parts = [], []
    for arm, domain in itertools.product(self.others, [*self.domains, "all"]):
      common = arm.measures(domain) & self.baseline.measures(domain)
      main += [self._difference(arm, domain, measure) for measure in MEASURES if measure in common]
      names = sorted(common - set(MEASURES)) if domain != "all" else []
      parts += [self._difference(arm, domain, name) for name in names]
    found = [*_adjusted([d for d in main if d]), *_adjusted([d for d in parts if d])]
    return {(d.arm, d.domain, d.measure): d for d in found}

  def _difference(self, arm: Arm, domain: str, measure: str) -> Difference | None:
    common = [seed for seed in arm.seeds if seed in self.baseline.seeds]
    ours, theirs = (own.rows(common or own.seeds, domain, measure) for own in (arm, self.baseline))
    uids = sorted(ours.keys() & theirs.keys())
    if not uids:
      return None
    paired = np.array([ours[uid] - theirs[uid] for uid in uids])
    by_seed = [arm.means(domain, measure), self.baseline.means(domain, measure)]
    return Difference(
      arm=arm.name,
      domain=domain,
      measure=measure,
      baseline=statistics.fmean(theirs[uid] for uid in uids),
      value=statistics.fmean(ours[uid] for uid in uids),
      interval=records.mean_interval(paired.tolist())[1:],
      n=len(uids),
      p=sign_flip(paired),
      by_seed=[by_seed[0][s] - by_seed[1][s] for s in common if all(s in own for own in by_seed)],
    )

  def shown(self, arm: Arm) -> list[Difference]:
    """Returns the differences of an arm that the rows show, greatest first."""
    own = [d for d in self.differences.values() if d.arm == arm.name and d.shown]
    return sorted(own, key=lambda d: (d.measure not in MEASURES, -abs(d.difference)))

  def tests(self, arm: Arm) -> int:
    return sum(d.arm == arm.name for d in self.differences.values())

  def measured(self, measure: str) -> list[str]:
    """Returns the domains that a measure was compared in, and "all"."""
    return [d for d in [*self.domains, "all"] if all(measure in arm.measures(d) for arm in self.arms)]

  @property
  def several_seeds(self) -> bool:
    return any(len(arm.runs) > 1 for arm in self.arms)

  @property
  def fields(self) -> dict[str, list[Any]]:
    """Fields of the config in which arms differ, with each arm's value."""
    flat = [dict(_experiment(arm.runs[0].config)) for arm in self.arms]
    names = sorted({name for own in flat for name in own})
    found = {name: [own.get(name, "–") for own in flat] for name in names}
    return {name: values for name, values in found.items() if any(value != values[0] for value in values)}

  def curves(self, domain: str) -> markupsafe.Markup:
    """A domain's reward by step, a line an arm: under the recipe's own weights, as far as it was measured."""
    lines = []
    for arm in self.arms:
      steps, values = arm.curve(f"rewards/{domain}/default_total")
      lines.append(charts.Line(steps=steps, values=values, colour=self.colours[arm.name], dots=False))
    last = max((run.last_step for arm in self.arms for run in arm.runs), default=0)
    figure = charts.panel(lambda axes: charts.curves(axes, lines, last=last, low=0.0, high=1.0))
    return markupsafe.Markup(charts.svg(figure, f"{domain}: reward by step"))


def sign_flip(differences: np.ndarray) -> float:
  """Returns the two-sided p of a mean paired difference: how often random signs give one as far from 0.

  Exact up to 14 differences that are not 0, else of 20,000 draws of one seed. Without any it is 1. Of
  differences of 1 and -1 alone this is the exact McNemar test: https://doi.org/10.1007/BF02295996.
  """
  changed = differences[np.abs(differences) > 1e-12]
  if not len(changed):
    return 1.0
  observed = abs(changed.sum()) - 1e-9
  if len(changed) <= _EXACT_ROWS:
    signs = np.array(list(itertools.product((-1, 1), repeat=len(changed))))
    return float((np.abs(signs @ changed) >= observed).mean())
  kept = np.random.default_rng(0).integers(0, 2, (_FLIPS, len(changed)), dtype=np.int8)
  sums = 2 * (kept @ changed) - changed.sum()
  return float((1 + (np.abs(sums) >= observed).sum()) / (1 + _FLIPS))


def _adjusted(differences: Sequence[Difference]) -> Iterator[Difference]:
  """Yields them with Holm's p: https://www.jstor.org/stable/4615733."""
  least = 0.0
  for rank, own in enumerate(sorted(differences, key=lambda d: d.p)):
    least = max(least, min(1.0, (len(differences) - rank) * own.p))
    yield dataclasses.replace(own, adjusted=least)


def arms_of(directories: Sequence[pathlib.Path]) -> list[Arm]:
  """Reads finished runs and puts those that differ in their seed alone together, in the given order.

  Raises:
    ConfigError: a directory holds no finished run, two have one seed, or two arms have one name.
  """
  arms: dict[str, list[tuple[str, report.Results]]] = {}
  for directory in directories:
    workdir = Workdir(directory)
    if not (workdir.config.exists() and workdir.summary.exists()):
      raise ConfigError(f"{directory} holds no finished run.")
    config = files.read_json(workdir.config)
    experiment = repr(list(_experiment(config)))
    seed = re.fullmatch(r"seed_\d+", directory.resolve().name)
    name = directory.resolve().parent.name if seed else directory.resolve().name
    run = report.read(directory, files.read_json(workdir.summary), config)
    arms.setdefault(experiment, []).append((name, run))
  found = [Arm(name=own[0][0], runs=tuple(run for _, run in own)) for own in arms.values()]
  for arm in found:
    if len(set(arm.seeds)) < len(arm.seeds):
      raise ConfigError(f"{arm.name}: two runs have one config and one seed ({arm.seeds}); name each once.")
  names = [arm.name for arm in found]
  if len(set(names)) < len(names):
    raise ConfigError(f"two of these runs differ and have one name ({', '.join(names)}): rename a directory.")
  return found


def _experiment(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
  """Yields the fields that make it what it is; an adapter that each seed has of its own, DIR/seed_N, as DIR."""
  for name, value in _flat(config):
    if name == "model.adapter" and pathlib.Path(value).name == f"seed_{config['seed']}":
      value = str(pathlib.Path(value).parent)
    if name not in _NO_EXPERIMENT:
      yield name, value


def _flat(config: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
  for name, value in sorted(config.items()):
    if isinstance(value, Mapping):
      yield from _flat(value, f"{place}{name}.")
    else:
      yield f"{place}{name}", value


def write(path: pathlib.Path, comparison: Comparison) -> None:
  """Writes the page, which needs nothing beside it."""
  page = report.templates().get_template("compare.html").render(comparison=comparison, measures=MEASURES)
  files.write_text(path, page)


def lines(comparison: Comparison) -> list[str]:
  """Returns what the rows show, to print: a line an arm, and one a difference."""
  said = []
  for arm in comparison.others:
    shown = comparison.shown(arm)
    baseline, tests = comparison.baseline.name, comparison.tests(arm)
    said.append(f"{arm.name}: {len(shown)} of {tests} differences from {baseline} shown")
    said += [
        f"  {d.domain:<20}{d.measure:<24}{d.baseline:.3f} -> {d.value:.3f}  "
        f"[{d.interval[0]:+.3f}, {d.interval[1]:+.3f}]  p {d.adjusted:.2g}" for d in shown
    ]  # fmt: skip
  return said
