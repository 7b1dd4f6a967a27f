"""Freed memory is kept on a CPU under glibc, and nowhere else."""

import os
import subprocess
import sys

import pytest

from reasoner.run import memory

GLIBC = sys.platform.startswith("linux") and "CS_GNU_LIBC_VERSION" in os.confstr_names

PROGRAM = """
import mmap, resource, sys
import numpy as np
from reasoner.run import memory
if sys.argv[1] == "keep":
  assert memory.keep_freed()
for _ in range(3):
  np.ones(12_000_000)  # 96 MB: above what glibc ever keeps by default
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
  np.ones(12_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(argument):
  environment = os.environ | {"JAX_PLATFORMS": "cpu", "NUMPY_MADVISE_HUGEPAGE": "0"}
  done = subprocess.run([sys.executable, "-c", PROGRAM, argument], env=environment, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  return int(done.stdout)


@pytest.mark.skipif(not GLIBC, reason="mallopt is glibc's")
def test_arrays_of_a_size_are_faulted_in_once():
  """Ten arrays of 23,438 pages each: by default each is mapped anew, kept they cost next to nothing."""
  assert faults("default") > 10 * 20_000
  assert faults("keep") < 20_000


@pytest.mark.parametrize("platforms, devices, on_cpu", [
    ("cpu", ["/dev/nvidia0"], True), ("cuda", [], False), ("", [], True), ("", ["/dev/accel0"], False),
])
def test_an_accelerator_is_recognised_without_starting_jax(platforms, devices, on_cpu, monkeypatch):
  monkeypatch.setenv("JAX_PLATFORMS", platforms)
  monkeypatch.setattr(memory.glob, "glob", lambda pattern: [d for d in devices if d.startswith(pattern[:9])])
  assert memory._on_cpu() is on_cpu
  if not on_cpu:
    assert not memory.keep_freed()
