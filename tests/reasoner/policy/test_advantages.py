"""Advantages by hand: what is not scored leaves its group."""

import numpy as np
import pytest

from reasoner.policy.advantages import centred
from reasoner.policy.advantages import estimate
from reasoner.policy.advantages import normalised
from reasoner.policy.advantages import over_scored
from reasoner.policy.advantages import Paid
from reasoner.policy.advantages import relative
from reasoner.policy.algorithms import Algorithm
from rewards import scorer
from rewards.format import parse
from rewards.format import render
from rewards.registry import Spec
from rewards.schema import Example
from rewards.schema import Text

ALL = [True] * 4


@pytest.mark.parametrize("ours, theirs", [(centred, "drgrpo"), (normalised, "grpo")])
def test_the_estimators_are_tunix_s_own(ours, theirs):
  from tunix.rl import function_registry

  rewards = np.random.default_rng(0).random(24)
  expected = function_registry.get_advantage_estimator(theirs)(rewards=rewards, num_generations=4)
  np.testing.assert_allclose(ours(rewards, 4), expected, rtol=1e-9)


def test_a_group_scored_whole_is_the_estimators():
  rewards = np.array([1.0, 0.0, 0.0, 1.0, 0.3, 0.1, 0.5, 0.2])
  np.testing.assert_allclose(over_scored(rewards, ALL * 2, 4, normalised), normalised(rewards, 4), rtol=1e-6)


@pytest.mark.parametrize("unscored", [0.0, 1.0, 1e9, np.nan])
def test_what_is_not_scored_counts_in_neither_mean_nor_deviation_and_gets_zero(unscored):
  rewards, scored = [1.0, 0.0, unscored, 0.2], [True, True, False, True]
  # Mean 1.2 / 3 = 0.4; deviation sqrt((0.36 + 0.16 + 0.04) / 2) = sqrt(0.28).
  np.testing.assert_allclose(over_scored(rewards, scored, 4, centred), [0.6, -0.4, 0.0, -0.2], atol=1e-7)
  expected = np.array([0.6, -0.4, 0.0, -0.2]) / np.sqrt(0.28)
  np.testing.assert_allclose(over_scored(rewards, scored, 4, normalised), expected, atol=1e-5)


def test_groups_of_every_count_keep_their_places():
  rewards = [1.0, 0.0, 9.0, 0.2, 0.0, 1.0, 0.0, 1.0, 9.0, 1.0, 0.0, 9.0]
  scored = [True, True, False, True, True, True, True, True, False, True, True, False]
  expected = [0.6, -0.4, 0.0, -0.2, -0.5, 0.5, -0.5, 0.5, 0.0, 0.5, -0.5, 0.0]
  np.testing.assert_allclose(over_scored(rewards, scored, 4, centred), expected, atol=1e-7)


@pytest.mark.parametrize("scored", [[False] * 4, [False, True, False, False]])
def test_fewer_than_two_have_nothing_to_be_compared_with(scored):
  assert not over_scored([1.0, 0.5, 0.2, 0.0], scored, 4, normalised).any()


def test_equal_rewards_give_exact_zeros_with_one_left_out_too():
  assert not over_scored([0.1, 0.1, 0.7, 0.1], [True, True, False, True], 4, normalised).any()


def algorithm_of(name="grpo", **changes):
  return Algorithm(**(dict(name=name, num_generations=4, num_iterations=1, beta=0.0) | changes))


def paid_of(totals, scored=None, factors=None, parts=()):
  n = len(totals)
  return Paid(
      totals=np.array(totals), scored=np.array(scored or [True] * n), factors=np.array(factors or [1.0] * n),
      parts={name: (np.array(values), np.array(weights)) for name, (values, weights) in dict(parts).items()},
  )


# Two groups of four: means 0.5 and 0.3; squares about them 4 x 0.25 = 1 and 0.04 + 0.01 + 0.01 + 0.04 = 0.1.
TOTALS = [1.0, 0.0, 0.0, 1.0, 0.1, 0.2, 0.4, 0.5]
CENTRED = np.array([0.5, -0.5, -0.5, 0.5, -0.2, -0.1, 0.1, 0.2])


