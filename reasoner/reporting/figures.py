"""Which numbers of a run go into which chart: SVG for its page, PNG for the README.

Every function takes the Results of `report.read`. SVG comes as Markup, safe to stand in a page: it is
drawn from numbers, and the names in it are escaped by matplotlib and charts.svg.
"""

from collections.abc import Callable, Mapping, Sequence
import itertools
import math

import markupsafe

from reasoner.reporting import charts
from reasoner.run.workdir import Workdir

BARS_NOTE = "pale: before GRPO, full: after · thin line: 95 % interval · dotted: best constant answer"
SHARES_NOTE = "pale: natural share, full: DISCO share"
_WIDE = (1, 1, (5.0, 2.2))


def bars(run, field: str, label: str) -> markupsafe.Markup:
  """A share by domain, before and after."""
  return _svg(charts.draw(1, 1, (4.6, _height(run.domains)), _bars(run, field)), f"{label} by domain")


def learning(run, domain: str) -> markupsafe.Markup:
  """A domain's reward and gate pass rate by step."""
  return _svg(charts.panel(_learning(run, domain)), f"{domain}: reward and gate pass rate by step")


def held_out_sample(run) -> markupsafe.Markup:
  """What the small sample that training evaluated is paid, by domain and in all."""
  rows, lines = run.evaluations, []
  for domain in (*run.sampled_domains, "all"):
    points = [(row["step"], row[domain]["reward"]) for row in rows if row[domain]["reward"] is not None]
    lines.append(charts.Line(
        steps=[step for step, _ in points], values=[value for _, value in points], dots=False,
        colour=run.colours.get(domain, charts.INK), width=2.4 if domain == "all" else 1.2,
    ))  # fmt: skip
  painter = lambda axes: charts.curves(axes, lines, last=rows[-1]["step"], low=0.0, high=1.0)  # noqa: E731
  return _svg(charts.panel(painter), "paid total of the held-out sample by step")


def disco(run) -> markupsafe.Markup:
  """The natural and the DISCO share by domain."""
  return _svg(charts.draw(1, 1, (4.6, _height(run.disco)), _disco(run)), "natural and DISCO share by domain")


def components(run, domain: str) -> markupsafe.Markup:
  """A domain's reward components by step; nothing where none was measured in training."""
  lines = [
      _line(run, f"rewards/{domain}/{part['name']}", part["colour"], "-" if part["weight"] else "--")
      for part in run.components[domain]
  ]
  lines = [line for line in lines if line.steps]
  painter = lambda axes: charts.curves(axes, lines, last=run.last_step, low=0.0, high=1.0)  # noqa: E731
  return _svg(charts.panel(painter), f"{domain}: components by step") if lines else markupsafe.Markup()


def unpaid(run, domain: str) -> markupsafe.Markup:
  """A domain's paid total beside what is not paid; thick where a measure falls while the total rises."""
  lines = [_line(run, f"rewards/{domain}/total", charts.INK, dots=True)]
  parted = run.parted(domain)
  for measure, colour in zip(run.unpaid[domain], itertools.cycle(charts.PALETTE)):
    lines.append(charts.Line(
        steps=measure.steps, values=measure.shares, colour=colour, dots=False,
        style=":" if measure.words else "--", width=3.2 if measure.name in parted else 1.6,
    ))  # fmt: skip
  painter = lambda axes: charts.curves(axes, lines, last=run.last_step, low=0.0, high=1.0)  # noqa: E731
  return _svg(charts.panel(painter), f"{domain}: the paid total and what is not paid, by step")


def failures_by_step(run) -> markupsafe.Markup:
  """Completions a step that failed the gate, by cause."""
  paths = {f"gate_failures/{name}": colour for name, colour in run.failures.items()}
  return _svg(charts.draw(*_WIDE, _stack(run, paths)), "gate failures by step")


def failures_held_out(run) -> markupsafe.Markup:
  """Held-out completions that failed the gate, by cause, before and after."""
  rows = [
      (when, run.measured(when, "all", "failures") or {})
      for when in ("before", "after") if run.measured(when, "all", "n")
  ]  # fmt: skip
  figure = charts.draw(*_WIDE, lambda axes: charts.shares(axes, rows, run.failures))
  return _svg(figure, "gate failures before and after")


def training(run, path: str, label: str) -> markupsafe.Markup:
  """One metric by step."""
  line = _line(run, path, charts.PALETTE[0], dots=True)
  low = 0.0 if min(line.values) >= 0 else None
  figure = charts.panel(lambda axes: charts.curves(axes, [line], last=run.last_step, low=low))
  return _svg(figure, f"{label} by step")


