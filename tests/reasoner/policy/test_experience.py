"""Groups without signal give their places to others of their domain."""

import dataclasses

import numpy as np
import pytest

from reasoner.data import sampling
from reasoner.policy import algorithms
from reasoner.policy import experience as experience_lib
from reasoner.policy import grpo
from reasoner.policy.advantages import Paid
from reasoner.policy.experience import Experience
from rewards.errors import ConfigError
from rewards.schema import Example
from rewards.schema import RewardBreakdown
from rewards.schema import Text

G = 2


def breakdown(total, correct=None):
  return RewardBreakdown(
      gate=True, failure=None, scores={"own": total}, weights={"own": 1.0}, total=total, default_total=total, correct=correct
  )


def rollout(n, mark=0):
  """n completions whose every array says which they are, and of which batch."""
  ids = np.arange(n) + 100 * mark
  return grpo.Rollout(
      prompt_ids=ids[:, None], completion_ids=ids[:, None], log_probabilities=ids[:, None] / 2, lengths=ids + 1,
      truncated=ids % 2 == 0, texts=[str(i) for i in ids],
  )  # fmt: skip


def made(domains, totals, mark=0):
  rows = [Example(uid=f"{mark}/{i}", domain=d, prompt="p", reference=Text(text="t")) for i, d in enumerate(domains)]
  return Experience(
      pairs=[(domain, 10 * mark + i) for i, domain in enumerate(domains)], rows=rows,
      rollout=rollout(len(totals), mark), breakdowns=[breakdown(total) for total in totals],
  )


def has_signal(breakdowns):
  totals = np.array([b.total or 0.0 for b in breakdowns]).reshape(-1, G)
  return totals[:, 0] != totals[:, 1]


def replaced(first, *batches):
  asked = []

  def again(attempt, domains):
    asked.append((attempt, list(domains)))
    return batches[attempt - 1]

  return (*experience_lib.replace(first, len(batches), has_signal, again), asked)


FLAT, LIVE = [0.5, 0.5], [0.0, 1.0]


def test_a_place_goes_to_the_first_group_of_its_domain_that_has_a_signal():
  first = made(["math", "poems", "math", "poems"], FLAT + LIVE + FLAT + FLAT)
  second = made(["math", "math", "poems", "math"], FLAT + LIVE + FLAT + LIVE, mark=1)
  learned, further, asked = replaced(first, second)
  assert asked == [(1, ["math", "math", "poems", "math"])] and further == [second]  # the empty places in turn
  assert learned.pairs == [("math", 11), ("poems", 1), ("math", 13), ("poems", 3)]
  assert [row.uid for row in learned.rows] == ["1/1", "0/1", "1/3", "0/3"]
  assert learned.domains == first.domains
  which = [102, 103, 2, 3, 106, 107, 6, 7]
  for field in dataclasses.fields(grpo.Rollout):
    value, own, other = (getattr(x, field.name) for x in (learned.rollout, rollout(8), rollout(8, 1)))
    assert list(map(str, value)) == [str((other if i >= 100 else own)[i % 100]) for i in which], field.name
  assert [b.total for b in learned.breakdowns] == LIVE + LIVE + LIVE + FLAT
  assert (first.rollout.lengths == rollout(8).lengths).all()  # what the schedule drew is as it was


def test_attempts_end_when_nothing_is_empty_or_none_are_left():
  first = made(["math", "poems"], FLAT + LIVE)
  flat, live = made(["math", "math"], FLAT + FLAT, mark=1), made(["math", "math"], LIVE + LIVE, mark=2)
  learned, further, asked = replaced(first, flat, live, live)
  assert learned.pairs == [("math", 20), ("poems", 1)] and len(further) == 2
  assert [attempt for attempt, _ in asked] == [1, 2]
  assert replaced(first, flat)[0].pairs == first.pairs  # still without signal: it stays
  assert replaced(made(["math"], LIVE), flat)[1:] == ([], [])


def test_a_group_takes_a_place_of_its_own_domain_alone():
  learned, _, _ = replaced(made(["math", "poems"], FLAT + LIVE), made(["poems", "poems"], LIVE + LIVE, mark=1))
  assert learned.pairs == [("math", 0), ("poems", 1)]


def test_the_share_that_was_replaced_is_measured():
  first, second = made(["math", "math"], FLAT + LIVE), made(["math", "math"], LIVE + LIVE, mark=1)
  learned, further, _ = replaced(first, second)
  drawn = experience_lib.Collected(scheduled=first, further=further, learned=learned, frozen=None)
  assert drawn.metrics() == {"groups/replaced_fraction": 0.5, "groups/further_batches": 1}
  assert drawn.tokens == sum(range(1, 5)) + sum(range(101, 105))


def test_outcomes_are_right_wrong_and_spread():
  one = dataclasses.replace(
      made(["math", "poems", "math"], LIVE + [0.25, 0.75] + FLAT),
      breakdowns=[breakdown(0.0, False), breakdown(1.0, True), breakdown(0.25), breakdown(0.75),
                  breakdown(None), breakdown(1.0, True)],
  )  # fmt: skip
  first, second, third = one.outcomes()
  assert first == sampling.Outcome(pair=("math", 0), right=1, wrong=1, spread=1.0)
  assert second == sampling.Outcome(pair=("poems", 1), right=0, wrong=0, spread=0.5)
  assert third[:3] == (("math", 2), 1, 0) and np.isnan(third.spread)


class Service:
  """Pays a completion by its text's first letter, and counts what it was asked."""

  def __init__(self, pay):
    self.asked, self._pay = [], pay

  def submit(self, examples, texts, groups):
    self.asked.append((examples, texts, groups))
    result = [breakdown(self._pay(text)) for text in texts]
    return type("Pending", (), {"result": lambda _: result})()


