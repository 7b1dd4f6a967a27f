"""Several processes as one run, on one machine or many: JAX's way, the same program in each of them.

  python -m reasoner.main --config=RECIPE --workdir=DIR --coordinator=HOST:PORT --num_processes=2 --process_id=0
  python -m reasoner.main --config=RECIPE --workdir=DIR --coordinator=HOST:PORT --num_processes=2 --process_id=1

Each runs the whole story on the same rows: it holds its devices' part of every array, is shown every completion,
and scores its own share of them. What one of them alone knows is told to all: what the first one reads on a
clock (`agreed`), what each has scored or been signalled (`exchange`). So all take the same decisions, and the
first one's work directory is the run's (run/workdir.py). With one process every function here is what JAX
does anyway, or nothing at all.

Not here: which axis of the mesh the processes divide. JAX's order of devices makes it fsdp.
"""

from collections.abc import Callable, Sequence
import os
import pickle
import sys
from typing import Any
from typing import NoReturn
from typing import TYPE_CHECKING

from rewards.errors import ConfigError

if TYPE_CHECKING:
  from rewards.schema import Example
  from rewards.schema import RewardBreakdown
  from rewards.service import Service

AUTO = "auto"
_LEAST_BYTES = 1 << 12  # of an exchange, and doubled from there: each length is a program to compile


def join(coordinator: str | None, count: int | None, index: int | None) -> None:
  """Makes this process one of several; the others' words go to a null device, but for their errors.

  Args:
    coordinator: host:port of the first process, or "auto" where JAX knows the cluster; None: there is one process.
    count, index: how many there are, and which this is, from 0; with "auto" the cluster says so.

  Raises:
    ConfigError: they do not belong together, or nobody is met there.
  """
  if coordinator is None:
    if not (count is None and index is None):
      raise ConfigError("--num_processes and --process_id need --coordinator=HOST:PORT, which is process 0's.")
    return
  if coordinator != AUTO and (count is None or index is None or not 0 <= index < count):
    raise ConfigError(
        f"--coordinator={coordinator} with --num_processes={count} --process_id={index}: expected a process_id from 0"
        f" to num_processes - 1, or --coordinator={AUTO} on a cluster that JAX knows (TPU pods, Slurm, MPI)."
    )
  import jax

  jax.config.update("jax_enable_preemption_service", False)  # it takes SIGTERM, which is run/stopping.py's
  try:
    jax.distributed.initialize(*((None,) * 3 if coordinator == AUTO else (coordinator, count, index)))
  except (RuntimeError, ValueError) as error:
    raise ConfigError(f"--coordinator={coordinator}: {error}") from error
  if not first():
    sys.stdout = open(os.devnull, "w", encoding="utf-8")


def several() -> bool:
  """Whether this process is one of several; JAX is neither loaded nor started for it."""
  jax = sys.modules.get("jax")
  return jax is not None and jax.distributed.is_initialized() and jax.process_count() > 1


def first() -> bool:
  """Whether the run's directory and its words are this process' own."""
  return not several() or sys.modules["jax"].process_index() == 0


def leave(status: int) -> NoReturn:
  """Ends this process with an error; one of several at once, since JAX would wait for others, which wait for it."""
  if several():
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
  sys.exit(status)


def is_missing_another(error: Exception) -> bool:
  """Whether an exception is what a CPU's collectives make of another process that has ended.

  On other devices, and where it was the first one, JAX itself ends the process.
  """
  return several() and "Gloo" in str(error)


def put(tree: Any, shardings: Any) -> Any:
  """Places arrays that every process has whole; arguments and result as of `jax.device_put`.

  Which would compare each array with every other process' first, in a program of its own.
  """
  import jax
  import numpy as np

  if not several():
    return jax.device_put(tree, shardings)

  def place(array, sharding):
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
      return jax.device_put(array, sharding)
    whole = np.asarray(array)
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])

  if isinstance(shardings, jax.sharding.Sharding):
    return jax.tree.map(lambda array: place(array, shardings), tree)
  return jax.tree.map(place, tree, shardings)


def fetch(tree: Any) -> Any:
  """Returns arrays whole, as NumPy's, in every process; all of them call it."""
  import jax

  if not several():
    return jax.device_get(tree)
  from jax.experimental import multihost_utils

  def whole(array):
    if isinstance(array, jax.Array) and not (array.is_fully_addressable or array.is_fully_replicated):
      return multihost_utils.process_allgather(array, tiled=True)
    return jax.device_get(array)

  return jax.tree.map(whole, tree)


def exchange(value: Any) -> list[Any]:
  """Returns what each process gave, in their order; all of them call it. value: what pickle takes."""
  if not several():
    return [value]
  from jax.experimental import multihost_utils
  import numpy as np

  data = np.frombuffer(pickle.dumps(value), np.uint8)
  sizes = multihost_utils.process_allgather(np.int32(len(data)))
  room = max(_LEAST_BYTES, 1 << int(sizes.max() - 1).bit_length())
  rows = multihost_utils.process_allgather(np.pad(data, (0, room - len(data))))
  return [pickle.loads(row[:size].tobytes()) for row, size in zip(rows, sizes)]


def agreed(value: Any) -> Any:
  """Returns what the first process gave; all of them call it."""
  return exchange(value if first() else None)[0] if several() else value


def check_same(**values: Any) -> None:
  """Raises ConfigError, in every process, where one of them has another value than the first."""
  for name, theirs in ((name, exchange(value)) for name, value in values.items()):
    for index, other in enumerate(theirs):
      if other != theirs[0]:
        raise ConfigError(
            f"process {index} has other {name} than process 0: give all the same code, config, rows and model files."
        )


def shares(groups: Sequence[int], count: int) -> list[list[int]]:
  """Returns for each of `count` processes the completions that it scores: whole groups, as evenly as they go."""
  order = {group: place for place, group in enumerate(dict.fromkeys(groups))}
  parts: list[list[int]] = [[] for _ in range(count)]
  for i, group in enumerate(groups):
    parts[order[group] * count // len(order)].append(i)
  return parts


class Shared:
  """A scoring service of which each process has one, and each scores its share of a batch.

  Args:
    service: this process' own.
  """

  def __init__(self, service: "Service"):
    self._service = service

  def submit(self, examples: "Sequence[Example]", texts: Sequence[str], groups: Sequence[int]) -> "Pending":
    """Arguments as of `Service.submit`, the same in all processes; what a model is asked, all ask together."""
    import jax

    parts = shares(groups, jax.process_count())
    asked = self._service.ask(examples, texts, groups)
    own = [[column[i] for i in parts[jax.process_index()]] for column in (examples, texts, groups, asked)]
    return Pending(self._service.submit(*own), parts)


class Pending:
  """What `Shared.submit` gives in place of a future."""

  def __init__(self, own, parts: Sequence[Sequence[int]], exchange: Callable[[Any], list[Any]] = exchange):
    self._own, self._parts, self._exchange = own, parts, exchange

  def result(self) -> "list[RewardBreakdown]":
    """Returns the whole batch's breakdowns; all processes call it, and all raise what one had to raise."""
    try:
      own = self._own.result()
    except Exception as error:
      own = error
    found: dict[int, Any] = {}
    for part, breakdowns in zip(self._parts, self._exchange(own), strict=True):
      if isinstance(breakdowns, Exception):
        raise breakdowns
      found |= zip(part, breakdowns, strict=True)
    return [found[i] for i in range(len(found))]


def shared(service: "Service") -> "Service | Shared":
  """Returns what divides a batch among the processes' services; of one process, its own."""
  return Shared(service) if several() else service
