"""Checkpoints that a run killed at any instant continues from, to the same bits.

Orbax writes them: a checkpoint appears whole, by rename, or not at all. One holds the trained
arrays, the optimizer's state, what was recorded by the way (a curriculum's measurements) and the prompt
template that they were trained under. All else of a run is a function of its config and the step.

The arrays of a module are named by their path ("layers/0/attn/q_einsum/w_lora_a"), sorted.
"""

from collections.abc import Callable, Mapping
import hashlib
import pathlib
from typing import Any

from flax import nnx
import jax
import numpy as np
import orbax.checkpoint as ocp

from rewards.errors import ConfigError


def arrays_of(module, kind=nnx.Param) -> dict[str, jax.Array]:
  """Returns the variables of `kind` in a module or optimizer, by path, sorted."""
  flat = nnx.to_flat_state(nnx.state(module, kind))
  return {"/".join(map(str, path)): leaf.get_value() for path, leaf in sorted(flat, key=_path_key)}


def assign(module, arrays: Mapping[str, jax.Array], kind=nnx.Param) -> None:
  """Writes arrays named as `arrays_of` names them back into a module or optimizer."""
  flat = nnx.to_flat_state(nnx.state(module, kind))
  new = [(path, leaf.replace(arrays["/".join(map(str, path))])) for path, leaf in flat]
  nnx.update(module, nnx.from_flat_state(new))


def _path_key(item) -> tuple[str, ...]:
  return tuple(map(str, item[0]))


def sha256(arrays: Mapping[str, jax.Array]) -> str:
  """Returns the hex digest of sorted names, dtypes, shapes and bytes."""
  digest = hashlib.sha256()
  for name in sorted(arrays):
    array = np.asarray(jax.device_get(arrays[name]))
    digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
  return digest.hexdigest()


class Checkpoints:
  """The checkpoints of one phase of a run.

  Args:
    directory: where they live; made if absent.
    modules: what is saved, by name: a module or optimizer, and the kind of its variables.
    keep: how many of the newest stay.
    recorder: its `state()`, which JSON can hold, is saved, and given back to its `restore`.
    template: of the prompts that are trained on.
    before_save: called before each.
  """

  def __init__(
      self, directory: pathlib.Path, modules: Mapping[str, tuple[Any, type]], *, keep: int, template: str,
      recorder: Any = None, before_save: Callable[[], None] = lambda: None,
  ):  # fmt: skip
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep, create=True, enable_async_checkpointing=False
    )
    self._directory = directory.resolve()
    self._manager = ocp.CheckpointManager(self._directory, options=options)
    self._modules = dict(modules)
    self._recorder = recorder
    self._template = template
    self._before_save = before_save

  def save(self, step: int) -> None:
    """Writes a checkpoint of `step` steps: the modules' arrays, and the prompt template."""
    self._before_save()
    record = {"step": step, "template": self._template}
    if self._recorder is not None:
      record["recorded"] = self._recorder.state()
    arrays = {name: ocp.args.StandardSave(arrays_of(*module)) for name, module in self._modules.items()}
    self._manager.save(step, args=ocp.args.Composite(record=ocp.args.JsonSave(record), **arrays))
    self._manager.wait_until_finished()

  def resume(self) -> int:
    """Writes the newest whole checkpoint into the modules and returns its step; 0 where there is none.

    Shapes, types and shardings stay the modules' own.

    Raises:
      ConfigError: it was trained under another prompt template; both are shown.
    """
    step = self._manager.latest_step()
    if step is None:
      return 0
    record = self._manager.restore(step, args=ocp.args.Composite(record=ocp.args.JsonRestore()))["record"]
    template = record["template"]
    if template != self._template:
      raise ConfigError(
          f"the checkpoint {self._directory}/{step} was trained under another prompt template:\n"
          f"  its own: {template!r}\n  this one: {self._template!r}\n"
          "Use the code that made it, or another --workdir."
      )
    abstract = {
        name: ocp.args.StandardRestore(jax.tree.map(ocp.utils.to_shape_dtype_struct, arrays_of(*module)))
        for name, module in self._modules.items()
    }
    restored = self._manager.restore(step, args=ocp.args.Composite(**abstract))
    for name, (module, kind) in self._modules.items():
      assign(module, restored[name], kind)
    if self._recorder is not None:
      self._recorder.restore(record.get("recorded", {}))
    return step

  def close(self) -> None:
    self._manager.close()
