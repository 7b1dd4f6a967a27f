"""The report of a run: one page that one would show a friend, and pictures of it for the README.

  report.write(pathlib.Path("runs/seven_domain"), summary, config)

reads what the run left in its directory (both evaluations, metrics.jsonl, disco.json,
samples.jsonl; any of them may be missing) and writes report.html, which needs nothing beside it,
and results.png, curves.png and disco.png. Domains and rewards are whatever the files name. Nothing
is computed here that records.py or metrics.py measured already, and nothing a model wrote reaches
the page unescaped.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
import dataclasses
import functools
import html
import itertools
import json
import math
import pathlib
import re
import string
from typing import Any

from reasoner.reporting import charts
from reasoner.reporting import records as records_lib
from reasoner.run import files
from rewards import format as output_format
from rewards import registry

_TEMPLATE = pathlib.Path(__file__).with_name("report.html")
# Of every domain; all else are components.
_OF_EVERY_DOMAIN = ("total", "default_total", "gate_pass_rate", "accuracy", "guard_factor")
_SET_NOTES = {"unseen_templates": "templates never seen in training"}
_DASH, _NBSP = "–", "\N{NO-BREAK SPACE}"

# --- Data -----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class Results:
  """What a run's files hold.

  before, after: records of the two evaluations; statistics: by "before"/"after" and set.
  domains: those with a truth first. disco: rows of sampling.Schedule.table().
  """

  name: str
  summary: Mapping[str, Any]
  config: Mapping[str, Any]
  before: Sequence[Mapping[str, Any]]
  after: Sequence[Mapping[str, Any]]
  metrics: Sequence[Mapping[str, Any]]
  samples: Sequence[Mapping[str, Any]]
  disco: Sequence[Mapping[str, Any]]
  sets: Sequence[str]
  statistics: Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]]
  domains: Sequence[str]

  @property
  def evaluated(self) -> bool:
    return any(self.statistics[when, records_lib.HELD_OUT] for when in ("before", "after"))

  @property
  def last_step(self) -> int:
    return max((row["step"] for row in self.metrics), default=0)

  @property
  def colours(self) -> dict[str, str]:
    return dict(zip(self.domains, itertools.cycle(charts.PALETTE)))

  def measured(self, when: str, domain: str, field: str, name: str = records_lib.HELD_OUT) -> Any:
    """Returns a statistic of an evaluation, or None where it has none."""
    return self.statistics[when, name].get(domain, {}).get(field)

  def series(self, path: str) -> tuple[list[int], list[float]]:
    """Returns the steps and values at which a metric was a finite number."""
    points = [(row["step"], row.get(path)) for row in self.metrics]
    points = [(step, value) for step, value in points if value is not None and math.isfinite(value)]
    return [step for step, _ in points], [value for _, value in points]

  def components(self, domain: str) -> dict[str, float | None]:
    """Returns the weights of a domain's components, heaviest first; None: the config has none."""
    section = self.config.get("rewards", {}).get(domain, {})
    names = {name for name, entry in section.items() if entry is not None} - {"format"}
    names |= {path[2] for path in self._paths() if path[1] == domain} - set(_OF_EVERY_DOMAIN)
    for when in ("before", "after"):
      names |= set(self.measured(when, domain, "scores") or {})
    weights = {name: (section.get(name) or {}).get("weight") for name in names}
    return dict(sorted(weights.items(), key=lambda item: (-(item[1] or 0.0), item[0])))

  def weakly_measured(self, domain: str) -> bool:
    """Whether most held-out prompts of a domain have neither a truth nor a reference to compare with."""
    own = [
        r for r in self.after or self.before
        if r["set"] == records_lib.HELD_OUT and r["domain"] == domain
    ]  # fmt: skip
    bare = [r for r in own if r["correct"] is None and not str(r.get("reference", "")).strip()]
    return 2 * len(bare) > len(own)

  def repriced(self, domain: str) -> bool:
    """Whether the run paid this domain otherwise than the default weights would have."""
    path = f"rewards/{domain}"
    pairs = [(row.get(f"{path}/total"), row.get(f"{path}/default_total")) for row in self.metrics]
    pairs += [
        (r.get("total"), r.get("default_total"))
        for r in (*self.before, *self.after) if r["domain"] == domain
    ]  # fmt: skip
    return any(b is not None and (a is None or abs(a - b) > 1e-9) for a, b in pairs)

  def _paths(self) -> list[list[str]]:
    """Returns the metric paths `rewards/<domain>/<what>`, split."""
    paths = [path.split("/") for path in sorted({path for row in self.metrics for path in row})]
    return [path for path in paths if path[0] == "rewards" and len(path) == 3]


