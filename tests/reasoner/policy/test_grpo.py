"""Each trap of Tunix that the seam is there to hide, sprung once."""

import functools
import json
import os
import subprocess
import sys

from flax import nnx
import jax
import numpy as np
import optax
import pytest
from tunix.rl import common

from reasoner.policy import algorithms
from reasoner.policy import grpo
from reasoner.policy.advantages import Paid
from reasoner.run import checkpoints
from rewards.format import render
from rewards.reading import numbers
from rewards.registry import temporary
from rewards.schema import Example
from rewards.schema import Number
from rewards.scorer import ComponentError
from rewards.scorer import STRICT
from rewards.service import Service

PROMPTS = [list(range(6, 12)), list(range(20, 30))]
GENERATIONS = 4
DRAW = grpo.Sampling(max_new_tokens=10, temperature=0.7, top_p=0.95, top_k=20)


def rollout_of(policy, step=0):
  return policy.generate(PROMPTS, DRAW, jax.random.fold_in(jax.random.key(0), step), GENERATIONS)


def learner_of(
    policy, name="grpo", *, learning_rate=0.05, micro_batches=1, optimizer=None, rematerialize=False, **changes
):
  beta = 0.0 if name == "dapo" else 0.04
  settings = dict(name=name, num_generations=GENERATIONS, num_iterations=1, beta=beta, epsilon=0.2) | changes
  return grpo.Learner(
      policy, algorithms.Algorithm(**settings), optimizer or optax.sgd(learning_rate),
      temperature=DRAW.temperature, micro_batches=micro_batches, rematerialize=rematerialize,
  )


def adapter(policy):
  return {n: np.asarray(a) for n, a in checkpoints.arrays_of(policy.actor, nnx.LoRAParam).items()}


def step(policy, learner, rollout, advantages, trained=None):
  trained = np.ones(len(advantages), bool) if trained is None else trained
  return learner.update(rollout, np.asarray(advantages, np.float32), trained, learner.reference(rollout))


ADVANTAGES = [1.0, -1.0, 0.5, -0.5, 1.0, -1.0, 0.5, -0.5]


def test_each_step_draws_its_own_samples_and_the_same_step_the_same(policy):
  first, again, second = rollout_of(policy, 0), rollout_of(policy, 0), rollout_of(policy, 1)
  assert (first.completion_ids == again.completion_ids).all()
  assert (first.completion_ids != second.completion_ids).any()
  rows = {tuple(row) for row in first.completion_ids}
  assert len(rows) > GENERATIONS  # the completions of one prompt differ from each other


def test_a_rollout_has_fixed_shapes_and_never_an_inner_pad(policy):
  rollout = rollout_of(policy)
  assert rollout.prompt_ids.shape == (8, 12) and rollout.completion_ids.shape == (8, 10)
  for ids, length in zip(rollout.completion_ids, rollout.lengths):
    assert (ids[:length] != 0).all() and (ids[length:] == 0).all()


def test_the_end_token_is_trained_and_left_out_of_the_text(policy):
  rollout = next(r for r in map(lambda s: rollout_of(policy, s), range(20)) if not r.truncated.all())
  for i in np.flatnonzero(~rollout.truncated):
    length = rollout.lengths[i]
    assert rollout.completion_ids[i, length - 1] in policy.tokenizer.eos_ids
    assert len(rollout.texts[i]) == length - 1
  for i in np.flatnonzero(rollout.truncated):
    assert rollout.lengths[i] == 10 and len(rollout.texts[i]) == 10


def test_greedy_decoding_repeats_itself_whatever_the_key(policy):
  greedy = grpo.Sampling(max_new_tokens=10)
  one = policy.generate(PROMPTS, greedy, jax.random.key(1))
  two = policy.generate(PROMPTS, greedy, jax.random.key(2))
  assert one.texts == two.texts and all(one.texts)


def test_the_reference_shares_the_base_weights_and_stays_where_it_was(policy):
  rollout = rollout_of(policy)
  before = np.asarray(policy.reference_log_probabilities(rollout, 0.7))
  base = {id(a) for a in jax.tree.leaves(policy._reference[1])}
  shared = [a for n, a in checkpoints.arrays_of(policy.actor).items() if "lora" not in n]
  assert shared and all(id(array) in base for array in shared)
  step(policy, learner_of(policy), rollout, ADVANTAGES)
  assert (np.asarray(policy.reference_log_probabilities(rollout, 0.7)) == before).all()
  assert (np.asarray(policy.log_probabilities(rollout, 0.7)) != before).any()


