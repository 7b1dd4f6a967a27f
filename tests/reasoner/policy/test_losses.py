"""Losses, gradients, advantages and log-probabilities beside Tunix's own, which say what the names mean."""

import functools

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tunix.rl import common
from tunix.rl import function_registry
from tunix.rl.grpo import dapo_learner
from tunix.rl.grpo import drgrpo_learner
from tunix.rl.grpo import grpo_learner

from reasoner.policy import algorithms
from reasoner.policy import log_probabilities
from reasoner.policy import losses

N, PROMPT, NEW, T = 8, 12, 10, 0.7


def algorithm_of(name, **changes):
  beta = 0.0 if name == "dapo" else 0.04
  settings = dict(name=name, num_generations=4, num_iterations=2, beta=beta) | changes
  return algorithms.Algorithm(**settings)


def tunix_config(algorithm):
  low, high = algorithm.clip_range
  common_settings = dict(
      num_generations=algorithm.num_generations, num_iterations=1, epsilon=low, kl_loss_mode="low_var_kl"
  )
  match algorithm.name:
    case "grpo":
      config = grpo_learner.GRPOConfig(beta=algorithm.beta, **common_settings)
    case "gspo":
      config = grpo_learner.GRPOConfig(beta=algorithm.beta, loss_algo="gspo-token", **common_settings)
      config.epsilon_high = high
    case "dr_grpo":
      config = drgrpo_learner.DrGRPOConfig(beta=algorithm.beta, **common_settings)
    case "dapo":
      config = dapo_learner.DAPOConfig(
          epsilon_high=high, dynamic_sampling=False, overlong_buffer=None, **common_settings
      )
  config.temperature = T
  return config


@pytest.fixture(scope="module")
def case(shared_policy):
  """A batch off the policy, rows of many lengths, one of them empty and one not scored."""
  draw = np.random.default_rng(0)
  lengths = np.array([10, 3, 7, 1, 0, 10, 5, 9])
  completions = draw.integers(6, 64, (N, NEW)) * (np.arange(NEW) < lengths[:, None])
  prompts = draw.integers(6, 64, (N, PROMPT)) * (np.arange(PROMPT) >= draw.integers(0, 6, (N, 1)))
  mask = (completions != 0) & (np.arange(N) != 2)[:, None]
  graph, lora, base = nnx.split(shared_policy.actor, nnx.LoRAParam, ...)
  noise = lambda array, size=0.3: array + size * draw.normal(size=array.shape).astype(np.float32)  # noqa: E731
  lora = jax.tree.map(lambda array: noise(array, 0.05), lora)
  new, _ = ours(graph, lora, base, prompts, completions)
  return dict(
      graph=graph, lora=lora, base=base, prompts=prompts, completions=completions, mask=mask,
      advantages=draw.normal(size=N).astype(np.float32), old=noise(new), reference=noise(new),
  )


@jax.jit
def ours(graph, lora, base, prompts, completions):
  model = nnx.merge(graph, lora, base)
  return log_probabilities.of_completions(model, prompts, completions, temperature=T, pad_id=0)


@functools.partial(jax.jit, static_argnums=4)
def our_gradient(graph, lora, base, batch, algorithm, prompts, completions):
  def loss(lora):
    return losses.LOSSES[algorithm.name](ours(graph, lora, base, prompts, completions)[0], batch, algorithm)

  return jax.value_and_grad(loss, has_aux=True)(lora)


def batch_of(case, algorithm, rows=slice(None)):
  mask = case["mask"]
  return losses.Batch(
      advantages=case["advantages"][rows], mask=mask[rows],
      reference=case["reference"][rows] if algorithm.beta else None, old=case["old"][rows],
      rows=np.float32(mask.any(axis=1).sum()), tokens=np.float32(mask.sum()),
  )


def tunix_gradient(case, algorithm):
  config, loss = tunix_config(algorithm), function_registry.get_policy_loss_fn("grpo")
  example = common.TrainExample(
      prompt_ids=case["prompts"], prompt_mask=case["prompts"] != 0, completion_ids=case["completions"],
      completion_mask=case["mask"], advantages=case["advantages"],
      ref_per_token_logps=case["reference"] if algorithm.beta else None, old_per_token_logps=case["old"],
  )

  @jax.jit
  def gradient(lora, base, example):
    def of(lora):
      return loss(nnx.merge(case["graph"], lora, base), example, algo_config=config, pad_id=0, eos_id=1)

    return jax.value_and_grad(of, has_aux=True)(lora)

  return gradient(case["lora"], case["base"], example)


def assert_close(ours, theirs):
  for own, their in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
    np.testing.assert_allclose(own, their, rtol=1e-5, atol=1e-5 * max(1e-3, np.abs(their).max()))