def read(directory: pathlib.Path, summary: Mapping[str, Any], config: Mapping[str, Any]) -> Results:
  """Returns what the files of a run hold; an absent file holds nothing."""
  records = {
      when: files.read_lines(directory / f"evaluation_{when}.jsonl") for when in ("before", "after")
  }
  union = [*records["before"], *records["after"]]
  sets = list(dict.fromkeys([records_lib.HELD_OUT, *(r["set"] for r in union)]))
  metrics = files.read_lines(directory / "metrics.jsonl")
  disco_path = directory / "disco.json"
  disco = json.loads(disco_path.read_text()) if disco_path.exists() else []
  domains = {r["domain"] for r in union} | {row["domain"] for row in disco}
  paths = {path for row in metrics for path in row}
  domains |= {path.split("/")[1] for path in paths if re.fullmatch("rewards/[^/]+/gate_pass_rate", path)}
  with_truth = {r["domain"] for r in union if r["correct"] is not None}
  return Results(
      name=directory.resolve().name,
      summary=summary,
      config=config,
      before=records["before"],
      after=records["after"],
      metrics=metrics,
      samples=files.read_lines(directory / "samples.jsonl"),
      disco=disco,
      sets=sets,
      statistics={
          (when, name): records_lib.summarize(own, name) for when, own in records.items() for name in sets
      },
      domains=sorted(domains, key=lambda domain: (domain not in with_truth, domain)),
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


# --- Charts ---------------------------------------------------------------------------------------


def _bars(results: Results, field: str, title: str = "") -> Callable[..., None]:
  """Returns the painter of a share by domain, before and after."""
  absent = {"format": "not evaluated", "accuracy": "no ground truth"}[field]
  constant = records_lib.best_constant_answer(results.after) if field == "accuracy" else {}
  rows = [
      charts.Bar(
          name=domain,
          colour=results.colours[domain],
          before=results.measured("before", domain, field),
          after=results.measured("after", domain, field),
          before_interval=results.measured("before", domain, f"{field}_interval"),
          after_interval=results.measured("after", domain, f"{field}_interval"),
          mark=constant.get(domain),
      )
      for domain in results.domains
  ]

  def paint(axes) -> None:
    charts.bars(axes, rows, high=1.13, absent=absent)
    axes.set_title(title)

  return paint


def _learning(results: Results, domain: str, title: str = "") -> Callable[..., None]:
  """Returns the painter of a domain's reward and gate pass rate by step."""

  def line(name: str, colour: str, style: str, dots: bool) -> charts.Line:
    steps, values = results.series(f"rewards/{domain}/{name}")
    return charts.Line(steps=steps, values=values, colour=colour, style=style, dots=dots)

  colour = results.colours[domain]
  lines = [line("gate_pass_rate", charts.MUTED, "--", False), line("total", colour, "-", True)]
  if results.repriced(domain):
    lines.append(line("default_total", colour, ":", False))

  def paint(axes) -> None:
    charts.curves(axes, lines, last=results.last_step, low=0.0, high=1.0)
    axes.set_title(title)

  return paint


def _disco(results: Results) -> Callable[..., None]:
  """Returns the painter of the natural and the DISCO share by domain."""
  rows = [
      charts.Bar(
          name=row["domain"], colour=results.colours[row["domain"]],
          before=row["natural_share"], after=row["disco_share"],
      )
      for row in results.disco
  ]  # fmt: skip
  return lambda axes: charts.bars(axes, rows, form=".1%")


def _height(rows: int) -> float:
  return 0.6 + 0.36 * max(1, rows)


_BARS_NOTE = "pale: before GRPO, full: after · thin line: 95 % interval · dotted: best constant answer"
_SHARES_NOTE = "pale: natural share, full: DISCO share"


def write_pictures(results: Results, directory: pathlib.Path) -> None:
  """Writes the PNGs for which there are numbers."""
  domains = results.domains
  if results.evaluated:
    painters = _bars(results, "format", "Valid format"), _bars(results, "accuracy", "Accuracy")
    size = (9.2, _height(len(domains)) + 0.25)
    charts.png(charts.draw(1, 2, size, *painters, note=_BARS_NOTE), directory / "results.png")
  if results.metrics and domains:
    columns = min(4, len(domains))
    rows = math.ceil(len(domains) / columns)
    painters = [_learning(results, domain, domain) for domain in domains]
    note = "by step · solid: reward, dots: a step each · dashed: gate pass rate"
    if any(map(results.repriced, domains)):
      note += " · dotted: reward under the default weights"
    figure = charts.draw(rows, columns, (2.4 * columns, 1.75 * rows + 0.2), *painters, note=note)
    charts.png(figure, directory / "curves.png")
  if results.disco:
    figure = charts.draw(1, 1, (5.6, _height(len(domains)) + 0.2), _disco(results), note=_SHARES_NOTE)
    charts.png(figure, directory / "disco.png")


# --- Page -----------------------------------------------------------------------------------------


def write(directory: pathlib.Path, summary: Mapping[str, Any], config: Mapping[str, Any]) -> None:
  """Writes report.html and the PNGs into a run's directory.

  Args:
    directory: of the run.
    summary: as summary.json holds it, and "environment" (environment.fingerprint()).
    config: plain nested dicts, as the run was given it.
  """
  results = read(directory, summary, config)
  write_pictures(results, directory)
  files.write_text(directory / "report.html", render(results))


def render(results: Results) -> str:
  """Returns the page."""
  sections = {
      "Before and after": _results_section(results),
      "Further evaluation sets": _further_sets(results),
      "Learning curves": _curves_section(results),
      "What was drawn": _disco_section(results),
      "Reward components": _components_section(results),
      "Why the format failed": _failures_section(results),
      "How training went": _training_section(results),
      "Completions before and after": _pairs_section(results),
      "The run": _run_section(results),
  }
  shown = [(re.sub(r"\W+", "-", t.lower()), t, body) for t, body in sections.items() if body]
  return string.Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
      title=_escape(results.name),
      headline=_headline(results),
      facts=" · ".join(_escape(fact) for fact in _facts(results)),
      navigation="".join(f'<a href="#{key}">{title}</a>' for key, title, _ in shown),
      sections="\n".join(
          f'<section id="{key}">\n<h2>{title}</h2>\n{body}\n</section>' for key, title, body in shown
      ),
  )


