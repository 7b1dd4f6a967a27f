"""DISCO reward scaling: weights worked by hand, and what they do to Tunix's own advantages."""

import numpy as np
import pytest
from tunix.rl import function_registry

from reasoner.policy import advantages as advantages_lib
from reasoner.policy import algorithms
from reasoner.policy import reward_scaling
from rewards.errors import ConfigError
from tests.reasoner.policy.test_losses import tunix_config

SHARES = {"math": 0.75, "coding": 0.25}
REWARDS = np.array([0.2, 1.0, 0.0, 1.0, 0.2, 0.2, 0.0, 1.0])  # two groups of four


def advantages(name: str, rewards: np.ndarray) -> np.ndarray:
  algorithm = algorithms.Algorithm(name=name, num_generations=4, num_iterations=1, beta=0.0, epsilon=0.2)
  estimate = function_registry.get_advantage_estimator(tunix_config(algorithm).advantage_estimator)
  return np.asarray(estimate(rewards=rewards, num_generations=4))


@pytest.mark.parametrize(
    "name, math_weight, coding_weight",
    [
        ("none", 1.0, 1.0),
        ("log", 0.8472978604, 1.6094379124),  # ln(1 + 4/3), ln 5
        ("log_squared", 0.7179136642, 2.5902903939),
        ("inverse", 4 / 3, 4.0),
    ],
)
def test_a_domain_weighs_what_its_share_says(name, math_weight, coding_weight):
  scaling = reward_scaling.RewardScaling(domain=name)
  assert scaling.factors(["math", "coding"], [None, 0.5], SHARES) == pytest.approx([math_weight, coding_weight])


def test_a_hard_prompt_weighs_more_and_one_without_a_truth_as_before():
  scaling = reward_scaling.RewardScaling(difficulty=True, epsilon=0.25)
  factors = scaling.factors(["math"] * 4, [0.0, 0.25, 1.0, None], SHARES)
  assert factors == pytest.approx([4.0, 2.0, 0.8, 1.0])  # 1 / (0 + 1/4), 1 / (1/4 + 1/4), 1 / (1 + 1/4)


def test_dr_grpo_advantages_change_by_exactly_the_factor():
  scaling = reward_scaling.RewardScaling(domain="inverse", difficulty=True, epsilon=0.25)
  factors = scaling.factors(["math", "coding"], [0.5, 0.25], SHARES)
  assert factors == pytest.approx([4 / 3 / 0.75, 4.0 / 0.5])
  scaled = advantages("dr_grpo", REWARDS * np.repeat(factors, 4))
  np.testing.assert_allclose(scaled, advantages("dr_grpo", REWARDS) * np.repeat(factors, 4), rtol=1e-6)


def algorithm_of(name, normalize="none", scale=None):
  return algorithms.Algorithm(
      name=name, num_generations=4, num_iterations=1, beta=0.0, normalize_rewards=normalize, scale_rewards=scale
  )


@pytest.mark.parametrize("name, normalize, scale, keeps", algorithms.combinations())
def test_a_factor_of_one_group_reaches_the_gradient_where_the_table_says_so(name, normalize, scale, keeps):
  algorithm = algorithm_of(name, normalize, scale)
  parts = {"format": (np.array([1, 1, 0, 1, 1, 1, 0, 1.0]), np.ones(8)), "own": (REWARDS, np.full(8, 2.0))}
  ratio = []
  for factor in (1.0, 3.0):
    factors = np.repeat([factor, 1.0], 4)
    # For gdpo and maxrl too the rewards themselves are multiplied: `estimate` must not be what is believed.
    scaled = {part: (values * factors, weights) for part, (values, weights) in parts.items()}
    paid = advantages_lib.Paid(
        totals=REWARDS * factors, scored=np.ones(8, bool), factors=np.ones(8), parts=scaled
    )
    advantages_of = advantages_lib.estimate(paid, algorithm)
    ratio.append(np.abs(advantages_of[:4]).sum() / np.abs(advantages_of[4:]).sum())
  assert ratio[1] / ratio[0] == pytest.approx(3.0 if keeps else 1.0, rel=1e-3)


@pytest.mark.parametrize("name, normalize, scale, keeps", algorithms.combinations())
def test_where_the_factor_is_cancelled_it_is_refused_with_the_reason(name, normalize, scale, keeps):
  algorithm, scaling = algorithm_of(name, normalize, scale), reward_scaling.RewardScaling(domain="log")
  reward_scaling.RewardScaling().check(algorithm)
  if keeps:
    scaling.check(algorithm)
  else:
    reason = "mean" if name == "maxrl" else "standard deviation"
    with pytest.raises(ConfigError, match=f"'{name}'.*'{scale}'.*own {reason}.*Accepted: .*dr_grpo with"):
      scaling.check(algorithm)


def test_difficulty_is_maxrl_with_an_epsilon_where_the_reward_is_correctness():
  correct = np.array([1.0, 0.0, 0.0, 0.0])
  scaling = reward_scaling.RewardScaling(difficulty=True, epsilon=1e-9)
  factors = np.repeat(scaling.factors(["math"], [0.25], SHARES), 4)
  scored = np.ones(4, bool)
  weighed = advantages_lib.Paid(totals=correct, scored=scored, factors=factors)
  plain = advantages_lib.Paid(totals=correct, scored=scored, factors=np.ones(4))
  expected = [3.0, -1.0, -1.0, -1.0]  # (1 - 0.25) / 0.25, (0 - 0.25) / 0.25
  np.testing.assert_allclose(advantages_lib.estimate(plain, algorithm_of("maxrl")), expected, rtol=1e-6)
  np.testing.assert_allclose(advantages_lib.estimate(weighed, algorithm_of("dr_grpo")), expected, rtol=1e-6)


def test_unknown_weights_and_a_bad_epsilon_are_refused():
  with pytest.raises(ConfigError, match="Did you mean 'log'"):
    reward_scaling.RewardScaling(domain="logg")
  with pytest.raises(ConfigError, match="epsilon=0.0"):
    reward_scaling.RewardScaling(epsilon=0.0)
