"""The report of a run: one page that one would show a friend, and pictures of it for the README.

  report.write(pathlib.Path("runs/seven_domain"), summary, config)

reads what the run left in its directory (both evaluations, metrics.jsonl, disco.json,
samples.jsonl; any of them may be missing) and writes report.html, which needs nothing beside it,
and results.png, curves.png and disco.png. Domains and rewards are whatever the files name. Nothing
is computed here that records.py or metrics.py measured already.

What the page says stands in report.html, sections.html and parts.html (Jinja2, with autoescape: nothing
a model wrote reaches the page unescaped), how it looks in report.css; here is what they are told.
"""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
import functools
import itertools
import json
import math
import pathlib
import re
from typing import Any

from reasoner.reporting import charts
from reasoner.reporting import figures
from reasoner.reporting import parting
from reasoner.reporting import records as records_lib
from reasoner.run import files
from reasoner.run.workdir import Workdir
from rewards import format as output_format
from rewards import registry

SAMPLES_SHOWN = 40  # a domain; each is some kilobytes of the page
# What a domain is measured by besides its components.
_NO_COMPONENTS = ("format", "total", "default_total", "gate_pass_rate", "accuracy", "guard_factor")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Results:
  """What a run's files hold: records of the two evaluations, metrics by step, samples of training, disco,
  rows of sampling.Schedule.table(), and evaluations of the small sample by step. harness: what an outside
  judge found, if one was asked."""

  name: str
  summary: Mapping[str, Any]
  config: Mapping[str, Any]
  before: Sequence[Mapping[str, Any]]
  after: Sequence[Mapping[str, Any]]
  metrics: Sequence[Mapping[str, Any]]
  samples: Sequence[Mapping[str, Any]]
  disco: Sequence[Mapping[str, Any]]
  evaluations: Sequence[Mapping[str, Any]] = ()
  harness: Sequence[Mapping[str, Any]] = ()

  @functools.cached_property
  def sets(self) -> list[str]:
    return list(dict.fromkeys([records_lib.HELD_OUT, *(r["set"] for r in (*self.before, *self.after))]))

  @functools.cached_property
  def statistics(self) -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    """By "before" or "after" and set, the statistics of each domain and of "all"."""
    own = {"before": self.before, "after": self.after}
    return {(when, name): records_lib.summarize(own[when], name) for when in own for name in self.sets}

  @functools.cached_property
  def domains(self) -> list[str]:
    """Whatever the files name; those with a truth first."""
    records = [*self.before, *self.after]
    paths = {path for row in self.metrics for path in row}
    found = {r["domain"] for r in records} | {row["domain"] for row in self.disco}
    found |= {path.split("/")[1] for path in paths if re.fullmatch("rewards/[^/]+/gate_pass_rate", path)}
    with_truth = {r["domain"] for r in records if r["correct"] is not None}
    return sorted(found, key=lambda domain: (domain not in with_truth, domain))

  # Evaluations

  @property
  def evaluated(self) -> bool:
    return any(self.statistics[when, records_lib.HELD_OUT] for when in ("before", "after"))

  def both(self, domain: str, name: str = records_lib.HELD_OUT) -> list[Mapping[str, Any]]:
    """Returns a domain's statistics before and after; empty where it was not evaluated."""
    return [self.statistics[when, name].get(domain, {}) for when in ("before", "after")]

  def rows(self, name: str = records_lib.HELD_OUT) -> list[tuple[Any, ...]]:
    """Returns (domain, before, after) of each domain that a set has, and of "all"."""
    rows = [(domain, *self.both(domain, name)) for domain in (*self.domains, "all")]
    return [row for row in rows if any(row[1:])]

  def measured(self, when: str, domain: str, field: str) -> Any:
    """Returns a statistic of the held-out rows, or None where it has none."""
    return self.statistics[when, records_lib.HELD_OUT].get(domain, {}).get(field)

  def constant(self, name: str = records_lib.HELD_OUT) -> dict[str, float]:
    """Returns the accuracy of the best constant answer by domain."""
    return records_lib.best_constant_answer(self.after or self.before, name)

  @functools.cached_property
  def changes(self) -> dict[str, records_lib.Change]:
    """What became of the held-out rows that both evaluations have, by domain."""
    return records_lib.changes(self.before, self.after)

  @property
  def lost(self) -> list[str]:
    return records_lib.lost(self.changes)

  @property
  def verifiable(self) -> list[str]:
    return [domain for domain in self.domains if self.measured("after", domain, "accuracy") is not None]

  def weakly_measured(self, domain: str) -> bool:
    """Whether most held-out prompts of a domain have neither a truth nor a reference to compare with."""
    own = [
        r for r in self.after or self.before
        if r["set"] == records_lib.HELD_OUT and r["domain"] == domain
    ]  # fmt: skip
    bare = [r for r in own if r["correct"] is None and not str(r.get("reference", "")).strip()]
    return 2 * len(bare) > len(own)

  @functools.cached_property
  def repriced(self) -> set[str]:
    """The domains that the run paid otherwise than the default weights would have."""
    found = {(r["domain"], r.get("total"), r.get("default_total")) for r in (*self.before, *self.after)}
    for domain, row in itertools.product(self.domains, self.metrics):
      found.add((domain, row.get(f"rewards/{domain}/total"), row.get(f"rewards/{domain}/default_total")))
    return {
        domain for domain, paid, default in found
        if default is not None and (paid is None or abs(paid - default) > 1e-9)
    }  # fmt: skip

  # Training

  @property
  def last_step(self) -> int:
    return max((row["step"] for row in self.metrics), default=0)

  def series(self, path: str) -> tuple[list[int], list[float]]:
    """Returns the steps and values at which a metric was a finite number."""
    points = [(row["step"], row.get(path)) for row in self.metrics]
    points = [(step, value) for step, value in points if value is not None and math.isfinite(value)]
    return [step for step, _ in points], [value for _, value in points]

  @property
  def trained(self) -> list[str]:
    """The domains that have a learning curve."""
    return [domain for domain in self.domains if self.series(f"rewards/{domain}/gate_pass_rate")[0]]

  @property
  def best(self) -> Mapping[str, Any] | None:
    return records_lib.best_of(self.evaluations)

  @property
  def sampled_domains(self) -> list[str]:
    return [domain for domain in self.domains if all(domain in row for row in self.evaluations)]

  @functools.cached_property
  def shown_samples(self) -> list[Mapping[str, Any]]:
    """What training left of each domain, by step: all of it, or so many of each at even distances."""
    shown = []
    for domain in self.domains:
      own = [sample for sample in self.samples if sample["domain"] == domain]
      count = min(len(own), SAMPLES_SHOWN)
      shown += [own[round(k * (len(own) - 1) / max(1, count - 1))] for k in range(count)]
    return shown

  @property
  def sample_choices(self) -> dict[str, list[str]]:
    """What the shown samples can be narrowed to."""
    shown = self.shown_samples
    return {
        "domain": list(dict.fromkeys(sample["domain"] for sample in shown)),
        "gate": sorted({sample["failure"] or "passed" for sample in shown}),
        "component": sorted({name for sample in shown for name in sample["scores"]}),
    }

  # Colours, and what has them

  @property
  def colours(self) -> dict[str, str]:
    return dict(zip(self.domains, itertools.cycle(charts.PALETTE)))

  def weights(self, domain: str) -> dict[str, float | None]:
    """Returns what the config weighs in a domain: the format and its components."""
    section = self.config.get("rewards", {}).get(domain, {})
    return {name: entry.get("weight") for name, entry in section.items() if entry is not None}

  @functools.cached_property
  def components(self) -> dict[str, list[dict[str, Any]]]:
    """By domain that has any, its components, heaviest first; a weight of None: the config has none."""
    guards = {spec.name for spec in registry.specs() if spec.kind == "guard"}
    measured = [path.split("/") for path in {path for row in self.metrics for path in row}]
    found = {}
    for domain, colour in self.colours.items():
      weights = self.weights(domain)
      before, after = (statistics.get("scores", {}) for statistics in self.both(domain))
      names = {path[2] for path in measured if path[:2] == ["rewards", domain] and len(path) == 3}
      names = (names | set(weights) | set(before) | set(after)) - set(_NO_COMPONENTS)
      first = charts.PALETTE.index(colour)
      own = itertools.cycle(charts.PALETTE[first:] + charts.PALETTE[:first])
      rows = [
          dict(name=name, weight=weights.get(name), guard=name in guards, colour=next(own),
               before=before.get(name), after=after.get(name))
          for name in sorted(names, key=lambda name: (-(weights.get(name) or 0.0), name))
      ]  # fmt: skip
      found |= {domain: rows} if rows else {}
    return found

  @functools.cached_property
  def unpaid(self) -> dict[str, list[parting.Unpaid]]:
    """By domain, what training measured and did not pay: components of weight 0, guards, how texts look."""
    found = {}
    for domain in self.trained:
      free = [part for part in self.components.get(domain, ()) if part["guard"] or not part["weight"]]
      truth = bool(self.series(f"rewards/{domain}/accuracy")[0])
      measures = [
          *((part["name"], f"rewards/{domain}/{part['name']}", {}) for part in free),
          ("distinct answers in a group", f"groups/{domain}/distinct_answers", dict(expected=truth)),
          ("words of reasoning", f"completions/{domain}/reasoning_words", dict(words=True)),
          ("words of answer", f"completions/{domain}/answer_words", dict(words=True)),
      ]
      series = ((name, *self.series(path), more) for name, path, more in measures)
      found[domain] = [
          parting.Unpaid(name=name, steps=steps, values=values, **more)
          for name, steps, values, more in series if steps
      ]  # fmt: skip
    return {domain: measures for domain, measures in found.items() if measures}

  def parted(self, domain: str) -> dict[str, str]:
    """Returns a sentence for each unpaid measure that fell while the domain's paid total rose."""
    return parting.parted(self.series(f"rewards/{domain}/total")[1], self.unpaid[domain])

  @property
  def failures(self) -> dict[str, str]:
    """The colours of the causes why the gate refuses."""
    causes = list(output_format.FAILURES)
    for statistics in self.both("all"):
      causes += statistics.get("failures", {})
    return dict(zip(dict.fromkeys(causes), itertools.cycle(charts.PALETTE)))

  @property
  def failed_in_training(self) -> bool:
    return any(self.series(f"gate_failures/{name}")[0] for name in self.failures)

  @property
  def phases(self) -> dict[str, str]:
    """The colours of the metrics that say how long a phase of a step took."""
    paths = {path for row in self.metrics for path in row if path.startswith("seconds/")} - {"seconds/step"}
    measured = sorted(path for path in paths if self.series(path)[0])
    return dict(zip(measured, itertools.cycle(charts.PALETTE)))

  # The run itself

  @property
  def circumstances(self) -> list[str]:
    """Under which the headline is true."""
    facts = []
    before, after = self.both("all")
    if after:
      facts.append(f"{after['n']:,} held-out prompts, greedy")
    if after.get("n_judged"):
      facts.append(f"accuracy on {after['n_judged']:,} of them")
    then, now = before.get("accuracy_interval"), after.get("accuracy_interval")
    if then and now and then[1] >= now[0] and now[1] >= then[0]:
      facts.append("its 95 % intervals before and after overlap")
    if (self.summary.get("seconds") or {}).get("total") is not None:
      facts.append(f"{self.summary['seconds']['total'] / 60:.1f} minutes in all")
    if self.summary.get("seed") is not None:
      facts.append(f"seed {self.summary['seed']}")
    for step in self.summary.get("continued_at") or ():
      facts.append(f"steps raised at {step}: a new schedule from there, not one run of as many")
    if budget := self.summary.get("budget"):
      hours = budget["budget_seconds"] / 3600
      kept = f"{budget['grpo']['ends']} of {budget['grpo']['of_steps']} steps"
      if (cold := budget.get("cold_start")) and cold["ends"] < cold["of_steps"]:
        kept += f", {cold['ends']} of {cold['of_steps']} of the cold start"
      if (rows := budget["evaluation"])["rows"] < rows["of_rows"]:
        kept += f", {rows['rows']} of {rows['of_rows']} held-out rows a domain"
      facts.append(f"{kept}, to end within {hours:.3g} hours")
    environment = self.summary.get("environment") or {}
    cpus = [cpu for cpu in str(environment.get("cpus", "")).split(",") if cpu]
    cores = _count(len(cpus), "CPU") if cpus else None
    facts += [environment.get("devices"), cores, environment.get("system")]
    return [str(fact) for fact in facts if fact]

  @property
  def facts(self) -> dict[str, Any]:
    """What the run was and took, by name."""
    names = ("config_hash", "adapter_sha256", "seed", "steps", "peak_memory_gb")
    facts = {name: self.summary.get(name) for name in names}
    seconds = sorted((self.summary.get("seconds") or {}).items())
    facts |= {f"seconds: {name}": value for name, value in seconds}
    facts |= self.summary.get("environment") or {}
    return {name: value for name, value in facts.items() if value not in (None, "")}