def _escape(text: Any) -> str:
  """Returns any text, lone surrogates and all, as HTML that shows it."""
  return html.escape(str(text).encode("utf-8", "replace").decode("utf-8"))


def _number(value: float | None, form: str = ".1%") -> str:
  if value is None:
    return _DASH
  return format(value, form).replace("%", f"{_NBSP}%")


def _change(before: float | None, after: float | None, form: str = ".1%") -> str:
  first, last = _number(before, form), _number(after, form)
  if before is None and after is None:
    return f'<span class="muted">{_DASH}</span>'
  if after is not None:
    first = first.removesuffix(f"{_NBSP}%")
  return f'<span class="muted">{first} →</span> <b>{last}</b>'


def _interval(bounds: tuple[float, float] | None) -> str:
  return f"{100 * bounds[0]:.0f}{_DASH}{100 * bounds[1]:.0f}" if bounds else _DASH


def _small(before: str, after: str) -> str:
  return "" if before == after == _DASH else f"<small>{before} → {after}</small>"


def _headline(results: Results) -> str:
  """Returns what the run reached in one sentence of its own numbers."""
  before, after = (results.statistics[when, records_lib.HELD_OUT] for when in ("before", "after"))
  if not (before and after):
    return "This run was not evaluated both before and after GRPO."
  steps = results.summary.get("steps")
  model = results.config.get("model", {}).get("name", "")
  reached = [
      f"from <b>{_number(before['all'][field])} to {_number(after['all'][field])}</b> {what}"
      for field, what in (
          ("format", f"valid format in {_count(len(after) - 1, 'domain')}"),
          ("accuracy", f"accuracy in the {len(_verifiable(results))} with a ground truth"),
      )
      if None not in (before["all"][field], after["all"][field])
  ]
  begin = "GRPO" if steps is None else _count(steps, "GRPO step")
  return f"{begin} took the {_escape(model)} model {' and '.join(reached)}."


