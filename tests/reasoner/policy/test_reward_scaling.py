"""DISCO reward scaling: weights worked by hand, and what they do to Tunix's own advantages."""

import numpy as np
import pytest
from tunix.rl import function_registry

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


@pytest.mark.parametrize("name", algorithms.NAMES)
def test_the_algorithms_said_to_normalise_are_those_that_do(name):
  plain, scaled = advantages(name, REWARDS), advantages(name, REWARDS * 3)
  cancels = np.allclose(plain, scaled, rtol=1e-3)
  assert cancels == (name in algorithms.NORMALISES)


@pytest.mark.parametrize("name", algorithms.NORMALISES)
def test_an_algorithm_that_cancels_the_factor_is_refused_with_the_reason(name):
  with pytest.raises(ConfigError, match=f"{name}.*standard deviation.*Accepted: dr_grpo"):
    reward_scaling.RewardScaling(domain="log").check(name)
  reward_scaling.RewardScaling().check(name)


def test_unknown_weights_and_a_bad_epsilon_are_refused():
  with pytest.raises(ConfigError, match="Did you mean 'log'"):
    reward_scaling.RewardScaling(domain="logg")
  with pytest.raises(ConfigError, match="epsilon=0.0"):
    reward_scaling.RewardScaling(epsilon=0.0)
