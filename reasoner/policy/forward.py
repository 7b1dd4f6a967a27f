"""Tunix's Gemma 3 up to its last hidden states: the part that rollout and update share.

  model = merge(graph, state)                                  # inside a jitted function
  hidden, cache = model(tokens, positions, cache, mask)        # hidden: [n, t, width]
  logits = hidden @ table_of(model).T                          # only where they are wanted

Gemma's vocabulary has 262,144 entries, so logits of a whole sequence are by far the largest array of
a step, and Tunix's `Gemma3.__call__` makes them for every position. It makes them in
`embedder.decode` alone; here that method hands its input through. The call itself stays the model's
own, because qwix adds the LoRA products there and nowhere else.
"""

import functools

from flax import nnx
import jax
import jax.numpy as jnp


@functools.cache
def _headless(embedder: type) -> type:
  return type(embedder.__name__, (embedder,), {"decode": lambda self, hidden: hidden})


def merge(graph: nnx.GraphDef, *states: nnx.State):
  """Returns a model of these arrays whose output is hidden states in place of logits."""
  model = nnx.merge(graph, *states)
  model.embedder.__class__ = _headless(type(model.embedder))
  return model


def table_of(model) -> jax.Array:
  """Returns the [vocabulary, width] embedding, which is the output layer too."""
  return model.embedder.input_embedding.get_value()


def positions_of(is_token: jax.Array) -> jax.Array:
  """Returns each token's place among the tokens of its row, [n, t] int32; padding has 0 or a neighbour's."""
  return jnp.maximum(jnp.cumsum(is_token, axis=-1) - 1, 0)


def causal_mask(is_token: jax.Array) -> jax.Array:
  """Returns [n, t, t] bool: each position sees the tokens up to itself and no padding."""
  length = is_token.shape[1]
  return is_token[:, None, :] & jnp.tril(jnp.ones((length, length), bool))
