"""Charts, looked at as text: their colours, their size, and what they do with too few numbers."""

import pytest

from reasoner.reporting import charts


def test_smoothing_averages_a_value_with_its_neighbours():
  # Windows of 3: (0+3)/2, (0+3+6)/3, (3+6+3)/3, (6+3)/2.
  assert charts.smooth([0, 3, 6, 3], 3) == [1.5, 3.0, 4.0, 4.5]
  assert charts.smooth([0, 3, 6, 3], 1) == [0, 3, 6, 3]
  assert charts.smooth([], 3) == []


@pytest.mark.parametrize("count, window", [(0, 1), (9, 1), (20, 3), (160, 17), (10_000, 51)])
def test_the_smoothing_window_is_an_odd_tenth_of_the_measurements_at_most_51(count, window):
  assert charts.window_of(count) == window


def test_svg_takes_its_ink_from_the_page_and_names_no_address():
  line = charts.Line(steps=[0, 1, 2], values=[0.1, 0.5, 0.4], colour=charts.PALETTE[0])
  figure = charts.panel(lambda axes: charts.curves(axes, [line], last=2, low=0.0, high=1.0))
  text = charts.svg(figure, 'a "quoted" <label>')
  assert text.startswith("<svg viewBox=") and text.rstrip().endswith("</svg>")
  assert "&quot;quoted&quot; &lt;label&gt;" in text
  assert not [found for found in ("http", ' id="axes') if found in text]
  assert "var(--rule)" in text and charts.PALETTE[0] in text
  assert not any(colour in text for colour in (charts.INK, charts.MUTED, charts.RULE))


def test_svg_is_the_same_for_the_same_numbers():
  rows = [charts.Bar(name="math", colour=charts.PALETTE[1], before=0.2, after=0.9, mark=0.5)]
  first, second = (
      charts.svg(charts.draw(1, 1, (3, 1), lambda axes: charts.bars(axes, rows)), "") for _ in range(2)
  )
  assert first == second


def test_bars_write_names_values_and_what_is_absent_as_they_are():
  rows = [
      charts.Bar(name="cost in $ & <so> on$", colour=charts.PALETTE[0], before=None, after=0.25),
      charts.Bar(name="poems", colour=charts.PALETTE[1], before=None, after=None),
  ]
  text = charts.svg(
      charts.draw(1, 1, (4, 1.5), lambda axes: charts.bars(axes, rows, form=".1%", absent="no truth")), ""
  )
  assert "cost in $ &amp; &lt;so&gt; on$" in text
  assert ">25.0%<" in text and ">no truth<" in text


@pytest.mark.parametrize("painter", [
    lambda axes: charts.curves(axes, [], last=0),
    lambda axes: charts.curves(
        axes, [charts.Line(steps=[0], values=[0.5], colour=charts.PALETTE[0])], last=0
    ),
    lambda axes: charts.bars(axes, []),
    lambda axes: charts.stack(axes, [0], [([1.0], charts.PALETTE[0])]),
    lambda axes: charts.stack(axes, [], []),
    lambda axes: charts.shares(axes, [("before", {})], {"missing": charts.PALETTE[0]}),
])
def test_a_chart_of_one_number_or_none_is_drawn_all_the_same(painter, tmp_path):
  charts.png(charts.panel(painter), tmp_path / "chart.png")
  assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_every_measurement_leaves_a_dot_in_the_picture(tmp_path):
  from matplotlib import image

  def paint(axes):
    line = charts.Line(steps=range(40), values=[0.5] * 40, colour=charts.PALETTE[4])
    charts._dots(axes, line)
    axes.set_axis_off()

  charts.png(charts.panel(paint), tmp_path / "dots.png")
  coloured = (image.imread(tmp_path / "dots.png")[..., :3].min(axis=(0, 2)) < 0.95).tolist()
  assert sum(now and not before for before, now in zip([False, *coloured], coloured)) == 40


def test_shares_write_the_sum_of_a_row():
  colours = {"missing": charts.PALETTE[0], "order": charts.PALETTE[1]}
  rows = [("before", {"missing": 3, "order": 4}), ("after", {})]
  text = charts.svg(charts.panel(lambda axes: charts.shares(axes, rows, colours)), "")
  assert "> 7<" in text and "> 0<" in text
  assert charts.PALETTE[0] in text and charts.PALETTE[1] in text
