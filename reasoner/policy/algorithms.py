"""Policy-optimisation algorithms by name, and what each accepts; no JAX, so checks stay fast.

grpo (https://arxiv.org/abs/2402.03300), dr_grpo (https://arxiv.org/abs/2503.20783: no division by
the standard deviation nor by the completion's length), dapo (https://arxiv.org/abs/2503.14476:
clip-higher and a mean over tokens, without a KL term), gspo (https://arxiv.org/abs/2507.18071: one
ratio a sequence). grpo.py maps them to Tunix.
"""

import dataclasses

from rewards.errors import ConfigError
from rewards.errors import suggest

NAMES = ("grpo", "dr_grpo", "dapo", "gspo")
NORMALISES = ("grpo", "dapo", "gspo")  # divide a group's advantages by the deviation of its rewards


@dataclasses.dataclass(frozen=True, kw_only=True)
class Algorithm:
  """An algorithm and its hyperparameters.

  num_generations: completions a prompt (G). num_iterations: updates a batch (mu). beta: weight of
  the KL term; 0 drops it and the reference with it. epsilon: clip range of the ratio;
  epsilon_high: its upper side, dapo alone.

  Raises:
    ConfigError: a value is out of range or does not fit the algorithm.
  """

  name: str
  num_generations: int
  num_iterations: int
  beta: float
  epsilon: float
  epsilon_high: float = 0.28

  def __post_init__(self):
    if self.name not in NAMES:
      raise ConfigError(
          f"config.grpo.algorithm={self.name!r} is unknown. {suggest(self.name, NAMES)}"
          f"Accepted: {', '.join(NAMES)}."
      )
    for field, least in (("num_generations", 2), ("num_iterations", 1)):
      if getattr(self, field) < least:
        raise ConfigError(f"config.grpo.{field}={getattr(self, field)}: expected {least} or more.")
    for field in ("beta", "epsilon", "epsilon_high"):
      if not 0 <= getattr(self, field) < float("inf"):
        raise ConfigError(f"config.grpo.{field}={getattr(self, field)}: expected a number, 0 or more.")
    if self.name == "dapo" and self.beta:
      raise ConfigError(f"config.grpo.beta={self.beta}: dapo has no KL term; expected 0.0.")
    if self.name == "dapo" and self.epsilon_high < self.epsilon:
      raise ConfigError(
          f"config.grpo.epsilon_high={self.epsilon_high}: expected at least epsilon ({self.epsilon})."
      )
