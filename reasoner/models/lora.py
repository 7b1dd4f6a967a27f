"""Low-rank adapters on a Tunix Gemma 3: the only weights that are trained.

    model = add_lora(base, rank=16, alpha=32.0, modules=("q", "kv", "gate"), seed=0)

`model` is the actor and `base` stays the frozen reference: both hold the *same* base arrays, so the
reference costs no memory. The base must be on its mesh already (`mesh.place`, or a source's
`load`); moving either of them afterwards would copy.
"""

from collections.abc import Sequence
import dataclasses
from types import ModuleType
from typing import TYPE_CHECKING

from reasoner import processes
from reasoner.models import family
from rewards.errors import ConfigError
from rewards.errors import suggest
from rewards.settings import Count
from rewards.settings import Positive
from rewards.settings import Section

if TYPE_CHECKING:
  from tunix.models.gemma3.model import Gemma3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lora(Section, place="config.model.lora"):
  """The adapter's size and places."""

  rank: Count  # inner width of the two factors
  alpha: Positive  # their product counts alpha / rank
  modules: tuple[str, ...]  # what is adapted, in every layer: names of the family's MODULES

  def __post_init__(self):
    super().__post_init__()
    if not self.modules:
      raise ConfigError(f"{self.place}.modules: it is empty; expected names of what is adapted, such as 'q'.")


def check_modules(modules: Sequence[str], kind: ModuleType) -> None:
  """Raises ConfigError where a family has no module of one of these names."""
  for module in modules:
    if module not in kind.MODULES:
      raise ConfigError(
        f"config.model.lora.modules has {module!r}. {suggest(module, kind.MODULES)}"
        f"Accepted: {', '.join(kind.MODULES)}."
      )


def without_adapter(model: "Gemma3") -> "Gemma3":
  """Returns the model with an adapter that does nothing, as its base; the base's arrays are shared."""
  from flax import nnx
  import jax
  import jax.numpy as jnp

  graph, adapter, base = nnx.split(model, nnx.LoRAParam, ...)
  return nnx.merge(graph, jax.tree.map(jnp.zeros_like, adapter), base)


def add_lora(
  base: "Gemma3", rank: int, alpha: float, modules: Sequence[str], seed: int | None
) -> "Gemma3":
  """Returns a new model of the base's arrays plus adapters; its output equals the base's at first.

  The output of an adapted product x·W becomes x·W + (alpha / rank) · x·A·B, with A drawn from
  U(-√(6/inputs), √(6/inputs)) (He et al. 2015, what qwix itself draws) and B zero. A and B are
  float32 even where W is bfloat16, and x·A·B is rounded to x's type: bfloat16 values near 0.04 are
  2.4e-4 apart, and AdamW's steps of 3e-6 would all be rounded away.

  Args:
    base: a Tunix Gemma 3 whose weights are on their mesh; it is not changed.
    rank: inner width r; A is [inputs, r], B is [r, outputs].
    alpha: scale of the product, divided by the rank.
    modules: keys of the family's MODULES.
    seed: the same seed, shapes and modules give the same bits on any device. None: of shapes, as the base.

  Raises:
    ConfigError: settings that cannot be used, or a module that this model does not have (one with
      as many key-value heads as heads fuses q and kv).
    ValueError: the base is not on a mesh yet.
  """
  Lora(rank=rank, alpha=alpha, modules=tuple(modules))
  check_modules(modules, kind := family.of_model(base))
  from flax import nnx
  import jax
  import jax.numpy as jnp
  import numpy as np
  import qwix

  class Float32Adapters(qwix.LoraProvider):
    """Keeps the activations' type where float32 adapters would promote it."""

    def dot_general(self, lhs, rhs, *args, **kwargs):
      return super().dot_general(lhs, rhs, *args, **kwargs).astype(lhs.dtype)

    def einsum(self, einsum_str, lhs, *rest, **kwargs):
      return super().einsum(einsum_str, lhs, *rest, **kwargs).astype(lhs.dtype)

  names = {module: kind.MODULES[module].tunix.split("/")[-2] for module in modules}
  provider = Float32Adapters(module_path=f".*/({'|'.join(names.values())})", rank=rank, alpha=alpha)
  graph, weights = nnx.split(base)
  sharding = getattr(jax.tree.leaves(weights)[0], "sharding", None)
  if not isinstance(sharding, jax.sharding.NamedSharding):
    raise ValueError("the base must be on its mesh before LoRA is added; see mesh.place.")

  def adapted(weights):
    # qwix finds the places by running the model on any input; one token is enough.
    one, mask = jnp.ones((1, 1), jnp.int32), jnp.ones((1, 1, 1), bool)
    model = nnx.merge(graph, weights)
    return qwix.apply_lora_to_model(model, provider, one, one, None, mask, rngs=nnx.Rngs(seed or 0))

  # Traced, not run: run, it takes 15 s for Gemma 3 270M and a transposed copy of the embedding.
  graph, adapters, _ = nnx.split(nnx.eval_shape(adapted, weights), nnx.LoRAParam, ...)
  shardings = dict(nnx.to_flat_state(nnx.get_named_sharding(adapters, sharding.mesh)))
  drawn = []
  for i, (path, adapter) in enumerate(nnx.to_flat_state(adapters)):
    if seed is None:
      shape = jax.ShapeDtypeStruct(adapter.shape, np.float32, sharding=shardings[path].get_value())
      drawn.append((path, adapter.replace(shape)))
      continue
    value = np.zeros(adapter.shape, np.float32)
    if path[-1].endswith("_lora_a"):
      limit = (6 / np.prod(adapter.shape[:-1])) ** 0.5
      value += np.random.default_rng([seed, i]).uniform(-limit, limit, adapter.shape)
    drawn.append((path, adapter.replace(processes.put(value, shardings[path].get_value()))))
  present = {path[-2] for path, _ in drawn}
  for module in modules:
    if names[module] not in present:
      raise ConfigError(f"config.model.lora.modules: this model has no module {module!r}.")
  model = nnx.merge(graph, nnx.from_flat_state(drawn), weights)
  model.lora_scale = alpha / rank  # qwix keeps it out of reach; policy/layers.py needs it
  return model
