"""One token of every row through Gemma 3: what sampling spends its time in.

  layers = lay_out(layers.of_model(model))                        # once a rollout
  hidden, own = one_token(layers, table, final_norm, token, caches, is_prompt, length, place)

A step multiplies every weight by a handful of rows, so it should cost what reading the weights costs. For
`rows @ weight` a CPU's product copies the whole weight into panels first, which takes longer than the
product; for `weight @ columns` it copies the few columns. So each weight is laid out once as [outputs,
inputs], the adapter merged into it where the weights are float32. In bfloat16 a merged weight would
round most of the adapter away (values near 0.04 are 2.4e-4 apart), and the low-rank product is kept.
"""

from collections.abc import Sequence
import dataclasses

import jax
import jax.numpy as jnp

from reasoner.policy import forward
from reasoner.policy import layers as layers_lib


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class LaidOut:
  """A layers.Matrix for few rows: weight is [outputs, inputs], a [rank, inputs], b [outputs, rank] or None."""

  weight: jax.Array
  a: jax.Array | None
  b: jax.Array | None

  def __call__(self, x: jax.Array) -> jax.Array:
    """[..., inputs] -> [..., outputs]."""
    rows = x.reshape(-1, x.shape[-1])
    product = weights_first(self.weight, rows, x.dtype)
    if self.a is not None:
      product = (product + weights_first(self.b, weights_first(self.a, rows, jnp.float32), jnp.float32)).astype(x.dtype)
    return product.reshape(*x.shape[:-1], -1)


def weights_first(weight: jax.Array, rows: jax.Array, dtype) -> jax.Array:
  """Returns rows [n, inputs] times a weight [outputs, inputs], [n, outputs], computed as weight times columns.

  The barrier keeps it so: XLA would turn the product of which a transpose is taken around.
  """
  product = jax.lax.dot_general(weight, rows, (((1,), (1,)), ((), ())), preferred_element_type=dtype)
  return jax.lax.optimization_barrier(product).T


def logits(table: jax.Array, hidden: jax.Array) -> jax.Array:
  """[n, width] -> [n, vocabulary], float32."""
  return weights_first(table, hidden, jnp.float32)


def lay_out(layers: Sequence[layers_lib.Layer]) -> list[layers_lib.Layer]:
  """Returns the layers for `block`: as large as the model's layers are once more, made once a rollout."""
  is_matrix = lambda leaf: isinstance(leaf, layers_lib.Matrix)  # noqa: E731
  laid = jax.tree.map(lambda leaf: _lay_out(leaf) if is_matrix(leaf) else leaf, list(layers), is_leaf=is_matrix)
  return jax.lax.optimization_barrier(laid)  # before the loop over tokens, not in it


def _lay_out(matrix: layers_lib.Matrix) -> LaidOut:
  weight, a, b = matrix.weight.T, matrix.a, matrix.b
  if a is None:
    return LaidOut(weight=weight, a=None, b=None)
  a, b = a.T, matrix.scale * b.T
  if weight.dtype == jnp.float32:
    return LaidOut(weight=weight + b @ a, a=None, b=None)
  return LaidOut(weight=weight, a=a, b=b)


def lay_out_cache(keys: jax.Array, values: jax.Array) -> tuple[jax.Array, jax.Array]:
  """[n, s, heads, head width] twice -> [n, heads, s, head width] and [n, heads, head width, s].

  So both products of attention have the cache first, too.
  """
  return keys.transpose(0, 2, 1, 3), values.transpose(0, 2, 3, 1)


def block(layer: layers_lib.Layer, x, positions, cache, place, seen):
  """One layer on one token of each row.

  Args:
    x: [n, 1, width]. positions: [n, 1]. cache: of `lay_out_cache`. place: where in the cache this token will
      go, the same for all rows. seen: [n, s] bool, which places it attends to besides itself.

  Returns:
    x for the next layer, and this token's keys and values, laid out for `written`.
  """
  seen = seen & (place - jnp.arange(seen.shape[1]) < (layer.window or seen.shape[1]))
  own = []

  def attend(queries, keys, values):
    own_keys, own_values = own[:] = lay_out_cache(keys, values)
    product = lambda keys: jnp.einsum("nksh,ntkgh->nksg", keys, queries)  # noqa: E731
    scores = jnp.where(seen[:, None, :, None], product(cache[0]), layers_lib.MASKED)
    weights = jax.nn.softmax(jnp.concatenate([scores, product(own_keys)], axis=2), axis=2)
    gathered = jnp.einsum("nkhs,nksg->nkgh", cache[1], weights[:, :, :-1])
    return (gathered + jnp.einsum("nkhs,nksg->nkgh", own_values, weights[:, :, -1:]))[:, None]

  return layers_lib.block(layer, x, positions, attend), tuple(own)


def one_token(layers, table, final_norm, token, caches, is_prompt, length, place):
  """Feeds one token [n] of each row; returns the hidden states [n, width] that predict the next, and `block`'s own.

  Args:
    is_prompt: [n, s] bool, the places of prompts, without their padding. length: where completions begin.
    place: where in the cache this token will go.
  """
  column = jnp.arange(is_prompt.shape[1])
  seen = is_prompt | ((column >= length) & (column < place))
  positions = (is_prompt.sum(axis=-1) + place - length)[:, None]
  x, owns = forward.embed(table, token[:, None]), []
  for layer, cache in zip(layers, caches, strict=True):
    x, own = block(layer, x, positions, cache, place, seen)
    owns.append(own)
  return layers_lib.rms_norm(x[:, 0], final_norm), owns


def written(cache, own, place, ended):
  """Returns the cache with a token's keys and values at a place; those of rows that have ended are zeros.

  To be called with what the next draw says of `ended`: a write that depends on the draw comes after every
  read of the cache, so XLA writes in place. Otherwise it copies the cache four times a step.
  """
  return tuple(
      jax.lax.dynamic_update_slice_in_dim(old, jnp.where(ended[:, None, None, None], 0, new), place, axis)
      for old, new, axis in zip(cache, own, (2, 3), strict=True)
  )