def test_ratios_begin_at_one_with_a_temperature_and_several_iterations(policy):
  rollout = rollout_of(policy)
  learner = learner_of(policy, num_iterations=2, learning_rate=0.0)
  metrics = step(policy, learner, rollout, ADVANTAGES)
  # The update computes its log-probabilities in a program of its own: each is off by a few units of the last
  # place of a float32, of magnitude up to 10.
  assert metrics["ratio_max"] == pytest.approx(1.0, abs=1e-4)
  # What Tunix's rollout worker would have compared with: log-probabilities without temperature.
  graph, state = nnx.split(policy.actor)
  cold = common.compute_per_token_logps(
      graph, state, prompt_tokens=rollout.prompt_ids, completion_tokens=rollout.completion_ids, pad_id=0, eos_id=1
  )
  kept = rollout.completion_ids != 0
  _, old = learner.reference(rollout)
  assert np.abs(np.asarray(cold - old))[kept].max() > 0.05


def test_the_kl_term_pulls_back_to_the_reference_with_a_gradient(policy):
  rollout = rollout_of(policy)
  pusher, puller = learner_of(policy, beta=0.0, learning_rate=1.0), learner_of(policy, beta=1.0, learning_rate=0.1)
  step(policy, pusher, rollout, ADVANTAGES)
  away = step(policy, puller, rollout, np.zeros(8))
  assert away["kl"] > 0 and away["gradient_norm"] > 0
  for _ in range(5):
    nearer = step(policy, puller, rollout, np.zeros(8))
  assert nearer["kl"] < away["kl"]


def test_an_update_raises_the_probability_of_what_was_rewarded(policy):
  rollout = rollout_of(policy)
  kept = rollout.completion_ids != 0
  before = np.where(kept, np.asarray(policy.log_probabilities(rollout, 0.7)), 0).sum(axis=1)
  step(policy, learner_of(policy, beta=0.0, learning_rate=0.5), rollout, ADVANTAGES)
  after = np.where(kept, np.asarray(policy.log_probabilities(rollout, 0.7)), 0).sum(axis=1)
  assert ((after - before) * np.array(ADVANTAGES)).sum() > 0


def test_completions_that_could_not_be_scored_carry_no_gradient(policy):
  rollout = rollout_of(policy)
  trained = np.array([True] * 4 + [False] * 4)
  start = adapter(policy)
  step(policy, learner_of(policy), rollout, ADVANTAGES, trained)
  expected = adapter(policy)
  checkpoints.assign(policy.actor, {n: jax.numpy.asarray(a) for n, a in start.items()}, nnx.LoRAParam)
  other = np.array(ADVANTAGES)
  other[4:] = [9.0, -9.0, 3.0, 1.0]
  step(policy, learner_of(policy), rollout, other, trained)
  assert all((expected[name] == array).all() for name, array in adapter(policy).items())


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if name in ("dapo", "dr_grpo", "maxrl") else []) for name in algorithms.NAMES
])
def test_every_algorithm_takes_a_step(policy, name):
  start = adapter(policy)
  metrics = step(policy, learner_of(policy, name), rollout_of(policy), ADVANTAGES)
  assert all(np.isfinite(value) for value in metrics.values())
  assert any((start[n] != a).any() for n, a in adapter(policy).items())


def test_micro_batches_change_memory_and_not_the_update(policy):
  rollout = rollout_of(policy)
  start = adapter(policy)
  step(policy, learner_of(policy), rollout, ADVANTAGES)
  whole = adapter(policy)
  checkpoints.assign(policy.actor, {n: jax.numpy.asarray(a) for n, a in start.items()}, nnx.LoRAParam)
  step(policy, learner_of(policy, micro_batches=2), rollout, ADVANTAGES)
  # Two programs that sum in another order, fused as the processor has it: the update agrees to a thousandth.
  update = max(np.abs(whole[name] - start[name]).max() for name in whole)
  for name, array in adapter(policy).items():
    np.testing.assert_allclose(array, whole[name], rtol=0, atol=1e-3 * update)


def test_advantages_are_normalised_by_group_except_under_dr_grpo(policy):
  rewards = np.array([1.0, 0.0, 0.0, 1.0, 0.3, 0.3, 0.3, 0.3])
  # group 1: mean 0.5, sample deviation sqrt(4 * 0.25 / 3) = 0.57735; group 2 is flat.
  expected = [0.5 / 0.57735, -0.5 / 0.57735, -0.5 / 0.57735, 0.5 / 0.57735]
  paid = Paid(totals=rewards, scored=np.ones(8, bool), factors=np.ones(8))
  normalised = learner_of(policy).advantages(paid)
  np.testing.assert_allclose(normalised[:4], expected, rtol=1e-4)
  assert (normalised[4:] == 0.0).all()
  np.testing.assert_allclose(learner_of(policy, "dr_grpo").advantages(paid)[:4], [0.5, -0.5, -0.5, 0.5])


