"""The update: gradients of a loss over micro-batches, added up, and one step of the optimizer.

  lora, optimizer_state, metrics = update(graph, lora, base, optimizer_graph, optimizer_state, parts, ...)

What is divided by stands in `Parts.batch` and counts the whole batch (losses.py), so gradients of
micro-batches are added, not averaged: a division into parts changes memory and nothing else, also
where rows could not be scored. The gradient norm is that of the sum.
"""

import dataclasses
import functools

from flax import nnx
import jax
import jax.numpy as jnp
import optax

from reasoner import processes
from reasoner.policy import algorithms
from reasoner.policy import log_probabilities
from reasoner.policy import losses


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Parts:
  """A batch of n completions in p micro-batches: each array is [p, n / p, ...], but for two counts.

  prompt_ids: [p, n / p / g, l], each prompt once for g adjacent completions.
  sampled: log-probabilities under the distribution that the tokens were drawn from.
  """

  prompt_ids: jax.Array
  completion_ids: jax.Array
  sampled: jax.Array
  batch: losses.Batch


@functools.partial(jax.jit, static_argnames=("algorithm", "temperature", "pad_id", "rematerialize"))
def update(
    graph: nnx.GraphDef,
    lora: nnx.State,
    base: nnx.State,
    optimizer_graph: nnx.GraphDef,
    optimizer_state: nnx.State,
    parts: Parts,
    *,
    algorithm: algorithms.Algorithm,
    temperature: float,
    pad_id: int,
    rematerialize: bool = False,
) -> tuple[nnx.State, nnx.State, dict[str, jax.Array]]:
  """Returns the trained weights and the optimizer's state after one step, and metrics.

  kl, clip_fraction, entropy and sampler_gap are means over the trained tokens of the whole batch.
  """
  rows, tokens = parts.batch.rows, parts.batch.tokens

  def loss_of(lora: nnx.State, part: Parts):
    model = nnx.merge(graph, lora, base)
    logps, entropy = log_probabilities.of_completions(
        model, part.prompt_ids, part.completion_ids, temperature=temperature, pad_id=pad_id,
        rematerialize=rematerialize,
    )  # fmt: skip
    loss, metrics = losses.LOSSES[algorithm.name](logps, part.batch, algorithm)
    mask = part.batch.mask
    metrics["entropy"] = jnp.sum(entropy * mask)
    metrics["sampler_gap"] = jnp.sum(jnp.abs(part.sampled - logps) * mask)
    return loss, metrics

  def add(total, part: Parts):
    part = dataclasses.replace(part, batch=dataclasses.replace(part.batch, rows=rows, tokens=tokens))
    (loss, metrics), gradient = jax.value_and_grad(loss_of, has_aux=True)(lora, part)
    ratio_max = jnp.maximum(total[1]["ratio_max"], metrics["ratio_max"])
    total = jax.tree.map(jnp.add, total, (gradient, metrics | {"loss": loss}))
    return (total[0], total[1] | {"ratio_max": ratio_max}), None

  names = ("loss", "kl", "clip_fraction", "ratio_max", "entropy", "sampler_gap")
  start = jax.tree.map(jnp.zeros_like, lora), {name: jnp.float32(0) for name in names}
  uncounted = dataclasses.replace(parts, batch=dataclasses.replace(parts.batch, rows=None, tokens=None))
  (gradient, sums), _ = jax.lax.scan(add, start, uncounted)

  model, optimizer = nnx.merge(graph, lora, base), nnx.merge(optimizer_graph, optimizer_state)
  optimizer.update(model, gradient)
  metrics = {name: value if name in ("loss", "ratio_max") else value / tokens for name, value in sums.items()}
  metrics["gradient_norm"] = optax.global_norm(gradient)
  return nnx.state(model, nnx.LoRAParam), nnx.state(optimizer), metrics


def make_optimizer(model, transformation: optax.GradientTransformation, kind: type, mesh) -> nnx.Optimizer:
  """Returns an optimizer of the model's weights of one kind, its state on the mesh like the weights."""
  optimizer = nnx.Optimizer(model, transformation, wrt=kind)
  everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
  put = lambda array: (  # noqa: E731
      array if isinstance(array.sharding, jax.sharding.NamedSharding) else processes.put(array, everywhere)
  )
  nnx.update(optimizer, jax.tree.map(put, nnx.state(optimizer)))
  return optimizer


def assign(node: nnx.Module, old: nnx.State, new: nnx.State) -> None:
  """Writes new arrays into a model or an optimizer, laid out as the old: else the next step recompiles."""
  leaves, tree = jax.tree.flatten(new)
  placed = [jax.device_put(array, was.sharding) for array, was in zip(leaves, jax.tree.leaves(old), strict=True)]
  nnx.update(node, jax.tree.unflatten(tree, placed))
