"""Rollout: each prompt is read once, its G completions are written together.

  prefill   prompts [p, l]          -> their KV cache and last hidden states
  expand    each prompt's cache     -> one a completion, with room for the new tokens
  decode    draw a token, feed it   -> until every row has ended or is full
  halve     the rows at work        -> when half of them have ended, where that saves time

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

from flax import nnx
import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from reasoner.policy import decoding
from reasoner.policy import forward
from reasoner.policy import layers as layers_lib
from reasoner.policy.algorithms import RolloutSettings


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

  @classmethod
  def of(cls, settings: RolloutSettings) -> "Sampling":
    """Returns how a run samples while it trains."""
    return cls(
        max_new_tokens=settings.max_new_tokens, temperature=settings.temperature, top_p=settings.top_p,
        top_k=settings.top_k or None,
    )  # fmt: skip

  @property
  def truncates(self) -> bool:
    return self.temperature > 0 and (self.top_p < 1 or bool(self.top_k))


def _gathered(state: nnx.State) -> nnx.State:
  """Returns the weights whole on each device but for what tp splits."""
  whole = lambda array, spec: jax.lax.with_sharding_constraint(  # noqa: E731
      array, PartitionSpec(*(None if axis == "fsdp" else axis for axis in spec))
  )
  return jax.tree.map(whole, state, nnx.get_partition_spec(state))


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


@functools.partial(
    jax.jit,
    static_argnames=("count", "generations", "sampling", "pad_id", "eos_ids", "halvings", "replicated"),
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
    halvings: int = 0,
    replicated: bool = False,
) -> Mapping[str, jax.Array]:
  """Writes `generations` completions for each of the first `count` prompts.

  Args:
    prompt_ids: [p, l] int32, padded on the left; more than `count` only to divide over devices.
    key: decides every draw.
    pad_id: never drawn. eos_ids: end a row.
    halvings: how often, once half of the rows at work have ended, the others go on alone.
    replicated: whether each device gathers the weights before the first token: the memory of a whole copy,
      where else each token waits for all of them to pass between the devices.

  Returns:
    tokens: [count * generations, max_new_tokens] int32, those of a prompt adjacent, padded on the
    right, with the end token where a row ended by itself. log_probabilities: the same shape,
    float32, of each token under the distribution that it was drawn from.
  """
  model = nnx.merge(graph, _gathered(state) if replicated else state)
  total, rows, length = sampling.max_new_tokens, count * generations, prompt_ids.shape[1]
  table, final_norm = forward.table_of(model), model.final_norm.scale.get_value()
  shard = lambda array: jax.lax.with_sharding_constraint(array, PartitionSpec("fsdp"))  # noqa: E731

  last, caches = forward.of_prompts(model, prompt_ids, pad_id)
  layers = decoding.lay_out(layers_lib.of_model(model))

  def write(carry, hidden):
    """Draws the token at `step` of every row at work that has not ended."""
    step, work = carry["step"], carry["work"]
    logits = decoding.logits(table, hidden)
    logits = jnp.where(jnp.arange(len(table)) == pad_id, -jnp.inf, logits)
    logits = jax.lax.optimization_barrier(logits)  # else each pass over them transposes the product anew
    token, log_probability = draw(logits, jax.vmap(jax.random.fold_in, (0, None))(work["key"], step), sampling)
    ended = work["ended"]
    token = jnp.where(ended, pad_id, token).astype(jnp.int32)
    place = work["row"], step
    return {
        "step": step + 1,
        "tokens": carry["tokens"].at[place].set(token),
        "log_probabilities": carry["log_probabilities"].at[place].set(jnp.where(ended, 0.0, log_probability)),
        "work": work | {"newest": token, "ended": ended | jnp.isin(token, jnp.array(eos_ids))},
    }

  def advance(carry):
    """Feeds the newest token and draws the next."""
    work, place = carry["work"], length + carry["step"] - 1
    hidden, owns = decoding.one_token(
        layers, table, final_norm, work["newest"], work["caches"], work["is_prompt"], length, place
    )
    carry = write(carry, hidden)
    caches = [
        decoding.written(cache, own, place, carry["work"]["ended"])
        for cache, own in zip(work["caches"], owns, strict=True)
    ]
    return carry | {"work": carry["work"] | {"caches": caches}}

  work = {
      "row": jnp.arange(rows),
      "key": jax.random.split(key, rows),
      "newest": jnp.zeros(rows, jnp.int32),
      "ended": jnp.zeros(rows, bool),
      "is_prompt": expand(prompt_ids != pad_id, generations, count, total),
      "caches": [
          decoding.lay_out_cache(*(expand(array, generations, count, total) for array in cache)) for cache in caches
      ],
  }
  carry = {
      "step": jnp.int32(0),
      "tokens": shard(jnp.full((rows, total), pad_id, jnp.int32)),
      "log_probabilities": shard(jnp.zeros((rows, total))),
      "work": jax.tree.map(shard, work),
  }
  carry = write(carry, shard(expand(last, generations, count)))
  for size in (rows >> halving for halving in range(halvings + 1)):
    if size < rows:  # those that have not ended come first
      chosen = jnp.argsort(carry["work"]["ended"], stable=True)[:size]
      carry["work"] = jax.tree.map(lambda array: array[chosen], carry["work"])
    enough = size // 2 if size > rows >> halvings else 0
    carry = jax.lax.while_loop(
        lambda carry: (carry["step"] < total) & (jnp.sum(~carry["work"]["ended"]) > enough), advance, carry
    )
  return {name: carry[name] for name in ("tokens", "log_probabilities")}