class Corpus:
  def drawn(self, pairs):
    return [Example(uid=f"{d}/{row}", domain=d, prompt=str(row), reference=Text(text="t")) for d, row in pairs]


def collected(policy, step=0, pay=lambda text: float(text < "H"), schedule=None, **changes):
  settings = dict(name="grpo", num_generations=4, num_iterations=2, beta=0.0, max_replacements=2) | changes
  import jax
  import optax

  learner = grpo.Learner(policy, algorithms.Algorithm(**settings), optax.sgd(0.05), temperature=1.0)
  schedule = schedule or sampling.Schedule(dict(math=30, poems=20), steps=9, prompts_per_step=4, seed=1)
  laps, service = [], Service(pay)
  render = lambda row: [2, 6 + int(row.prompt), 7 + len(row.domain)]  # noqa: E731
  drawn = experience_lib.collect(
      learner, service, Corpus(), schedule, step, render, grpo.Sampling(max_new_tokens=10, temperature=1.0),
      jax.random.fold_in(jax.random.key(0), step), laps.append,
  )  # fmt: skip
  return drawn, learner, service, laps


def test_a_step_is_repeated_to_the_bit_with_what_was_replaced(policy):
  one, learner, service, laps = collected(policy)
  two = collected(policy)[0]
  assert 1 <= len(one.further) <= 2 and one.metrics()["groups/replaced_fraction"] > 0
  assert one.learned.rollout.texts == two.learned.rollout.texts and one.learned.pairs == two.learned.pairs
  assert (np.asarray(one.frozen[1]) == np.asarray(two.frozen[1])).all()
  assert len(service.asked) == 1 + len(one.further)
  # What is frozen belongs to the completions that are learned from.
  expected = policy.log_probabilities(one.learned.rollout, 1.0, generations=4)
  assert (np.asarray(one.frozen[1]) == np.asarray(expected)).all()
  assert laps[:3] == ["rollout", "reference", "reward"]


def test_the_completions_of_an_attempt_are_others_than_the_step_s_for_the_same_prompt(policy):
  schedule = sampling.Schedule(dict(math=1), steps=3, prompts_per_step=4, seed=1)  # there is but one prompt
  drawn, *_ = collected(policy, pay=lambda text: 0.5, schedule=schedule)
  batches = [tuple(experience.rollout.texts) for experience in (drawn.scheduled, *drawn.further)]
  assert len(set(batches)) == 3


def test_without_replacements_a_step_draws_once_and_learns_from_that(policy):
  drawn, *_ = collected(policy, max_replacements=0, beta=0.04)
  assert drawn.learned is drawn.scheduled and not drawn.further and drawn.frozen[0] is not None


def test_replacing_is_exact_without_a_kl_term_alone():
  with pytest.raises(ConfigError, match="config.grpo.max_replacements=2 with beta=0.04: .* expected beta=0.0"):
    algorithms.Algorithm(name="grpo", num_generations=4, num_iterations=1, beta=0.04, max_replacements=2)


def stepped(policy, directory, steps, adapter):
  """Learns for some steps with all that draws by what was learned, from the last checkpoint in `directory` on."""
  from flax import nnx
  import jax
  import optax

  from reasoner.data.curriculum import Curriculum
  from reasoner.run import checkpoints

  checkpoints.assign(policy.actor, adapter, nnx.LoRAParam)
  algorithm = algorithms.Algorithm(
      name="grpo", num_generations=4, num_iterations=1, beta=0.0, max_replacements=2, normalize_rewards="gdpo"
  )
  learner = grpo.Learner(policy, algorithm, optax.adam(0.02), temperature=1.0)
  schedule = Curriculum(dict(math=9, poems=7), steps=9, prompts_per_step=4, seed=1)
  modules = {"adapter": (policy.actor, nnx.LoRAParam), "optimizer": (learner.optimizer, nnx.Variable)}
  seen = []
  with checkpoints.Checkpoints(directory, modules, keep=1, template="the same", recorder=schedule) as saved:
    for step in range(saved.resume(), steps):
      drawn = experience_lib.collect(
          learner, Service(lambda text: float(text < "H")), Corpus(), schedule, step,
          lambda row: [2, 6 + int(row.prompt), 7 + len(row.domain)],
          grpo.Sampling(max_new_tokens=10, temperature=1.0),
          jax.random.fold_in(jax.random.key(0), step), lambda _: None,
      )  # fmt: skip
      paid = Paid.of(drawn.learned.breakdowns, np.ones(4))
      learner.update(drawn.learned.rollout, learner.advantages(paid), paid.scored, drawn.frozen)
      seen.append((drawn.scheduled.pairs, drawn.learned.pairs))
      saved.whole(step + 1)
      saved.save()
  return seen, schedule.state(), checkpoints.sha256(checkpoints.arrays_of(policy.actor, nnx.LoRAParam))


def test_a_run_that_was_cut_off_goes_on_to_the_same_bits_with_replacements_and_a_curriculum(policy, tmp_path):
  from flax import nnx

  from reasoner.run import checkpoints

  adapter = checkpoints.arrays_of(policy.actor, nnx.LoRAParam)
  whole, state, digest = stepped(policy, tmp_path / "whole", 4, adapter)
  assert any(scheduled != learned for scheduled, learned in whole)  # something was replaced
  first, _, _ = stepped(policy, tmp_path / "cut", 2, adapter)
  rest, resumed, again = stepped(policy, tmp_path / "cut", 4, adapter)
  assert first + rest == whole and resumed == state and again == digest
