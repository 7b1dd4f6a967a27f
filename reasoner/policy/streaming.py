"""A completion as it is being written, for a person to read.

  writer = Writer(model, tokenizer, mesh)
  for written in writer(prompt_ids, Sampling(max_new_tokens=128), jax.random.key(0)):
    print(written.text)     # "<reasoning>", "<reasoning>Whales", ...

The rollout writes whole batches inside one compiled loop and says nothing until it is through; here
the loop is Python's and a token is one call of a compiled step. The draws are the rollout's: the
same key and prompt give the completion that `rollout.generate` gives a batch of one.
"""

from collections.abc import Iterator, Sequence
import dataclasses
import functools

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np

from reasoner.policy import forward
from reasoner.policy import rollout

# Prompts are padded to a multiple of this, so that a conversation compiles a few lengths and not each.
_PROMPT_STEP = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Written:
  """What stands so far. tokens: how many were drawn; ended: the model stopped by itself."""

  text: str
  tokens: int
  ended: bool


class Writer:
  """A model's weights, ready to write.

  Args:
    model: a Tunix Gemma 3 on `mesh`, with an adapter or without.
    adapted: False writes without the adapter: as the base model. The weights are shared, not copied.
  """

  def __init__(self, model, tokenizer, mesh, *, adapted: bool = True):
    self._graph, adapter, base = nnx.split(model, nnx.LoRAParam, ...)
    self._states = (adapter if adapted else jax.tree.map(jnp.zeros_like, adapter)), base
    self._tokenizer, self._mesh = tokenizer, mesh

  def __call__(
      self, prompt: Sequence[int], sampling: rollout.Sampling, key: jax.Array
  ) -> Iterator[Written]:
    """Yields after each token; `prompt` has its BOS. The end token shows in no text."""
    pad, ends = self._tokenizer.pad_id(), self._tokenizer.eos_ids
    length, room = -(-len(prompt) // _PROMPT_STEP) * _PROMPT_STEP, sampling.max_new_tokens
    prompt_ids = np.full((1, length), pad, np.int32)
    prompt_ids[0, length - len(prompt) :] = prompt
    key = jax.random.split(key, 1)[0]
    ids: list[int] = []
    # Never around a yield: a mesh is entered for a thread, and who reads on may be another one.
    with self._mesh:
      logits, cache = _read(self._graph, self._states, prompt_ids, room=room, pad_id=pad)
    while True:
      with self._mesh:
        token = int(_draw(logits, key, len(ids), sampling=sampling, pad_id=pad))
      ids.append(token)
      ended, done = token in ends, token in ends or len(ids) == room
      text = self._tokenizer.decode(ids[:-1] if ended else ids)
      # A character of several pieces is shown when its last one is there.
      yield Written(text=text if done else text.rstrip("\ufffd"), tokens=len(ids), ended=ended)
      if done:
        return
      with self._mesh:
        logits, cache = _feed(
            self._graph, self._states, np.int32(token), prompt_ids, np.int32(len(ids) - 1), cache, pad_id=pad
        )


@functools.partial(jax.jit, static_argnames=("room", "pad_id"))
def _read(graph, states, prompt_ids, *, room: int, pad_id: int):
  """Returns the logits [1, vocabulary] after a prompt [1, l], and its cache with room for more."""
  model = forward.merge(graph, *states)
  config, is_token = model.config, prompt_ids != pad_id
  shape = (1, prompt_ids.shape[1] + room, config.num_kv_heads, config.head_dim)
  empty = jnp.zeros(shape, forward.table_of(model).dtype)
  layer = {"k": empty, "v": empty, "end_index": jnp.zeros(1, jnp.int32)}
  cache = {f"layer_{i}": dict(layer) for i in range(config.num_layers)}
  mask = jnp.pad(forward.causal_mask(is_token), ((0, 0), (0, 0), (0, room)))
  hidden, cache = model(prompt_ids, forward.positions_of(is_token), cache, mask)
  return _logits(model, hidden[:, -1]), cache


@functools.partial(jax.jit, static_argnames=("pad_id",), donate_argnames=("cache",))
def _feed(graph, states, token, prompt_ids, place, cache, *, pad_id: int):
  """Returns the logits after one more token, number `place` of the completion, and the cache with it."""
  model = forward.merge(graph, *states)
  is_token, length = prompt_ids != pad_id, prompt_ids.shape[1]
  size = cache["layer_0"]["k"].shape[1]
  column = jnp.arange(size)
  seen = jnp.pad(is_token, ((0, 0), (0, size - length))) | ((column >= length) & (column <= length + place))
  hidden, cache = model(token[None, None], (is_token.sum() + place)[None, None], cache, seen[:, None, :])
  return _logits(model, hidden[:, 0]), cache


def _logits(model, hidden):
  return jnp.einsum("nd,vd->nv", hidden, forward.table_of(model), preferred_element_type=jnp.float32)


@functools.partial(jax.jit, static_argnames=("sampling", "pad_id"))
def _draw(logits, key, step, *, sampling: rollout.Sampling, pad_id: int):
  logits = jnp.where(jnp.arange(logits.shape[-1]) == pad_id, -jnp.inf, logits)
  return rollout.draw(logits, jax.random.fold_in(key, step)[None], sampling)[0][0]
