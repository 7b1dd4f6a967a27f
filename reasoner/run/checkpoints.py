"""Checkpoints that a run killed at any instant continues from, to the same bits.

Orbax writes them: a checkpoint appears whole, by rename, or not at all. One holds the trained
arrays, the optimizer's state, their hashes, what was recorded by the way (a curriculum's measurements)
and the prompt template that they were trained under. All else of a run is a function of its config and
the step, so when one is saved changes no bit. One that a disk damaged afterwards is set aside, and the
one before it goes on.

The arrays of a module are named by their path ("layers/0/attn/q_einsum/w_lora_a"), sorted.
"""

from collections.abc import Callable, Mapping
import hashlib
import json
import pathlib
import shutil
import time
from typing import Any

from flax import nnx
import jax
import numpy as np
import orbax.checkpoint as ocp

from reasoner import processes
from reasoner.run import stopping
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
    array = np.asarray(processes.fetch(arrays[name]))
    digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
  return digest.hexdigest()


def _sha256_of(recorded: Mapping[str, Any]) -> str:
  return hashlib.sha256(json.dumps(recorded, sort_keys=True).encode()).hexdigest()


def _changed(
    recorded: Mapping[str, Any], hashes: Mapping[str, str], arrays: Mapping[str, Mapping[str, jax.Array]]
) -> str | None:
  """Returns a sentence where what was read of a checkpoint has other hashes than were written."""
  found = {name: sha256(own) for name, own in arrays.items()} | {"recorded": _sha256_of(recorded)}
  changed = [name for name in found if found[name] != hashes.get(name)]
  return f"the bytes of {', '.join(changed)} are not those that were written" if changed else None


class Checkpoints:
  """The checkpoints of one phase of a run.

    with Checkpoints(directory, modules, keep=3, every=100, minutes=10.0) as saved:
      for step in range(saved.resume(), steps):
        ...
        saved.whole(step + 1)
        if saved.due(step + 1):
          saved.save()

  Left by SIGTERM, it saves the last whole step.

  Args:
    directory: where they live; made if absent.
    modules: what is saved, by name: a module or optimizer, and the kind of its variables.
    keep: how many of the newest stay.
    recorder: its `state()`, which JSON can hold, is saved, and given back to its `restore`.
    template: of the prompts that are trained on.
    every, minutes: one is due after so many steps, or so long after the last.
    before_save, after_save: called around each.
  """

  def __init__(
      self, directory: pathlib.Path, modules: Mapping[str, tuple[Any, type]], *, keep: int, template: str,
      every: int = 1, minutes: float = float("inf"), recorder: Any = None,
      before_save: Callable[[], None] = lambda: None, after_save: Callable[[], None] = lambda: None,
  ):  # fmt: skip
    self._directory = directory.resolve()
    if processes.first():
      for path in self._directory.glob("*.orbax-checkpoint-tmp*"):  # of a run that was killed while it wrote
        shutil.rmtree(path)
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep, create=True, enable_async_checkpointing=False
    )
    self._manager = ocp.CheckpointManager(self._directory, options=options)
    self._modules = dict(modules)
    self._every, self._seconds = every, 60 * minutes
    self._recorder = recorder
    self._template = template
    self._before_save, self._after_save = before_save, after_save
    self._saved, self._saved_at = 0, time.monotonic()
    self._whole: tuple[int, dict[str, dict[str, jax.Array]], dict[str, Any]] = 0, {}, {}

  def whole(self, step: int) -> None:
    """Remembers all as it is after `step` steps: what `save` writes. No array is copied."""
    arrays = {name: arrays_of(*module) for name, module in self._modules.items()}
    self._whole = step, arrays, self._recorder.state() if self._recorder is not None else {}

  def due(self, step: int) -> bool:
    return step % self._every == 0 or processes.agreed(time.monotonic() - self._saved_at >= self._seconds)

  def save(self) -> None:
    """Writes a checkpoint of the last whole step."""
    self._write()
    stopping.TERMINATION.check()

  def _write(self) -> None:
    with stopping.TERMINATION.held():
      step, arrays, recorded = self._whole
      self._before_save()
      record = {
          "step": step,
          "template": self._template,
          "recorded": recorded,
          "sha256": {name: sha256(own) for name, own in arrays.items()} | {"recorded": _sha256_of(recorded)},
      }
      saves = {name: ocp.args.StandardSave(own) for name, own in arrays.items()}
      self._manager.save(step, args=ocp.args.Composite(record=ocp.args.JsonSave(record), **saves))
      self._manager.wait_until_finished()
      self._saved, self._saved_at = step, time.monotonic()
      self._after_save()

  def resume(self) -> int:
    """Writes the newest whole checkpoint into the modules and returns its step; 0 where there is none.

    Shapes, types and shardings stay the modules' own. One that cannot be read is set aside.

    Raises:
      ConfigError: it was trained under another prompt template; both are shown.
    """
    step = 0
    for found in sorted(self._manager.all_steps(), reverse=True):
      damage = None
      try:
        recorded, hashes, arrays = self._read(found)
      except (ConfigError, MemoryError, PermissionError, jax.errors.JaxRuntimeError):
        raise
      except Exception as error:  # whatever the libraries make of damaged bytes
        damage = f"{type(error).__name__}: {str(error):.200}"
      damage = next(filter(None, processes.exchange(damage)), None) or _changed(recorded, hashes, arrays)
      if damage:
        self._set_aside(found, damage)
        continue
      for name, (module, kind) in self._modules.items():
        assign(module, arrays[name], kind)
      if self._recorder is not None:
        self._recorder.restore(recorded)
      step = found
      break
    self._saved = step
    self.whole(step)
    return step

  def _read(self, step: int) -> tuple[dict[str, Any], dict[str, str], dict[str, dict[str, jax.Array]]]:
    """Returns what was recorded, the hashes that were written, and the arrays."""
    record = ocp.args.Composite(record=ocp.args.JsonRestore())
    record = self._manager.restore(step, args=record)["record"]
    if record["template"] != self._template:
      raise ConfigError(
          f"the checkpoint {self._directory}/{step} was trained under another prompt template:\n"
          f"  its own: {record['template']!r}\n  this one: {self._template!r}\n"
          "Use the code that made it, or another --workdir."
      )
    abstract = {
        name: ocp.args.StandardRestore(jax.tree.map(ocp.utils.to_shape_dtype_struct, arrays_of(*module)))
        for name, module in self._modules.items()
    }
    restored = self._manager.restore(step, args=ocp.args.Composite(**abstract))
    return record["recorded"], dict(record["sha256"]), dict(restored.items())

  def _set_aside(self, step: int, damage: str) -> None:
    """Renames a checkpoint, so that no start takes it for one."""
    number = sum(1 for _ in self._directory.glob(f"damaged_{step}_*"))
    path = self._directory / f"damaged_{step}_{number}"
    if processes.first():
      (self._directory / str(step)).rename(path)
    processes.exchange(None)  # it is done
    self._manager.reload()
    print(
        f"warning: the checkpoint of step {step} is damaged ({damage}); it is set aside as {path}, and the one "
        "before it goes on.", flush=True,
    )  # fmt: skip

  def __enter__(self) -> "Checkpoints":
    return self

  def __exit__(self, kind, *_) -> None:
    try:
      if kind is stopping.Terminated and self._whole[0] > self._saved:
        self._write()
    finally:
      self._manager.close()
