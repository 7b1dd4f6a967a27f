"""Worthless text that the configured rewards pay: `python -m rewards attack`, before a policy finds it.

  lighthouse keeper, bottle  ->  "The story has a beginning, a middle and an end. ..."  ->  0.91

A black-box search, seeded: texts of every family (`rewards/attacks`), then random edits of those
that were paid best. What it makes is worthless by construction, as each family's docstring argues;
the row's own reference is no material, and what shares eight words in a row with it is not offered
(a copied source apart). Where there is a truth, wrong answers are offered, and beside them,
reported apart, right ones whose reasoning shows nothing.

Whether it wins is measured against the row's own text: its `completion` where it has one, else its
reference with a plain reasoning. A reward that compares with the reference gives the latter full
marks: rows with a model's completions tell more.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import dataclasses
import itertools
import pathlib
import random
import sys
import time
from typing import Any

from rewards.attacks import material as materials
from rewards.attacks import open_text
from rewards.attacks import verdicts
from rewards.attacks.material import Draft
from rewards.attacks.material import Material
from rewards.errors import ConfigError
from rewards.format import parse
from rewards.format import render
from rewards.schema import Example
from rewards.schema import RewardBreakdown

WORTHLESS, WRONG = "worthless answers", "wrong answers"
UNSHOWN = "right answers, reasoning that shows nothing"
EDITS = "random edits"
ROUND = 24  # candidates of a row that are scored together
FAMILIES_SHARE = 0.4  # of the budget, before edits begin
BEST = 3  # families, edits among them, that have the rest of it; the best of them half
PARENTS = 6
CLOSE = 0.05  # totals that are nearer than this are hardly told apart by a policy
WORST = 3

PLAIN_REASONING = (
    "I read what is asked for and think about what it needs, for whom it is meant and how long it should be; "
    "then I put it down in my own words."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
  """What is attacked. own: the completion that an attack has to beat."""

  example: Example
  own: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
  """The best text of one family for one row; for edits, `root` is the family that they began with."""

  family: str
  root: str
  text: str
  total: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attacked:
  """One row's outcome. best: by family; empty where nothing could be scored."""

  row: Row
  own: float
  best: Mapping[str, Found]

  @property
  def worst(self) -> Found:
    """The attack that was paid best."""
    return max(self.best.values(), key=lambda found: found.total)

  @property
  def lead(self) -> float:
    """By how much the attack beats the row's own text."""
    return self.worst.total - self.own


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
  """One domain under one aim (`WORTHLESS`, `WRONG` or `UNSHOWN`). left_out: rows without a total."""

  domain: str
  aim: str
  rows: Sequence[Attacked]
  left_out: int

  @property
  def own(self) -> float:
    return _mean(r.own for r in self.rows)

  @property
  def attack(self) -> float:
    return _mean(r.worst.total for r in self.rows)

  @property
  def ratio(self) -> float:
    """Mean of the best attacks over the mean of the rows' own texts."""
    return self.attack / self.own if self.own else float("inf")

  @property
  def wins(self) -> float:
    """Share of the rows where the best attack is paid more than the row's own text."""
    return _mean(r.lead > 0 for r in self.rows)

  @property
  def close(self) -> float:
    """Share of the rows where it wins or is behind by less than CLOSE."""
    return _mean(r.lead > -CLOSE for r in self.rows)

  def families(self) -> list[tuple[str, int, float, float, float]]:
    """Returns family, rows, mean total, share of wins and share that comes close, the best paid first."""
    names = dict.fromkeys(name for r in self.rows for name in r.best)
    table = []
    for name in names:
      leads = [r.best[name].total - r.own for r in self.rows if name in r.best]
      mean = _mean(r.best[name].total for r in self.rows if name in r.best)
      shares = _mean(lead > 0 for lead in leads), _mean(lead > -CLOSE for lead in leads)
      table.append((name, len(leads), mean, *shares))
    return sorted(table, key=lambda line: -line[2])

  def worst(self) -> list[tuple[Attacked, Found]]:
    """Returns the texts that lead most, of different families: what to mend first."""
    leading = {}
    for attacked in self.rows:
      for name, found in attacked.best.items():
        if name not in leading or found.total - attacked.own > leading[name][0]:
          leading[name] = found.total - attacked.own, attacked, found
    return [(a, found) for _, a, found in sorted(leading.values(), key=lambda line: -line[0])[:WORST]]


def _mean(values: Iterable[float]) -> float:
  values = list(values)
  return sum(values) / len(values) if values else 0.0