def test_scaled_by_group_both_groups_weigh_the_same():
  expected = CENTRED / np.repeat([np.sqrt(1 / 3), np.sqrt(0.1 / 3)], 4)
  np.testing.assert_allclose(estimate(paid_of(TOTALS), algorithm_of()), expected, rtol=1e-4)


def test_scaled_by_batch_one_deviation_divides_the_whole_step():
  # All eight: mean 0.4, squares 2 x 0.36 + 2 x 0.16 + 0.09 + 0.04 + 0 + 0.01 = 1.18, over 7.
  expected = CENTRED / np.sqrt(1.18 / 7)
  np.testing.assert_allclose(estimate(paid_of(TOTALS), algorithm_of(scale_rewards="batch")), expected, rtol=1e-4)


def test_the_batch_s_deviation_is_of_what_was_scored():
  paid = paid_of([*TOTALS, 7.0, 7.0, 7.0, 7.0], [True] * 8 + [False] * 4)
  advantages = estimate(paid, algorithm_of(scale_rewards="batch"))
  np.testing.assert_allclose(advantages, [*CENTRED / np.sqrt(1.18 / 7), 0, 0, 0, 0], rtol=1e-4)


def test_scaled_by_none_they_are_centred():
  np.testing.assert_allclose(estimate(paid_of(TOTALS), algorithm_of(scale_rewards="none")), CENTRED, atol=1e-7)


def test_maxrl_divides_by_the_mean():
  expected = CENTRED / np.repeat([0.5, 0.3], 4)
  np.testing.assert_allclose(estimate(paid_of(TOTALS), algorithm_of("maxrl")), expected, rtol=1e-6)
  assert not relative(np.zeros(4), 4).any()  # nobody was paid: nothing to learn, and no division by zero


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_a_group_within_the_least_spread_is_flat_whatever_factor_it_has(scale):
  noise = [0.600, 0.605, 0.603, 0.601]
  paid = paid_of([*noise, 1.0, 0.0, 0.0, 1.0], factors=[100.0] * 4 + [1.0] * 4)
  loud = estimate(paid, algorithm_of(scale_rewards=scale))
  quiet = estimate(paid, algorithm_of(scale_rewards=scale, least_spread=0.02))
  assert loud[:4].all() and not quiet[:4].any() and (loud[4:] == quiet[4:]).all()
  assert estimate(paid, algorithm_of(scale_rewards=scale, least_spread=0.005))[:4].any()  # under, not at


# One group: format passed by three; a component of weight 3 pays 1, 0, 0 (gated), 1.
FORMAT, OWN = [1.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]
# Means 0.75 and 0.5, deviations sqrt(0.75 / 3) = 0.5 and sqrt(1 / 3); weights 1 and 3 of 4.
SUMS = (np.array([0.25, 0.25, -0.75, 0.25]) / 0.5 + 3 * np.array([0.5, -0.5, -0.5, 0.5]) * np.sqrt(3)) / 4


def test_gdpo_normalises_each_component_in_its_group_and_adds_them_up_by_weight():
  paid = paid_of([1.0, 0.25, 0.0, 1.0], parts={"format": (FORMAT, [1.0] * 4), "own": (OWN, [3.0] * 4)})
  plain = estimate(paid, algorithm_of(normalize_rewards="gdpo", scale_rewards="none"))
  np.testing.assert_allclose(plain, SUMS, rtol=1e-4)
  assert plain[2] < plain[1] < 0 < plain[0]  # failing the gate is worse than being wrong
  published = estimate(paid, algorithm_of(normalize_rewards="gdpo"))
  np.testing.assert_allclose(published, SUMS / np.sqrt((SUMS**2).sum() / 3), rtol=1e-4)


