"""The whole config as typed sections: what each holds stands beside what consumes it.

  settings.train.steps          policy/optimizer.py     settings.disco.alpha   data/sampling.py
  settings.grpo.name            policy/algorithms.py    settings.model.lora    models/lora.py

Here are the parts together, and what must hold between them.
"""

from collections.abc import Mapping
import dataclasses
import re
from typing import Annotated, Any

from reasoner import models
from reasoner.data import sampling
from reasoner.data import sources
from reasoner.data.curation import settings as curation_settings
from reasoner.policy import algorithms
from reasoner.policy import cold_start
from reasoner.policy import optimizer
from reasoner.policy import reward_scaling
from rewards import settings as sections
from rewards.errors import ConfigError
from rewards.errors import suggest
from rewards.service import scoring
from rewards.settings import Range
from rewards.settings import Section


@dataclasses.dataclass(frozen=True, kw_only=True)
class Disco(sampling.Shares, place="config.disco"):
  """DISCO: what is drawn, and what a draw weighs."""

  reward_scaling: reward_scaling.RewardScaling


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(Section, place="config"):
  """A config; what it names is looked up by assemble.py."""

  seed: Annotated[int, Range(0, 2**31 - 1)]
  plugins: tuple[str, ...]  # paths of Python files that register more rewards
  model: models.Model
  data: sources.Data
  curation: curation_settings.Curation
  disco: Disco
  rewards: Mapping  # as rewards.scorer.check takes them
  scoring: scoring.Scoring
  rollout: algorithms.RolloutSettings
  cold_start: cold_start.ColdStart
  grpo: algorithms.Algorithm
  train: optimizer.Training

  def __post_init__(self):
    super().__post_init__()
    if not self.rewards:
      raise ConfigError("config.rewards is empty: expected at least one domain.")
    for domain in self.rewards:
      if domain == "all" or not re.fullmatch(r"[A-Za-z][\w-]*", domain):
        raise ConfigError(
            f"config.rewards.{domain}: the domain's name must be letters, digits, '_' and '-', and not 'all'."
        )
    for domain in self.disco.weights:
      if domain not in self.rewards:
        raise ConfigError(
            f"config.disco.weights.{domain}: unknown domain {domain!r}. {suggest(domain, self.rewards)}"
            f"config.rewards has: {', '.join(sorted(self.rewards))}."
        )
    sampling.shares(dict.fromkeys(self.rewards, 1), weights=self.disco.weights)
    self.disco.reward_scaling.check(self.grpo)
    prompts, parts = self.train.prompts_per_step, self.train.micro_batches
    if prompts % parts:
      raise ConfigError(
          f"config.train.micro_batches={parts} does not divide config.train.prompts_per_step={prompts}."
      )
    if self.model.adapter and self.cold_start.steps:
      raise ConfigError(
          f"config.cold_start.steps={self.cold_start.steps}: config.model.adapter goes on from what was "
          "learned; expected 0."
      )
    self.check_devices(self.model.mesh.fsdp or 1)

  @staticmethod
  def plain(config: Any) -> dict[str, Any]:
    """Returns a ConfigDict, or what was saved of one, as nested dicts and tuples, defaults included."""
    plain = _plain(config)
    sections.fill(Settings, plain)
    return plain

  @classmethod
  def of(cls, config: Any) -> "Settings":
    """Reads a ConfigDict, or what was saved of one; beta is dropped for dapo, which has no KL term.

    Raises:
      ConfigError: a field does not exist, is missing, or has a value that is not accepted.
    """
    plain = cls.plain(config)
    grpo = plain.get("grpo")
    if isinstance(grpo, Mapping) and grpo.get("algorithm") == "dapo" and "beta" in grpo:
      plain = {**plain, "grpo": {**grpo, "beta": 0.0}}
    return sections.read(cls, plain)

  @property
  def completions_per_step(self) -> int:
    return self.train.prompts_per_step * self.grpo.num_generations

  @property
  def completions_per_micro_batch(self) -> int:
    return self.completions_per_step // self.train.micro_batches

  @property
  def trace_tokens(self) -> int:
    """Of the longest completion that a cold start shows, its end token included."""
    return self.cold_start.completion_tokens or self.rollout.max_new_tokens

  @property
  def evaluated_at_once(self) -> int:
    """How many prompts: at least 32, since a step of decoding costs what reading the weights costs."""
    return max(self.completions_per_step, 32)

  def check_devices(self, fsdp: int) -> None:
    """Raises ConfigError where a micro-batch does not divide over `fsdp` devices."""
    rows = self.completions_per_micro_batch
    if rows % fsdp:
      asked = f"{self.model.mesh.fsdp}" + ("" if self.model.mesh.fsdp else f" (here {fsdp} devices)")
      raise ConfigError(
          f"config.model.mesh.fsdp={asked} does not divide the {rows} completions of a micro-batch "
          f"(config.train.prompts_per_step={self.train.prompts_per_step} / "
          f"micro_batches={self.train.micro_batches} x "
          f"config.grpo.num_generations={self.grpo.num_generations})."
      )


def _plain(config: Any) -> Any:
  if hasattr(config, "keys"):
    return {key: _plain(config[key]) for key in sorted(config.keys())}
  return tuple(map(_plain, config)) if isinstance(config, (list, tuple)) else config
