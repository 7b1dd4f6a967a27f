"""Policy-optimisation algorithms by name, what each accepts, and the rollouts that they learn from.

grpo (https://arxiv.org/abs/2402.03300), dr_grpo (https://arxiv.org/abs/2503.20783: no division by
the standard deviation nor by the completion's length), dapo (https://arxiv.org/abs/2503.14476:
clip-higher and a mean over tokens, without a KL term), gspo (https://arxiv.org/abs/2507.18071: one
ratio a sequence), maxrl (https://arxiv.org/abs/2602.02710: dr_grpo's loss, advantages divided by the
group's mean reward). Their losses are in losses.py, their advantages in advantages.py. No JAX here, so
that checks stay fast.

What goes together (TABLE, which refuses the rest; the first scale_rewards is the one that None means):

algorithm  normalize_rewards  scale_rewards  disco.reward_scaling
grpo       none               group          no
grpo       none               batch          yes
grpo       none               none           yes
grpo       gdpo               batch          no
grpo       gdpo               none           no
dr_grpo    none               none           yes
dr_grpo    none               batch          yes
dapo       none               group          no
dapo       none               batch          yes
dapo       none               none           yes
dapo       gdpo               batch          no
dapo       gdpo               none           no
gspo       none               group          no
gspo       none               batch          yes
gspo       none               none           yes
gspo       gdpo               batch          no
gspo       gdpo               none           no
maxrl      none               none           no
"""

from collections.abc import Iterator
import dataclasses
from typing import Annotated

from rewards.errors import ConfigError
from rewards.settings import Count
from rewards.settings import NotNegative
from rewards.settings import OneOf
from rewards.settings import Range
from rewards.settings import Section
from rewards.settings import Share
from rewards.settings import WholeNumber

NAMES = ("grpo", "dr_grpo", "dapo", "gspo", "maxrl")
SCALES = ("group", "batch", "none")
NORMALIZATIONS = ("none", "gdpo")
# How far a ratio may fall below and rise above 1. gspo's is a mean over a row, a thousandth as wide.
CLIP_RANGES = {
    "grpo": (0.2, 0.2), "dr_grpo": (0.2, 0.2), "dapo": (0.2, 0.28), "gspo": (3e-4, 4e-4), "maxrl": (0.2, 0.2)
}  # fmt: skip
SUMS_TOKENS = ("dr_grpo", "dapo", "maxrl")  # a completion weighs its tokens; elsewhere it weighs one

# By algorithm and normalize_rewards: each scale_rewards that is accepted, the published one first, and
# whether a factor that a whole group's rewards share (disco.reward_scaling) reaches the gradient under it.
_BY_DEVIATION = {"group": False, "batch": True, "none": True}
_GDPO = {"batch": False, "none": False}
TABLE = {
    ("grpo", "none"): _BY_DEVIATION,
    ("grpo", "gdpo"): _GDPO,
    ("dr_grpo", "none"): {"none": True, "batch": True},
    ("dapo", "none"): _BY_DEVIATION,
    ("dapo", "gdpo"): _GDPO,
    ("gspo", "none"): _BY_DEVIATION,
    ("gspo", "gdpo"): _GDPO,
    ("maxrl", "none"): {"none": False},
}
# Why the other pairs do not: each sentence goes on after the setting that was refused.
_REASONS = {
    ("dr_grpo", "group"): "dr_grpo leaves out the division by a group's own deviation",
    ("dr_grpo", "gdpo"): "gdpo divides each component by its deviation in the group, and dr_grpo none",
    ("maxrl", "group"): "maxrl divides by the group's mean, which a division by its deviation would cancel",
    ("maxrl", "batch"): "maxrl divides by the group's mean already",
    ("maxrl", "gdpo"): "gdpo divides each component by its deviation in the group, maxrl the total by its "
    "mean",
    ("gdpo", "group"): "gdpo has divided each component by its deviation in the group; dividing their sum by "
    "its own as well would weigh groups alike that differ in one component or in all",
}


def combinations() -> Iterator[tuple[str, str, str, bool]]:
  """Yields the rows of the table above: algorithm, normalize_rewards, scale_rewards, disco.reward_scaling."""
  for (name, normalize), scales in TABLE.items():
    yield from ((name, normalize, scale, scaling) for scale, scaling in scales.items())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Algorithm(Section, place="config.grpo"):
  """An algorithm and its hyperparameters."""

  name: Annotated[str, OneOf(NAMES)] = dataclasses.field(metadata={"called": "algorithm"})
  num_generations: Annotated[int, Range(2)]  # completions a prompt (G)
  num_iterations: Count  # updates a batch (mu)
  beta: NotNegative  # weight of the KL term; 0 drops it and the reference with it
  epsilon: NotNegative | None = None  # clip range of the ratio; None: the algorithm's own, CLIP_RANGES
  epsilon_high: NotNegative | None = None  # its upper side, dapo alone
  # What advantages are divided by: the deviation of the group's rewards or of the step's, or neither; None:
  # as the algorithm was published.
  scale_rewards: Annotated[str, OneOf(SCALES)] | None = None
  # What is compared within a group: none, the totals; gdpo, each component by itself, added up by weight.
  normalize_rewards: Annotated[str, OneOf(NORMALIZATIONS)] = "none"
  least_spread: Share = 0.0  # rewards of a group that lie nearer together than this count as equal
  max_replacements: WholeNumber = 0  # further batches that a step may draw in place of groups without signal

  def __post_init__(self):
    super().__post_init__()
    if self.name == "dapo" and self.beta:
      raise ConfigError(f"config.grpo.beta={self.beta}: dapo has no KL term; expected 0.0.")
    if self.name != "dapo" and self.epsilon_high is not None:
      raise ConfigError(
          f"config.grpo.epsilon_high={self.epsilon_high}: {self.name} has one clip range, epsilon, for both "
          "sides; expected None."
      )
    if self.max_replacements and self.beta:
      raise ConfigError(
          f"config.grpo.max_replacements={self.max_replacements} with beta={self.beta}: a group without "
          "advantages still pulls towards the reference, so leaving it out changes what is minimised; expected "
          "beta=0.0, or max_replacements=0."
      )
    self._check_table()
    low, high = self.clip_range
    if high < low:
      raise ConfigError(f"config.grpo.epsilon_high={high}: expected at least epsilon ({low}).")

  def _check_table(self) -> None:
    name, normalize, scale = self.name, self.normalize_rewards, self.scale_rewards
    accepted = TABLE.get((name, normalize))
    if accepted is None:
      raise ConfigError(
          f"config.grpo.normalize_rewards={normalize!r} does not go with config.grpo.algorithm={name!r}: "
          f"{_REASONS[name, normalize]}. Accepted: none."
      )
    if scale is not None and scale not in accepted:
      reason = _REASONS.get((name, scale)) or _REASONS[normalize, scale]
      raise ConfigError(
          f"config.grpo.scale_rewards={scale!r} does not go with config.grpo.algorithm={name!r} and "
          f"normalize_rewards={normalize!r}: {reason}. Accepted: {', '.join(accepted)}."
      )

  @property
  def scale(self) -> str:
    """What advantages are divided by: scale_rewards as set, else the algorithm's own."""
    return self.scale_rewards or next(iter(TABLE[self.name, self.normalize_rewards]))

  @property
  def keeps_factors(self) -> bool:
    """Whether a factor that all rewards of a group share reaches the gradient."""
    return TABLE[self.name, self.normalize_rewards][self.scale]

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
