"""Where a command writes: a file that is there whole or not at all, or a device or pipe as it comes.

  with Output("scored.jsonl") as output:
    output.write("{}\n")          # to scored.jsonl.1234.unfinished, until all is there

A symbolic link is written through, and what is no regular file is opened and never replaced.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import stat
import sys

from rewards.errors import ConfigError


class Output:
  """A text file for writing; as a context manager it is finished on success and removed on failure.

  direct: the path is a device, a pipe or a descriptor, and is written as the text comes.

  Raises:
    ConfigError: the path cannot be written, or the disk is full.
  """

  def __init__(self, path: str):
    self._path = path
    self._target = pathlib.Path(os.path.realpath(path))
    with self._answering():
      # /dev/stdout may be a regular file: whoever opened it holds it, so it must not be replaced.
      self.direct = path.startswith(("/dev/", "/proc/")) or (
          os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode)
      )
      if not self.direct and self._target.exists() and not os.access(self._target, os.W_OK):
        raise PermissionError(13, "Permission denied")
      self._written = self._target.with_name(f"{self._target.name}.{os.getpid()}.unfinished")
      self._file = open(path if self.direct else self._written, "w", encoding="utf-8")

  @contextlib.contextmanager
  def _answering(self):
    try:
      yield
    except BrokenPipeError:  # whoever read has read enough
      raise
    except OSError as error:
      raise ConfigError(f"--output {self._path} cannot be written: {error.strerror}.") from None

  def write(self, text: str) -> None:
    with self._answering():
      self._file.write(text)

  def __enter__(self) -> "Output":
    return self

  def __exit__(self, kind, *_) -> None:
    try:
      with self._answering():
        self._file.close()
        if kind is None and not self.direct:
          if self._target.exists():
            shutil.copymode(self._target, self._written)
          self._written.replace(self._target)
    finally:
      if not self.direct:
        self._written.unlink(missing_ok=True)


@contextlib.contextmanager
def cleaning_up_when_told_to_end():
  """Lets SIGTERM and SIGHUP end the program as an exception does: what is unfinished is removed."""
  before = {}
  try:
    for number in (signal.SIGTERM, signal.SIGHUP):
      before[number] = signal.signal(number, lambda number, _: sys.exit(128 + number))
    yield
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


def shown(text: str) -> str:
  """Returns a text for a terminal: control characters, line ends and the like as escapes."""
  return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
