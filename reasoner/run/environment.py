"""What a run's bits depend on besides its config: versions, devices and processors."""

import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import re

from reasoner.run import files

_FILE = "environment.json"
_PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "google-tunix", "qwix", "numpy", "sentencepiece",
    "math-verify", "symspellpy",
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


def check(directory: pathlib.Path) -> None:
  """Records the environment of a run, or warns where a resumed run finds another.

  A resumed run is still right, but no longer the same to the last bit.
  """
  path = directory / _FILE
  if not path.exists():
    files.write_json(path, fingerprint())
    return
  then, now = recorded(directory), fingerprint()
  changes = [f"{k} was {then.get(k)!r}, now {v!r}" for k, v in now.items() if then.get(k) != v]
  if changes:
    print(f"warning: this run began elsewhere, so its bits may differ: {'; '.join(changes)}.")


def recorded(directory: pathlib.Path) -> dict[str, str]:
  """Returns the environment in which a run began."""
  return json.loads((directory / _FILE).read_text())


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
