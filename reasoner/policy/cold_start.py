r"""The supervised cold start: a model is shown the output format before GRPO begins.

  learner = Learner(model, mesh, steps=700, learning_rate=3e-3, warmup_fraction=0.07)
  for batch in batches(traces, tokenizer, batch_size=32, ...):
    loss, gradient_norm = learner.update(batch)

Trained are all weights of a bare model, the LoRA weights alone of a model that has them. Not here:
how rows become traces (data/traces.py), which rows are drawn (data/sampling.py) and where states are
kept (run/checkpoints.py).
"""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
import functools
from typing import Any
from typing import TYPE_CHECKING

import numpy as np

from reasoner.data.traces import Trace
from rewards.errors import ConfigError
from rewards.settings import Count
from rewards.settings import NotNegative
from rewards.settings import Section
from rewards.settings import Share
from rewards.settings import WholeNumber

if TYPE_CHECKING:
  import optax


@dataclasses.dataclass(frozen=True, kw_only=True)
class ColdStart(Section, place="config.cold_start"):
  """Supervised steps before GRPO."""

  steps: WholeNumber  # 0: none, as for an instruction-tuned model
  traces: Count  # rows drawn to make traces of
  batch_size: Count  # traces a step, on average
  learning_rate: NotNegative  # AdamW: linear warm-up, then a cosine to 0
  warmup_fraction: Share  # of the steps
  checkpoint_every: Count  # steps
  completion_tokens: WholeNumber = 0  # of the longest trace; 0: config.rollout.max_new_tokens
  rationales: tuple[str, ...] = ()  # files of {id or uid or prompt, rationale}, joined to training rows


def batches(
    traces: Sequence[Trace],
    tokenizer: Any,
    *,
    batch_size: int,
    max_tokens: int,
    seed: int,
    start_step: int,
    steps: int,
    divisor: int = 1,
) -> Iterator[dict[str, np.ndarray]]:
  """Yields the batches of steps start_step to steps - 1: each a function of seed and step alone.

  Traces are packed: several stand in one row of 1.25 x max_tokens and do not see each other. So all
  batches have one shape, and little of it is padding. No row comes again before all were seen.

  Args:
    batch_size: traces in a batch, on average.
    max_tokens: the longest trace, BOS and the end token included.
    divisor: the number of rows is a multiple of it (a mesh's fsdp size).

  Yields:
    Arrays of [rows, 1.25 x max_tokens]:
    tokens: int32, each trace as BOS + prompt + completion + EOS; then padding.
    positions: int32, counted from each trace's own start.
    segments: int32, the number of a trace in its row from 1, and 0 for padding.
    And targets: int32 [divisor, most], the places of completions, EOS included, in the rows that are one
    device's, laid end to end; then -1. most: what the fullest batch of the run has.

  Raises:
    ConfigError: a trace is longer than max_tokens.
  """
  packed, _ = _pack(traces, tokenizer, max_tokens, max_tokens + max_tokens // 4)
  is_target = packed.pop("is_target")
  chosen = [
      _chosen(step, len(is_target), len(traces), batch_size, seed, divisor).reshape(divisor, -1)
      for step in range(steps)
  ]
  most = max(is_target[rows].sum(axis=(1, 2)).max() for rows in chosen)
  for rows in chosen[start_step:]:
    targets = np.full((divisor, most), -1, np.int32)
    for own, part in zip(targets, is_target[rows].reshape(divisor, -1)):
      places = np.flatnonzero(part)
      own[: len(places)] = places
    yield {name: array[rows.ravel()] for name, array in packed.items()} | {"targets": targets}


def uids(
    traces: Sequence[Trace], tokenizer: Any, step: int, *, batch_size: int, max_tokens: int, seed: int,
    divisor: int = 1,
) -> list[str]:  # fmt: skip
  """Returns whose traces the batch of `step`, counted from 0, holds; arguments as `batches` takes them."""
  _, members = _pack(traces, tokenizer, max_tokens, max_tokens + max_tokens // 4)
  chosen = _chosen(step, len(members), len(traces), batch_size, seed, divisor)
  return [traces[i].uid for row in chosen for i in members[row]]


def _chosen(step: int, count: int, traces: int, batch_size: int, seed: int, divisor: int) -> np.ndarray:
  """Returns which of `count` packed rows a step takes."""
  rows = max(1, round(batch_size * count / traces / divisor)) * divisor
  places = (divmod(place, count) for place in range(step * rows, (step + 1) * rows))
  return np.array([_order(seed, epoch, count)[position] for epoch, position in places])


@functools.lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
  return np.random.default_rng([seed, epoch]).permutation(count)


_OPEN_ROWS = 8  # enough to fill nine tenths; traces drawn together stay together


def _pack(
    traces: Sequence[Trace], tokenizer: Any, max_tokens: int, row_tokens: int
) -> tuple[dict[str, np.ndarray], list[list[int]]]:
  """Returns the arrays of `batches` for all traces, each in the first recent row that has room, and
  which traces each row has.
  """
  rows: list[list[tuple[list[int], int]]] = []
  room: list[int] = []
  indices: list[list[int]] = []
  for index, trace in enumerate(traces):
    prompt = [tokenizer.bos_id(), *tokenizer.encode(trace.prompt)]
    # A base model's <end_of_turn> was never trained: its vector is that of hundreds of unused tokens,
    # among which LoRA cannot single it out. The end of a text is what every model has seen.
    ids = [*prompt, *tokenizer.encode(trace.completion), tokenizer.eos_id()]
    if len(ids) > max_tokens:
      raise ConfigError(f"a trace of {trace.domain} takes {len(ids)} tokens; {max_tokens} are accepted.")
    recent = range(max(0, len(rows) - _OPEN_ROWS), len(rows))
    row = next((row for row in recent if room[row] >= len(ids)), len(rows))
    if row == len(rows):
      rows.append([])
      indices.append([])
      room.append(row_tokens)
    rows[row].append((ids, len(prompt)))
    indices[row].append(index)
    room[row] -= len(ids)
  shape = len(rows), row_tokens
  packed = {
      "tokens": np.full(shape, tokenizer.pad_id(), np.int32),
      "positions": np.zeros(shape, np.int32),
      "segments": np.zeros(shape, np.int32),
      "is_target": np.zeros(shape, bool),
  }
  for row, members in enumerate(rows):
    start = 0
    for number, (ids, prompt_length) in enumerate(members, start=1):
      end = start + len(ids)
      packed["tokens"][row, start:end] = ids
      packed["positions"][row, start:end] = np.arange(len(ids))
      packed["segments"][row, start:end] = number
      packed["is_target"][row, start + prompt_length : end] = True
      start = end
  return packed, indices


def adamw(steps: int, learning_rate: float, warmup_fraction: float) -> "optax.GradientTransformation":
  """Returns AdamW with a linear warm-up and a cosine to zero over so many steps."""
  import optax

  warmup = max(1, round(warmup_fraction * steps))
  schedule = optax.warmup_cosine_decay_schedule(0.0, learning_rate, warmup, max(steps, warmup + 1))
  return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, b1=0.9, b2=0.99, weight_decay=0.01))


