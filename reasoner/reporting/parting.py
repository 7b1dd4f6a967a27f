"""Where what is paid and what is not part: the paid total rises while something unpaid falls.

A policy learns whatever raises its reward. That the total rises says only that it did; a measure
beside it that nobody pays for (a component of weight 0, a guard, how many answers of a group differ,
words of reasoning) tells whether the text got better or the reward was found out. The rule:

  over the last half of the steps, the mean of its second half less the mean of its first
  total:     rose by RISE or more
  measure:   fell by FALL or more (shares), by FALL_WORDS or more of what it was (words)
  both:      by more than two standard errors of that difference

No verdict: reasoning may get shorter because it got better. A mark says where to read completions.
"""

from collections.abc import Sequence
import dataclasses
import math
import statistics

RISE = 0.02
FALL = 0.05
FALL_WORDS = 0.2
LEAST_STEPS = 16  # fewer leave less than four for each mean


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unpaid:
  """A measure that is not paid, by step. words: its unit; else it is a share from 0 to 1.

  expected: whether its fall is what training is for, as differing answers are where one is right.
  """

  name: str
  steps: Sequence[float]
  values: Sequence[float]
  words: bool = False
  expected: bool = False

  @property
  def shares(self) -> list[float]:
    """Its values between 0 and 1: words as a share of the most words of a step."""
    most = max(self.values, default=1.0) if self.words else 1.0
    return [value / (most or 1.0) for value in self.values]


def change(values: Sequence[float]) -> tuple[float, float] | None:
  """Returns by how much the last quarter's mean differs from that of the quarter before it, and the
  difference's standard error; None for fewer than LEAST_STEPS values.
  """
  if len(values) < LEAST_STEPS:
    return None
  half = values[len(values) // 2 :]
  first, second = half[: len(half) // 2], half[len(half) // 2 :]
  error = math.sqrt(sum(statistics.variance(part) / len(part) for part in (first, second)))
  return statistics.mean(second) - statistics.mean(first), error


def parted(total: Sequence[float], unpaid: Sequence[Unpaid]) -> dict[str, str]:
  """Returns a sentence for each measure that fell while the total rose.

  total: the paid total, at each step where the domain was drawn.
  """
  rise = change(total)
  if rise is None or rise[0] < RISE or rise[0] <= 2 * rise[1]:
    return {}
  found = {}
  for measure in unpaid:
    fall = None if measure.expected else change(measure.values)
    if fall is None or -fall[0] <= 2 * fall[1]:
      continue
    values = measure.values[len(measure.values) // 2 :]
    before = statistics.mean(values[: len(values) // 2])
    least = FALL_WORDS * before if measure.words else FALL
    if -fall[0] >= least > 0:
      amount = f"{-fall[0] / before:.0%} of its words" if measure.words else f"{-fall[0]:.2f}"
      found[measure.name] = f"{measure.name} fell by {amount} while the paid total rose by {rise[0]:.2f}"
  return found
