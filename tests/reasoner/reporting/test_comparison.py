"""Runs side by side, on records made here: what is paired, tested, corrected and shown."""

import itertools
import random
import statistics

import numpy as np
import pytest

from reasoner.reporting import comparison
from reasoner.run import files
from reasoner.run.workdir import Workdir
from rewards.errors import ConfigError
from tests.reasoner.reporting.test_report import Reader
from tests.reasoner.reporting.test_report import record
from tests.reasoner.reporting.test_report import step
from tests.reasoner.reporting.test_report import words


def write_run(directory, rows, *, seed=0, weight=0.8, path="", adapter="", finished=True):
  """A run's files: rows are (uid, correct) of math; poems are paid the same in every run."""
  directory.mkdir(parents=True)
  workdir = Workdir(directory)
  rewards = {"math": {"format": {"weight": 0.2}, "math_answer": {"weight": weight}}}
  files.write_json(
    workdir.config,
    {"seed": seed, "model": {"name": "embedded", "path": path, "adapter": adapter}, "rewards": rewards},
  )
  poems = [record(str(k), domain="poems", correct=None, total=0.5, rhyme=0.25) for k in range(10)]
  maths = [record(uid, correct=ok, total=0.2 + 0.8 * ok, math_answer=float(ok)) for uid, ok in rows]
  files.write_lines(workdir.before, [])
  files.write_lines(
    workdir.after, [*maths, *poems, *(record(uid, set="unseen_templates") for uid, _ in rows)]
  )
  files.write_lines(
    workdir.metrics, [step(k, **{"rewards/math/default_total": 0.5 + seed / 10}) for k in range(4)]
  )
  if finished:
    files.write_json(workdir.summary, {"steps": 4, "seconds": {"total": 60.0}})
  return directory


def rows(right, n=100, seed=0):
  """`n` rows of which the first `right` are answered right, in an order that says nothing."""
  found = [(f"u{k:03}", k < right) for k in range(n)]
  random.Random(seed).shuffle(found)
  return found


def test_the_test_is_exact_for_few_rows_and_mcnemars_for_yes_and_no():
  # 5 rows got better, 1 worse: two-sided binomial of 6 flips, (C(6,0) + C(6,1)) * 2 / 2**6 = 14/64.
  assert comparison.sign_flip(np.array([1.0] * 5 + [-1.0] + [0.0] * 90)) == 14 / 64
  assert comparison.sign_flip(np.zeros(50)) == 1.0
  # Sums of +-0.5 +-0.25 +-0.25 as far from 0 as 1.0: two of eight.
  assert comparison.sign_flip(np.array([0.5, 0.25, 0.25])) == 2 / 8


def test_many_rows_are_drawn_to_the_same_p_each_time():
  values = np.random.default_rng(1).normal(0.15, 1.0, 200)
  p = comparison.sign_flip(values)
  z = abs(values.mean()) / (values.std() / 200**0.5)  # what it tends to for many rows
  assert p == comparison.sign_flip(values) == pytest.approx(2 - 2 * statistics.NormalDist().cdf(z), abs=0.02)
  assert comparison.sign_flip(np.abs(values)) == 1 / 20_001


def test_without_a_difference_one_is_shown_in_few_pages(tmp_path):
  """Holm keeps the chance that a page shows anything at 5 %; of 20 pages at most 4 (p 0.003)."""
  shown = 0
  for k in range(20):
    draw = random.Random(k)
    arms = []
    for name, weight in (("a", 0.8), ("b", 0.7)):
      directory = write_run(
        tmp_path / f"{k}/{name}", [(f"u{i}", draw.random() < 0.5) for i in range(60)], weight=weight
      )
      arms.append(directory)
    found = comparison.Comparison(comparison.arms_of(arms))
    shown += bool(found.shown(found.others[0]))
  assert shown <= 4


def test_a_difference_is_paired_row_by_row_and_shown_where_it_is_large(tmp_path):
  base = [(f"u{k}", k < 50) for k in range(100)]
  better = [(f"u{k}", k < 70) for k in range(100)]  # 20 rows won, none lost
  arms = comparison.arms_of(
    [write_run(tmp_path / "base", base), write_run(tmp_path / "more", better, weight=0.7)]
  )
  found = comparison.Comparison(arms)
  d = found.differences["more", "math", "accuracy"]
  assert (d.baseline, d.value, d.n, d.shown) == (0.5, 0.7, 100, True)
  error = np.std([1.0] * 20 + [0.0] * 80, ddof=1) / 10
  assert d.interval == (pytest.approx(0.2 - 1.96 * error), pytest.approx(0.2 + 1.96 * error))
  assert found.differences["more", "math", "math_answer"].shown  # a component, in a family of its own
  assert not found.differences["more", "poems", "reward"].shown
  assert found.differences["more", "all", "reward"].n == 110  # and no row of another set
  assert found.fields == {"rewards.math.math_answer.weight": [0.8, 0.7]}


