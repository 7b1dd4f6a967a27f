"""DISCO reward scaling: rewards of rare domains and hard prompts count more.

  >>> RewardScaling(domain="log").factors(["coding"], [None], {"coding": 0.0611})
  [2.854...]

Beside DISCO sampling, which changes what is drawn, this changes what a draw weighs
(https://arxiv.org/abs/2505.15074): a group's rewards are multiplied by a weight of its domain's share
p_d of the drawn prompts, and by 1 / (SC + epsilon), SC the group's self-consistency, here the mean
correctness of its completions.

A factor that a whole group shares vanishes where its advantages are divided by the deviation or the mean
of its own rewards: `algorithms.TABLE` says where it does not. With difficulty=True and a reward that is
correctness alone, dr_grpo's advantages are (r - SC) / (SC + epsilon): those of maxrl, (r - SC) / SC, with an
epsilon, which keeps a prompt that is hardly ever answered from weighing as much as its rarity says.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import math
from typing import Annotated

from reasoner.policy import algorithms
from rewards.errors import ConfigError
from rewards.settings import OneOf
from rewards.settings import Positive
from rewards.settings import Section

# The weight of a domain with the share p of the drawn prompts.
DOMAIN_WEIGHTS = {
    "none": lambda p: 1.0,
    "log": lambda p: math.log(1 + 1 / p),
    "log_squared": lambda p: math.log(1 + 1 / p) ** 2,
    "inverse": lambda p: 1 / p,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RewardScaling(Section, place="config.disco.reward_scaling"):
  """How a group's rewards are scaled; the default leaves them as they are."""

  domain: Annotated[str, OneOf(DOMAIN_WEIGHTS)] = "none"  # what a domain's share of the draws weighs
  difficulty: bool = False  # whether prompts rarely answered right count more, where there is a truth
  epsilon: Positive = 0.1  # a prompt that nobody answered right weighs 1 / epsilon

  @property
  def is_on(self) -> bool:
    return self.difficulty or self.domain != "none"

  def check(self, algorithm: algorithms.Algorithm) -> None:
    """Raises ConfigError where the algorithm would cancel what this scales."""
    if self.is_on and not algorithm.keeps_factors:
      accepted = [
          f"{name} with scale_rewards={scale}"
          for name, normalize, scale, keeps in algorithms.combinations() if keeps and normalize == "none"
      ]  # fmt: skip
      divisor = "mean" if algorithm.name == "maxrl" else "standard deviation"
      raise ConfigError(
          f"config.disco.reward_scaling (domain={self.domain!r}, difficulty={self.difficulty}) has no effect "
          f"with config.grpo.algorithm={algorithm.name!r}, scale_rewards={algorithm.scale!r} and "
          f"normalize_rewards={algorithm.normalize_rewards!r}: what a group is paid is divided by its own "
          f"{divisor}, which cancels every factor of the group. Accepted: {', '.join(accepted)}."
      )

  def factors(
      self, domains: Sequence[str], self_consistency: Sequence[float | None], shares: Mapping[str, float]
  ) -> list[float]:
    """Returns what each group's rewards are multiplied by.

    Args:
      domains: of the groups.
      self_consistency: each group's mean correctness from 0 to 1; None where there is no truth.
      shares: each domain's share of the drawn prompts, above 0.
    """
    weigh = DOMAIN_WEIGHTS[self.domain]
    return [
        weigh(shares[domain]) * (1 / (mean + self.epsilon) if self.difficulty and mean is not None else 1.0)
        for domain, mean in zip(domains, self_consistency, strict=True)
    ]
