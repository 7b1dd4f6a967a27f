"""Advantages: how much better than the others of its group a completion was.

With r the rewards of the completions of one prompt, m their mean, s their standard deviation (of k - 1):

  grpo, dapo, gspo          (r - m) / s                            https://arxiv.org/abs/2402.03300
  dr_grpo                   r - m                                  https://arxiv.org/abs/2503.20783
  maxrl                     (r - m) / m                            https://arxiv.org/abs/2602.02710
  scale_rewards=batch       (r - m) / S, S that of all the step's  https://arxiv.org/abs/2508.08221
  normalize_rewards=gdpo    A / S_A, A = sum w (r_c - m_c) / s_c   https://arxiv.org/abs/2601.05242
                            / sum w over components c, S_A the deviation of A over the step

With scale_rewards=none these are r - m, and A alone. maxrl was made for rewards of 0 and 1, whose mean is the
share of right answers; ours lie between, and its advantages between -1 and k - 1. What gdpo compares is each
component's part of the total (`RewardBreakdown.parts`): 0 for a completion that fails the gate, so that failing
is worse than being wrong; what the guards left of it, so that a cheat pays in no component; and nothing of a
quality that was left out for the group.

  rewards 1, 0, 0.2 and one that is not scored, as Dr. GRPO has them:

  over_scored([1, 0, 0.2, nan], [1, 1, 1, 0], 4, centred)  ->  [0.6, -0.4, -0.2, 0]

A completion that was not scored, through no fault of its own, leaves its group: it counts in neither
mean nor deviation, and gets 0. A group whose rewards (with gdpo: a component's) lie nearer together than
`least_spread` teaches nothing. Not here: why it was not scored, which is the scorer's to say.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np

from reasoner.policy import algorithms
from rewards.schema import RewardBreakdown

SAME = 1e-9  # rewards nearer to each other than this are equal
_EPSILON = 1e-6  # beside a deviation that is divided by


@dataclasses.dataclass(frozen=True, kw_only=True)
class Paid:
  """What n completions were paid, the generations of a prompt adjacent.

  totals: [n]; whatever stands where `scored`, [n] bool, is False. factors: [n], what DISCO multiplies totals
  by. parts: by component, what a total is the weighted mean of: values and weights, [n] each.
  """

  totals: np.ndarray
  scored: np.ndarray
  factors: np.ndarray
  parts: Mapping[str, tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=dict)

  @classmethod
  def of(cls, breakdowns: Sequence[RewardBreakdown], factors: Sequence[float]) -> "Paid":
    """Reads breakdowns; factors: of their groups."""
    parts = [breakdown.parts for breakdown in breakdowns]
    return cls(
        totals=np.array([breakdown.total or 0.0 for breakdown in breakdowns]),
        scored=np.array([breakdown.total is not None for breakdown in breakdowns]),
        factors=np.repeat(np.asarray(factors, float), len(breakdowns) // len(factors)),
        parts={
            name: (
                np.array([own.get(name, 0.0) for own in parts]),
                np.array([b.weights[name] if name in own else 0.0 for b, own in zip(breakdowns, parts)]),
            )
            for name in sorted({name for own in parts for name in own})
        },
    )

  def spreads(self, generations: int) -> np.ndarray:
    """Returns [groups], a group's greatest total less its least; nan where fewer than two were scored."""
    totals = np.where(self.scored, self.totals, np.nan).reshape(-1, generations)
    counts = self.scored.reshape(-1, generations).sum(axis=1)
    return np.array([np.nanmax(own) - np.nanmin(own) if k > 1 else np.nan for own, k in zip(totals, counts)])


def estimate(paid: Paid, algorithm: algorithms.Algorithm) -> np.ndarray:
  """Returns [n] float32 advantages as the algorithm, its scale_rewards and normalize_rewards say."""
  generations, least = algorithm.num_generations, algorithm.least_spread
  if algorithm.normalize_rewards == "gdpo":
    weights, sums = np.zeros(len(paid.totals)), np.zeros(len(paid.totals))  # also where nothing was scored
    for values, weight in paid.parts.values():
      weights += weight
      sums += weight * over_scored(values, paid.scored, generations, normalised, least)
    advantages = compared = sums / np.where(weights > 0, weights, 1.0)
  else:
    method = relative if algorithm.name == "maxrl" else normalised if algorithm.scale == "group" else centred
    advantages = paid.factors * over_scored(paid.totals, paid.scored, generations, method, least)
    compared = paid.factors * paid.totals
  if algorithm.scale == "batch" and paid.scored.sum() > 1:
    advantages = advantages / (compared[paid.scored].std(ddof=1) + _EPSILON)
  return np.asarray(advantages, np.float32)


def centred(rewards: np.ndarray, num_generations: int) -> np.ndarray:
  """Rewards less their group's mean, as Dr. GRPO has them: [m] -> [m]."""
  groups = rewards.reshape(-1, num_generations)
  return (groups - groups.mean(axis=1, keepdims=True)).reshape(-1)


def normalised(rewards: np.ndarray, num_generations: int) -> np.ndarray:
  """The same divided by their group's standard deviation (of k - 1), as GRPO has them: [m] -> [m]."""
  deviation = rewards.reshape(-1, num_generations).std(axis=1, ddof=1)
  return centred(rewards, num_generations) / (deviation.repeat(num_generations) + _EPSILON)


def relative(rewards: np.ndarray, num_generations: int) -> np.ndarray:
  """The same divided by their group's mean, as MaxRL has them: [m] -> [m], 0 where nothing was paid."""
  mean = rewards.reshape(-1, num_generations).mean(axis=1)
  return centred(rewards, num_generations) / np.maximum(mean, SAME).repeat(num_generations)


def over_scored(
    rewards: np.ndarray, scored: np.ndarray, generations: int, estimate: Callable[..., Any],
    least_spread: float = 0.0,
) -> np.ndarray:  # fmt: skip
  """Returns [n] float32 advantages, each group's from the rewards of its scored completions alone.

  Args:
    rewards: [n] of n / generations groups, neighbours; whatever stands where `scored` is False.
    scored: [n] bool.
    generations: completions of a group.
    estimate: (rewards=[m], num_generations=k) -> [m]: `centred`, `normalised`, `relative`.
    least_spread: a group whose greatest reward lies less than this above its least gets zeros.

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
    values = np.where(np.ptp(own, axis=1, keepdims=True) < max(SAME, least_spread), 0.0, values)
    placed = np.zeros((len(groups), generations), np.float32)
    placed[scored[groups]] = values.reshape(-1)
    advantages[groups] = placed
  return advantages.reshape(-1)