class Learner:
  """Supervised training on the completions of traces: mean cross-entropy, EOS included.

  AdamW with a linear warm-up and a cosine to zero. A model with LoRA parameters trains those alone.

  Args:
    model: trained in place, on `mesh`.
    steps: the whole run, which the learning rate follows.
  """

  def __init__(self, model, mesh, *, steps: int, learning_rate: float, warmup_fraction: float):
    from flax import nnx
    import jax

    from reasoner.policy import update

    optimizer = adamw(steps, learning_rate, warmup_fraction)
    self._model, self._mesh = model, mesh
    self._trained = nnx.LoRAParam if jax.tree.leaves(nnx.state(model, nnx.LoRAParam)) else nnx.Param
    self.optimizer = update.make_optimizer(model, optimizer, self._trained, mesh)
    self._step = jitted(self._trained)

  def update(self, batch: Mapping[str, np.ndarray]):
    """Takes one step on a batch of `batches`; returns its loss and gradient norm, still on the device."""
    from reasoner.policy import update

    trained, state, (new, new_state, loss, norm) = self._compute(batch)
    update.assign(self._model, trained, new)
    update.assign(self.optimizer, state, new_state)
    return loss, norm

  def measure(self, batch: Mapping[str, np.ndarray]):
    """Returns what `update` would, and changes nothing: the same program, so none is compiled for it."""
    return self._compute(batch)[2][2:]

  def _compute(self, batch: Mapping[str, np.ndarray]):
    from flax import nnx

    from reasoner.policy import grpo

    batch = {name: grpo.shard_rows(self._mesh, array) for name, array in batch.items()}
    with self._mesh:
      graph, trained, frozen = nnx.split(self._model, self._trained, ...)
      optimizer, state = nnx.split(self.optimizer)
      return trained, state, self._step(graph, trained, frozen, optimizer, state, batch)


def jitted(kind):
  """Returns the program of one step, which trains the variables of one kind."""
  import jax

  return jax.jit(functools.partial(_step, kind))


def _step(kind, graph, trained, frozen, optimizer_graph, optimizer_state, batch):
  """Returns the trained weights and the optimizer's state after one step; loss, gradient norm before it."""
  from flax import nnx
  import jax
  import optax

  loss, gradient = jax.value_and_grad(lambda trained: _loss(graph, trained, frozen, **batch))(trained)
  model, optimizer = nnx.merge(graph, trained, frozen), nnx.merge(optimizer_graph, optimizer_state)
  optimizer.update(model, gradient)
  return nnx.state(model, kind), nnx.state(optimizer), loss, optax.global_norm(gradient)


def _loss(graph, trained, frozen, tokens, positions, segments, targets):
  """Mean cross-entropy over the targets of packed rows; see `batches`. No other place has logits."""
  from flax import nnx
  import jax.numpy as jnp

  from reasoner.policy import forward
  from reasoner.policy import log_probabilities

  model = nnx.merge(graph, trained, frozen)
  hidden = forward.of_packed(model, tokens, positions, segments)
  end_to_end = lambda array: array.reshape(len(targets), -1, *array.shape[2:])  # noqa: E731
  places = jnp.maximum(targets, 1)  # a target has its prompt before it
  predicting = jnp.take_along_axis(end_to_end(hidden), places[..., None] - 1, axis=1)
  predicted = jnp.take_along_axis(end_to_end(tokens), places, axis=1)
  logps, _ = log_probabilities.log_probabilities(predicting, forward.table_of(model), predicted, 1.0)
  return -jnp.sum(logps * (targets > 0)) / jnp.sum(targets > 0)
