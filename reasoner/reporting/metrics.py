"""What a step is measured by, and where the measurements go.

  {"step": 12, "rewards/math/accuracy": 0.5, "rewards/math/gate_pass_rate": 0.875, ...}

Paths mirror the config's: `rewards/<domain>/<component>`; what nobody pays for stands under
`completions/` and `groups/`. A mean is over the completions of its
domain in that step; a domain that the step did not draw is absent, never zero. One line a step in
`metrics.jsonl`, and the same to TensorBoard.
"""

from collections.abc import Mapping, Sequence
import pathlib
import time

import numpy as np

from reasoner.policy.advantages import Paid
from reasoner.run import files
from reasoner.run.workdir import Workdir
from rewards.format import FAILURES
from rewards.format import parse
from rewards.schema import Completion
from rewards.schema import Example
from rewards.schema import RewardBreakdown

SMALL_SPREAD = 0.02  # of a group's rewards; where it is so small, what parts them may be the measure's noise


def measure(examples: Sequence[Example], breakdowns: Sequence[RewardBreakdown]) -> dict[str, float]:
  """Returns the reward metrics of a batch of completions, by domain and overall.

  For every domain: `total` (what was paid), `default_total` (under the recipe's own weights),
  `gate_pass_rate`, `accuracy` where there is a truth, `guard_factor` (what guards left) where there
  are guards, each component's mean over the completions it scored, and counts of gate failures by
  cause and of everything components count.
  """
  metrics = _totals("rewards", breakdowns)
  for cause in FAILURES:
    metrics[f"gate_failures/{cause}"] = sum(b.failure == cause for b in breakdowns)
  for domain in sorted({example.domain for example in examples}):
    own = [b for e, b in zip(examples, breakdowns) if e.domain == domain]
    path = f"rewards/{domain}"
    metrics |= _totals(path, own)
    for failure in FAILURES:
      metrics[f"{path}/gate_failures/{failure}"] = sum(b.failure == failure for b in own)
    guarded = [b.guard_factor for b in own if b.guards and b.scores]
    metrics |= _mean(f"{path}/guard_factor", guarded)
    for name in sorted({name for b in own for name in b.scores}):
      metrics |= _mean(f"{path}/{name}", [b.scores.get(name) for b in own])
    for cause in sorted({cause for b in own for cause in b.causes}):
      metrics[f"{path}/{cause.replace(':', '/')}"] = sum(cause in b.causes for b in own)
  return metrics


def describe(examples: Sequence[Example], texts: Sequence[str], group_size: int) -> dict[str, float]:
  """Returns how a batch's completions look, whatever they are paid, by domain.

  `completions/<domain>/reasoning_words` and `answer_words`: means over those of valid format;
  `groups/<domain>/distinct_answers`: the mean over groups of the share of answers that differ from
  those before them, from 1 / group_size (all alike) to 1. White space and case are no difference.
  A group of fewer than two valid completions is left out.

  Args:
    examples, texts: [groups * group_size], the completions of one prompt side by side.
  """
  completions = [parse(text) for text in texts]
  metrics: dict[str, float] = {}
  for domain in sorted({example.domain for example in examples}):
    own = [c for e, c in zip(examples, completions) if e.domain == domain]
    groups = [own[i : i + group_size] for i in range(0, len(own), group_size)]
    valid = [c for c in own if c.failure is None]
    path = f"completions/{domain}"
    metrics |= _mean(f"{path}/reasoning_words", [len(c.reasoning.split()) for c in valid])
    metrics |= _mean(f"{path}/answer_words", [len(c.answer.split()) for c in valid])
    metrics |= _mean(f"groups/{domain}/distinct_answers", [_distinct_share(group) for group in groups])
  return metrics


def _distinct_share(group: Sequence[Completion]) -> float | None:
  answers = [" ".join(c.answer.lower().split()) for c in group if c.failure is None]
  return len(set(answers)) / len(answers) if len(answers) > 1 else None


def _totals(path: str, breakdowns: Sequence[RewardBreakdown]) -> dict[str, float]:
  return {
      **_mean(f"{path}/total", [b.total for b in breakdowns]),
      **_mean(f"{path}/default_total", [b.default_total for b in breakdowns]),
      **_mean(f"{path}/gate_pass_rate", [b.gate for b in breakdowns]),
      **_mean(f"{path}/accuracy", [b.correct for b in breakdowns]),
  }