def read(directory: pathlib.Path, summary: Mapping[str, Any], config: Mapping[str, Any]) -> Results:
  """Returns what the files of a run hold; an absent file holds nothing."""
  workdir = Workdir(directory)
  return Results(
      name=directory.resolve().name,
      summary=summary,
      config=config,
      before=files.read_lines(workdir.before),
      after=files.read_lines(workdir.after),
      metrics=files.read_lines(workdir.metrics),
      samples=files.read_lines(workdir.samples),
      disco=files.read_json(workdir.disco) if workdir.disco.exists() else [],
      harness=files.read_json(workdir.harness) if workdir.harness.exists() else [],
      evaluations=files.read_lines(workdir.evaluations),
  )


def pairs(results: Results, domain: str) -> list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
  """Returns the completions of one prompt before and after, and the rule that chose each pair.

  The first by uid that failed before and passes after, and the first of the others whatever it
  did: a page of successes alone would show nothing.
  """
  before, after = (
      {r["uid"]: r for r in own if r["set"] == records_lib.HELD_OUT and r["domain"] == domain}
      for own in (results.before, results.after)
  )
  both = sorted(set(before) & set(after))
  passes = lambda r: bool(r["gate"] if r["correct"] is None else r["correct"])  # noqa: E731
  learned = [uid for uid in both if passes(after[uid]) and not passes(before[uid])]
  others = [uid for uid in both if uid not in learned[:1]]
  chosen = [("first by uid that failed before and passes after", uid) for uid in learned[:1]]
  chosen += [(f"first {'of the others ' if learned else ''}by uid", uid) for uid in others[:1]]
  return [(rule, before[uid], after[uid]) for rule, uid in chosen]