def test_gdpo_leaves_out_what_is_flat_and_who_is_not_scored():
  parts = {
      "format": ([1.0, 1.0, 0.0, 1.0, 1.0], [1.0] * 5), "own": ([*OWN, 0.0], [3.0] * 4 + [0.0]),
      "noise": ([0.5, 0.51, 0.5, 0.5, 0.0], [4.0] * 4 + [0.0]),
  }  # fmt: skip
  paid = paid_of([1.0, 0.25, 0.0, 1.0, 0.0], [True] * 4 + [False], parts=parts)
  algorithm = algorithm_of(normalize_rewards="gdpo", scale_rewards="none", least_spread=0.02, num_generations=5)
  np.testing.assert_allclose(estimate(paid, algorithm), [*SUMS / 2, 0.0], rtol=1e-4)  # 4 of 8 weigh


@pytest.mark.parametrize("normalize", ["none", "gdpo"])
def test_a_step_of_which_nothing_was_scored_has_no_advantages(normalize):
  nothing = estimate(paid_of([0.0] * 8, [False] * 8), algorithm_of(normalize_rewards=normalize, scale_rewards="batch"))
  assert nothing.shape == (8,) and not nothing.any()


def breakdowns():
  """A gate failure, a cheat that a guard halves, a stopped one, one without a judge, a good one; in one group."""
  spec = lambda name, kind: Spec(  # noqa: E731
      name=name, kind=kind, domains=("poems",), scope="completion", function=None, origin="here"
  )
  components = {
      name: scorer.Component(name=name, spec=spec(name, kind), settings={}, weight=weight, default_weight=weight)
      for name, kind, weight in [
          ("meter", "quality", 3.0), ("judge", "quality", 2.0), ("pasting", "guard", 1.0), ("idle", "quality", 0.0)
      ]
  }
  domain = scorer.DomainRewards(format_weight=1.0, default_format_weight=1.0, components=components)
  example = Example(uid="a", domain="poems", prompt="p", reference=Text(text="t"))
  good = parse(render("r", "a"))
  scores = lambda meter, pasting, judge=0.5: dict(meter=meter, judge=judge, pasting=pasting, idle=1.0)  # noqa: E731
  cases = [
      (parse("no tags"), {}), (good, scores(0.8, 0.5)), (good, scorer.Stopped(component="meter", cause="deadline")),
      (good, scores(0.8, 1.0, scorer.Unscored("judge", "down"))), (good, scores(0.4, 1.0)),
  ]  # fmt: skip
  return [scorer._breakdown(example, domain, completion, alone, {}, set()) for completion, alone in cases]


def test_the_parts_of_a_total_are_what_it_is_the_mean_of_behind_gate_and_guards():
  failed, cheat, stopped, unjudged, fine = breakdowns()
  assert failed.parts == stopped.parts == dict(format=0.0, meter=0.0, judge=0.0)
  assert cheat.parts == dict(format=1.0, meter=0.4, judge=0.25)
  assert fine.parts == dict(format=1.0, meter=0.4, judge=0.5)
  assert unjudged.parts == {} and unjudged.total is None
  for breakdown in (failed, cheat, stopped, fine):
    weights = [breakdown.weights[name] for name in breakdown.parts]
    assert np.average(list(breakdown.parts.values()), weights=weights) == pytest.approx(breakdown.total)


def test_what_was_paid_is_read_from_breakdowns():
  paid = Paid.of(breakdowns(), [2.0])
  assert paid.scored.tolist() == [True, True, True, False, True] and (paid.factors == 2.0).all()
  np.testing.assert_allclose(paid.totals, [0.0, (1 + 1.2 + 0.5) / 6, 0.0, 0.0, (1 + 1.2 + 1.0) / 6])
  values, weights = paid.parts["meter"]
  assert values.tolist() == [0.0, 0.4, 0.0, 0.0, 0.4] and weights.tolist() == [3.0, 3.0, 3.0, 0.0, 3.0]
  assert set(paid.parts) == {"format", "meter", "judge"}
  np.testing.assert_allclose(paid.spreads(5), [3.2 / 6])
  assert np.isnan(paid_of(TOTALS, [True, False, False, False] + [True] * 4).spreads(4)[0])
