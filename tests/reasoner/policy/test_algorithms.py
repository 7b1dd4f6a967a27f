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
  assert make(name="dapo", beta=0.0).epsilon_high == 0.28