def write(directory: pathlib.Path, summary: Mapping[str, Any], config: Mapping[str, Any]) -> None:
  """Writes report.html and the PNGs into a run's directory.

  Args:
    directory: of the run.
    summary: as summary.json holds it, and "environment" (environment.fingerprint()).
    config: plain nested dicts, as the run was given it.
  """
  results = read(directory, summary, config)
  figures.write_pictures(results, Workdir(directory))
  files.write_text(Workdir(directory).report, render(results))


def render(results: Results) -> str:
  """Returns the page."""
  page = templates().get_template("report.html").render(run=results)
  return page.encode("utf-8", "replace").decode("utf-8")  # a model may write lone surrogates


@functools.cache
def templates():
  """Returns the environment of this folder's templates: what they may call, and that all else is escaped."""
  import jinja2

  environment = jinja2.Environment(
      loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
      autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
  )
  environment.globals |= {"figures": figures, "charts": charts, "parting": parting, "pairs": pairs}
  environment.filters |= {
      "anchor": lambda title: re.sub(r"\W+", "-", title.lower()),
      "count": _count,
      "ink": lambda colour: charts.PAGE_COLOURS.get(colour, colour),
      "interval": lambda bounds: f"{100 * bounds[0]:.0f}–{100 * bounds[1]:.0f}" if bounds else "–",
      "number": _number,
      "pretty": lambda config: json.dumps(config, indent=2, sort_keys=True, default=str),
      "tagged": _tagged,
  }
  return environment


def _count(n: int, noun: str) -> str:
  return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _number(value: float | None, form: str = ".1%") -> str:
  return "–" if value is None else format(value, form).replace("%", "\N{NO-BREAK SPACE}%")


def _tagged(text: str) -> Iterator[tuple[str, str]]:
  """Yields all of a text in parts: ("tag", ...), and what stands in "reasoning", in "answer" or "outside"."""
  kinds = {
      output_format.REASONING_OPEN: "reasoning", output_format.REASONING_CLOSE: "outside",
      output_format.ANSWER_OPEN: "answer", output_format.ANSWER_CLOSE: "outside",
  }  # fmt: skip
  kind = "outside"
  for part in re.split(f"({'|'.join(map(re.escape, kinds))})", text):
    if part in kinds:
      yield "tag", part
      kind = kinds[part]
    elif part:
      yield kind, part
