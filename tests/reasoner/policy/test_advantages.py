"""Advantages by hand: what is not scored leaves its group."""

import numpy as np
import pytest

from reasoner.policy.advantages import centred
from reasoner.policy.advantages import normalised
from reasoner.policy.advantages import over_scored

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