def _mean(path: str, values: Sequence[float | None]) -> dict[str, float]:
  mean = _known_mean(values)
  return {} if mean is None else {path: mean}


def _known_mean(values: Sequence[float | None]) -> float | None:
  known = [float(value) for value in values if value is not None]
  return float(np.mean(known)) if known else None


def self_consistency(breakdowns: Sequence[RewardBreakdown], group_size: int) -> list[float | None]:
  """Returns each group's mean correctness from 0 to 1; None where none of it has a known truth."""
  groups = [breakdowns[i : i + group_size] for i in range(0, len(breakdowns), group_size)]
  return [_known_mean([b.correct for b in group]) for group in groups]


def of_groups(
    domains: Sequence[str], paid: Paid, advantages: np.ndarray, weights: np.ndarray,
    consistency: Sequence[float | None],
) -> dict[str, float]:  # fmt: skip
  """Returns what became of a step's groups.

  `part_right_fraction`: the share of groups, where there is a truth, that are right neither never nor always.
  `small_spread_fraction`: the share of groups, of all and by domain, whose rewards lie within SMALL_SPREAD of
  each other: there a deviation may be the measure's noise. `small_spread_gradient`: their part of the step's
  gradient, as the sum of |advantage| x weight says it; those of the domains add up to the step's.

  Args:
    domains: of the groups.
    paid, advantages: of all n completions.
    weights: [n], what a completion's advantage weighs in the loss: 1, or its tokens.
    consistency: each group's mean correctness, see `self_consistency`.
  """
  shape = len(domains), -1
  flat = ~advantages.reshape(shape).any(axis=1) & paid.scored.reshape(shape).any(axis=1)
  metrics = {
      "groups/zero_advantage_fraction": float(flat.mean()),
      "groups/not_scored_fraction": float(1 - paid.scored.mean()),
      "groups/reward_factor": float(paid.factors.reshape(shape).mean()),
  }
  spreads = paid.spreads(len(advantages) // len(domains))
  known, small = ~np.isnan(spreads), spreads < SMALL_SPREAD
  pull = (np.abs(advantages) * weights).reshape(shape).sum(axis=1)
  whole = pull.sum()
  for path, own in [("groups", np.ones(len(domains), bool))] + [
      (f"groups/{domain}", np.array(domains) == domain) for domain in sorted(set(domains))
  ]:  # fmt: skip
    right = [mean for mean, is_own in zip(consistency, own) if is_own and mean is not None]
    metrics |= _mean(f"{path}/part_right_fraction", [0 < mean < 1 for mean in right])
    if (own & known).any():
      metrics[f"{path}/small_spread_fraction"] = float(small[own & known].mean())
    if whole:
      metrics[f"{path}/small_spread_gradient"] = float(pull[own & small].sum() / whole)
  return metrics


class Log:
  """Appends one line a step to `metrics.jsonl` and to TensorBoard, each written before `write` returns.

  Not by tensorboardX's SummaryWriter: its thread dies of a full disk, and then its queue takes no more.

  Args:
    directory: the run's.
    start: the first step to be written; what a killed run left from there on is dropped, so that
      each step stands once.
  """

  def __init__(self, directory: pathlib.Path, start: int):
    from tensorboardX import event_file_writer
    from tensorboardX.proto import event_pb2

    workdir = Workdir(directory)
    self._path = workdir.metrics
    files.keep_steps(self._path, below=start)
    workdir.tensorboard.mkdir(parents=True, exist_ok=True)
    self._board = event_file_writer.EventsWriter(str(workdir.tensorboard / "events"))
    session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)  # what is there from `start` on is void
    self._event(start, session_log=session)

  def write(self, step: int, metrics: Mapping[str, float]) -> None:
    from tensorboardX import summary

    files.append_line(self._path, {"step": step, **metrics})
    for name, value in metrics.items():
      self._event(step, summary=summary.scalar(name, value))
    self._board.flush()

  def _event(self, step: int, **content) -> None:
    from tensorboardX.proto import event_pb2

    self._board.write_event(event_pb2.Event(step=step, wall_time=time.time(), **content))

  def close(self) -> None:
    self._board.close()
