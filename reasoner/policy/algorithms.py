"""Policy-optimisation algorithms by name, what each accepts, and the rollouts that they learn from.

grpo (https://arxiv.org/abs/2402.03300), dr_grpo (https://arxiv.org/abs/2503.20783: no division by
the standard deviation nor by the completion's length), dapo (https://arxiv.org/abs/2503.14476:
clip-higher and a mean over tokens, without a KL term), gspo (https://arxiv.org/abs/2507.18071: one
ratio a sequence). Their losses are in losses.py. No JAX here, so that checks stay fast.
"""

import dataclasses
from typing import Annotated

from rewards.errors import ConfigError
from rewards.settings import Count
from rewards.settings import NotNegative
from rewards.settings import OneOf
from rewards.settings import Range
from rewards.settings import Section
from rewards.settings import WholeNumber

NAMES = ("grpo", "dr_grpo", "dapo", "gspo")
# How far a ratio may fall below and rise above 1. gspo's is a mean over a row, a thousandth as wide.
CLIP_RANGES = {"grpo": (0.2, 0.2), "dr_grpo": (0.2, 0.2), "dapo": (0.2, 0.28), "gspo": (3e-4, 4e-4)}
NORMALISES = ("grpo", "dapo", "gspo")  # divide a group's advantages by the deviation of its rewards


@dataclasses.dataclass(frozen=True, kw_only=True)
class Algorithm(Section, place="config.grpo"):
  """An algorithm and its hyperparameters."""

  name: Annotated[str, OneOf(NAMES)] = dataclasses.field(metadata={"called": "algorithm"})
  num_generations: Annotated[int, Range(2)]  # completions a prompt (G)
  num_iterations: Count  # updates a batch (mu)
  beta: NotNegative  # weight of the KL term; 0 drops it and the reference with it
  epsilon: NotNegative | None = None  # clip range of the ratio; None: the algorithm's own, CLIP_RANGES
  epsilon_high: NotNegative | None = None  # its upper side, dapo alone

  def __post_init__(self):
    super().__post_init__()
    if self.name == "dapo" and self.beta:
      raise ConfigError(f"config.grpo.beta={self.beta}: dapo has no KL term; expected 0.0.")
    if self.name != "dapo" and self.epsilon_high is not None:
      raise ConfigError(
          f"config.grpo.epsilon_high={self.epsilon_high}: {self.name} has one clip range, epsilon, for both "
          "sides; expected None."
      )
    low, high = self.clip_range
    if high < low:
      raise ConfigError(f"config.grpo.epsilon_high={high}: expected at least epsilon ({low}).")

  @property
  def clip_range(self) -> tuple[float, float]:
    """How far the ratio may fall below and rise above 1: as set, else the algorithm's own."""
    low, high = CLIP_RANGES[self.name]
    if self.epsilon is not None:
      low, high = self.epsilon, high if self.name == "dapo" else self.epsilon
    return low, high if self.epsilon_high is None else self.epsilon_high


@dataclasses.dataclass(frozen=True, kw_only=True)
class RolloutSettings(Section, place="config.rollout"):
  """How long prompts and completions may be, and how completions are drawn in training."""

  max_prompt_tokens: Count  # longer tasks are cut in their middle
  max_new_tokens: Count  # of a completion; what does not end by then is cut off
  temperature: Annotated[float, Range(0.01)]  # divides the logits
  top_p: Annotated[float, Range(0.01, 1.0)]  # least probability mass that is drawn from; 1: all
  top_k: WholeNumber  # most tokens that are drawn from; 0: all