def _verifiable(results: Results) -> list[str]:
  return [d for d in results.domains if results.measured("after", d, "accuracy") is not None]


def _facts(results: Results) -> list[str]:
  """Returns under which circumstances the headline is true."""
  facts = []
  before, after = (
      results.statistics[when, records_lib.HELD_OUT].get("all", {}) for when in ("before", "after")
  )
  if after:
    facts.append(f"{after['n']:,} held-out prompts, greedy")
  if after.get("n_judged"):
    facts.append(f"accuracy on {after['n_judged']:,} of them")
  intervals = before.get("accuracy_interval"), after.get("accuracy_interval")
  if all(intervals) and intervals[0][1] >= intervals[1][0] and intervals[1][1] >= intervals[0][0]:
    facts.append("its 95 % intervals before and after overlap")
  summary = results.summary
  if (summary.get("seconds") or {}).get("total") is not None:
    facts.append(f"{summary['seconds']['total'] / 60:.1f} minutes in all")
  if summary.get("seed") is not None:
    facts.append(f"seed {summary['seed']}")
  environment = summary.get("environment") or {}
  cpus = [cpu for cpu in str(environment.get("cpus", "")).split(",") if cpu]
  cores = _count(len(cpus), "CPU") if cpus else None
  return facts + [str(x) for x in (environment.get("devices"), cores, environment.get("system")) if x]


def _count(n: int, noun: str) -> str:
  return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """Returns a table of cells that are HTML already; its first column names the rows."""
  titles = "".join(f"<th scope=col>{title}</th>" for title in head)
  body = "".join(
      f"<tr><th scope=row>{row[0]}</th>{''.join(f'<td>{cell}</td>' for cell in row[1:])}</tr>"
      for row in rows
  )
  return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'


def _panel(figure, label: str, caption: str = "") -> str:
  return f"<figure><figcaption>{caption}</figcaption>{charts.svg(figure, label)}</figure>"


def _grid(panels: Iterable[str], kind: str = "small") -> str:
  return f'<div class="grid {kind}">{"".join(panels)}</div>'


def _key(colour: str, name: str, style: str = "-") -> str:
  """Returns a legend's entry: a stroke as the chart draws it, and its name (HTML)."""
  line = {"-": "solid", "--": "dashed", ":": "dotted"}[style]
  colour = charts.PAGE_COLOURS.get(colour, colour)
  return f'<span class="key"><i style="border-top:3px {line} {colour}"></i>{name}</span>'


def _domain(results: Results, domain: str) -> str:
  return f'<i class="dot" style="background:{results.colours[domain]}"></i>{_escape(domain)}'


def _results_section(results: Results) -> str:
  if not results.evaluated:
    return ""
  size = (4.6, _height(len(results.domains)))
  panels = [
      _panel(charts.draw(1, 1, size, _bars(results, field)), f"{title} by domain", f"<b>{title}</b>")
      for field, title in (("format", "Valid format"), ("accuracy", "Accuracy"))
  ]
  return f"""<p>Before is the model as GRPO found it. Accuracy counts a completion without valid format
as wrong; the column beside it asks valid ones alone. The best constant answer is what always giving
the most frequent reference would reach.</p>
{_grid(panels, "halves")}
<p class="muted">{_BARS_NOTE}</p>
{_statistics_table(results, records_lib.HELD_OUT)}"""