def test_seeds_of_one_config_are_one_arm_and_paired_seed_by_seed(tmp_path):
  directories = [
    write_run(
      tmp_path / name / f"seed_{seed}", rows(right, seed=seed), seed=seed, weight=weight, path=f"base_{seed}"
    )
    for name, weight, counts in (("base", 0.8, (40, 50, 60)), ("more", 0.7, (50, 45, 90)))
    for seed, right in enumerate(counts)
  ]
  base, more = comparison.arms_of(directories)
  assert (base.name, more.name, base.seeds) == ("base", "more", [0, 1, 2])
  d = comparison.Comparison([base, more]).differences["more", "math", "accuracy"]
  assert d.baseline == pytest.approx(0.5) and d.value == pytest.approx((50 + 45 + 90) / 300)
  assert d.by_seed == pytest.approx([0.1, -0.05, 0.3]) and d.agreeing == 2


def test_an_adapter_of_each_seed_s_own_makes_no_other_experiment_and_another_run_s_does(tmp_path):
  directories = [
    write_run(
      tmp_path / name / f"seed_{seed}", rows(50), seed=seed, weight=weight, adapter=f"cold_start/seed_{seed}"
    )
    for name, weight in (("base", 0.8), ("more", 0.7)) for seed in (0, 1)
  ]
  arms = comparison.arms_of(directories)
  assert [(arm.name, arm.seeds) for arm in arms] == [("base", [0, 1]), ("more", [0, 1])]
  assert comparison.Comparison(arms).fields == {"rewards.math.math_answer.weight": [0.8, 0.7]}
  other = write_run(tmp_path / "other", rows(50), adapter="runs/earlier")
  assert comparison.Comparison(comparison.arms_of([directories[0], other])).fields == {
    "model.adapter": ["cold_start", "runs/earlier"]
  }


def test_holms_correction_is_monotone_and_never_below_p():
  p = [0.04, 0.001, 0.02, 0.9]
  make = lambda value: comparison.Difference(  # noqa: E731
    arm="a", domain="d", measure="m", baseline=0, value=1, interval=(0, 1), n=3, p=value, by_seed=()
  )
  adjusted = [d.adjusted for d in comparison._adjusted([make(value) for value in p])]
  assert adjusted == pytest.approx([0.004, 0.06, 0.08, 0.9])


def test_the_page_says_what_changed_and_how_the_configs_differ(tmp_path):
  runs = [
    write_run(tmp_path / name / f"seed_{seed}", rows(right, seed=seed), seed=seed, weight=weight)
    for (name, weight, right), seed in itertools.product([("base", 0.8, 50), ("<more>", 0.7, 80)], (0, 1))
  ]
  found = comparison.Comparison(comparison.arms_of(runs))
  comparison.write(tmp_path / "compare.html", found)
  page = (tmp_path / "compare.html").read_text()
  reader = Reader(page)
  assert reader.open == [] and reader.crossed == [] and "http" not in page
  text = words(page)
  assert "4 runs of 2 configs" in text and "in how many seeds a difference has its sign" in text
  assert ["math", "accuracy", "0.500", "0.800"] in [row[:4] for row in reader.rows]
  assert ["rewards.math.math_answer.weight", "0.8", "0.7"] in reader.rows
  assert page.count("<svg") == 2
  assert any("accuracy" in line and "0.500 -> 0.800" in line for line in comparison.lines(found))


def test_what_cannot_be_compared_is_refused(tmp_path):
  one = write_run(tmp_path / "one", rows(5, 10))
  with pytest.raises(ConfigError, match="nothing holds no finished run"):
    comparison.arms_of([one, tmp_path / "nothing"])
  with pytest.raises(ConfigError, match="holds no finished run"):
    comparison.arms_of([one, write_run(tmp_path / "two", rows(5, 10), finished=False)])
  with pytest.raises(ConfigError, match="two runs have one config and one seed"):
    comparison.arms_of([one, write_run(tmp_path / "three", rows(5, 10))])
  with pytest.raises(ConfigError, match="have one name"):
    comparison.arms_of([one, write_run(tmp_path / "again" / "one", rows(5, 10), weight=0.1)])
