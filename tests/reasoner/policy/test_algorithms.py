"""Which algorithms there are, and what each refuses."""

import pytest

from reasoner.policy.algorithms import Algorithm
from rewards.errors import ConfigError


def make(**changes):
  return Algorithm(**(dict(name="grpo", num_generations=4, num_iterations=1, beta=0.04, epsilon=0.2) | changes))


def test_an_unknown_name_suggests_the_nearest():
  with pytest.raises(ConfigError, match="Did you mean 'grpo'.*Accepted: grpo, dr_grpo, dapo, gspo"):
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
