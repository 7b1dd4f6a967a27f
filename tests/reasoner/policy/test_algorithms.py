"""Which algorithms there are, and what each refuses."""

import itertools

import pytest

from reasoner.policy import algorithms
from reasoner.policy.algorithms import Algorithm
from rewards.errors import ConfigError


def make(**changes):
  return Algorithm(**(dict(name="grpo", num_generations=4, num_iterations=1, beta=0.04, epsilon=0.2) | changes))


def test_an_unknown_name_suggests_the_nearest():
  with pytest.raises(ConfigError, match="Did you mean 'grpo'.*Accepted: grpo, dr_grpo, dapo, gspo, maxrl"):
    make(name="grop")


@pytest.mark.parametrize(
    "changes", [dict(num_generations=1), dict(num_iterations=0), dict(beta=-0.1), dict(epsilon=float("nan"))]
)
def test_a_value_out_of_range_is_refused_with_its_field(changes):
  with pytest.raises(ConfigError, match=f"config.grpo.{next(iter(changes))}="):
    make(**changes)


def test_dapo_has_no_kl_term():
  with pytest.raises(ConfigError, match="dapo has no KL term"):
    make(name="dapo")


@pytest.mark.parametrize("changes, expected", [
    (dict(epsilon=None), (0.2, 0.2)),
    (dict(name="dr_grpo", epsilon=0.1), (0.1, 0.1)),
    (dict(name="gspo", epsilon=None), (3e-4, 4e-4)),
    (dict(name="gspo", epsilon=1e-3), (1e-3, 1e-3)),
    (dict(name="dapo", beta=0.0, epsilon=None), (0.2, 0.28)),
    (dict(name="dapo", beta=0.0, epsilon=0.1, epsilon_high=0.3), (0.1, 0.3)),
])
def test_each_algorithm_has_its_own_clip_range_unless_one_is_set(changes, expected):
  assert make(**changes).clip_range == expected


@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "gspo"])
def test_only_dapo_has_another_upper_side(name):
  with pytest.raises(ConfigError, match=f"config.grpo.epsilon_high=0.28: {name} has one clip range"):
    make(name=name, epsilon_high=0.28)
  with pytest.raises(ConfigError, match="config.grpo.epsilon_high=0.1: expected at least epsilon"):
    make(name="dapo", beta=0.0, epsilon_high=0.1)


def test_the_table_in_the_documentation_is_the_one_that_decides():
  lines = [line.split() for line in algorithms.__doc__.splitlines()]
  said = lines[lines.index(["algorithm", "normalize_rewards", "scale_rewards", "disco.reward_scaling"]) + 1 :]
  rows = [[*names, "yes" if scaling else "no"] for *names, scaling in algorithms.combinations()]
  assert [line for line in said if line] == rows


@pytest.mark.parametrize(
    "name, normalize, scale", itertools.product(algorithms.NAMES, algorithms.NORMALIZATIONS, algorithms.SCALES)
)
def test_every_pair_that_the_table_lacks_is_refused_with_a_reason_and_what_is_accepted(name, normalize, scale):
  settings = dict(name=name, normalize_rewards=normalize, scale_rewards=scale, beta=0.0)
  if (name, normalize, scale) in [row[:3] for row in algorithms.combinations()]:
    assert make(**settings).scale == scale
    return
  with pytest.raises(ConfigError, match=r"config.grpo.(scale|normalize)_rewards='.*' does not go with .*: .+\. Accepted: "):
    make(**settings)


@pytest.mark.parametrize("name, normalize, scale", [
    ("grpo", "none", "group"), ("dapo", "none", "group"), ("gspo", "none", "group"), ("dr_grpo", "none", "none"),
    ("maxrl", "none", "none"), ("grpo", "gdpo", "batch"),
])
def test_each_is_scaled_as_it_was_published_unless_told_otherwise(name, normalize, scale):
  assert make(name=name, normalize_rewards=normalize, beta=0.0).scale == scale
