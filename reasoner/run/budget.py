"""A session's worth: after how many of its steps a run ends, so that all of it fits a budget of hours.

The first steps are measured; the rest is decided and written once, before the first checkpoint:

  steps = measured + (0.95 budget - spent - evaluation - compiling) / (step + evaluation share / evaluate_every)

  spent        what the run took so far, over all its starts
  evaluation   what all held-out rows took before GRPO; they come again after it
  compiling    what the first step took beyond the slowest of the others: the update is compiled once more
  step         the slowest of the others
  share        of all held-out rows, those that are evaluated every so many steps

From then on the steps are as good as a config's: the learning rate falls to 0 at the last, and a killed run
continues to the same bits. Prompts are drawn, and the measured steps learn, as in the whole schedule. A run
killed before the decision measures again. Should steps grow so slow that 97.5 % of the budget would be
exceeded, it ends early, which is written as well. What is left is for adapter, checkpoint and report.
"""

from collections.abc import Iterator
import copy
import pathlib

from reasoner.data.sampling import Schedule
from reasoner.policy.optimizer import Training
from reasoner.run import files
from reasoner.run import progress

MEASURED = 4  # steps, of which the first compiles
PLANNED, GUARDED = 0.95, 0.975  # of the budget


class Budget:
  """What config.train.time_budget_hours leaves of config.train.steps; all of them where it is 0.

  Args:
    path: where the decision is kept.
    sample_share: how much of an evaluation of all held-out rows the one of the small sample is.
  """

  def __init__(self, path: pathlib.Path, train: Training, clock: progress.Clock, sample_share: float):
    self._path, self._clock = path, clock
    self._steps, self._seconds = train.steps, 3600 * train.time_budget_hours
    self._evaluations_a_step = sample_share / train.evaluate_every if train.evaluate_every else 0.0
    self._measured: list[float] = []
    self.decision = files.read_json(path) if self._seconds and path.exists() else None

  @property
  def decided(self) -> bool:
    """Whether the number of steps is known: no checkpoint is written before."""
    return not self._seconds or self.decision is not None

  @property
  def last(self) -> int:
    return self.decision["ends"] if self.decision else self._steps

  def parts(self, schedule: Schedule) -> Iterator[tuple[Schedule, int]]:
    """Yields a schedule and the step to learn it up to: the measured steps, then those decided on."""
    if not self._seconds:
      yield schedule, schedule.last
      return
    measured = min(MEASURED, schedule.last)
    yield schedule, measured
    if self.last > measured:
      shortened = copy.copy(schedule)
      shortened.last = self.decision["steps"]
      yield shortened, self.last

  def over(self, step: int, seconds: float) -> bool:
    """Takes note of what the step before `step` took; returns whether the run has to end here."""
    if not self._seconds:
      return False
    self._measured.append(seconds)
    spent = self._clock.seconds()
    if self.decision is None:
      if step >= min(MEASURED, self._steps):
        self._write(self._decide(step, spent["total"], spent["evaluation"]))
      return False
    another = max([self.decision["step_seconds"], *self._measured[1:][-1:]])
    ending = another + self.decision["evaluation_seconds"]
    if step < self.last and spent["total"] + ending > GUARDED * self._seconds:
      self._write(self.decision | {"ends": step})
      print(f"config.train.time_budget_hours: steps grew slower; it ends after {step}.", flush=True)
    return step == self.last

  def _decide(self, step: int, spent: float, evaluation: float) -> dict[str, float]:
    slowest = max(self._measured[1:] or self._measured)
    compiling = max(0.0, self._measured[0] - slowest)
    left = PLANNED * self._seconds - spent - evaluation - compiling
    steps = step + max(0, int(left / (slowest + evaluation * self._evaluations_a_step)))
    steps = min(self._steps, steps)
    print(f"config.train.time_budget_hours: {steps} of {self._steps} steps fit, {slowest:.2f} s each.", flush=True)
    return {
        "steps": steps, "ends": steps, "of_steps": self._steps, "measured_steps": step,
        "budget_seconds": self._seconds, "spent_seconds": spent, "step_seconds": round(slowest, 3),
        "evaluation_seconds": evaluation, "compiling_seconds": round(compiling, 3),
    }  # fmt: skip

  def _write(self, decision: dict[str, float]) -> None:
    files.write_json(self._path, decision)
    self.decision = decision
