"""How much of a run fits a budget: by a clock that the test moves."""

import contextlib
import json
import pathlib
import types

import pytest

from reasoner.data.sampling import Schedule
from reasoner.models import gemma3
from reasoner.run import budget

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCHEDULE = Schedule({"math": 50, "logic": 20}, steps=100, prompts_per_step=2, seed=0)


class Clock:
  def __init__(self, total=0.0, evaluation=0.0):
    self.total, self.evaluation = total, evaluation

  def seconds(self):
    return {"total": self.total, "evaluation": self.evaluation}


def limit_of(path, clock, hours=1.0, *, evaluate_every=0, steps=100, goes_on=True, cold_start_steps=600, rows=96):
  train = types.SimpleNamespace(steps=steps, time_budget_hours=hours, evaluate_every=evaluate_every)
  return budget.Budget(
      path / "budget.json", train, clock, goes_on=goes_on, cold_start_steps=cold_start_steps, evaluation_rows=rows
  )


def learn(limit, clock, seconds_of, schedule=SCHEDULE, start=0, share=0.0):
  """Takes the steps as train.py does; returns (step, the steps of the learning rate's schedule) of each."""
  taken = []
  for part, end in limit.parts(schedule):
    for step in range(len(taken) + start, end):
      clock.total += seconds_of(step)
      taken.append((step, part.last))
      if limit.over(step + 1, seconds_of(step), share):
        break
  return taken


def test_without_a_budget_all_steps_are_taken_in_one_part_and_nothing_is_written(tmp_path):
  clock = Clock()
  limit = limit_of(tmp_path, clock, hours=0.0)
  assert all(limit.decided(part) for part in ("cold_start", "evaluation", "grpo"))
  assert limit.cold_start == (600, 600) and limit.evaluation_rows == 96
  assert [limit.cold_start_over(step) for step in (1, 599, 600)] == [False, False, True]
  assert list(limit.parts(SCHEDULE)) == [(SCHEDULE, 100)]
  assert learn(limit, clock, lambda step: 1e6) == [(step, 100) for step in range(100)]
  assert limit.last == 100 and list(tmp_path.iterdir()) == []


def test_the_cold_start_gets_two_fifths_and_ends_where_it_would_exceed_a_half(tmp_path, capsys):
  clock = Clock(total=240.0)
  limit = limit_of(tmp_path, clock)
  limit.decide_cold_start([36.0, 5.0, 6.0])
  # 0.4 x 3600 - 240 - (36 - 6) = 1170, and 6 seconds each.
  assert limit.cold_start == (195, 195) and limit.decided("cold_start") and not limit.decided("evaluation")
  assert "195 of 600 steps of the cold start fit, 6.00 s each" in capsys.readouterr().out
  clock.total = 1799.0
  assert not limit.cold_start_over(150) and limit.cold_start_over(195)
  clock.total = 1801.0
  assert limit.cold_start_over(151) and limit.cold_start == (195, 151)
  again = limit_of(tmp_path, Clock())
  assert again.cold_start == (195, 151) and again.cold_start_over(151)
  assert not limit_of(tmp_path, Clock(), goes_on=False).decided("cold_start")  # of a start that left no result


def test_a_cold_start_that_fits_stays_as_it_is_and_one_that_does_not_takes_a_step(tmp_path):
  limit = limit_of(tmp_path, Clock())
  limit.decide_cold_start([30.0, 1.0, 1.0])
  assert limit.cold_start == (600, 600)
  limit = limit_of(tmp_path, Clock(total=3500.0))
  limit.decide_cold_start([30.0, 1.0, 1.0])
  assert limit.cold_start == (1, 1)