def by_domain(run, name: str, label: str) -> markupsafe.Markup:
  """One metric of the groups by step, a line a domain."""
  lines = [_line(run, f"groups/{domain}/{name}", run.colours[domain]) for domain in run.domains]
  lines = [line for line in lines if line.steps]
  figure = charts.panel(lambda axes: charts.curves(axes, lines, last=run.last_step, low=0.0, high=1.0))
  return _svg(figure, f"{label} by step")


def parts_by_domain(run, name: str, label: str) -> markupsafe.Markup:
  """The domains' parts of one metric of the groups by step, on top of each other."""
  paths = {f"groups/{domain}/{name}": run.colours[domain] for domain in run.domains}
  return _svg(charts.panel(_stack(run, paths)), f"{label} by step")


def phases(run) -> markupsafe.Markup:
  """Seconds of a step by phase."""
  return _svg(charts.panel(_stack(run, run.phases)), "seconds by phase and step")


def write_pictures(run, workdir: Workdir) -> None:
  """Writes the PNGs for which there are numbers."""
  domains = run.domains
  if run.evaluated:
    painters = _bars(run, "format", "Valid format"), _bars(run, "accuracy", "Accuracy")
    figure = charts.draw(1, 2, (9.2, _height(domains) + 0.25), *painters, note=BARS_NOTE)
    charts.png(figure, workdir.picture("results"))
  if run.metrics and domains:
    columns = min(4, len(domains))
    rows = math.ceil(len(domains) / columns)
    note = "by step · solid: reward, dots: a step each · dashed: gate pass rate"
    if run.repriced:
      note += " · dotted: reward under the default weights"
    painters = [_learning(run, domain, domain) for domain in domains]
    figure = charts.draw(rows, columns, (2.4 * columns, 1.75 * rows + 0.2), *painters, note=note)
    charts.png(figure, workdir.picture("curves"))
  if run.disco:
    figure = charts.draw(1, 1, (5.6, _height(domains) + 0.2), _disco(run), note=SHARES_NOTE)
    charts.png(figure, workdir.picture("disco"))


def _svg(figure, label: str) -> markupsafe.Markup:
  return markupsafe.Markup(charts.svg(figure, label))


def _height(rows: Sequence) -> float:
  return 0.6 + 0.36 * max(1, len(rows))


def _line(run, path: str, colour: str, style: str = "-", dots: bool = False) -> charts.Line:
  steps, values = run.series(path)
  return charts.Line(steps=steps, values=values, colour=colour, style=style, dots=dots)


def _bars(run, field: str, title: str = "") -> Callable[..., None]:
  absent = {"format": "not evaluated", "accuracy": "no ground truth"}[field]
  constant = run.constant() if field == "accuracy" else {}
  rows = [
      charts.Bar(
          name=domain,
          colour=run.colours[domain],
          before=run.measured("before", domain, field),
          after=run.measured("after", domain, field),
          before_interval=run.measured("before", domain, f"{field}_interval"),
          after_interval=run.measured("after", domain, f"{field}_interval"),
          mark=constant.get(domain),
      )
      for domain in run.domains
  ]

  def paint(axes) -> None:
    charts.bars(axes, rows, high=1.13, absent=absent)
    axes.set_title(title)

  return paint


def _learning(run, domain: str, title: str = "") -> Callable[..., None]:
  path, colour = f"rewards/{domain}", run.colours[domain]
  lines = [
      _line(run, f"{path}/gate_pass_rate", charts.MUTED, "--"),
      _line(run, f"{path}/total", colour, dots=True),
  ]
  if domain in run.repriced:
    lines.append(_line(run, f"{path}/default_total", colour, ":"))

  def paint(axes) -> None:
    charts.curves(axes, lines, last=run.last_step, low=0.0, high=1.0)
    axes.set_title(title)

  return paint


def _disco(run) -> Callable[..., None]:
  rows = [
      charts.Bar(
          name=row["domain"], colour=run.colours[row["domain"]],
          before=row["natural_share"], after=row["disco_share"],
      )
      for row in run.disco
  ]  # fmt: skip
  return lambda axes: charts.bars(axes, rows, form=".1%")


def _stack(run, colours: Mapping[str, str]) -> Callable[..., None]:
  """Returns the painter of metrics on top of each other; a step without one counts as 0."""
  drawn = {path: dict(zip(*run.series(path))) for path in colours}
  drawn = {path: points for path, points in drawn.items() if points}
  steps = sorted(set().union(*drawn.values()))
  layers = [([points.get(step, 0.0) for step in steps], colours[path]) for path, points in drawn.items()]
  return lambda axes: charts.stack(axes, steps, layers)
