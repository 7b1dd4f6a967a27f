"""Freed memory kept for the next array: what glibc does by default costs a CPU run a fifth of its time.

XLA's CPU client frees every array when it is done with. glibc takes blocks above 32 MB from the kernel
and gives them back at once, so each is mapped, faulted in and zeroed anew: millions of page faults a
step. Told to keep what was freed, it hands the same pages out again. The price is a heap that never
shrinks. Must be called before the first thread starts: threads with arenas of their own map large
blocks whatever they are told.

On an accelerator arrays do not live here, and without glibc there is nothing to tell: then nothing is done.
"""

import ctypes
import glob
import os
import sys

# mallopt's parameters, from glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
_ACCELERATORS = ("/dev/nvidia[0-9]*", "/dev/kfd", "/dev/accel*", "/dev/vfio/[0-9]*")


def keep_freed() -> bool:
  """Makes this process keep freed memory, where that helps; returns whether it does."""
  if not sys.platform.startswith("linux") or not _on_cpu():
    return False
  try:
    mallopt = ctypes.CDLL(None).mallopt
    os.confstr("CS_GNU_LIBC_VERSION")  # musl has neither
  except (AttributeError, ValueError, OSError):
    return False
  settings = (_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 64 << 20), (_ARENA_MAX, 1)
  return all([mallopt(name, value) for name, value in settings])


def _on_cpu() -> bool:
  """Says whether JAX will compute on the CPU, without starting it."""
  asked = os.environ.get("JAX_PLATFORMS", "").split(",")[0]
  return asked == "cpu" or not asked and not any(map(glob.glob, _ACCELERATORS))
