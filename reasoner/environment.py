"""What a run's bits depend on besides its config: versions, devices and processors."""

import importlib.metadata
import json
import os
import pathlib
import platform

from reasoner import files

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "google-tunix", "qwix", "numpy", "sentencepiece")


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
  }


def check(directory: pathlib.Path) -> None:
  """Records the environment of a run, or warns where a resumed run finds another.

  A resumed run is still right, but no longer the same to the last bit.
  """
  path = directory / "environment.json"
  now = fingerprint()
  if path.exists():
    then = json.loads(path.read_text())
    changes = [f"{k} was {then.get(k)!r}, now {v!r}" for k, v in now.items() if then.get(k) != v]
    if changes:
      print(f"warning: this run began elsewhere, so its bits may differ: {'; '.join(changes)}.")
  files.write_json(path, now)
