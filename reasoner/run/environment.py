"""What a run's bits depend on besides its config: versions, devices and processors."""

import hashlib
import importlib.metadata
import os
import pathlib
import platform
import re
import time

_PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "google-tunix", "qwix", "numpy", "sentencepiece",
    "sympy", "symspellpy",
)


def fingerprint() -> dict[str, str]:
  """Returns versions, device kind and count, the CPUs this process may use, and XLA's flags."""
  import jax

  devices = jax.devices()
  cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
  return {
      "python": platform.python_version(),
      "system": f"{platform.system()} {platform.machine()}",
      **{package: importlib.metadata.version(package) for package in _PACKAGES},
      "devices": f"{len(devices)} x {devices[0].device_kind}",
      "cpus": ",".join(map(str, sorted(cpus))),
      "xla_flags": os.environ.get("XLA_FLAGS", ""),
      "source": _source(),
  }


def _source() -> str:
  """Returns a hash of this project's own code, which decides bits as much as any package."""
  import rewards

  digest = hashlib.sha256()
  for package in (pathlib.Path(__file__).parents[1], pathlib.Path(rewards.__path__[0])):
    for path in sorted(package.rglob("*.py")):
      digest.update(path.read_bytes())
  return digest.hexdigest()[:16]


def process_seconds() -> float:
  """Returns how long this process has lived: importing is a part of what a run takes."""
  import psutil

  return time.time() - psutil.Process().create_time()


def peak_memory_gb() -> float:
  """Returns the peak resident memory of this process and of all that it started and still runs, in GB.

  A sum of peaks, so rather too high; macOS tells no peaks of others, so what they hold now counts.
  """
  import psutil

  this = psutil.Process()
  return sum(map(_peak_bytes, [this, *this.children(recursive=True)])) / 1e9


def _peak_bytes(process) -> int:
  import psutil

  status = pathlib.Path(f"/proc/{process.pid}/status")  # psutil tells no peak on Linux
  try:
    if status.exists():
      peak = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
      return int(peak[1]) * 1024 if peak else 0  # a zombie has none
    memory = process.memory_info()
    return getattr(memory, "peak_wset", memory.rss)
  except (OSError, psutil.NoSuchProcess):
    return 0  # it ended meanwhile
