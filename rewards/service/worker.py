"""What runs inside of a scoring worker: it reads its setup, then tasks, and answers with scores.

  work(7)      # in a fresh interpreter; 7 is a descriptor of the 8 bytes that say what it is at

Messages are pickles behind their length, over standard input and output. pool.py is the other end
of both; it also reads this process's CPU clock and kills it.
"""

import dataclasses
import itertools
import logging
import mmap
import os
import pickle
import signal
import struct
import sys
import threading
import time
import traceback
from typing import Any

from rewards.errors import ConfigError
from rewards.format import parse
from rewards.format import render
from rewards.schema import Example
from rewards.schema import Unscored
from rewards.scorer import ComponentError
from rewards.scorer import Scorer
from rewards.scorer import Stopped

_log = logging.getLogger(__name__)

_FLUSH_SECONDS = 0.02
# What a first try may owe to others in its worker: it is tried again, alone in a fresh one.
_PERHAPS_OTHERS = ("memory", "sandbox")


class WorkerError(RuntimeError):
  """Workers cannot be started, or the service was closed under a batch: no completion's fault."""


@dataclasses.dataclass(kw_only=True, eq=False)
class Task:
  """What a worker gets at once.

  items: (index in the batch, example, text). name: the component of batch or group scope to run on
  them, `calls` saying how many it sees at once; None runs all components of completion scope on
  each. last: the second try. warm_up: a gold answer of each new domain goes first.
  """

  items: list[tuple[int, Example, str]]
  name: str | None = None
  calls: list[int] = dataclasses.field(default_factory=list)
  last: bool = False
  warm_up: bool = True

  def split(self) -> "list[Task]":
    """Returns a last task for each call."""
    ends = list(itertools.accumulate(self.calls))
    return [
        Task(items=self.items[end - size : end], name=self.name, calls=[size], last=True)
        for size, end in zip(self.calls, ends)
    ]


_LENGTH = struct.Struct("<Q")


def write_message(file: int, message: bytes) -> None:
  view = memoryview(_LENGTH.pack(len(message)) + message)
  while view:
    view = view[os.write(file, view) :]


def read_message(file: int) -> Any:
  """Returns the next message of a pipe, or None at its end."""
  header = _read_bytes(file, _LENGTH.size)
  body = header and _read_bytes(file, *_LENGTH.unpack(header))
  return pickle.loads(body) if body else None


def _read_bytes(file: int, count: int) -> bytes | None:
  parts = []
  while count:
    try:
      part = os.read(file, min(count, 1 << 20))
    except BlockingIOError:
      return None
    if not part:
      return None
    parts.append(part)
    count -= len(part)
  return b"".join(parts)


def work(shared: int) -> None:
  """A worker's life: reads its setup and then tasks until the pipe ends.

  Args:
    shared: descriptor of the 8 bytes by which the parent sees what this process is at.
  """
  progress = memoryview(mmap.mmap(shared, 8)).cast("Q")
  os.close(shared)
  requests, replies = os.dup(0), os.dup(1)
  os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
  os.dup2(2, 1)  # what a component prints must not reach the pipe

  lock = threading.Lock()  # a component's threads log

  def send(*message: Any) -> None:
    with lock:
      write_message(replies, pickle.dumps(message, pickle.HIGHEST_PROTOCOL))

  setup = read_message(requests)
  if setup is None:
    return
  _end_with_parent(setup["parent"])
  root = logging.getLogger()
  root.addHandler(_Forward(send))
  root.setLevel(setup["log_level"])
  try:
    scorer = Scorer(setup["rewards"], defaults=setup["defaults"], plugins=setup["plugins"], has_model=True)
    scorer.build(setup["scopes"])
    used = [c.spec for d in scorer.domains.values() for c in d.components.values()]
    for module in sorted({spec.function.__module__ for spec in used if spec.scope in setup["scopes"]}):
      getattr(sys.modules[module], "warm", lambda: None)()
    if setup["scopes"] == ("completion",):
      _limit_memory(setup["memory"])
    size = _resident_bytes()
    names = {name: number for number, name in enumerate(setup["names"])}
    warm: set[str] = set()
    send("ready")
    while (task := read_message(requests)) is not None:
      if task.name is None:
        if task.warm_up:
          _warm_up(scorer, task.items, warm)
        _score_alone(scorer, task, send, progress, names, setup["timeout"])
      else:
        for call in task.split():
          _score_batch(scorer, call.name, call.items, send)
      send("finished", _resident_bytes() - size > setup["growth"])
  except (BrokenPipeError, KeyboardInterrupt):
    return  # the parent is gone
  except (ConfigError, ComponentError) as error:
    send("error", type(error)(str(error)), traceback.format_exc(), getattr(error, "cases", ()))
  except Exception as error:
    failure = WorkerError(f"a scoring worker failed: {type(error).__name__}: {error}")
    send("error", failure, traceback.format_exc(), ())


