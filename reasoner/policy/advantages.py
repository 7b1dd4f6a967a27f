"""Advantages of groups in which some completions could not be scored.

  rewards 1, 0, 0.2 and one that is not scored, as Dr. GRPO (r - mean) has them:

  over_scored([1, 0, 0.2, nan], [1, 1, 1, 0], 4, centred)  ->  [0.6, -0.4, -0.2, 0]

A completion that was not scored, through no fault of its own, leaves its group: it counts in neither
mean nor deviation, and gets 0. Not here: why it was not scored, which is the scorer's to say.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

SAME = 1e-9  # rewards nearer to each other than this are equal


def centred(rewards: np.ndarray, num_generations: int) -> np.ndarray:
  """Rewards less their group's mean, as Dr. GRPO has them: [m] -> [m]."""
  groups = rewards.reshape(-1, num_generations)
  return (groups - groups.mean(axis=1, keepdims=True)).reshape(-1)


def normalised(rewards: np.ndarray, num_generations: int) -> np.ndarray:
  """The same divided by their group's standard deviation (of k - 1), as GRPO has them: [m] -> [m]."""
  deviation = rewards.reshape(-1, num_generations).std(axis=1, ddof=1)
  return centred(rewards, num_generations) / (deviation.repeat(num_generations) + 1e-6)


def over_scored(
    rewards: np.ndarray, scored: np.ndarray, generations: int, estimate: Callable[..., Any]
) -> np.ndarray:
  """Returns [n] float32 advantages, each group's from the rewards of its scored completions alone.

  Args:
    rewards: [n] of n / generations groups, neighbours; whatever stands where `scored` is False.
    scored: [n] bool.
    generations: completions of a group.
    estimate: (rewards=[m], num_generations=k) -> [m]: `centred`, `normalised`.

  A group of which fewer than two are scored gets zeros, and so does one whose rewards are all equal:
  their mean can differ from them by a rounding error, which dividing by a standard deviation of zero
  would blow up.
  """
  rewards = np.asarray(rewards, np.float64).reshape(-1, generations)
  scored = np.asarray(scored, bool).reshape(-1, generations)
  advantages = np.zeros(rewards.shape, np.float32)
  counts = scored.sum(axis=1)
  for count in np.unique(counts[counts > 1]):
    groups = np.flatnonzero(counts == count)
    own = rewards[groups][scored[groups]].reshape(-1, count)
    values = np.asarray(estimate(rewards=own.reshape(-1), num_generations=int(count))).reshape(own.shape)
    values = np.where(np.ptp(own, axis=1, keepdims=True) < SAME, 0.0, values)
    placed = np.zeros((len(groups), generations), np.float32)
    placed[scored[groups]] = values.reshape(-1)
    advantages[groups] = placed
  return advantages.reshape(-1)
