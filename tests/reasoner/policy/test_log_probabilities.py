"""The chunked log-softmax beside a plain one: values, both gradients, any division into chunks."""

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
