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

from reasoner.policy import decoding
from reasoner.policy import forward
from reasoner.policy import layers
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
  """

  def __init__(self, model, tokenizer, mesh):
    self._graph, self._state = nnx.split(model)
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
      weights, logits, caches = _read(self._graph, self._state, prompt_ids, room=room, pad_id=pad)
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
        logits, caches = _feed(weights, np.int32(token), prompt_ids, np.int32(len(ids) - 1), caches, pad_id=pad)


@functools.partial(jax.jit, static_argnames=("room", "pad_id"))
def _read(graph, state, prompt_ids, *, room: int, pad_id: int):
  """Returns weights as `_feed` takes them, the logits [1, vocabulary] after a prompt [1, l], and roomy caches."""
  model = nnx.merge(graph, state)
  weights = dict(
      layers=decoding.lay_out(layers.of_model(model)),
      table=forward.table_of(model),
      final_norm=model.final_norm.scale.get_value(),
  )
  hidden, caches = forward.of_prompts(model, prompt_ids, pad_id)
  caches = [decoding.lay_out_cache(*(rollout.expand(array, 1, 1, room) for array in cache)) for cache in caches]
  return weights, decoding.logits(weights["table"], hidden), caches


@functools.partial(jax.jit, static_argnames=("pad_id",), donate_argnames=("caches",))
def _feed(weights, token, prompt_ids, number, caches, *, pad_id: int):
  """Returns the logits after one more token, `number` of the completion from 0, and the caches with it."""
  is_prompt, length = prompt_ids != pad_id, prompt_ids.shape[1]
  place, room = length + number, caches[0][0].shape[2] - length
  hidden, owns = decoding.one_token(
      token=token[None], caches=caches, is_prompt=jnp.pad(is_prompt, ((0, 0), (0, room))), length=length,
      place=place, **weights
  )  # fmt: skip
  goes_on = jnp.zeros(1, bool)
  caches = [decoding.written(cache, own, place, goes_on) for cache, own in zip(caches, owns, strict=True)]
  return decoding.logits(weights["table"], hidden), caches


@functools.partial(jax.jit, static_argnames=("sampling", "pad_id"))
def _draw(logits, key, step, *, sampling: rollout.Sampling, pad_id: int):
  logits = jnp.where(jnp.arange(logits.shape[-1]) == pad_id, -jnp.inf, logits)
  return rollout.draw(logits, jax.random.fold_in(key, step)[None], sampling)[0][0]
