"""Devices as a mesh of fsdp x tp, and a model laid out on it.

Base weights go onto the mesh before LoRA is added (`lora.py`): only then do the trained model and
the frozen reference share one copy.
"""

from collections.abc import Sequence
import dataclasses
from typing import TYPE_CHECKING

from reasoner import processes
from rewards.errors import ConfigError
from rewards.settings import Count
from rewards.settings import Section
from rewards.settings import WholeNumber

if TYPE_CHECKING:
  from flax import nnx
  import jax

AXES = ("fsdp", "tp")  # the names that Tunix's sharding rules use
DTYPES = ("auto", "float32", "bfloat16")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshShape(Section, place="config.model.mesh"):
  """How many ways batch and weights are split."""

  fsdp: WholeNumber  # batch and weights; 0 takes every device that tp leaves
  tp: Count  # heads, hidden units and vocabulary
  replicated_sampling: bool = False  # whether each device samples with a copy of what fsdp splits


def make_mesh(
  fsdp: int | None = None, tp: int = 1, devices: "Sequence[jax.Device] | None" = None
) -> "jax.sharding.Mesh":
  """Returns a mesh over fsdp * tp devices.

  Args:
    fsdp: ways to split batch and weights; None takes every device that tp leaves.
    tp: ways to split heads, hidden units and vocabulary.
    devices: by default those of this machine.

  Raises:
    ConfigError: the devices do not divide so.
  """
  import jax

  devices = jax.devices() if devices is None else devices
  count = len(devices)
  if fsdp is None:
    if count % tp:
      raise ConfigError(f"config.model.mesh.tp: {tp} does not divide the {count} devices present.")
    fsdp = count // tp
  if fsdp * tp > count:
    raise ConfigError(
      f"config.model.mesh: fsdp={fsdp} x tp={tp} needs {fsdp * tp} devices, {count} are present."
    )
  if processes.several() and fsdp * tp < count:
    raise ConfigError(
      f"config.model.mesh: fsdp={fsdp} x tp={tp} leaves out some of the {count} devices of these processes: expected"
      " all of them; fsdp=0 takes what tp leaves."
    )
  # The default axis type became Explicit; Tunix's models then raise ShardingTypeError.
  axis_types = (jax.sharding.AxisType.Auto,) * len(AXES)
  return jax.make_mesh((fsdp, tp), AXES, axis_types, devices=devices[: fsdp * tp])


def compute_dtype(name: str = "auto"):
  """Returns the dtype of the base weights: bfloat16 on an accelerator, float32 on a CPU.

  A CPU emulates bfloat16, which is slower there than float32.
  """
  import jax
  import jax.numpy as jnp

  if name == "auto":
    name = "float32" if jax.default_backend() == "cpu" else "bfloat16"
  return jnp.dtype(name)


def check_fits(config, mesh: "jax.sharding.Mesh") -> None:
  """Raises ConfigError where a Tunix Gemma 3 of this ModelConfig cannot be split over the mesh.

  Nothing is allocated: JAX alone would raise an IndivisibleError in the middle of loading.
  """
  from flax import nnx
  from tunix.models.gemma3 import model as gemma3

  abstract = nnx.state(nnx.eval_shape(lambda: gemma3.Gemma3(config, rngs=nnx.Rngs(0))))
  shardings = dict(nnx.to_flat_state(nnx.get_named_sharding(abstract, mesh)))
  for path, weight in nnx.to_flat_state(abstract):
    for size, axis in zip(weight.shape, shardings[path].get_value().spec):
      if axis is not None and size % mesh.shape[axis]:
        raise ConfigError(
          f"config.model.mesh.{axis}: {mesh.shape[axis]} does not divide a dimension of {size} in"
          f" {'.'.join(map(str, path))}, whose shape is {weight.shape}."
        )


def outline(config, mesh: "jax.sharding.Mesh") -> "nnx.Module":
  """Returns a Tunix Gemma 3 of this ModelConfig as `place` would lay it out, of shapes without values."""
  from flax import nnx
  import jax
  from tunix.models.gemma3 import model as gemma3

  check_fits(config, mesh)
  graph, state = nnx.split(nnx.eval_shape(lambda: gemma3.Gemma3(config, rngs=nnx.Rngs(0))))
  return nnx.merge(graph, outlined(state, mesh))


def outlined(state, mesh: "jax.sharding.Mesh"):
  """Returns shapes of a model's or an optimizer's state, each with the sharding that its own rules say."""
  from flax import nnx
  import jax

  laid = lambda array, sharding: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding)  # noqa: E731
  return jax.tree.map(laid, state, nnx.get_named_sharding(state, mesh))


def place(model: "nnx.Module", mesh: "jax.sharding.Mesh") -> "nnx.Module":
  """Returns the model with each weight on the mesh, split as the model's own rules say.

  For a model made in memory; one read from files is placed while it is read.
  """
  from flax import nnx

  graph, state = nnx.split(model)
  return nnx.merge(graph, processes.put(state, nnx.get_named_sharding(state, mesh)))
