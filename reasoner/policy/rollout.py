"""Rollout: each prompt is read once, its G completions are written together.

  prefill   prompts [p, l]          -> their KV cache and last hidden states
  expand    each prompt's cache     -> one a completion, with room for the new tokens
  decode    draw a token, feed it   -> until every row has ended or is full

Logits exist for one position at a time. A row's draws are a function of the key, the row and the
position alone. Gumbel noise for all 262,144 logits of a row would cost as much as computing them, so
a token is drawn in two stages that give exactly the same distribution: first one of about 512 blocks
of the vocabulary by its total probability, then a token of that block. Nothing is sorted unless
top-p or top-k ask for it.

Not here: tokens to text, and what is learned from them.
"""

from collections.abc import Mapping
import dataclasses
import functools
from typing import Any

from flax import nnx
import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from reasoner.policy import forward


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampling:
  """How completions are drawn. Greedy decoding is `temperature=0`.

  top_k keeps the k likeliest tokens, then top_p the likeliest whose probabilities, among those, add
  up to it.
  """

  max_new_tokens: int
  temperature: float = 0.0
  top_p: float = 1.0
  top_k: int | None = None

  @property
  def truncates(self) -> bool:
    return self.temperature > 0 and (self.top_p < 1 or bool(self.top_k))


def prefill(model, prompt_ids: jax.Array, pad_id: int) -> tuple[jax.Array, Any]:
  """Reads prompts [p, l] padded on the left; returns their last hidden states [p, width] and KV cache."""
  config, (count, length) = model.config, prompt_ids.shape
  is_token = prompt_ids != pad_id
  shape = (count, length, config.num_kv_heads, config.head_dim)
  empty = jnp.zeros(shape, forward.table_of(model).dtype)
  layer = {"k": empty, "v": empty, "end_index": jnp.zeros(count, jnp.int32)}
  cache = {f"layer_{i}": dict(layer) for i in range(config.num_layers)}
  hidden, cache = model(prompt_ids, forward.positions_of(is_token), cache, forward.causal_mask(is_token))
  return hidden[:, -1], cache


def expand(array: jax.Array, generations: int, count: int, room: int = 0) -> jax.Array:
  """Returns the first `count` rows, each repeated for its completions, with room at axis 1's end."""
  rows = jnp.repeat(array[:count], generations, axis=0)
  if room:
    rows = jnp.pad(rows, [(0, 0), (0, room)] + [(0, 0)] * (rows.ndim - 2))
  return rows


