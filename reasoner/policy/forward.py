"""Prompts and their completions through Gemma 3, each prompt once for all of its completions.

  last, caches = of_prompts(model, prompt_ids, pad_id)                    # prefill
  hidden = of_completions(model, prompt_ids, completion_ids, pad_id)      # the states that predict them
  hidden = of_packed(model, tokens, positions, segments)                  # several texts in a row

A prompt and its g completions are one row, [prompt | completion 1 | ... | completion g]: norms and products
see one long text; a completion attends to the prompt's keys and to its own, to nobody else's. The result
is that of g rows with a copy of the prompt each. Logits are not made here: of a whole sequence they are
by far the largest array of a step (Gemma's vocabulary has 262,144 entries).
"""

import functools

import jax
import jax.numpy as jnp

from reasoner.policy import layers as layers_lib


def table_of(model) -> jax.Array:
  """Returns the [vocabulary, width] embedding, which is the output layer too."""
  return model.embedder.input_embedding.get_value()


def positions_of(is_token: jax.Array) -> jax.Array:
  """Returns each token's place among the tokens of its row, [n, t] int32; padding has 0 or a neighbour's."""
  return jnp.maximum(jnp.cumsum(is_token, axis=-1) - 1, 0)


def embed(table: jax.Array, tokens: jax.Array) -> jax.Array:
  """[...] int32 -> [..., width]."""
  return table[tokens] * jnp.sqrt(table.shape[1]).astype(table.dtype)


def of_prompts(model, prompt_ids: jax.Array, pad_id: int):
  """Reads prompts [p, l] padded on the left.

  Returns:
    Their last hidden states [p, width], and each layer's keys and values, two times [p, l, heads, head width].
  """
  is_token = prompt_ids != pad_id
  x, positions = embed(table_of(model), prompt_ids), positions_of(is_token)
  caches = []
  for layer in layers_lib.of_model(model):

    def attend(queries, keys, values, layer=layer):
      caches.append((keys, values))
      return _among_themselves(layer, queries, keys, values, is_token[:, None, :])

    x = layers_lib.block(layer, x, positions, attend)
  return layers_lib.rms_norm(x[:, -1], model.final_norm.scale.get_value()), caches


def of_completions(
    model, prompt_ids: jax.Array, completion_ids: jax.Array, pad_id: int, rematerialize: bool = False
) -> jax.Array:
  """Returns the hidden states [n, t, width] that predict the tokens of completions.

  Args:
    prompt_ids: [p, l] int32, padded on the left. completion_ids: [n, t] int32, padded on the right, n a
      multiple of p, those of a prompt adjacent.
    rematerialize: of each layer its input alone is kept for the gradient, and the layer computed again there.
  """
  (count, length), (rows, room) = prompt_ids.shape, completion_ids.shape
  group = rows // count
  is_token = prompt_ids != pad_id
  places = is_token.sum(axis=-1)[:, None] + jnp.tile(jnp.arange(room), group)
  positions = jnp.concatenate([positions_of(is_token), places], axis=1)
  tokens = jnp.concatenate([prompt_ids, completion_ids.reshape(count, group * room)], axis=1)
  x = embed(table_of(model), tokens)
  for layer in layers_lib.of_model(model):

    def attend(queries, keys, values, layer=layer):
      split = lambda array: (  # noqa: E731
          array[:, :length], array[:, length:].reshape(count, group, room, *array.shape[2:])
      )
      (prompt_queries, queries), (prompt_keys, keys), (prompt_values, values) = map(split, (queries, keys, values))
      of_prompt = _among_themselves(layer, prompt_queries, prompt_keys, prompt_values, is_token[:, None, :])
      far = jnp.einsum("pgtkmh,plkh->pgkmtl", queries, prompt_keys)
      near = jnp.einsum("pgtkmh,pgskh->pgkmts", queries, keys)
      distance = (length + jnp.arange(room))[:, None] - jnp.arange(length + room)
      seen = (distance >= 0) & (distance < (layer.window or length + room))
      is_key = jnp.pad(is_token, ((0, 0), (0, room)), constant_values=True)
      seen = seen & is_key[:, None, None, None, None, :]
      weights = layers_lib.softmax(jnp.concatenate([far, near], axis=-1), seen)
      gathered = jnp.einsum("pgkmtl,plkh->pgtkmh", weights[..., :length], prompt_values)
      gathered += jnp.einsum("pgkmts,pgskh->pgtkmh", weights[..., length:], values)
      return jnp.concatenate([of_prompt, gathered.reshape(count, group * room, *of_prompt.shape[2:])], axis=1)

    run = functools.partial(layers_lib.block, positions=positions, attend=attend)
    x = (jax.checkpoint(run) if rematerialize else run)(layer, x)
  completions = x[:, length:].reshape(count, group, room, -1)
  last = jnp.broadcast_to(x[:, None, length - 1 : length], (count, group, 1, x.shape[-1]))
  predicting = jnp.concatenate([last, completions[:, :, :-1]], axis=2).reshape(rows, room, -1)
  return layers_lib.rms_norm(predicting, model.final_norm.scale.get_value())


def of_packed(model, tokens: jax.Array, positions: jax.Array, segments: jax.Array) -> jax.Array:
  """Returns the hidden states [n, t, width] of rows of several texts, none of which sees another.

  Args:
    tokens: [n, t] int32. positions: [n, t] int32, of each token in its own text. segments: [n, t] int32,
      the same number for the tokens of one text, which stand together.
  """
  same_text = segments[:, :, None] == segments[:, None, :]
  x = embed(table_of(model), tokens)
  for layer in layers_lib.of_model(model):
    attend = functools.partial(_among_themselves, layer, visible=same_text)
    x = layers_lib.block(layer, x, positions, attend)
  return layers_lib.rms_norm(x, model.final_norm.scale.get_value())


def _among_themselves(layer, queries, keys, values, visible):
  """What the queries of a row gather from the row: causal, within the layer's window, where `visible`.

  visible: [n, t or 1, t] bool, of each query and key.
  """
  length = keys.shape[1]
  distance = jnp.arange(length)[:, None] - jnp.arange(length)
  seen = (distance >= 0) & (distance < (layer.window or length)) & visible[:, None, None]
  weights = layers_lib.softmax(jnp.einsum("ptkmh,pskh->pkmts", queries, keys), seen)
  return jnp.einsum("pkmts,pskh->ptkmh", weights, values)
