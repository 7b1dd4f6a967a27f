"""The rollout beside the model's own full forward pass, its draws beside the distributions asked for."""

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from reasoner.policy import algorithms
from reasoner.policy import grpo
from reasoner.policy import losses
from reasoner.policy import rollout as rollout_lib
from reasoner.policy import update as update_lib
from tests.reasoner.policy.test_layers import tunix_call

PROMPTS = [list(range(6, 12)), list(range(20, 30)), [7]]


def full_logits(policy, rollout):
  """Returns [n, t, vocabulary]: Tunix's own forward pass over prompt and completion, no cache."""
  tokens = np.concatenate([rollout.prompt_ids, rollout.completion_ids], axis=1)
  return np.array(nnx.jit(tunix_call)(policy.actor, jnp.asarray(tokens)))[:, rollout.prompt_ids.shape[1] - 1 : -1]


def test_greedy_tokens_are_the_arg_max_of_a_full_forward_pass(policy):
  rollout = policy.generate(PROMPTS, grpo.Sampling(max_new_tokens=10), jax.random.key(0))
  logits = full_logits(policy, rollout)
  logits[..., 0] = -np.inf
  best = np.sort(logits, axis=-1)
  for row, length in enumerate(rollout.lengths):
    for place in range(length):
      if best[row, place, -1] - best[row, place, -2] < 1e-4:
        break  # a near tie may fall either way, and what follows is another text
      assert rollout.completion_ids[row, place] == logits[row, place].argmax()
  assert (rollout.log_probabilities == 0).all()


def test_a_token_s_log_probability_is_that_of_the_full_forward_pass(policy):
  sampling = grpo.Sampling(max_new_tokens=10, temperature=0.7)
  rollout = policy.generate(PROMPTS, sampling, jax.random.key(0), num_generations=3)
  assert rollout.completion_ids.shape == (9, 10)
  assert (rollout.prompt_ids[0::3] == rollout.prompt_ids[2::3]).all()
  logits = full_logits(policy, rollout) / 0.7
  logits[..., 0] = -np.inf
  logps = np.take_along_axis(np.array(jax.nn.log_softmax(logits)), rollout.completion_ids[..., None], -1)[..., 0]
  kept = rollout.completion_ids != 0
  np.testing.assert_allclose(rollout.log_probabilities[kept], logps[kept], atol=2e-5)


def test_a_row_s_draws_do_not_depend_on_the_rows_beside_it(policy):
  sampling = grpo.Sampling(max_new_tokens=10, temperature=0.7)
  both = policy.generate(PROMPTS[:2], sampling, jax.random.key(3), num_generations=1)
  other = policy.generate([PROMPTS[0], PROMPTS[2]], sampling, jax.random.key(3), num_generations=1)
  assert (both.completion_ids[0] == other.completion_ids[0]).all()


LOGITS = jnp.array([3.0, 1.0, 0.0, -1.0, 2.0, 0.5, -jnp.inf])
DRAWS = 20_000


def frequencies(sampling):
  keys = jax.random.split(jax.random.key(0), DRAWS)
  tokens, logps = jax.jit(lambda logits: rollout_lib.draw(logits, keys, sampling))(jnp.tile(LOGITS, (DRAWS, 1)))
  return np.bincount(tokens, minlength=len(LOGITS)) / DRAWS, np.asarray(tokens), np.asarray(logps)


@pytest.mark.parametrize(
    "settings, kept",
    [
        (dict(temperature=1.0), range(6)),
        (dict(temperature=0.5), range(6)),
        (dict(temperature=2.0, top_k=3), (0, 4, 1)),
        # exp(3, 2, 1, 0.5, ...) / sum: 0.599 + 0.220 >= 0.8 after two tokens.
        (dict(temperature=1.0, top_p=0.8), (0, 4)),
        # Of the three kept: 0.665 + 0.245 = 0.91 >= 0.9.
        (dict(temperature=1.0, top_k=3, top_p=0.9), (0, 4)),
    ],
)
def test_samples_follow_temperature_top_p_and_top_k(settings, kept):
  sampling = grpo.Sampling(max_new_tokens=1, **settings)
  seen, tokens, logps = frequencies(sampling)
  expected = np.zeros(len(LOGITS))
  expected[list(kept)] = np.exp(np.array(LOGITS)[list(kept)] / sampling.temperature)
  expected /= expected.sum()
  assert seen[~np.isin(np.arange(len(LOGITS)), kept)].sum() == 0
  # Five standard deviations of a share; the seed is fixed, so this holds or does not.
  np.testing.assert_array_less(np.abs(seen - expected), 5 * np.sqrt(expected / DRAWS) + 1e-9)
  np.testing.assert_allclose(np.exp(logps), expected[tokens], rtol=1e-5)