@pytest.mark.parametrize("iterations", [1, 2])
def test_nothing_recompiles_after_the_first_step(policy, caplog, iterations):
  learner = learner_of(policy, num_iterations=iterations, optimizer=optax.adamw(optax.constant_schedule(1e-3)))
  step(policy, learner, rollout_of(policy, 0), ADVANTAGES)
  with jax.log_compiles(), caplog.at_level("WARNING"):
    step(policy, learner, rollout_of(policy, 1), ADVANTAGES[::-1])
  assert not [r.message for r in caplog.records if "Compiling" in r.message]


def test_a_prompt_that_is_too_long_is_an_error(policy):
  with pytest.raises(ValueError, match="13 tokens exceeds 12"):
    policy.generate([[7] * 13], DRAW, jax.random.key(0))


EIGHT_DEVICES = """
import json, sys, jax, numpy as np, optax
from flax import nnx
from reasoner.models import mesh as mesh_lib
from reasoner.policy import grpo
from reasoner.run import checkpoints
from tests.reasoner.conftest import CharacterTokenizer, tiny_actor
from tests.reasoner.policy import test_grpo

found, first = {}, None
for name in ("1x1", *sys.argv[1:]):
  fsdp, tp = map(int, name.split("x"))
  mesh = mesh_lib.make_mesh(fsdp, tp)
  policy = grpo.Policy(
      tiny_actor(mesh), CharacterTokenizer(), mesh, max_prompt_tokens=12, max_new_tokens=10, replicated=fsdp > 1
  )
  moved = {}  # away from B = 0, where A has no gradient and the reference is the policy
  for i, (path, array) in enumerate(checkpoints.arrays_of(policy.actor, nnx.LoRAParam).items()):
    value = 0.1 * np.random.default_rng(i).standard_normal(array.shape, np.float32)
    moved[path] = jax.device_put(value, array.sharding)
  checkpoints.assign(policy.actor, moved, nnx.LoRAParam)
  drawn = test_grpo.rollout_of(policy)
  first = first or drawn
  learner = test_grpo.learner_of(policy, optimizer=optax.sgd(1.0), rematerialize=fsdp == 4)
  metrics = test_grpo.step(policy, learner, first, test_grpo.ADVANTAGES)
  gradients = {path: moved[path] - array for path, array in test_grpo.adapter(policy).items()}
  if not found:
    alone = gradients
  found[name] = dict(
      devices=len(jax.tree.leaves(nnx.state(policy.actor))[0].sharding.device_set), loss=metrics["loss"],
      norm=metrics["gradient_norm"], same_tokens=bool((drawn.completion_ids == first.completion_ids).all()),
      difference=max(float(np.abs(np.asarray(gradients[n]) - np.asarray(alone[n])).max()) for n in alone),
      least=min(float(np.abs(gradient).max()) for gradient in gradients.values()),
  )
print(json.dumps(found))
"""


@functools.cache
def on_eight_devices(*meshes):
  environment = os.environ | {
      "XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu",
      "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # what takes the time is compiling
  }  # fmt: skip
  command = [sys.executable, "-c", EIGHT_DEVICES, *meshes]
  done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
  assert done.returncode == 0, done.stderr[-3000:]
  return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.timeout(1000)
@pytest.mark.parametrize("mesh", ["2x4", *(pytest.param(name, marks=pytest.mark.slow) for name in ("8x1", "4x2"))])
def test_on_eight_devices_loss_gradients_and_samples_of_a_batch_are_those_of_one(mesh):
  found = on_eight_devices("2x4") if mesh == "2x4" else on_eight_devices("8x1", "4x2")
  alone, own = found["1x1"], found[mesh]
  assert (alone["devices"], own["devices"]) == (1, 8)
  assert alone["least"] > 1e-4  # no adapter's gradient is all but nothing
  assert own["loss"] == pytest.approx(alone["loss"], abs=1e-5)
  assert own["difference"] < 1e-5 * max(1.0, alone["norm"])
  assert own["same_tokens"]  # over weights that were gathered once


def test_a_rollout_after_an_update_comes_from_the_updated_weights(policy):
  before = rollout_of(policy)
  step(policy, learner_of(policy, beta=0.0, learning_rate=50.0), before, ADVANTAGES)
  plain = policy.generate(PROMPTS, grpo.Sampling(max_new_tokens=10, temperature=0.7), jax.random.key(0), GENERATIONS)
  own = np.asarray(policy.log_probabilities(plain, 0.7))
  kept = plain.completion_ids != 0
  stale = np.asarray(policy.reference_log_probabilities(plain, 0.7))
  # The sampler never draws the pad, so its log-probabilities lie above the policy's by a little.
  assert np.abs(own - plain.log_probabilities)[kept].mean() < 0.1
  assert np.abs(stale - plain.log_probabilities)[kept].mean() > 0.5