def draw(logits: jax.Array, keys: jax.Array, sampling: Sampling) -> tuple[jax.Array, jax.Array]:
  """Draws a token for each row of logits [n, vocabulary], with a key for each row.

  Returns:
    tokens: [n] int32. log_probabilities: [n] float32, under the distribution that was drawn from:
    after temperature, top-k and top-p; 0 when greedy.
  """
  if sampling.temperature == 0:
    return jnp.argmax(logits, axis=-1), jnp.zeros(len(logits))
  logits = logits / sampling.temperature
  if sampling.truncates:
    values, ids = jax.lax.top_k(logits, sampling.top_k or logits.shape[-1])
    before = jnp.cumsum(jax.nn.softmax(values), axis=-1) - jax.nn.softmax(values)
    values = jnp.where(before > sampling.top_p, -jnp.inf, values)
    choice = jax.vmap(jax.random.categorical)(keys, values)
    return _pick(ids, choice), _pick(jax.nn.log_softmax(values), choice)

  size = 1 << (logits.shape[-1].bit_length() // 2)  # about the root: 512 for 262,144
  padded = jnp.pad(logits, ((0, 0), (0, -logits.shape[-1] % size)), constant_values=-jnp.inf)
  blocks = padded.reshape(len(logits), -1, size)
  mass = jax.nn.logsumexp(blocks, axis=-1)
  keys = jax.vmap(jax.random.split)(keys)
  block = jax.vmap(jax.random.categorical)(keys[:, 0], mass)
  inside = jnp.take_along_axis(blocks, block[:, None, None], axis=1)[:, 0]
  place = jax.vmap(jax.random.categorical)(keys[:, 1], inside)
  return block * size + place, _pick(inside, place) - jax.nn.logsumexp(mass, axis=-1)


def _pick(values: jax.Array, places: jax.Array) -> jax.Array:
  return jnp.take_along_axis(values, places[:, None], axis=-1)[:, 0]


def last_logits(hidden: jax.Array, table: jax.Array) -> jax.Array:
  """Returns [n, vocabulary] float32 logits of hidden states [n, width].

  Written table first, and the barrier keeps it so: for hidden @ table.T a CPU's matrix product copies
  the whole table into panels at every call, which takes twice as long as the product.
  """
  product = jax.lax.dot_general(table, hidden, (((1,), (1,)), ((), ())), preferred_element_type=jnp.float32)
  return jax.lax.optimization_barrier(product).T


@functools.partial(
    jax.jit, static_argnames=("count", "generations", "sampling", "pad_id", "eos_ids")
)
def generate(
    graph: nnx.GraphDef,
    state: nnx.State,
    prompt_ids: jax.Array,
    key: jax.Array,
    *,
    count: int,
    generations: int,
    sampling: Sampling,
    pad_id: int,
    eos_ids: tuple[int, ...],
) -> Mapping[str, jax.Array]:
  """Writes `generations` completions for each of the first `count` prompts.

  Args:
    prompt_ids: [p, l] int32, padded on the left; more than `count` only to divide over devices.
    key: decides every draw.
    pad_id: never drawn. eos_ids: end a row.

  Returns:
    tokens: [count * generations, max_new_tokens] int32, those of a prompt adjacent, padded on the
    right, with the end token where a row ended by itself. log_probabilities: the same shape,
    float32, of each token under the distribution that it was drawn from.
  """
  model = forward.merge(graph, state)
  total, rows, length = sampling.max_new_tokens, count * generations, prompt_ids.shape[1]
  table = forward.table_of(model)
  shard = lambda array: jax.lax.with_sharding_constraint(array, PartitionSpec("fsdp"))  # noqa: E731

  last, cache = prefill(model, prompt_ids, pad_id)
  cache = {
      name: {
          "k": shard(expand(layer["k"], generations, count, total)),
          "v": shard(expand(layer["v"], generations, count, total)),
          "end_index": shard(expand(layer["end_index"], generations, count)),
      }
      for name, layer in cache.items()
  }
  is_prompt = shard(expand(prompt_ids != pad_id, generations, count, total))
  prompt_lengths = is_prompt.sum(axis=-1)
  keys = shard(jax.random.split(key, rows))
  column = jnp.arange(length + total)

  def write(carry, hidden):
    """Draws the token at `step` of every row that has not ended."""
    step = carry["step"]
    logits = jnp.where(jnp.arange(len(table)) == pad_id, -jnp.inf, last_logits(hidden, table))
    logits = jax.lax.optimization_barrier(logits)  # else each pass over them transposes the product anew
    token, log_probability = draw(logits, jax.vmap(jax.random.fold_in, (0, None))(keys, step), sampling)
    ended = carry["ended"]
    token = jnp.where(ended, pad_id, token).astype(jnp.int32)
    return carry | {
        "step": step + 1,
        "tokens": carry["tokens"].at[:, step].set(token),
        "log_probabilities": carry["log_probabilities"].at[:, step].set(jnp.where(ended, 0.0, log_probability)),
        "ended": ended | jnp.isin(token, jnp.array(eos_ids)),
    }

  def advance(carry):
    """Feeds the newest token and draws the next."""
    newest = carry["step"] - 1
    token = jax.lax.dynamic_slice_in_dim(carry["tokens"], newest, 1, axis=1)
    seen = is_prompt | ((column >= length) & (column <= length + newest))
    positions = (prompt_lengths + newest)[:, None]
    model = forward.merge(graph, state)  # a model belongs to the trace that made it
    hidden, cache = model(token, positions, carry["cache"], seen[:, None, :])
    return write(carry | {"cache": cache}, hidden[:, 0])

  start = {
      "step": jnp.int32(0),
      "cache": cache,
      "tokens": shard(jnp.full((rows, total), pad_id, jnp.int32)),
      "log_probabilities": shard(jnp.zeros((rows, total))),
      "ended": shard(jnp.zeros(rows, bool)),
  }
  done = jax.lax.while_loop(
      lambda carry: (carry["step"] < total) & ~carry["ended"].all(),
      advance,
      write(start, shard(expand(last, generations, count))),
  )
  return {name: done[name] for name in ("tokens", "log_probabilities")}
