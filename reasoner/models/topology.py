"""Devices to plan for: those of this machine, or a TPU topology that only its compiler knows.

  devices, chip = devices_of("v5e:2x4")  # eight devices that compile and hold nothing
  devices, chip = devices_of("")         # what is here

The compiler of TPUs is libtpu, which runs on any Linux machine (extra `tpu`; TPU_LIBRARY_PATH names a
libtpu.so elsewhere). It is told by environment variables not to look for a TPU's host.
"""

from collections.abc import Sequence
import dataclasses
import importlib.util
import os
import re
import time
from typing import TYPE_CHECKING

from rewards.errors import ConfigError

if TYPE_CHECKING:
  import jax


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chip:
  """One device, by JAX's name of its kind: FLOP/s of bfloat16 and bytes/s at best, and the bytes that it holds.

  link: bytes/s to its neighbours, one way along an axis. measured: whether the peaks were measured here.
  """

  name: str
  flops: float
  bandwidth: float
  memory: int
  link: float = 0.0
  measured: bool = False


# Published by Google; TPU v5e: cloud.google.com/tpu/docs/v5e. Of its 16 GiB the compiler gives out 15.75.
CHIPS = {"v5e": Chip(name="TPU v5 lite", flops=197e12, bandwidth=819e9, memory=int(15.75 * 2**30), link=45e9)}
_ACCELERATORS = {"v5e": "v5litepod"}


def devices_of(topology: str) -> tuple[Sequence["jax.Device"], Chip]:
  """Returns the devices of a topology such as "v5e:2x4", of this machine for "", and what each can do.

  For a topology, call it before JAX has looked for devices.

  Raises:
    ConfigError: it is unknown, or its compiler is missing.
  """
  if not topology:
    import jax

    device = jax.devices()[0]
    known = (chip for chip in CHIPS.values() if chip.name == device.device_kind)
    return jax.devices(), next(known, None) or _measured(device)
  kind, _, shape = topology.partition(":")
  if kind not in CHIPS or not re.fullmatch(r"[1-9]\d*x[1-9]\d*", shape):
    raise ConfigError(f"--topology={topology}: expected {' or '.join(CHIPS)}, a colon, and chips such as 2x4.")
  if importlib.util.find_spec("libtpu") is None and not os.environ.get("TPU_LIBRARY_PATH"):
    raise ConfigError(f"--topology={topology} needs the compiler of TPUs: pip install 'reasoner[tpu]'.")
  width, height = map(int, shape.split("x"))
  os.environ.update(
      TPU_SKIP_MDS_QUERY="1", TPU_ACCELERATOR_TYPE=f"{_ACCELERATORS[kind]}-{width * height}",
      TPU_WORKER_HOSTNAMES="localhost", TPU_WORKER_ID="0", JAX_PLATFORMS="cpu",
  )  # fmt: skip
  from jax.experimental import topologies

  host = {"chips_per_host_bounds": (1, 1, 1)} if width * height == 1 else {}
  try:
    found = topologies.get_topology_desc(platform="tpu", topology_name=topology, **host)
  except Exception as error:  # whatever the plugin makes of it
    raise ConfigError(f"--topology={topology}: libtpu does not know it: {str(error):.200}") from error
  return found.devices, CHIPS[kind]


def _measured(device: "jax.Device") -> Chip:
  """Returns what two products reach here, of matrices and of a matrix and a vector, the best of three."""
  import jax
  import jax.numpy as jnp
  import psutil

  def best(function, *arguments) -> float:
    jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(3):
      start = time.perf_counter()
      jax.block_until_ready(function(*arguments))
      times.append(time.perf_counter() - start)
    return min(times)

  cpu = device.platform == "cpu"
  size = 2048 if cpu else 8192
  square = jnp.ones((size, size), jnp.float32 if cpu else jnp.bfloat16)
  wide = jnp.ones((2**13, 2**13), square.dtype)  # read once, as weights are for a token; beyond every cache
  statistics = device.memory_stats() or {}
  return Chip(
      name=device.device_kind,
      flops=2 * size**3 / best(jax.jit(jnp.matmul), square, square),
      bandwidth=wide.nbytes / best(jax.jit(jnp.matmul), wide, wide[0]),
      memory=statistics.get("bytes_limit") or psutil.virtual_memory().total,
      measured=True,
  )
