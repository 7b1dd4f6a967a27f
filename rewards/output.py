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
import threading
import time

from rewards.errors import ConfigError

_REPEAT_SECONDS = 0.1


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
  """Lets SIGINT, SIGTERM and SIGHUP end the program as an exception does: what is unfinished is removed.

  Python calls a handler between two of its own instructions. A signal that comes after the last of them
  and before a read that blocks would wait for that read, which on a pipe may be for ever: a thread
  repeats it until it is heard, and of several only the first is.
  """
  heard, before = [], {}

  def handler(number, _):
    if not heard:
      heard.append(number)
      raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

  def repeat():
    while received := os.read(reader, 1):
      while received[0] in before and not heard:
        signal.pthread_kill(main, received[0])
        time.sleep(_REPEAT_SECONDS)

  main = threading.get_ident()
  reader, writer = os.pipe()
  os.set_blocking(writer, False)
  repeater = threading.Thread(target=repeat, name="signals", daemon=True)
  repeater.start()
  wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
  try:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
      if signal.getsignal(number) != signal.SIG_IGN:  # as nohup and a shell's background ask
        before[number] = signal.signal(number, handler)
    yield
  finally:
    heard.append(None)  # whatever comes now is too late to be an exception
    signal.set_wakeup_fd(wakeup)
    os.close(writer)
    repeater.join()
    os.close(reader)
    for number, earlier in before.items():
      signal.signal(number, earlier)


def shown(text: str) -> str:
  """Returns a text for a terminal: control characters, line ends and the like as escapes."""
  return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