def test_the_sampler_gap_is_nothing_by_temperature_alone_and_is_opened_by_top_p(policy):
  plain = policy.generate(PROMPTS, grpo.Sampling(max_new_tokens=10, temperature=0.7), jax.random.key(0), GENERATIONS)
  learner = learner_of(policy)
  assert step(policy, learner, plain, ADVANTAGES)["sampler_gap"] < 0.1  # the pad that is never drawn
  cut = policy.generate(
      PROMPTS, grpo.Sampling(max_new_tokens=10, temperature=0.7, top_p=0.5), jax.random.key(0), GENERATIONS
  )
  # Half of the probability or more is kept: each token's is up to log 2 = 0.69 too high.
  assert 0.15 < step(policy, learner, cut, ADVANTAGES)["sampler_gap"] < 0.8


def test_the_gradient_norm_is_that_of_the_sum_whatever_the_division(policy):
  rollout = rollout_of(policy)
  norms = [
      step(policy, learner_of(policy, learning_rate=0.0, micro_batches=parts), rollout, ADVANTAGES)["gradient_norm"]
      for parts in (1, 4)
  ]
  assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def test_the_log_likelihood_of_a_rollout_is_read_off_the_weights_as_they_are(policy):
  learner = learner_of(policy, learning_rate=0.5)
  rollout = rollout_of(policy)
  before = learner.log_likelihood(rollout)
  mask = np.arange(10) < rollout.lengths[:, None]
  own = np.asarray(policy.log_probabilities(rollout, DRAW.temperature))
  assert before == pytest.approx((own * mask).sum() / 8, rel=1e-5)
  step(policy, learner, rollout, [1.0] * 8)
  assert learner.log_likelihood(rollout) > before
  broken = {name: jax.numpy.full_like(a, np.nan) for name, a in adapter(policy).items()}
  checkpoints.assign(policy.actor, broken, nnx.LoRAParam)
  assert not np.isfinite(learner.log_likelihood(rollout))


BUGS = {
    "ours": """
from rewards.reading import numbers
take = numbers.NumberKind.take
def taking(kind, body):
  return take(kind, body) if "271828" not in body else 1 / 0
numbers.NumberKind.take = taking
""",
    "plugin": """
from rewards import register
@register("thinking", kind="quality", domains=("math",))
def thinking(completion, example):
  return 1.0 / ("271828" not in completion.answer)
""",
}  # fmt: skip
ANSWERS = ["7", "8", "271828", "7", "8", "8", "9", "7"]


def scored(tmp_path, bug):
  (tmp_path / "bug.py").write_text(BUGS[bug])
  rewards = {"math": {"format": {"weight": 0.2}, "math_answer": {"weight": 0.8}}}
  if bug == "plugin":
    rewards["math"]["thinking"] = {"weight": 0.1}
  rows = [Example(uid=f"sums/{i}", domain="math", prompt="How many?", reference=Number(text="7")) for i in (0, 1)]
  examples, groups = [row for row in rows for _ in range(GENERATIONS)], [0] * GENERATIONS + [1] * GENERATIONS
  with temporary(), Service(
      rewards, plugins=[str(tmp_path / "bug.py")], num_workers=1, faults_path=tmp_path / "faults.jsonl"
  ) as service:
    return service.score(examples, [render("Let me count.", answer) for answer in ANSWERS], groups)


def test_a_reader_that_raises_costs_its_completion_its_score_and_its_place_in_the_group(tmp_path, monkeypatch):
  monkeypatch.delenv(STRICT)
  monkeypatch.setattr(numbers.NumberKind, "take", numbers.NumberKind.take)  # the plugin sets it here too
  paid = Paid.of(scored(tmp_path, "ours"), np.ones(2))
  assert paid.scored.tolist() == [answer != "271828" for answer in ANSWERS]
  (kept,) = map(json.loads, (tmp_path / "faults.jsonl").read_text().splitlines())
  assert kept["uid"] == "sums/0" and "271828" in kept["completion"] and "ZeroDivisionError" in kept["error"]


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_stops_a_test_run_and_a_plugins_bug_any_run_and_names_the_row(tmp_path, monkeypatch, bug):
  monkeypatch.setattr(numbers.NumberKind, "take", numbers.NumberKind.take)
  if bug == "plugin":
    monkeypatch.delenv(STRICT)
  with pytest.raises(ComponentError, match="sums/0.*ZeroDivisionError|ZeroDivisionError.*sums/0"):
    scored(tmp_path, bug)
  assert "271828" in (tmp_path / "faults.jsonl").read_text()