def _statistics_table(results: Results, name: str) -> str:
  """Returns the table of one set's statistics by domain, before and after."""
  constant = records_lib.best_constant_answer(results.after or results.before, name)
  rows = []
  for domain in (*results.domains, "all"):
    both = [results.statistics[when, name].get(domain) for when in ("before", "after")]
    if not any(both):
      continue
    before, after = (statistics or {} for statistics in both)

    def change(field: str, form: str = ".1%", before=before, after=after) -> str:
      return _change(before.get(field), after.get(field), form)

    def intervals(field: str, before=before, after=after) -> str:
      return _small(_interval(before.get(f"{field}_interval")), _interval(after.get(f"{field}_interval")))

    given = change("accuracy_given_format")
    reward = change("reward", ".3f")
    if after.get("n_judged") or before.get("n_judged"):
      given += _small(f"n {before.get('n_judged_valid', _DASH)}", f"{after.get('n_judged_valid', _DASH)}")
    if results.repriced(domain):
      reward += f"<small>default: {change('default_reward', '.3f')}</small>"
    rows.append([
        _domain(results, domain) if domain in results.domains else domain,
        f"{(after or before)['n']:,}",
        change("format") + intervals("format"),
        change("accuracy") + intervals("accuracy"),
        _number(constant.get(domain)),
        given,
        reward,
        change("tokens", ".0f"),
        change("truncated"),
    ])
  return _table(_COLUMNS, rows)


_COLUMNS = (
    "domain", "n", "valid format", "accuracy", "best constant answer", "accuracy given valid format",
    "mean reward", "tokens", "truncated",
)  # fmt: skip


def _further_sets(results: Results) -> str:
  parts = []
  for name in results.sets[1:]:
    note = "; ".join(["no bar", *([_SET_NOTES[name]] if name in _SET_NOTES else [])])
    title = _escape(name.replace("_", " "))
    parts.append(f'<h3>{title} <span class="muted">({note})</span></h3>{_statistics_table(results, name)}')
  return "\n".join(parts)


def _curves_section(results: Results) -> str:
  drawn = [d for d in results.domains if results.series(f"rewards/{d}/gate_pass_rate")[0]]
  if not drawn:
    return ""
  keys = [_key(charts.INK, "reward, a dot for each step"), _key(charts.MUTED, "gate pass rate", "--")]
  if any(map(results.repriced, drawn)):
    keys.append(_key(charts.INK, "reward under the default weights, where they differ", ":"))
  panels = [
      _panel(
          charts.panel(_learning(results, domain)),
          f"{domain}: reward and gate pass rate by step",
          f"<b>{_domain(results, domain)}</b>",
      )
      for domain in drawn
  ]
  return f"""<p>By step, over the completions drawn in training. A line is the mean of up to
{charts.window_of(len(results.metrics))} neighbouring dots.</p>
<p>{"".join(keys)}</p>
{_grid(panels)}"""


def _disco_section(results: Results) -> str:
  if not results.disco:
    return ""
  disco = results.config.get("disco", {})
  rows = [
      [
          _domain(results, row["domain"]), f"{row['rows']:,}", _number(row["natural_share"]),
          _number(row["disco_share"]), f"{row['draws']:,}", f"{row['epochs']:.2f}",
      ]
      for row in results.disco
  ]  # fmt: skip
  size = (4.6, _height(len(results.disco)))
  chart = _panel(charts.draw(1, 1, size, _disco(results)), "natural and DISCO share by domain", _SHARES_NOTE)
  table = _table(("domain", "rows", "natural", "DISCO", "drawn", "epochs"), rows)
  return f"""<p>DISCO draws a domain in proportion to weight × rows<sup>α</sup>
(α = {_escape(disco.get("alpha", _DASH))}; 1 is natural, 0 uniform), so that small domains are heard.</p>
{_grid([chart, table], "halves")}"""


