"""What a step learns from: prompts, completions drawn for them, and what those were paid.

A group whose completions are all paid alike has no advantage and, without a KL term, no gradient. Where
config.grpo.max_replacements allows it, the step draws a whole further batch of prompts of the domains
concerned, and those groups of it that do have a signal take the places
(https://arxiv.org/abs/2503.14476, section 3.2: dynamic sampling); again until none is empty or the attempts
are used up. A batch keeps its size, so nothing is compiled anew, and each place its domain, so DISCO's
shares hold. With a KL term a group without advantages does pull at the policy, and leaving it out would
change what is minimised: beta above 0 is refused.

Which prompts and completions an attempt draws is a function of seed, step and attempt (and, under a
curriculum, of what it has recorded), so a resumed run repeats it. Not here: how prompts are drawn, which is
data/sampling.py's, and how completions are paid.
"""

from collections.abc import Callable, Sequence
import dataclasses
from typing import Any

import jax
import numpy as np

from reasoner import data
from reasoner.data import prompts
from reasoner.data import sampling
from reasoner.policy import grpo
from reasoner.policy.advantages import Paid
from rewards.schema import Example
from rewards.schema import RewardBreakdown

# The first keys folded in are those of the completions (rollout.py): attempts take theirs from far beyond.
_ATTEMPTS = 1 << 30


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experience:
  """p prompts and n = p x generations completions of them, a prompt's adjacent.

  pairs: [p], the prompts as they were drawn. rows: [p], what they are. breakdowns: [n], what was paid.
  """

  pairs: Sequence[sampling.Pair]
  rows: Sequence[Example]
  rollout: grpo.Rollout
  breakdowns: Sequence[RewardBreakdown]

  @property
  def generations(self) -> int:
    return len(self.breakdowns) // len(self.rows)

  @property
  def examples(self) -> list[Example]:
    """The prompt of each completion: [n]."""
    return [row for row in self.rows for _ in range(self.generations)]

  @property
  def domains(self) -> list[str]:
    """[p]."""
    return [row.domain for row in self.rows]

  def outcomes(self) -> list[sampling.Outcome]:
    """Returns how each prompt's group went: [p]."""
    spreads = Paid.of(self.breakdowns, np.ones(len(self.rows))).spreads(self.generations)
    verdicts = [[b.correct for b in self.breakdowns[i : i + self.generations]] for i in self._starts()]
    return [
        sampling.Outcome(pair=pair, right=own.count(True), wrong=own.count(False), spread=float(spread))
        for pair, own, spread in zip(self.pairs, verdicts, spreads)
    ]

  def _starts(self) -> range:
    return range(0, len(self.breakdowns), self.generations)

  def with_groups(self, places: Sequence[int], other: "Experience", groups: Sequence[int]) -> "Experience":
    """Returns it with groups of another at `places`."""
    mine, theirs = self._completions(places), self._completions(groups)
    return Experience(
        pairs=_swap(self.pairs, places, other.pairs, groups),
        rows=_swap(self.rows, places, other.rows, groups),
        rollout=self.rollout.with_rows(mine, other.rollout, theirs),
        breakdowns=_swap(self.breakdowns, mine, other.breakdowns, theirs),
    )

  def _completions(self, groups: Sequence[int]) -> list[int]:
    return [group * self.generations + k for group in groups for k in range(self.generations)]


def _swap(own: Sequence, places: Sequence[int], other: Sequence, theirs: Sequence[int]) -> list:
  mixed = list(own)
  for place, index in zip(places, theirs, strict=True):
    mixed[place] = other[index]
  return mixed


