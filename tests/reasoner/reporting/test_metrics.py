"""Step metrics by domain, worked by hand, and the log that holds each step once."""

import numpy as np
import pytest

from reasoner.policy.advantages import Paid
from reasoner.reporting import metrics
from reasoner.run import files
from rewards.format import render
from rewards.schema import Example
from rewards.schema import RewardBreakdown
from rewards.schema import Text


def breakdown(total, *, failure=None, correct=None, causes=(), default_total=None, **scores):
  return RewardBreakdown(
      gate=failure is None, failure=failure, scores=scores, weights={}, total=total,
      default_total=total if default_total is None else default_total, correct=correct, causes=causes,
  )


def example(domain):
  return Example(uid=domain, domain=domain, prompt="p", reference=Text(text="t"))


def test_means_are_by_domain_and_absent_where_nothing_was_measured():
  measured = metrics.measure(
      [example("math"), example("math"), example("poems")],
      [
          breakdown(1.0, correct=True, math_answer=1.0),
          breakdown(0.0, failure="missing", correct=False),
          breakdown(0.5, default_total=0.75, coherence=0.5, judge=None, causes=("judge:not_scored",)),
      ],
  )
  assert measured["rewards/math/total"] == 0.5
  assert measured["rewards/math/gate_pass_rate"] == 0.5
  assert measured["rewards/math/accuracy"] == 0.5
  assert measured["rewards/math/math_answer"] == 1.0  # over the completions that it scored
  assert measured["rewards/poems/default_total"] == 0.75
  assert measured["rewards/poems/judge/not_scored"] == 1
  assert "rewards/poems/accuracy" not in measured and "rewards/poems/judge" not in measured
  assert measured["gate_failures/missing"] == 1 and measured["gate_failures/order"] == 0
  assert measured["rewards/total"] == 0.5


def test_the_guards_factor_is_measured_where_there_are_guards():
  guarded = lambda factor, failure=None: RewardBreakdown(
      gate=failure is None, failure=failure, scores={} if failure else {"watch": factor}, weights={},
      guards={"watch": 1.0}, guard_factor=1.0 if failure else factor, total=0.5, default_total=0.5, correct=None,
  )
  measured = metrics.measure(
      [example("poems")] * 3 + [example("math")],
      [guarded(0.25), guarded(0.75), guarded(1.0, failure="missing"), breakdown(1.0, math_answer=1.0)],
  )
  assert measured["rewards/poems/guard_factor"] == 0.5  # over the completions that guards saw
  assert "rewards/math/guard_factor" not in measured


def test_completions_are_described_by_domain_whatever_they_are_paid():
  texts = [
      render("one two three", "Red  fox"), render("one", "red fox"), render("one two", "a blue bird"), "none",
      render("r", "alone"), "no", "tags", "here",
  ]  # fmt: skip
  described = metrics.describe([example("poems")] * 4 + [example("math")] * 4, texts, 4)
  assert described == {
      "completions/poems/reasoning_words": 2.0,
      "completions/poems/answer_words": pytest.approx(7 / 3),
      "groups/poems/distinct_answers": pytest.approx(2 / 3),  # case and white space are no difference
      "completions/math/reasoning_words": 1.0,
      "completions/math/answer_words": 1.0,  # and no distinct answers: one valid completion is no group
  }
  assert metrics.describe([example("math")] * 2, ["no", "tags"], 2) == {}


def test_distinct_answers_are_counted_within_a_prompt():
  texts = [render("r", answer) for answer in ("a", "a", "b", "b", "a", "b", "c", "d")]
  described = metrics.describe([example("math")] * 8, texts, 4)
  assert described["groups/math/distinct_answers"] == (0.5 + 1.0) / 2


def test_the_log_holds_each_step_once_after_a_resume(tmp_path):
  log = metrics.Log(tmp_path, 0)
  for step in range(4):
    log.write(step, {"x": float(step)})
  log.close()
  log = metrics.Log(tmp_path, 2)
  log.write(2, {"x": 20.0})
  log.close()
  assert [(row["step"], row["x"]) for row in files.read_lines(tmp_path / "metrics.jsonl")] == [
      (0, 0.0), (1, 1.0), (2, pytest.approx(20.0))
  ]


def test_self_consistency_is_the_groups_mean_correctness_where_there_is_a_truth():
  group = [breakdown(1.0, correct=True), breakdown(0.0, failure="missing", correct=False)]
  unknown = [breakdown(0.5), breakdown(0.7)]
  assert metrics.self_consistency([*group, *unknown], 2) == [0.5, None]


def test_groups_of_a_small_spread_are_counted_by_domain_with_their_part_of_the_gradient():
  totals = np.array([0.60, 0.61, 0.0, 1.0, 0.5, 0.5, 0.3, 0.9])  # poems: noise and signal; math: flat and unscored
  scored = np.array([True] * 6 + [True, False])
  paid = Paid(totals=totals, scored=scored, factors=np.repeat([1.0, 1.0, 2.0, 2.0], 2))
  advantages = np.array([-0.7, 0.7, -0.7, 0.7, 0.0, 0.0, 0.0, 0.0])
  domains = ["poems", "poems", "math", "math"]
  measured = metrics.of_groups(domains, paid, advantages, np.array([1, 3, 4, 4, 1, 1, 1, 1]), [None, None, 0.5, 1.0])
  assert measured == pytest.approx({
      "groups/zero_advantage_fraction": 0.5,
      "groups/not_scored_fraction": 1 / 8,
      "groups/reward_factor": 1.5,
      "groups/small_spread_fraction": 2 / 3,  # one group has nothing to be compared with
      "groups/small_spread_gradient": 4 / 12,
      "groups/part_right_fraction": 0.5,
      "groups/math/part_right_fraction": 0.5,
      "groups/poems/small_spread_fraction": 0.5,
      "groups/poems/small_spread_gradient": 4 / 12,
      "groups/math/small_spread_fraction": 1.0,
      "groups/math/small_spread_gradient": 0.0,
  })