def _components_section(results: Results) -> str:
  panels = []
  guards = {spec.name for spec in registry.specs() if spec.kind == "guard"}
  for domain in results.domains:
    components = results.components(domain)
    if not components:
      continue
    first = charts.PALETTE.index(results.colours[domain])
    colours = dict(zip(components, itertools.cycle(charts.PALETTE[first:] + charts.PALETTE[:first])))
    lines, rows = [], []
    for name, weight in components.items():
      style = "-" if weight else "--"
      steps, values = results.series(f"rewards/{domain}/{name}")
      if steps:
        line = charts.Line(steps=steps, values=values, colour=colours[name], style=style, dots=False)
        lines.append(line)
      scores = [(results.measured(when, domain, "scores") or {}).get(name) for when in ("before", "after")]
      idle = "measured, not applied" if name in guards else "measured, not paid"
      paid = {None: _DASH, 0.0: idle}.get(weight, f"guard, {weight}" if name in guards else f"{weight}")
      rows.append([_key(colours[name], _escape(name), style), paid, _change(*scores, ".2f")])
    table = _table(("component", "weight", "held out"), rows)
    weight = (results.config.get("rewards", {}).get(domain, {}).get("format") or {}).get("weight")
    title = f"<b>{_domain(results, domain)}</b> <small>format weighs {_number(weight, 'g')}</small>"
    if results.weakly_measured(domain):
      title += " <small><b>weakly measured</b>: most held-out prompts have no reference</small>"
    painter = functools.partial(charts.curves, lines=lines, last=results.last_step, low=0.0, high=1.0)
    chart = charts.svg(charts.panel(painter), f"{domain}: components by step") if lines else ""
    panels.append(f"<figure><figcaption>{title}</figcaption>{chart}{table}</figure>")
  if not panels:
    return ""
  return f"""<p>Means over completions of valid format; lines by step of training, numbers on the held-out
prompts. A component of weight 0 is drawn dashed: it is measured, not paid. A guard pays nothing: below
1 it takes away from what the others pay.</p>
{_grid(panels)}"""


def _failures_section(results: Results) -> str:
  counts = {
      when: results.measured(when, "all", "failures") or {} for when in ("before", "after")
  }
  names = list(dict.fromkeys([*output_format.FAILURES, *counts["before"], *counts["after"]]))
  colours = dict(zip(names, itertools.cycle(charts.PALETTE)))
  panels = []
  layers = [(name, *results.series(f"gate_failures/{name}")) for name in names]
  layers = [layer for layer in layers if layer[1]]
  if layers:
    steps = layers[0][1]
    stacked = [
        ([dict(zip(own, values)).get(step, 0.0) for step in steps], colours[name])
        for name, own, values in layers
    ]
    figure = charts.draw(1, 1, (5.0, 2.2), lambda axes: charts.stack(axes, steps, stacked))
    panels.append(_panel(figure, "gate failures by step", "<b>in training</b>, completions a step"))
  if results.evaluated:
    rows = [(when, counts[when]) for when in counts if results.measured(when, "all", "n")]
    figure = charts.draw(1, 1, (5.0, 2.2), lambda axes: charts.shares(axes, rows, colours))
    n = results.measured("after", "all", "n") or results.measured("before", "all", "n")
    caption = f"<b>held out</b>, of {_count(n, 'completion')}"
    panels.append(_panel(figure, "gate failures before and after", caption))
  if not panels:
    return ""
  keys = "".join(_key(colours[name], _escape(name)) for name in names)
  return f"""<p>The gate asks for exactly one closed pair of each tag, reasoning before answer, both with
something in them; whatever fails it is paid nothing.</p>
<p>{keys}</p>
{_grid(panels, "halves")}"""


_TRAINING = {
    "KL to the reference": "train/kl",
    "clip fraction": "train/clip_fraction",
    "gradient norm": "train/gradient_norm",
    "entropy": "train/entropy",
    "share of groups without advantage": "groups/zero_advantage_fraction",
    "tokens a completion": "completions/length",
    "share of completions truncated": "completions/truncated_fraction",
    "generated tokens per second": "tokens_per_second",
}


def _training_section(results: Results) -> str:
  panels = []
  for title, path in _TRAINING.items():
    steps, values = results.series(path)
    if steps:
      line = charts.Line(steps=steps, values=values, colour=charts.PALETTE[0])
      low = 0.0 if min(values) >= 0 else None
      figure = charts.panel(lambda axes: charts.curves(axes, [line], last=results.last_step, low=low))
      panels.append(_panel(figure, f"{title} by step", f"<b>{title}</b>"))
  phases = sorted({path for row in results.metrics for path in row if path.startswith("seconds/")})
  phases = {path: results.series(path) for path in phases if path != "seconds/step"}
  if phases:
    steps = max((steps for steps, _ in phases.values()), key=len)
    layers = [
        ([dict(zip(*points)).get(step, 0.0) for step in steps], colour)
        for points, colour in zip(phases.values(), itertools.cycle(charts.PALETTE))
    ]
    keys = [_key(colour, _escape(path.split("/")[1])) for path, (_, colour) in zip(phases, layers)]
    figure = charts.panel(lambda axes: charts.stack(axes, steps, layers))
    panels.append(_panel(figure, "seconds by phase and step", f"<b>seconds a step</b> {''.join(keys)}"))
  return _grid(panels) if panels else ""