@pytest.mark.parametrize("batch_seconds, rows", [(1.0, 96), (22.0, 88), (200.0, 8), (1e4, 1)])
def test_both_evaluations_get_half_of_what_is_left(tmp_path, batch_seconds, rows):
  """0.98 x 3600 - 30 - 1498 = 2000: 500 seconds each. Seven domains in batches of 28: 4 rows of each a batch."""
  limit = limit_of(tmp_path, Clock(total=1498.0))
  limit.decide_evaluation([50.0, batch_seconds, batch_seconds / 2], lambda rows: -(-7 * rows // 28))
  assert limit.evaluation_rows == rows  # four a batch, of which 500 / 22 = 22 and 500 / 200 = 2 fit
  assert limit_of(tmp_path, Clock()).evaluation_rows == limit.evaluation_rows


def test_the_steps_that_fit_are_decided_by_the_formula_after_four_and_written(tmp_path):
  clock = Clock(total=600.0, evaluation=300.0)
  limit = limit_of(tmp_path, clock, evaluate_every=10)
  seconds = [150.0, 48.0, 50.0, 49.0]
  taken = learn(limit, clock, lambda step: seconds[step] if step < 4 else 50.0, share=0.1)
  # 0.98 x 3600 - 30 - (600 + 297) - 300 - (150 - 50) = 2201; a step is 50 and a tenth of a tenth of 300: 53; 41 fit.
  assert limit.last == 4 + 41 and taken == [(step, 100 if step < 4 else 45) for step in range(45)]
  written = json.loads((tmp_path / "budget.json").read_text())
  assert written == limit.decisions and written["grpo"]["steps"] == written["grpo"]["ends"] == 45
  own = written["grpo"]
  assert (own["spent_seconds"], own["step_seconds"], own["compiling_seconds"]) == (897.0, 50.0, 100.0)


def test_a_budget_never_adds_steps_and_one_that_is_all_but_spent_ends_before_another_would_exceed_it(tmp_path):
  clock = Clock()
  assert len(learn(limit_of(tmp_path, clock), clock, lambda step: 0.1)) == 100
  for spent, steps in ((3600.0, 1), (3498.0 - 25.0, 2)):
    (tmp_path / "budget.json").unlink()
    clock = Clock(total=spent)
    taken = learn(limit_of(tmp_path, clock), clock, lambda step: 10.0)
    assert len(taken) == steps
    assert learn(limit_of(tmp_path, clock), clock, lambda step: 10.0) == taken


@pytest.mark.parametrize("steps", [1, 2, 4, 5])
def test_a_schedule_of_a_few_steps_is_decided_at_its_end(tmp_path, steps):
  clock = Clock()
  schedule = Schedule({"math": 50}, steps=steps, prompts_per_step=2, seed=0)
  limit = limit_of(tmp_path, clock, steps=steps)
  assert [step for step, _ in learn(limit, clock, lambda step: 1.0, schedule)] == list(range(steps))
  assert limit.decided("grpo") and limit.last == steps


def test_nothing_is_decided_before_four_steps_and_a_run_killed_there_measures_again(tmp_path):
  clock = Clock()
  limit = limit_of(tmp_path, clock)
  for step in range(1, 4):
    assert not limit.over(step, 60.0) and not limit.decided("grpo")
  again = limit_of(tmp_path, clock)
  assert not again.decided("grpo")
  assert len(learn(again, clock, lambda step: 60.0)) == 58  # 4 and (3498 - 240) / 60


def test_a_run_that_goes_on_keeps_what_was_decided_however_fast_it_is_now(tmp_path):
  clock = Clock()
  first = learn(limit_of(tmp_path, clock), clock, lambda step: 60.0)
  clock = Clock(total=1000.0)
  assert learn(limit_of(tmp_path, clock), clock, lambda step: 1.0) == first


def test_steps_that_grow_slower_end_the_run_in_time_and_that_is_kept_too(tmp_path, capsys):
  clock = Clock(total=100.0, evaluation=100.0)
  limit = limit_of(tmp_path, clock)
  taken = learn(limit, clock, lambda step: 60.0 if step < 10 else 120.0)
  assert limit.last == len(taken) < limit.decisions["grpo"]["steps"] == 54  # 4 and (3498 - 340 - 100) / 60
  assert clock.total + 100.0 <= 0.99 * 3600 - 30 and "ends after" in capsys.readouterr().out
  clock = Clock(total=1000.0)
  assert learn(limit_of(tmp_path, clock), clock, lambda step: 1.0) == taken


class Killed(Exception):
  pass


runs = []  # the budget and the steps taken of each


def run_of(policy, path, monkeypatch, *, seconds, killed_after=None, hours=0.05):
  """GRPO's loop as train.py has it, over steps that take `seconds` of the test's clock; returns the adapter."""
  from flax import nnx
  import jax
  import numpy as np

  from reasoner import train
  from reasoner.run import checkpoints
  from reasoner.run.settings import Settings
  from reasoner.run.workdir import Workdir
  from rewards import recipes

  fields = "steps=40", f"time_budget_hours={hours}", "evaluate_every=0", "checkpoint_every=5"
  flags = [f"--config.train.{field}" for field in fields]
  settings = Settings.of(recipes.load(f"{ROOT}/experiments/seven_domain.py", flags, Settings)[0])
  workdir = Workdir(path)
  clock = types.SimpleNamespace(total=0.0, save=lambda: None, phase=lambda name: contextlib.nullcontext())
  clock.seconds = lambda: {"total": clock.total, "evaluation": 0.0}
  workdir.path.mkdir(exist_ok=True)
  taken = []

  def take_step(learner, service, corpus, schedule, step, *rest):
    if killed_after is not None and len(taken) >= killed_after:
      raise Killed
    model = learner.policy.actor
    gradient = jax.tree.map(lambda array: jax.numpy.full_like(array, np.cos(step)), nnx.state(model, nnx.LoRAParam))
    learner.optimizer.update(model, gradient)
    clock.total += seconds
    taken.append(step)
    learned = types.SimpleNamespace(rows=[], examples=[], rollout=types.SimpleNamespace(texts=[]), breakdowns=[])
    measured = {
        "seconds/step": seconds, "train/loss": 0.0, "train/gradient_norm": 1.0, "rewards/gate_pass_rate": 1.0
    }
    return measured, types.SimpleNamespace(learned=learned), np.zeros(0)

  kept = types.SimpleNamespace(write=lambda *_: None, flush=lambda: None)
  monkeypatch.setattr(train, "take_step", take_step)
  monkeypatch.setattr(train.completions, "Completions", lambda *_: kept)
  monkeypatch.setattr(train.records, "samples", lambda *_: [])
  monkeypatch.setattr(train.grpo.Learner, "log_likelihood", lambda *_: 0.0)
  monkeypatch.setattr(policy.tokenizer, "turns", gemma3.TURNS, raising=False)
  evaluator = types.SimpleNamespace(sample_share=0.0, begin=lambda *_: None, during=lambda *_: None)
  schedule = Schedule({"math": 50}, steps=40, prompts_per_step=2, seed=0)
  limit = budget.Budget(
      workdir.budget, settings.train, clock, goes_on=True, cold_start_steps=0, evaluation_rows=1
  )
  first = checkpoints.arrays_of(policy.actor, nnx.LoRAParam)
  try:
    for part, end in limit.parts(schedule):
      train.learn(policy, None, None, part, end, limit, None, settings, workdir, clock, evaluator)
    return {name: np.asarray(array) for name, array in checkpoints.arrays_of(policy.actor, nnx.LoRAParam).items()}
  except Killed:
    return None
  finally:
    checkpoints.assign(policy.actor, first, nnx.LoRAParam)
    runs.append((limit, taken))


def rates_of(path):
  return [json.loads(line)["train/learning_rate"] for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_a_budgeted_run_that_is_killed_ends_in_the_bits_of_the_one_that_is_not(policy, tmp_path, monkeypatch):
  """180 seconds hold 4 + (0.98 x 180 - 30 - 24) / 6 = 24 of 40 steps."""
  import numpy as np

  whole = run_of(policy, tmp_path / "whole", monkeypatch, seconds=6.0)
  rates = rates_of(tmp_path / "whole")
  assert len(rates) == 24 and rates[4] > rates[3] and rates[-1] < 0.02 * max(rates)
  path = tmp_path / "killed"
  assert run_of(policy, path, monkeypatch, seconds=6.0, killed_after=3) is None  # before the decision
  assert not (path / "budget.json").exists() and not list(path.glob("checkpoints/grpo/[0-9]*"))
  assert run_of(policy, path, monkeypatch, seconds=6.0, killed_after=17) is None
  assert {int(p.name) for p in path.glob("checkpoints/grpo/[0-9]*")} == {5, 10, 15}
  again = run_of(policy, path, monkeypatch, seconds=0.1)  # faster now: what was decided stands
  assert runs[-1][1] == list(range(15, 24)) and runs[-1][0].last == 24
  assert rates_of(path) == rates and all(np.array_equal(again[name], whole[name]) for name in whole)


def test_a_decision_that_outlived_its_checkpoint_is_followed_from_the_start(policy, tmp_path, monkeypatch):
  import shutil

  import numpy as np

  whole = run_of(policy, tmp_path / "whole", monkeypatch, seconds=6.0)
  (tmp_path / "again").mkdir()
  shutil.copy(tmp_path / "whole/budget.json", tmp_path / "again")
  again = run_of(policy, tmp_path / "again", monkeypatch, seconds=0.1)
  assert rates_of(tmp_path / "again") == rates_of(tmp_path / "whole")
  assert all(np.array_equal(again[name], whole[name]) for name in whole)