def _warm_up(scorer: Scorer, items, warm: set[str]) -> None:
  """Scores a gold answer of each domain that is new here: tables load before deadlines count."""
  for _, example, _ in items:
    if example.domain not in warm:
      warm.add(example.domain)
      completion = parse(render("Warm up.", example.reference.text or "warm up"))
      if completion.failure is None:
        scorer.score_alone(example, completion)


def _score_alone(scorer: Scorer, task: Task, send, progress, names: dict[str, int], timeout: float) -> None:
  scored, flushed = [], time.monotonic()
  for position, (i, example, text) in enumerate(task.items, start=1):
    started = time.process_time()
    word = position << 48 | int(started * 1000)
    progress[0] = word  # one aligned store: the parent never reads half of it
    announce = lambda name: progress.__setitem__(0, word | names[name] << 40)
    scores = scorer.score_alone(example, parse(text), announce)
    if isinstance(scores, Stopped) and scores.cause in _PERHAPS_OTHERS and not task.last:
      os._exit(1)
    scored.append((i, scores))
    used = time.process_time() - started
    if used > timeout / 2:
      _log.warning("%s: scored in %.1f s of CPU time, near its deadline of %g s.", example.uid, used, timeout)
    if time.monotonic() - flushed > _FLUSH_SECONDS:
      send("scores", scored)
      scored, flushed = [], time.monotonic()
  send("scores", scored)
  progress[0] = 0


def _score_batch(scorer: Scorer, name: str, items, send) -> None:
  completions = [parse(text) for _, _, text in items]
  try:
    values = scorer.score_batch(name, [example for _, example, _ in items], completions)
  except (MemoryError, RecursionError) as error:
    _log.error("reward %r, batch of %d: %s; not scored.", name, len(items), type(error).__name__)
    values = [Unscored("memory", f"{type(error).__name__} in a batch of {len(items)}")] * len(items)
  send("scores", [
      (i, {name: value})
      for (i, _, _), value, completion in zip(items, values, completions)
      if completion.failure is None
  ])


class _Forward(logging.Handler):
  """Sends what a worker logs to the parent, which logs it under the same name."""

  def __init__(self, send):
    super().__init__()
    self._send = send

  def emit(self, record: logging.LogRecord) -> None:
    self._send("log", record.name, record.levelno, self.format(record))


def _end_with_parent(parent: int) -> None:
  """Has the kernel kill this process when its parent ends, even in the middle of a computation."""
  if sys.platform == "linux":
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    try:
      with open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")  # out of memory, a worker goes before the trainer
    except OSError:
      pass  # a container may forbid it
  if os.getppid() != parent:
    os._exit(1)


def _resident_bytes() -> int:
  import psutil

  return psutil.Process().memory_info().rss


def _limit_memory(soft: int) -> None:
  """Turns a completion that eats memory into a MemoryError. Programs in a sandbox set their own."""
  import resource

  _, hard = resource.getrlimit(resource.RLIMIT_DATA)
  soft = soft if hard == resource.RLIM_INFINITY else min(hard, soft)
  resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