def _pairs_section(results: Results) -> str:
  parts = []
  for domain in results.domains:
    for rule, before, after in pairs(results, domain):
      title = f"{_domain(results, domain)} <small>{_escape(before['uid'])}: {rule}</small>"
      parts.append(f"""<article><h3>{title}</h3>
{_prompt(before)}
<div class="grid halves"><div><h4>before</h4>{_completion(before)}</div>
<div><h4>after</h4>{_completion(after)}</div></div></article>""")
  drawn = _drawn_in_training(results)
  if drawn:
    parts.append(f"<details><summary>Completions drawn in training</summary>{drawn}</details>")
  return "\n".join(parts)


def _drawn_in_training(results: Results) -> str:
  """Returns a sample of each domain of the first, middle and last step that has one."""
  parts = []
  for domain in results.domains:
    own = [sample for sample in results.samples if sample["domain"] == domain]
    chosen = {i: own[i] for i in (0, len(own) // 2, len(own) - 1)} if own else {}
    for sample in chosen.values():
      title = f"{_domain(results, domain)} <small>step {sample['step']}, {_escape(sample['uid'])}</small>"
      parts.append(f"<article><h3>{title}</h3>{_prompt(sample)}{_completion(sample)}</article>")
  return "".join(parts)


def _prompt(record: Mapping[str, Any]) -> str:
  texts = {name: record[name] for name in ("prompt", "reference") if record.get(name)}
  shown = "".join(f"<div><h4>{name}</h4><pre>{_escape(text)}</pre></div>" for name, text in texts.items())
  return f'<div class="grid halves prompt">{shown}</div>'


def _completion(record: Mapping[str, Any]) -> str:
  """Returns what a model wrote, escaped, its tags coloured, and the verdicts on it."""
  chips = [("good", "valid format") if record["gate"] else ("bad", f"format: {record['failure']}")]
  if record["correct"] is not None:
    chips.append(("good", "correct") if record["correct"] else ("bad", "wrong"))
  chips.append(("", "not scored" if record["total"] is None else f"reward {record['total']:.2f}"))
  chips += [("", f"{name} {_number(value, '.2f')}") for name, value in sorted(record["scores"].items())]
  if record.get("tokens") is not None:
    chips.append(("", _count(record["tokens"], "token")))
  if record.get("truncated"):
    chips.append(("bad", "truncated"))
  verdicts = "".join(f'<span class="chip {kind}">{_escape(text)}</span>' for kind, text in chips)
  return f'<pre class="completion">{mark_tags(record["completion"])}</pre><p>{verdicts}</p>'


def mark_tags(text: str) -> str:
  """Returns any text as HTML in which the output tags, and what stands in them, are marked."""
  kinds = {
      output_format.REASONING_OPEN: "reasoning", output_format.REASONING_CLOSE: "",
      output_format.ANSWER_OPEN: "answer", output_format.ANSWER_CLOSE: "",
  }  # fmt: skip
  kind, parts = "", []
  for part in re.split(f"({'|'.join(map(re.escape, output_format.TAGS))})", text):
    if part in kinds:
      parts.append(f"<b>{_escape(part)}</b>")
      kind = kinds[part]
    elif part:
      parts.append(f'<span class="{kind or "outside"}">{_escape(part)}</span>')
  return "".join(parts)


def _run_section(results: Results) -> str:
  summary = results.summary
  facts = {
      name: summary.get(name)
      for name in ("config_hash", "adapter_sha256", "seed", "steps", "peak_memory_gb")
  }
  facts |= {f"seconds: {name}": value for name, value in sorted((summary.get("seconds") or {}).items())}
  facts |= summary.get("environment") or {}
  rows = []
  for name, value in facts.items():
    if value not in (None, ""):
      shown = _number(value, ",.2f") if isinstance(value, float) else value
      rows.append((_escape(name), f"<code>{_escape(shown)}</code>"))
  config = _escape(json.dumps(results.config, indent=2, sort_keys=True, default=str))
  return f"""{_table(("what", "value"), rows)}
<details><summary>Config</summary><pre>{config}</pre></details>"""
