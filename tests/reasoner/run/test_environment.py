"""What a run says about where it ran."""

import subprocess
import sys

PROGRAM = """
import subprocess, sys
from reasoner.run import environment

peaks = [environment.peak_memory_gb()]
bytearray(b"x") * 300_000_000  # touched, and freed at once
peaks.append(environment.peak_memory_gb())
child = subprocess.Popen(
    [sys.executable, "-c", "x = b'x' * 200_000_000; print(flush=True); input()"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
)
child.stdout.readline()
peaks.append(environment.peak_memory_gb())
child.communicate(b"\\n")
peaks.append(environment.peak_memory_gb())
print(*peaks)
"""


def test_peak_memory_counts_what_was_freed_and_what_children_hold():
  # In a process of its own: this one's peak lies behind it.
  done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
  start, freed, with_child, without = map(float, done.stdout.split())
  assert 0.25 < freed - start < 0.35
  assert 0.19 < with_child - freed < 0.3
  assert abs(without - freed) < 0.01