@dataclasses.dataclass(frozen=True, kw_only=True)
class Collected:
  """What a step drew. scheduled: as the schedule has it. further: batches in place of groups without signal.
  learned: what is learned from. frozen: `Learner.reference` of it.
  """

  scheduled: Experience
  further: Sequence[Experience]
  learned: Experience
  frozen: Any

  @property
  def tokens(self) -> int:
    """How many were drawn."""
    return int(sum(own.rollout.lengths.sum() for own in (self.scheduled, *self.further)))

  def metrics(self) -> dict[str, float]:
    """Returns the share of the step's groups that were replaced, and for how many further batches."""
    pairs = zip(self.scheduled.breakdowns, self.learned.breakdowns, strict=True)
    others = [ours is not theirs for ours, theirs in pairs]
    return {"groups/replaced_fraction": float(np.mean(others)), "groups/further_batches": len(self.further)}


def collect(
    learner: grpo.Learner, service, corpus: data.Corpus, schedule: sampling.Schedule, step: int,
    render: prompts.Renderer, draw: grpo.Sampling, key: jax.Array, lap: Callable[[str], None],
) -> Collected:  # fmt: skip
  """Draws what `step` learns from, pays it, and has the schedule take note of how it went.

  Args:
    service: whose `submit` scores completions, see rewards.service.
    key: decides every draw of the step.
    lap: called with what has just been done.
  """
  algorithm, frozen = learner.algorithm, None

  def roll_out(pairs: Sequence[sampling.Pair], key: jax.Array) -> Experience:
    nonlocal frozen
    rows = corpus.drawn(pairs)
    rollout = learner.policy.generate([render(row) for row in rows], draw, key, algorithm.num_generations)
    lap("rollout")
    groups = [group for group in range(len(rows)) for _ in range(algorithm.num_generations)]
    scores = service.submit([rows[group] for group in groups], rollout.texts, groups)
    if not algorithm.max_replacements:  # the device computes it while the rewards are
      frozen = jax.block_until_ready(learner.reference(rollout))
    lap("reference")
    breakdowns = scores.result()
    lap("reward")
    return Experience(pairs=pairs, rows=rows, rollout=rollout, breakdowns=breakdowns)

  def again(attempt: int, domains: Sequence[str]) -> Experience:
    others = schedule.others(step, attempt, domains, scheduled.pairs)
    return roll_out(others, jax.random.fold_in(key, _ATTEMPTS + attempt))

  scheduled = roll_out(schedule.rows(step), key)
  learned, further = replace(scheduled, algorithm.max_replacements, learner.has_signal, again)
  if algorithm.max_replacements:
    frozen = jax.block_until_ready(learner.reference(learned.rollout))
    lap("reference")
  schedule.record(scheduled.outcomes())
  for experience in further:
    schedule.record(experience.outcomes(), scheduled=False)
  return Collected(scheduled=scheduled, further=further, learned=learned, frozen=frozen)


def replace(
    scheduled: Experience,
    attempts: int,
    has_signal: Callable[[Sequence[RewardBreakdown]], np.ndarray],
    again: Callable[[int, Sequence[str]], Experience],
) -> tuple[Experience, list[Experience]]:
  """Replaces groups without signal by others of their domain.

  Args:
    scheduled: whose groups are replaced.
    attempts: how many further batches may be drawn.
    has_signal: breakdowns [n] -> [p] bool, which groups teach something.
    again: (attempt from 1, domains [p]) -> an experience of other prompts of these domains.

  Returns:
    What to learn from, and the batches that were drawn for it.
  """
  learned, further = scheduled, []
  for attempt in range(1, attempts + 1):
    empty = np.flatnonzero(~has_signal(learned.breakdowns)).tolist()
    if not empty:
      break
    found = again(attempt, [learned.domains[empty[i % len(empty)]] for i in range(len(learned.rows))])
    further.append(found)
    taken: dict[int, int] = {}  # by place, the group that takes it
    for group in np.flatnonzero(has_signal(found.breakdowns)).tolist():
      place = next((p for p in empty if p not in taken and learned.domains[p] == found.domains[group]), None)
      if place is not None:
        taken[place] = group
    learned = learned.with_groups(list(taken), found, list(taken.values()))
  return learned, further