def test_log_probabilities_and_entropies_are_tunix_s_own(case):
  graph, state = case["graph"], nnx.merge_state(case["lora"], case["base"])
  theirs, logits = common.compute_per_token_logps(
      graph, state, prompt_tokens=case["prompts"], completion_tokens=case["completions"], pad_id=0, eos_id=1,
      temperature=T, return_logits=True,
  )
  logps, entropy = ours(graph, case["lora"], case["base"], case["prompts"], case["completions"])
  kept = case["completions"] != 0
  np.testing.assert_allclose(np.asarray(logps)[kept], np.asarray(theirs)[kept], rtol=1e-5, atol=1e-5)
  probabilities = jax.nn.softmax(logits)
  expected = -(probabilities * jnp.log(probabilities)).sum(axis=-1)
  np.testing.assert_allclose(np.asarray(entropy)[kept], np.asarray(expected)[kept], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in algorithms.NAMES if name != "maxrl"])  # which Tunix lacks
def test_loss_gradient_and_metrics_are_tunix_s_own(case, name):
  algorithm = algorithm_of(name)
  (loss, metrics), gradient = our_gradient(
      case["graph"], case["lora"], case["base"], batch_of(case, algorithm), algorithm, case["prompts"], case["completions"]
  )
  (their_loss, aux), their_gradient = tunix_gradient(case, algorithm)
  np.testing.assert_allclose(loss, their_loss, rtol=1e-5, atol=1e-6)
  assert_close(gradient, their_gradient)
  tokens = case["mask"].sum()
  np.testing.assert_allclose(metrics["clip_fraction"] / tokens, aux["pg_clipfrac"], rtol=1e-5)
  np.testing.assert_allclose(metrics["ratio_max"], aux["is_ratio/max"], rtol=1e-5)
  assert 0 < metrics["clip_fraction"] < tokens  # both branches of the clip were taken
  if algorithm.beta:
    np.testing.assert_allclose(metrics["kl"] / tokens, aux["kl"], rtol=1e-4)


@pytest.mark.parametrize("name", algorithms.NAMES)
def test_micro_batches_add_up_to_the_whole_though_rows_and_tokens_are_spread_unevenly(case, name):
  algorithm = algorithm_of(name)
  gradient_of = lambda rows: our_gradient(  # noqa: E731
      case["graph"], case["lora"], case["base"], batch_of(case, algorithm, rows), algorithm,
      case["prompts"][rows], case["completions"][rows],
  )
  (whole, _), expected = gradient_of(slice(None))
  parts = [gradient_of(slice(i, i + 2)) for i in range(0, N, 2)]
  np.testing.assert_allclose(sum(loss for (loss, _), _ in parts), whole, rtol=1e-5, atol=1e-6)
  assert_close(jax.tree.map(lambda *leaves: sum(leaves), *(gradient for _, gradient in parts)), expected)


def test_each_loss_by_hand():
  """Two rows of tokens (2 and 1 of room 2), new = old but for one token whose ratio is 2."""
  old = jnp.log(jnp.array([[0.5, 0.25], [0.5, 0.5]]))
  new = old.at[0, 1].set(jnp.log(0.5))
  mask = jnp.array([[True, True], [True, False]])
  batch = losses.Batch(advantages=jnp.array([1.0, -2.0]), mask=mask, reference=None, old=old, rows=2.0, tokens=3.0)
  loss = lambda name, **changes: float(  # noqa: E731
      losses.LOSSES[name](new, batch, algorithm_of(name, beta=0.0, **changes))[0]
  )
  # Row 1: 1 and min(2, 1.2) = 1.2; row 2: -2.
  assert loss("grpo") == pytest.approx(-((1 + 1.2) / 2 - 2) / 2)
  assert loss("dr_grpo") == loss("maxrl") == pytest.approx(-((1 + 1.2) / 2 - 2 / 2) / 2)
  assert loss("dapo") == pytest.approx(-(1 + 1.28 - 2) / 3)
  # Row 1: s = exp((0 + log 2) / 2) = 1.41, clipped to 1.0004, for both tokens.
  assert loss("gspo") == pytest.approx(-(1.0004 - 2) / 2)


def test_the_kl_estimator_by_hand():
  """new = 0.5, reference = 0.25: 0.5 - log 0.5 - 1 = 0.19315, weighed by beta."""
  new = jnp.log(jnp.array([[0.5]]))
  batch = losses.Batch(
      advantages=jnp.zeros(1), mask=jnp.ones((1, 1), bool), reference=jnp.log(jnp.array([[0.25]])), old=None,
      rows=1.0, tokens=1.0,
  )
  loss, metrics = losses.grpo(new, batch, algorithm_of("grpo", beta=0.5))
  assert float(metrics["kl"]) == pytest.approx(0.193147, abs=1e-6)
  assert float(loss) == pytest.approx(0.5 * 0.193147, abs=1e-6)
