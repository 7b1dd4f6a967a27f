"""How a run ends before its time: one sentence, and a status that says what to do next.

  3   Diverged: a loss or gradient is not finite; the same command would meet it again
  74  the disk is full (`full_disk`): the same command continues when there is room
  75  Terminated, by SIGTERM: the same command continues

SIGTERM ends what Python does at once, as Ctrl-C does; a program on the device runs to its end and no
new one is started. What must be whole, a checkpoint, is written under `TERMINATION.held()`. In a run of
several processes it counts after the step, for all of them: no process is left waiting for another.
"""

from collections.abc import Callable, Mapping, Sequence
import contextlib
import errno
import logging
import math
import re
import signal
import sys
import threading

from reasoner import processes

DIVERGED_STATUS, FULL_DISK_STATUS, TERMINATED_STATUS = 3, 74, 75
_ROWS_NAMED = 16


class Diverged(Exception):
  """A loss or gradient is not finite: the sentence names phase, step and rows."""


class Terminated(BaseException):
  """SIGTERM; no Exception, so that no `except Exception` on its way takes it for a failure."""


class Termination:
  """SIGTERM as an exception in the main thread, but not where something must be whole."""

  def __init__(self):
    self._asked = False
    self._holding = 0

  def install(self) -> None:
    """Takes SIGTERM from here on. Call it from the main thread."""
    signal.signal(signal.SIGTERM, self._on_signal)

  def _on_signal(self, *_) -> None:
    self._asked = True
    if not (self._holding or processes.several()):
      self.check()

  def check(self) -> None:
    """Raises Terminated once SIGTERM came: also where a library's callback swallowed the first one.

    Of several processes all call it, and it raises in all.
    """
    if any(processes.exchange(self._asked)):
      raise Terminated

  @contextlib.contextmanager
  def held(self):
    """Runs what stands inside to its end; SIGTERM counts at the next `check`."""
    self._holding += 1
    try:
      yield
    finally:
      self._holding -= 1


TERMINATION = Termination()


def check_finite(
  phase: str, step: int, values: Mapping[str, float], rows: Callable[[], Sequence[str]], cure: str
) -> None:
  """Raises Diverged where one of `values` is not finite.

  Args:
    phase, step: where. values: by name. rows: uids of the step's. cure: a field to change.
  """
  wrong = [f"the {name} is {value}" for name, value in values.items() if not math.isfinite(value)]
  if wrong:
    own = list(dict.fromkeys(rows()))
    more = f" and {len(own) - _ROWS_NAMED} more" if len(own) > _ROWS_NAMED else ""
    raise Diverged(
      f"{phase}, step {step}: {' and '.join(wrong)}. Its rows: {', '.join(own[:_ROWS_NAMED])}{more}. "
      "Nothing of it is kept: the last checkpoint was healthy. "
      f"Lower {cure} in another --workdir, or look at the rows."
    )


def drop_echoes() -> None:
  """Leaves out what Orbax's and TensorStore's threads say of a full disk: the error that they raise is told once.

  Orbax logs it in each thread that meets it and closes its event loop, which TensorStore's other writes then miss.
  """
  logging.getLogger("absl").addFilter(lambda record: not (record.exc_info and full_disk(record.exc_info[1])))
  shown = sys.excepthook

  def show(kind, error, trace):
    if threading.current_thread() is threading.main_thread() or str(error) != "Event loop is closed":
      shown(kind, error, trace)

  sys.excepthook = show


def full_disk(error: BaseException | None) -> str | None:
  """Returns what could not be written where a full disk (or a quota) lies behind an error, else None.

  TensorStore and safetensors put the system's words into errors of their own.
  """
  seen: set[int] = set()
  while error is not None and id(error) not in seen:
    seen.add(id(error))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
      return str(error.filename or "a file of the run")
    if "No space left on device" in str(error):
      path = re.search(r'Failed writing: "([^"]+?)/[^/"]*\.orbax-checkpoint-tmp', str(error))
      return path[1] if path else "a file of the run"
    error = error.__cause__ or error.__context__
  return None
