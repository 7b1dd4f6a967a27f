"""A session's worth: how much of a run fits a budget of hours, and that it ends in time.

What each part may take is measured at its beginning, then decided and written once, before the part's
first result; the config's numbers are only ever lowered:

  cold start   steps = (0.4 budget - spent - compiling) / step; three that do not learn are timed for it
  evaluation   rows a domain, so that before and after GRPO together take half of what is left
  GRPO         steps = measured + (left - evaluation - compiling) / (step + evaluation share / evaluate_every)

  left         0.98 budget - 30 s - spent: the 30 seconds are for adapter, report and leaving
  spent        what the run took so far, over all its starts
  evaluation   what all held-out rows took before GRPO; they come again after it
  compiling    what the first took beyond the slowest of the others: it is compiled once more
  step         the slowest of the others
  share        of all held-out rows, those that are evaluated every so many steps

From then on the numbers are as good as a config's: learning rates fall to 0 at the last step, and a killed
run continues to the same bits. Prompts are drawn, and GRPO's measured steps learn, as in the whole schedule.
A part that was killed before its decision measures again. Should steps grow so slow that half (the cold
start) or 99 % of the budget would be exceeded, it ends early, which is written as well. A budget that does
not hold one step of each, a row a domain and what is loaded before is exceeded by them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import copy
import pathlib
import time
from typing import Any

from reasoner import processes
from reasoner.data.sampling import Schedule
from reasoner.policy.optimizer import Training
from reasoner.run import files
from reasoner.run import progress

MEASURED = 4  # of GRPO's steps, of which the first compiles
TIMED = 3  # of the cold start's steps and of evaluation's batches, likewise
COLD_START, COLD_START_GUARDED, EVALUATIONS = 0.4, 0.5, 0.5  # of the budget, and of what is left
PLANNED, GUARDED, ENDING = 0.98, 0.99, 30.0  # of the budget, but for the last seconds


def timed(once: Callable[[], Any]) -> list[float]:
  """Returns the seconds of the same work, each time that it is done; the first compiles."""
  seconds = []
  for _ in range(TIMED):
    start = time.monotonic()
    once()
    seconds.append(time.monotonic() - start)
  return seconds


class Budget:
  """What config.train.time_budget_hours leaves of a run; all of it where it is 0.

  Args:
    path: where the decisions are kept.
    goes_on: whether what stands there belongs to this run.
    cold_start_steps, evaluation_rows: the config's.
  """

  def __init__(
      self, path: pathlib.Path, train: Training, clock: progress.Clock, *, goes_on: bool, cold_start_steps: int,
      evaluation_rows: int,
  ):  # fmt: skip
    self._path, self._clock = path, clock
    self._train, self._cold_start_steps, self._evaluation_rows = train, cold_start_steps, evaluation_rows
    self._seconds = 3600 * train.time_budget_hours
    self._measured: list[float] = []
    found = files.read_json(path) if self._seconds and goes_on and path.exists() else None
    self.decisions: dict[str, Any] = found or {"budget_seconds": self._seconds}

  def decided(self, part: str) -> bool:
    """Whether what there is of cold_start, evaluation or grpo is known: nothing is written before."""
    return not self._seconds or part in self.decisions

  def _left(self, share: float) -> float:
    return share * self._seconds - ENDING - self._clock.seconds()["total"]

  # The cold start.

  @property
  def cold_start(self) -> tuple[int, int]:
    """The steps by which the learning rate goes, and at which it ends."""
    own = self.decisions.get("cold_start")
    return (own["steps"], own["ends"]) if own else (self._cold_start_steps, self._cold_start_steps)

  def decide_cold_start(self, seconds: Sequence[float]) -> None:
    """Takes what steps took, of which the first compiled."""
    seconds = processes.agreed(seconds)
    slowest = max(seconds[1:])
    compiling = max(0.0, seconds[0] - slowest)
    spent = self._clock.seconds()["total"]
    steps = int((COLD_START * self._seconds - spent - compiling) / slowest)
    steps = min(self._cold_start_steps, max(1, steps))
    self._say(f"{steps} of {self._cold_start_steps} steps of the cold start fit, {slowest:.2f} s each.")
    self._write("cold_start", {
        "steps": steps, "ends": steps, "of_steps": self._cold_start_steps, "spent_seconds": spent,
        "step_seconds": round(slowest, 3), "compiling_seconds": round(compiling, 3),
    })  # fmt: skip

  def cold_start_over(self, step: int) -> bool:
    """Returns whether the cold start has to end after so many steps."""
    _, last = self.cold_start
    if self._seconds and step < last and self._clock.seconds()["total"] > COLD_START_GUARDED * self._seconds:
      self._write("cold_start", self.decisions["cold_start"] | {"ends": step})
      self._say(f"steps of the cold start grew slower; it ends after {step}.")
    return step == self.cold_start[1]

  # The evaluations of all held-out rows.

  @property
  def evaluation_rows(self) -> int:
    """Of a domain, at most."""
    own = self.decisions.get("evaluation")
    return own["rows"] if own else self._evaluation_rows

  def decide_evaluation(self, seconds: Sequence[float], batches_of: Callable[[int], int]) -> None:
    """Takes what batches took, of which the first compiled; batches_of: how many so many rows a domain are."""
    seconds = processes.agreed(seconds)
    slowest = max(seconds[1:])
    fit = EVALUATIONS * self._left(PLANNED) / 2 / max(slowest, 1e-3)
    lower, higher = 1, self._evaluation_rows
    while lower < higher:
      middle = (lower + higher + 1) // 2
      lower, higher = (middle, higher) if batches_of(middle) <= fit else (lower, middle - 1)
    if lower < self._evaluation_rows:
      self._say(f"{lower} of {self._evaluation_rows} held-out rows a domain fit, {slowest:.2f} s a batch.")
    self._write("evaluation", {
        "rows": lower, "of_rows": self._evaluation_rows, "batch_seconds": round(slowest, 3),
        "measuring_seconds": round(sum(seconds), 3),
    })  # fmt: skip

  # GRPO.

  @property
  def last(self) -> int:
    return self.decisions["grpo"]["ends"] if "grpo" in self.decisions else self._train.steps

  def parts(self, schedule: Schedule) -> Iterator[tuple[Schedule, int]]:
    """Yields a schedule and the step to learn it up to: the measured steps, then those decided on."""
    if not self._seconds:
      yield schedule, schedule.last
      return
    measured = min(MEASURED, schedule.last, self.last)
    yield schedule, measured
    if self.last > measured:
      shortened = copy.copy(schedule)
      shortened.last = self.decisions["grpo"]["steps"]
      yield shortened, self.last

  def over(self, step: int, seconds: float, sample_share: float = 0.0) -> bool:
    """Takes note of what the step before `step` took; returns whether the run has to end here.

    sample_share: how much of an evaluation of all held-out rows the one of the small sample is.
    """
    if not self._seconds:
      return False
    seconds = processes.agreed(seconds)
    self._measured.append(seconds)
    spent = self._clock.seconds()
    if "grpo" not in self.decisions:
      evaluation = spent["evaluation"] - self.decisions.get("evaluation", {}).get("measuring_seconds", 0.0)
      left = self._left(PLANNED) - evaluation
      if step >= min(MEASURED, self._train.steps) or seconds > left:
        self._decide(step, spent["total"], evaluation, left, sample_share)
      return step == self.last
    own = self.decisions["grpo"]
    another = max([own["step_seconds"], *self._measured[1:][-1:]])
    if step < self.last and another + own["evaluation_seconds"] > self._left(GUARDED):
      self._write("grpo", own | {"ends": step})
      self._say(f"steps grew slower; it ends after {step}.")
    return step == self.last

  def _decide(self, step: int, spent: float, evaluation: float, left: float, sample_share: float) -> None:
    slowest = max(self._measured[1:] or self._measured)
    compiling = max(0.0, self._measured[0] - slowest)
    every = self._train.evaluate_every
    another = slowest + (evaluation * sample_share / every if every else 0.0)
    more = max(0, int((left - compiling) / another)) if step >= MEASURED else 0
    steps = min(self._train.steps, step + more)
    self._say(f"{steps} of {self._train.steps} steps fit, {slowest:.2f} s each.")
    self._write("grpo", {
        "steps": steps, "ends": steps, "of_steps": self._train.steps, "measured_steps": step,
        "spent_seconds": spent, "step_seconds": round(slowest, 3), "evaluation_seconds": evaluation,
        "compiling_seconds": round(compiling, 3),
    })  # fmt: skip

  @staticmethod
  def _say(sentence: str) -> None:
    print(f"config.train.time_budget_hours: {sentence}", flush=True)

  def _write(self, part: str, decision: Mapping[str, float]) -> None:
    self.decisions = {**self.decisions, part: dict(decision)}
    files.write_json(self._path, self.decisions)