def own_text(example: Example, raw: Mapping[str, Any]) -> str | None:
  """Returns the completion of a pool row, or its reference with its rationale; None without either."""
  if isinstance(raw.get("completion"), str):
    return raw["completion"]
  answer = verdicts.truth(example.reference)
  rationale = example.extra.get("rationale")
  if not rationale and "####" in str(raw.get("answer")):
    rationale = str(raw["answer"]).rpartition("####")[0].strip()
  return render(rationale or PLAIN_REASONING, answer) if answer.strip() else None


# The search -----------------------------------------------------------------------------------

Families = Mapping[str, Callable[[Material, random.Random], Iterable[Draft]]]


class _Search:
  """Proposes drafts for one row and remembers what they were paid."""

  def __init__(self, row: Row, material: Material, families: Families, aim: str, budget: int, seed: int):
    self.row, self.material, self._aim, self._budget = row, material, aim, budget
    self._rng = random.Random(f"{seed}/{row.example.uid}/{aim}")
    self._streams = {
        name: iter(family(material, random.Random(f"{seed}/{row.example.uid}/{name}")))
        for name, family in families.items()
    }
    self._known: set[str] = set()
    self._parents: list[tuple[float, str, Draft]] = []
    self.best: dict[str, Found] = {}

  def propose(self) -> list[tuple[str, str, Draft, str]]:
    """Returns up to ROUND new candidates: family, root, draft and completion."""
    room = min(ROUND, self._budget - len(self._known))
    sources = itertools.cycle(self._sources())
    proposals = []
    for _ in range(20 * room):  # a draft may be known, or not worthless; a family may have no more
      if len(proposals) == room:
        break
      family = next(sources, None)
      if family == EDITS:
        root, draft = self._edited()
      elif (draft := next(self._streams.get(family, iter(())), None)) is not None:
        root = family
      else:
        self._streams.pop(family, None)
        sources = itertools.cycle(self._sources())
        continue
      text = self._completion(draft)
      if text not in self._known and self._worthless(draft):
        self._known.add(text)
        proposals.append((family, root, draft, text))
    return proposals

  def _sources(self) -> list[str]:
    """Returns whom to ask in turn: every family at first, then those that were paid best, and edits."""
    if self._streams and len(self._known) < FAMILIES_SHARE * self._budget:
      return list(self._streams)
    paid = {EDITS: self._parents[0][0]} if self._parents else {}  # first: of two equals, edits go on
    paid |= {name: self.best[name].total for name in self._streams if name in self.best}
    first, *others = sorted(paid, key=lambda name: -paid[name])[:BEST] or [None]
    return [source for other in others or [first] for source in (first, other)]

  def learn(self, proposal: tuple[str, str, Draft, str], total: float) -> None:
    family, root, draft, text = proposal
    if family not in self.best or total > self.best[family].total:
      self.best[family] = Found(family=family, root=root, text=text, total=total)
    if draft.edits:
      self._parents.append((total, root, draft))
      self._parents.sort(key=lambda parent: -parent[0])  # stable: the earlier of two equals stays
      del self._parents[PARENTS:]

  def _edited(self) -> tuple[str, Draft]:
    _, root, draft = self._rng.choice(self._parents)
    return root, materials.edit(draft, self._rng.choice(self._parents)[2], self.material, self._rng)

  def _completion(self, draft: Draft) -> str:
    if self._aim == UNSHOWN:
      return render(draft.text, draft.other or verdicts.truth(self.row.example.reference))
    return render(draft.other or PLAIN_REASONING, draft.text)

  def _worthless(self, draft: Draft) -> bool:
    reference = self.row.example.reference
    return self._aim != WORTHLESS or not draft.edits or not materials.shares_run(draft.text, reference.text)


def search(
    scorer, rows: Sequence[Row], *, budget: int, seed: int, progress: Callable[[int], Any] | None = None
) -> list[Outcome]:
  """Attacks the rows of one domain; candidates of all rows are scored together, round by round.

  Args:
    scorer: `rewards.service.Service` or `rewards.scorer.Scorer`.
    rows: of one domain.
    budget: candidates that are scored for each row and aim, at most.
    seed: the same seed and rows give the same outcome.
    progress: called with the number of candidates scored since the last call.
  """
  examples = [row.example for row in rows]
  domain = examples[0].domain
  own = [b.total for b in scorer.score(examples, [row.own for row in rows])]
  aims = {WORTHLESS: open_text.FAMILIES}
  if scorer.domains[domain].correctness:
    aims = {WRONG: verdicts.WRONG, UNSHOWN: verdicts.UNSHOWN}
  outcomes = []
  for aim, families in aims.items():
    lent = [parse(row.own).reasoning if aim == UNSHOWN else row.example.reference.text for row in rows]
    material = materials.collect(examples, lent, seed)
    searches = [_Search(row, m, families, aim, budget, seed) for row, m in zip(rows, material)]
    while batch := [(s, proposal) for s in searches for proposal in s.propose()]:
      scored: list[RewardBreakdown] = scorer.score(
          [s.row.example for s, _ in batch], [proposal[-1] for _, proposal in batch]
      )
      for (s, proposal), breakdown in zip(batch, scored):
        if breakdown.total is not None:
          s.learn(proposal, breakdown.total)
      if progress:
        progress(len(batch))
    attacked = [
        Attacked(row=s.row, own=total, best=s.best)
        for s, total in zip(searches, own)
        if total is not None and s.best
    ]
    outcomes.append(Outcome(domain=domain, aim=aim, rows=attacked, left_out=len(rows) - len(attacked)))
  return outcomes


