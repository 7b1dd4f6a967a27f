"""Charts of a run: SVG that takes its ink from the page around it, and PNG on white.

  figure = charts.draw(1, 1, (3.4, 2.1), lambda axes: charts.curves(axes, [line], low=0, high=1))
  charts.svg(figure, "math: reward by step")   # '<svg viewBox="0 0 244 151" role="img" ...'

A painter gets numbers, names and colours and draws them on given axes. Nothing here knows what a
domain or a reward is, and nothing is computed but the smoothing of a line.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import html
import io
import math
import pathlib
import re

# Colours that a colour-blind reader tells apart, and that show on white as on black: Okabe and Ito's
# (https://jfly.uni-koeln.de/color/) without black and yellow, and olive and wine of Paul Tol's.
PALETTE = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#999933", "#aa4466",
)  # fmt: skip
# In SVG these three become the page's own, which differ between light and dark.
INK, MUTED, RULE = "#1f2328", "#6a737d", "#d0d7de"
PAGE_COLOURS = {INK: "currentColor", MUTED: "var(--muted)", RULE: "var(--rule)"}

_STYLE = {
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.05,
    "font.size": 8,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "path.simplify": False,  # it would drop the dots, which are very short lines
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "text.color": INK,
    "text.parse_math": False,  # a domain's name may hold a dollar
    "xtick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.color": RULE,
    "ytick.labelcolor": MUTED,
    "ytick.left": False,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
  """One measured quantity by step. dots: whether the measurements show behind the smoothed line; width:
  of the line, in points.
  """

  steps: Sequence[float]
  values: Sequence[float]
  colour: str
  style: str = "-"
  dots: bool = True
  width: float = 1.6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bar:
  """A pair of shares, and intervals of them: None where there is no number.

  mark: a third share, drawn as a tick across the bars.
  """

  name: str
  colour: str
  before: float | None
  after: float | None
  before_interval: tuple[float, float] | None = None
  after_interval: tuple[float, float] | None = None
  mark: float | None = None


def draw(
    rows: int, columns: int, size: tuple[float, float], *painters: Callable[..., None], note: str = ""
):
  """Returns a figure of `size` inches with a painter's axes in each cell, row by row.

  note: one line below all of them.
  """
  import matplotlib
  import matplotlib.figure

  with matplotlib.rc_context(_STYLE):
    figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
    cells = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, painter in zip(cells, painters):
      painter(axes)
    for axes in cells[len(painters) :]:
      axes.set_axis_off()
    if note:
      figure.supxlabel(note, fontsize=7.5, color=MUTED)
  return figure


def panel(painter: Callable[..., None]):
  """Returns a small figure for numbers by step; its margins are fixed, which halves its cost."""
  import matplotlib
  import matplotlib.figure

  with matplotlib.rc_context(_STYLE):
    figure = matplotlib.figure.Figure(figsize=(3.4, 1.9))
    painter(figure.add_axes((0.13, 0.13, 0.85, 0.82)))
  return figure


def svg(figure, label: str) -> str:
  """Returns a figure as an element for the middle of a page; `label` is for who cannot see it."""
  import matplotlib

  stream = io.StringIO()
  with matplotlib.rc_context(_STYLE):
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
  text = stream.getvalue()
  size = re.search(r'viewBox="([^"]*)"', text).group(1)
  body = text[text.index(">", text.index("<svg")) + 1 :]
  body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
  body = re.sub(r'<g id="[^"]*"', "<g", body)  # unused, and not unique among the charts of a page
  body = re.sub(r' d="[^"]*"', lambda d: re.sub(r"\s+", " ", re.sub(r"\.(\d)\d+", r".\1", d[0])), body)
  body = re.sub(r">\s+<", "><", body)
  for colour, variable in PAGE_COLOURS.items():
    body = body.replace(colour, variable)
  return f'<svg viewBox="{size}" role="img" aria-label="{html.escape(label)}">{body}'


def png(figure, path: pathlib.Path) -> None:
  """Writes a figure at twice the resolution of a plain screen."""
  import matplotlib

  with matplotlib.rc_context(_STYLE):
    figure.savefig(path, format="png", dpi=200, facecolor="white", metadata={"Software": None})


def smooth(values: Sequence[float], window: int) -> list[float]:
  """Returns the mean of each value and its neighbours: `window` in all, fewer at the ends."""
  half = window // 2
  smoothed = []
  for i in range(len(values)):
    near = values[max(0, i - half) : i + half + 1]
    smoothed.append(sum(near) / len(near))
  return smoothed


def window_of(count: int) -> int:
  """Returns over how many of `count` measurements a line is smoothed: a tenth, odd, at most 51."""
  return min(51, count // 10) | 1


def curves(
    axes, lines: Sequence[Line], *, last: float, low: float | None = None, high: float | None = None
) -> None:
  """Draws each line smoothed and, faint behind it, its measurements.

  last: step at which the axis ends. low, high: between which the values lie, where that is known.
  """
  for line in lines:
    if line.dots:
      _dots(axes, line)
    axes.plot(
        line.steps, smooth(line.values, window_of(len(line.values))),
        color=line.colour, linestyle=line.style, linewidth=line.width,
        marker="o" if len(line.values) == 1 else None, markersize=3,
    )  # fmt: skip
  margin = 0.04 * ((high or 0) - (low or 0))
  axes.set_ylim(None if low is None else low - margin, None if high is None else high + margin)
  axes.set_xlim(-0.02 * max(last, 1), 1.02 * max(last, 1))
  _steps(axes)


def _dots(axes, line: Line) -> None:
  """Draws dots as one path of very short, round-capped strokes: a tenth of the bytes of markers."""
  width = max(line.steps, default=0) / 500 or 1e-3
  xs = [x for step in line.steps for x in (step - width / 2, step + width / 2, math.nan)]
  ys = [y for value in line.values for y in (value, value, math.nan)]
  # Snapped to whole pixels, some of them would have no length, and no caps.
  axes.plot(xs, ys, color=line.colour, linewidth=2.2, alpha=0.28, solid_capstyle="round", snap=False)


def stack(axes, steps: Sequence[float], layers: Sequence[tuple[Sequence[float], str]]) -> None:
  """Draws smoothed layers, (values, colour), on top of each other."""
  window = window_of(len(steps))
  if layers:  # a short run may have measured none
    axes.stackplot(
        steps, [smooth(values, window) for values, _ in layers], colors=[c for _, c in layers], linewidth=0
    )
  axes.set_ylim(0, None)
  axes.margins(x=0.02)
  axes.set_axisbelow(True)
  _steps(axes)


def _steps(axes) -> None:
  axes.locator_params(axis="x", integer=True, nbins=6)
  axes.locator_params(axis="y", nbins=5)


def bars(
    axes, rows: Sequence[Bar], *, high: float | None = None, form: str = ".0%", absent: str = ""
) -> None:
  """Draws before (pale) above after (full) for each row, with its value as `form` writes it.

  high: where the axis ends. absent: stands where a row has neither value.
  """
  from matplotlib import ticker

  top = high or 1.15 * max([0.01, *(v for row in rows for v in (row.before, row.after) if v)])
  for y, row in enumerate(rows):
    if row.before is None and row.after is None:
      axes.text(0.01 * top, y, absent, va="center", color=MUTED, fontsize=7.5)
    for value, interval, at, alpha in (
        (row.before, row.before_interval, y - 0.19, 0.38), (row.after, row.after_interval, y + 0.19, 1.0)
    ):  # fmt: skip
      if value is None:
        continue
      axes.barh(at, value, height=0.36, color=row.colour, alpha=alpha, linewidth=0)
      edges = [value]
      if interval:
        axes.plot(interval, (at, at), color=INK, linewidth=0.9, solid_capstyle="butt")
        edges.append(interval[1])
      if row.mark is not None and max(edges) <= row.mark < max(edges) + 0.1 * top:
        edges.append(row.mark)  # the number would stand on the mark
      axes.annotate(
          format(value, form), (max(edges), at), (3, 0), textcoords="offset points", va="center", fontsize=7.5
      )
    if row.mark is not None:
      axes.plot((row.mark,) * 2, (y - 0.42, y + 0.42), color=INK, linewidth=1.2, linestyle=(0, (1.5, 1.2)))
  axes.set_xlim(0, top)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
  axes.xaxis.set_major_formatter(ticker.PercentFormatter(1.0, decimals=0))
  _rows(axes, [row.name for row in rows])


def shares(axes, rows: Sequence[tuple[str, Mapping[str, float]]], colours: Mapping[str, str]) -> None:
  """Draws one bar a row, split into named parts; a part that is absent has no width."""
  for y, (_, parts) in enumerate(rows):
    left = 0.0
    for name, colour in colours.items():
      width = parts.get(name, 0.0)
      axes.barh(y, width, left=left, height=0.6, color=colour, linewidth=0)
      left += width
    axes.text(left, y, f" {left:,.0f}", va="center", fontsize=7.5)
  axes.set_xlim(0, max([1.0, *(1.12 * sum(parts.values()) for _, parts in rows)]))
  _rows(axes, [name for name, _ in rows])


def _rows(axes, names: Sequence[str]) -> None:
  """Puts names beside rows that were drawn at 0, 1, ... from the top."""
  axes.set_yticks(range(len(names)), names, color=INK)
  axes.set_ylim(max(1, len(names)) - 0.45, -0.55)
  axes.grid(visible=False)
