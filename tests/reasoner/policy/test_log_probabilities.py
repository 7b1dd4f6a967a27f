"""The chunked log-softmax beside a plain one: values, both gradients, any division into chunks."""

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reasoner.policy import log_probabilities

N, T, WIDTH, VOCABULARY = 3, 7, 16, 50


@pytest.fixture
def arrays():
  keys = jax.random.split(jax.random.key(0), 3)
  return (
      jax.random.normal(keys[0], (N, T, WIDTH)),
      0.3 * jax.random.normal(keys[1], (VOCABULARY, WIDTH)),
      jax.random.randint(keys[2], (N, T), 0, VOCABULARY),
  )


def plain(hidden, table, tokens, temperature):
  logps = jax.nn.log_softmax(hidden @ table.T / temperature)
  entropy = -(jnp.exp(logps) * logps).sum(axis=-1)
  return jnp.take_along_axis(logps, tokens[..., None], axis=-1)[..., 0], entropy


@pytest.mark.parametrize("logits_in_a_chunk", [1, 2 * N * VOCABULARY, 3 * N * VOCABULARY, 10**9])
def test_values_and_gradients_equal_a_plain_log_softmax(arrays, logits_in_a_chunk, monkeypatch):
  monkeypatch.setattr(log_probabilities, "_CHUNK_LOGITS", logits_in_a_chunk)
  hidden, table, tokens = arrays
  weights = jax.random.normal(jax.random.key(9), (N, T))
  scalar = lambda function: lambda hidden, table: (function(hidden, table, tokens, 0.7)[0] * weights).sum()  # noqa: E731
  for own, expected in zip(log_probabilities.log_probabilities(hidden, table, tokens, 0.7), plain(hidden, table, tokens, 0.7)):
    np.testing.assert_allclose(own, expected, rtol=1e-5, atol=1e-5)
  own = jax.grad(scalar(log_probabilities.log_probabilities), (0, 1))(hidden, table)
  for gradient, expected in zip(own, jax.grad(scalar(plain), (0, 1))(hidden, table)):
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)


def test_no_array_of_all_logits_is_made_and_a_frozen_table_costs_no_gradient():
  """For the real vocabulary, from shapes alone: 8 rows of 128 tokens would be 1.07 GB of logits."""
  rows, length, width, vocabulary = 8, 128, 64, 262_144
  arrays = (
      jax.ShapeDtypeStruct((rows, length, width), jnp.float32), jax.ShapeDtypeStruct((vocabulary, width), jnp.float32),
      jax.ShapeDtypeStruct((rows, length), jnp.int32),
  )
  frozen = jax.jit(jax.grad(lambda h, e, t: log_probabilities.log_probabilities(h, e, t, 1.0)[0].sum()))
  memory = frozen.lower(*arrays).compile().memory_analysis()
  assert memory.temp_size_in_bytes < rows * length * vocabulary * 4 / 2
  trained = jax.jit(jax.grad(lambda h, e, t: log_probabilities.log_probabilities(h, e, t, 1.0)[0].sum(), (0, 1)))
  flops = lambda jitted: jitted.lower(*arrays).compile().cost_analysis()["flops"]  # noqa: E731
  assert flops(frozen) < 0.75 * flops(trained)


def loss_of(policy):
  """Returns a loss of an adapter, whether layers are computed again for its gradient or not, and the adapter."""
  graph, adapter, base = nnx.split(policy.actor, nnx.LoRAParam, ...)
  adapter = jax.tree.map(lambda array: array + 0.1 * jax.random.normal(jax.random.key(1), array.shape), adapter)
  prompt_ids = jnp.array([[0, 0, 6, 7, 8, 9], [0, 6, 9, 10, 11, 12]])
  completion_ids = jnp.tile(jnp.array([[7, 8, 9, 5], [10, 11, 5, 0]]), (2, 1))

  def loss(adapter, again):
    found, _ = log_probabilities.of_completions(
        nnx.merge(graph, adapter, base), prompt_ids, completion_ids, temperature=0.7, pad_id=0, rematerialize=again
    )
    return (found * jnp.arange(1, 5)).sum()

  return loss, adapter


def test_layers_are_computed_again_only_where_that_is_asked_for(policy):
  loss, adapter = loss_of(policy)
  programs = [str(jax.make_jaxpr(lambda adapter, again=again: loss(adapter, again))(adapter)) for again in (False, True)]
  assert ["remat" in program for program in programs] == [False, True]


@pytest.mark.slow
def test_layers_computed_again_give_the_same_loss_and_gradients(policy):
  loss, adapter = loss_of(policy)
  (kept, own), (again, others) = (
      jax.jit(jax.value_and_grad(loss), static_argnums=1)(adapter, again) for again in (False, True)
  )
  assert float(kept) == pytest.approx(float(again), rel=1e-6)
  for left, right in zip(jax.tree.leaves(own), jax.tree.leaves(others), strict=True):
    assert float(jnp.abs(left - right).max()) <= 1e-5 * max(1.0, float(jnp.abs(left).max()))