def run(scorer, rows: Sequence[Row], *, budget: int, seed: int) -> list[Outcome]:
  """Attacks the rows of every domain, with progress on standard error."""
  by_domain = {
      domain: list(group)
      for domain, group in itertools.groupby(
          sorted(rows, key=lambda row: row.example.domain), key=lambda row: row.example.domain
      )
  }
  outcomes = []
  for domain, own in by_domain.items():
    aims = 2 if scorer.domains[domain].correctness else 1
    with _Progress(f"attacking {domain}", budget * aims * len(own)) as progress:
      outcomes += search(scorer, own, budget=budget, seed=seed, progress=progress.advance)
  return outcomes


class _Progress:
  """A bar on a terminal, a line every ten seconds elsewhere."""

  def __init__(self, name: str, total: int):
    self._name, self._total, self._done = name, total, 0
    self._began = self._printed = time.monotonic()
    self._bar = None

  def __enter__(self) -> "_Progress":
    if sys.stderr.isatty():
      import tqdm

      self._bar = tqdm.tqdm(desc=self._name, total=self._total, unit="texts")
    return self

  def __exit__(self, *_) -> None:
    if self._bar is not None:
      self._bar.close()

  def advance(self, count: int) -> None:
    self._done += count
    now = time.monotonic()
    if self._bar is not None:
      self._bar.update(count)
    elif now - self._printed >= 10.0:
      self._printed = now
      left = (self._total - self._done) * (now - self._began) / self._done
      print(f"{self._name} {self._done}/{self._total}  {left:.0f} s left", file=sys.stderr, flush=True)


def worst_ratio(outcomes: Sequence[Outcome]) -> float:
  """Returns the highest ratio among the domains; right answers with poor reasoning are left out."""
  return max((o.ratio for o in outcomes if o.aim != UNSHOWN and o.rows), default=0.0)


# What is shown --------------------------------------------------------------------------------


def report(outcomes: Sequence[Outcome]) -> Iterator[str]:
  """Yields the lines of the report: a table, the families, and the worst texts in full."""
  yield f"{'domain':<20}{'rows':>5}{'own':>8}{'attack':>8}{'ratio':>7}{'wins':>7}{'close':>7}  aim"
  for o in outcomes:
    figures = f"{o.own:>8.3f}{o.attack:>8.3f}{o.ratio:>7.2f}{o.wins:>7.0%}{o.close:>7.0%}"
    left_out = f" ({o.left_out} rows without a total)" if o.left_out else ""
    yield f"{o.domain:<20}{len(o.rows):>5}{figures}  {o.aim}{left_out}"
  yield "own, attack: mean total of the rows' own texts and of the best attack on each."
  yield f"wins: the attack is paid more. close: it wins, or is behind by less than {CLOSE}."
  for o in outcomes:
    yield ""
    yield f"{o.domain}, {o.aim}: by family"
    for name, count, mean, wins, close in o.families():
      yield f"  {name:<20}{mean:>8.3f} mean of the best{wins:>7.0%} wins{close:>7.0%} close of {count}"
    for place, (attacked, found) in enumerate(o.worst(), 1):
      yield ""
      root = f" of {found.root}" if found.root != found.family else ""
      yield f"{o.domain}, worst {place}: {attacked.row.example.uid}, {found.family}{root},"
      yield f"paid {found.total:.3f} where its own text is paid {attacked.own:.3f}"
      yield from (f"  | {line}" for line in found.text.splitlines())


def page(outcomes: Sequence[Outcome], settings: Mapping[str, Any]) -> str:
  """Returns the report as HTML; nothing that a row or an attack holds reaches it unescaped."""
  try:
    import jinja2
  except ImportError as error:
    raise ConfigError(f"--output needs Jinja2: pip install it ({error}).") from error
  environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
  template = environment.from_string(
      pathlib.Path(__file__).with_name("attacks").joinpath("page.html").read_text(encoding="utf-8")
  )
  return template.render(outcomes=outcomes, settings=settings, close=CLOSE)