def test_two_stages_draw_from_a_large_vocabulary_as_one_would():
  """100 tokens in 13 blocks of 8, most of them rare: by group of ten, as their shares say."""
  logits = jnp.linspace(0, 6, 100)
  keys = jax.random.split(jax.random.key(1), DRAWS)
  tokens, _ = jax.jit(
      lambda rows: rollout_lib.draw(rows, keys, grpo.Sampling(max_new_tokens=1, temperature=1.0))
  )(jnp.tile(logits, (DRAWS, 1)))
  seen = np.bincount(np.asarray(tokens) // 10, minlength=10) / DRAWS
  expected = np.asarray(jax.nn.softmax(logits)).reshape(10, 10).sum(axis=1)
  np.testing.assert_array_less(np.abs(seen - expected), 5 * np.sqrt(expected / DRAWS))


def test_the_loop_ends_when_every_row_has(policy):
  """With every token an end token, one step is enough; the program counts its steps in the tokens."""
  with policy.mesh:
    output = rollout_lib.generate(
        *nnx.split(policy.actor), policy.pad_prompts(PROMPTS), jax.random.key(0), count=3, generations=2,
        sampling=grpo.Sampling(max_new_tokens=10, temperature=1.0), pad_id=0, eos_ids=tuple(range(64)),
    )
  assert ((np.asarray(output["tokens"]) != 0).sum(axis=1) == 1).all()


def test_halving_the_rows_at_work_changes_no_draw(policy):
  """A quarter of all tokens end a row, so rows end one after the other and each halving takes place."""
  generate = lambda halvings: rollout_lib.generate(  # noqa: E731
      *nnx.split(policy.actor), policy.pad_prompts(PROMPTS), jax.random.key(4), count=3, generations=8,
      sampling=grpo.Sampling(max_new_tokens=10, temperature=1.0), pad_id=0, eos_ids=tuple(range(1, 17)),
      halvings=halvings,
  )
  with policy.mesh:
    whole, halved = generate(0), generate(3)
  lengths = (np.asarray(whole["tokens"]) != 0).sum(axis=1)
  assert len(set(lengths)) > 4 and lengths.max() > 8
  assert (np.asarray(whole["tokens"]) == np.asarray(halved["tokens"])).all()
  np.testing.assert_allclose(whole["log_probabilities"], halved["log_probabilities"], atol=1e-5)


def shapes(tree):
  return jax.tree.map(lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype), tree)


def test_the_rollout_lowers_from_shapes_alone_and_sorts_nothing(policy):
  graph, state = nnx.split(policy.actor)
  with policy.mesh:
    text = rollout_lib.generate.lower(
        graph, shapes(state), jax.ShapeDtypeStruct((4, 12), jnp.int32), jax.eval_shape(lambda: jax.random.key(0)),
        count=3, generations=2, sampling=grpo.Sampling(max_new_tokens=10, temperature=1.0), pad_id=0, eos_ids=(1, 5),
    ).as_text()
  assert "stablehlo.while" in text and "stablehlo.sort" not in text and "top_k" not in text


def test_the_update_lowers_from_shapes_alone(policy):
  graph, lora, base = nnx.split(policy.actor, nnx.LoRAParam, ...)
  optimizer_graph, optimizer = nnx.split(nnx.Optimizer(policy.actor, optax.adamw(1e-3), wrt=nnx.LoRAParam))
  array = lambda *shape, dtype=jnp.float32: jax.ShapeDtypeStruct(shape, dtype)  # noqa: E731
  parts = update_lib.Parts(
      prompt_ids=array(2, 4, 12, dtype=jnp.int32), completion_ids=array(2, 4, 10, dtype=jnp.int32),
      sampled=array(2, 4, 10),
      batch=losses.Batch(
          advantages=array(2, 4), mask=array(2, 4, 10, dtype=bool), reference=array(2, 4, 10), old=None,
          rows=array(), tokens=array(),
      ),
  )
  algorithm = algorithms.Algorithm(name="grpo", num_generations=4, num_iterations=1, beta=0.04)
  with policy.mesh:
    lowered = update_lib.update.lower(
        graph, shapes(lora), shapes(base), optimizer_graph, shapes(optimizer), parts,
        algorithm=algorithm, temperature=1.0, pad_id=0,
    )
  assert "stablehlo.while" in lowered.as_text()  # over the micro-batches
