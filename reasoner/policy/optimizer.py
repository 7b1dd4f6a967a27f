"""How a run of GRPO is stepped through, and the AdamW that takes its updates."""

import dataclasses
from typing import Annotated
from typing import TYPE_CHECKING

from rewards.settings import Count
from rewards.settings import NotNegative
from rewards.settings import Positive
from rewards.settings import Range
from rewards.settings import Section
from rewards.settings import Share
from rewards.settings import WholeNumber

if TYPE_CHECKING:
  import optax


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training(Section, place="config.train"):
  """The steps of GRPO; each takes config.grpo.num_iterations updates."""

  steps: Count
  time_budget_hours: NotNegative = 0.0  # of the whole run, which may end before `steps` for it; 0: no limit
  prompts_per_step: Count  # each with config.grpo.num_generations completions
  micro_batches: Count  # parts of a step's batch whose gradients are added up
  rematerialize: bool = False  # compute layers again for their gradients: less memory, a third more time
  learning_rate: NotNegative  # its peak: linear warm-up, then a cosine to 0
  warmup_fraction: Share  # of the updates
  b1: Annotated[float, Range(0, below=1)]  # decay of AdamW's first moment
  b2: Annotated[float, Range(0, below=1)]  # decay of its second moment
  weight_decay: NotNegative
  gradient_clip: Positive  # greatest norm of all gradients together
  checkpoint_every: Count  # steps
  checkpoint_minutes: Positive = 10.0  # and so long after the last at the latest; of the cold start too
  checkpoints_kept: Count  # the newest
  samples_every: Count  # steps; one completion a domain is kept of them
  evaluate_every: WholeNumber = 0  # steps; a small held-out sample, which chooses the best adapter; 0: never
  keep_memory: bool = True  # on a CPU: freed memory serves the next array, see run/memory.py


def learning_rate(settings: Training, updates: int, first: int = 0) -> "optax.Schedule":
  """Linear warm-up over a fraction of the updates, then a cosine to zero. first: the first update's number."""
  import optax

  warmup = round(settings.warmup_fraction * updates)
  if warmup:
    rate = optax.warmup_cosine_decay_schedule(0.0, settings.learning_rate, warmup, max(updates, warmup + 1))
  else:
    rate = optax.cosine_decay_schedule(settings.learning_rate, updates)
  return (lambda update: rate(update - first)) if first else rate


def adamw(settings: Training, rate: "optax.Schedule") -> "optax.GradientTransformation":
  """AdamW at this rate, on gradients clipped by their norm."""
  import optax

  return optax.chain(
      optax.clip_by_global_norm(settings.gradient_clip),
      optax.adamw(rate, b1=settings.b1, b2=settings.b2, weight_decay=settings.weight_decay),
  )
