"""Log-probabilities of completions, without the logits of a batch ever standing in memory.

  logps, entropy = of_completions(model, prompt_ids, completion_ids, temperature=1.0, pad_id=0)

Gemma 3's logits are [n, t, 262,144]: 1 GB for 8 completions of 128 tokens in float32, several times
over with their softmax and their gradients. Here a chunk of positions at a time is turned into
logits, and what is kept of them is, for each position, the log-probability of its token, the entropy,
and the log-probability's derivative by the hidden state, taken while the logits are at hand:

  logp = z[token] - logsumexp(z),   z = h E' / T,    d logp / d h = (E[token] - softmax(z) E) / T

So the backward pass of the output layer is one product with a number a position. Where the table E is
trained too (a cold start of all weights), its gradient needs the logits once more, again in chunks; under
LoRA it is frozen, nobody asks for that gradient, and XLA drops the code.
"""

import functools

import jax
import jax.numpy as jnp

from reasoner.policy import forward

_CHUNK_LOGITS = 2**25  # 128 MB in float32: enough rows for a fast product, little beside the weights


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def log_probabilities(
    hidden: jax.Array, table: jax.Array, tokens: jax.Array, temperature: float
) -> tuple[jax.Array, jax.Array]:
  """Returns log-probability and entropy of each token given its hidden state.

  Args:
    hidden: [n, t, width], the states that predict the tokens. table: [vocabulary, width].
    tokens: [n, t] int32. temperature: above 0; the logits are divided by it.

  Returns:
    log_probabilities: [n, t] float32. entropy: [n, t] float32, in nats; it has no gradient.
  """
  return _by_chunks(_chunk, hidden, table, tokens, temperature)


def _chunk(hidden, table, tokens, temperature):
  """One chunk: [n, c, width], [vocabulary, width], [n, c] -> two times [n, c]."""
  return _chunk_with_gradient(hidden, table, tokens, temperature)[:2]


def _chunk_with_gradient(hidden, table, tokens, temperature):
  """The same, and d log-probability / d hidden: [n, c, width]."""
  logits = _logits(hidden, table, temperature)
  top = jnp.max(logits, axis=0)
  masses = jax.lax.optimization_barrier(jnp.exp(logits - top))  # once: three uses follow
  total = jnp.sum(masses, axis=0)
  mean = jnp.sum(masses * logits, axis=0) / total
  chosen = jnp.take_along_axis(logits, tokens.reshape(1, -1), axis=0)[0]
  expected = jax.lax.dot_general(
      masses.astype(table.dtype), table, (((0,), (0,)), ((), ())), preferred_element_type=jnp.float32
  )
  gradient = (table[tokens] - (expected / total[:, None]).reshape(hidden.shape)) / temperature
  normalizer = top + jnp.log(total)
  return (chosen - normalizer).reshape(tokens.shape), (normalizer - mean).reshape(tokens.shape), gradient


def _logits(hidden, table, temperature):
  """[n, c, width] -> [vocabulary, n c] float32: the table first, which a CPU's product need not copy then."""
  rows = hidden.reshape(-1, hidden.shape[-1])
  product = jax.lax.dot_general(table, rows, (((1,), (1,)), ((), ())), preferred_element_type=jnp.float32)
  return jax.lax.optimization_barrier(product) / temperature


def _by_chunks(function, hidden, table, tokens, temperature):
  """Applies a chunk's function along the positions; rows stay together, as they lie on the devices."""
  count, length = tokens.shape
  size = min(length, max(1, _CHUNK_LOGITS // (count * len(table))))
  outputs = jax.lax.map(
      lambda chunk: function(chunk[0], table, chunk[1], temperature),
      (_split(hidden, size), _split(tokens, size)),
  )
  return tuple(_join(output, length) for output in outputs)


def _split(array, size):
  """[n, t, ...] -> [chunks, n, size, ...], the last chunk filled up with zeros."""
  array = jnp.pad(array, [(0, 0), (0, -array.shape[1] % size)] + [(0, 0)] * (array.ndim - 2))
  return jnp.moveaxis(array.reshape(len(array), -1, size, *array.shape[2:]), 1, 0)


def _join(chunks, length):
  """The reverse of `_split`."""
  array = jnp.moveaxis(chunks, 0, 1)
  return array.reshape(len(array), -1, *array.shape[3:])[:, :length]


def _forward(hidden, table, tokens, temperature):
  logps, entropy, gradient = _by_chunks(_chunk_with_gradient, hidden, table, tokens, temperature)
  return (logps, entropy), (hidden, table, tokens, gradient)


def _backward(temperature, residuals, cotangents):
  hidden, table, tokens, gradient = residuals
  weights = cotangents[0]  # the entropy's is dropped
  size = min(tokens.shape[1], max(1, _CHUNK_LOGITS // (len(tokens) * len(table))))

  def add(total, chunk):
    states, targets, weight = chunk
    logits = _logits(states, table, temperature)
    is_target = jnp.arange(len(table))[:, None] == targets.reshape(-1)
    of_logits = (is_target - jax.nn.softmax(logits, axis=0)) * (weight.reshape(-1) / temperature)
    return total + of_logits @ states.reshape(-1, states.shape[-1]), None

  by_table, _ = jax.lax.scan(
      add, jnp.zeros(table.shape, jnp.float32), tuple(_split(a, size) for a in (hidden, tokens, weights))
  )
  by_hidden = weights[..., None] * gradient
  return by_hidden.astype(hidden.dtype), by_table.astype(table.dtype), None


log_probabilities.defvjp(_forward, _backward)


def of_completions(
    model, prompt_ids: jax.Array, completion_ids: jax.Array, *, temperature: float, pad_id: int,
    rematerialize: bool = False,
) -> tuple[jax.Array, jax.Array]:  # fmt: skip
  """Returns log-probabilities and entropies [n, t] float32 of completions under a Tunix Gemma 3.

  Args:
    prompt_ids: [p, l] int32, padded on the left. completion_ids: [n, t] int32, n a multiple of p, those of
      a prompt adjacent, padded on the right; what stands at padding means nothing.
    rematerialize: as forward.of_completions takes it.
  """
  hidden = forward.of_completions(model, prompt_ids, completion_ids, pad_id, rematerialize)
  return log_probabilities(hidden, forward.table_of(model), completion_ids, temperature)
