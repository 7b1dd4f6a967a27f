"""A pool and its workers as their parent sees them: which task goes where, and whose fault a death is.

  pool = Pool(setup, ("completion",), size=2, timeout=10.0)
  pool.begin(tasks, deliver)      # then, until it is no longer busy: fill, assign, read, supervise

worker.py is what runs inside of them; service.py turns the wheel.
"""

import collections
import contextlib
import dataclasses
import logging
import mmap
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from rewards.errors import ConfigError
from rewards.schema import Unscored
from rewards.scorer import Scorer
from rewards.scorer import Stopped
from rewards.service.worker import read_message
from rewards.service.worker import Task
from rewards.service.worker import WorkerError
from rewards.service.worker import write_message

_log = logging.getLogger(__name__)

# Of its deadline of CPU time, what a completion gets the first time, among others.
FIRST_TRY = 0.1
# Wall-time backstop, in deadlines: a worker that sleeps, or waits for a program, uses no CPU.
WALL_DEADLINES = 12
START_SECONDS = 300.0
START_ATTEMPTS = 3


class Pool:
  """Workers of one kind, the tasks that wait for them, and what happens when one fails."""

  def __init__(self, setup: dict[str, Any], scopes: tuple[str, ...], size: int, timeout: float):
    self.size = size
    self.workers: list[Worker] = []
    self._setup = pickle.dumps(setup | {"scopes": scopes, "parent": os.getpid()})
    self._names = setup["names"]
    self._alone = scopes == ("completion",)
    self._timeout = timeout
    self._tasks: collections.deque[Task] = collections.deque()
    self._deliver = None
    self._deaths = 0  # in a row, of workers that were scoring nothing

  @property
  def busy(self) -> bool:
    return bool(self._tasks) or any(worker.task for worker in self.workers)

  @property
  def ready(self) -> bool:
    return len(self.workers) == self.size and all(worker.ready for worker in self.workers)

  def fill(self) -> None:
    while len(self.workers) < self.size:
      self.workers.append(Worker(self._setup, one_thread=self._alone))

  def begin(self, tasks: list[Task], deliver) -> None:
    """Takes a batch's tasks; `deliver(index, scores)` is called as results arrive, in any order."""
    self._tasks.extend(tasks)
    self._deliver = deliver

  def assign(self) -> None:
    for worker in list(self.workers):
      if worker.ready and not worker.task and self._tasks:
        worker.begin(self._tasks.popleft())
        try:
          worker.send(worker.task)
        except OSError:
          self._failed(worker, "crash")
        except RecursionError:
          uids = ", ".join(dict.fromkeys(example.uid for _, example, _ in worker.task.items))
          raise ConfigError(f"a row is nested too deeply to be scored; one of: {uids:.2000}.") from None

  def read(self, worker: "Worker") -> None:
    message = worker.receive()
    if message is None:
      self._failed(worker, "crash")
    else:
      self._handle(worker, *message)

  def _handle(self, worker: "Worker", kind: str, *content: Any) -> None:
    if kind == "scores":
      self._deaths = 0
      for i, scores in content[0]:
        worker.done.add(i)
        self._deliver(i, scores)
    elif kind == "finished":
      worker.task = None
      if content[0] and worker in self.workers:  # it has grown too big
        self._remove(worker)
    elif kind == "ready":
      worker.ready = True
    elif kind == "log":
      name, level, text = content
      logging.getLogger(name).log(level, "%s", text)
    else:
      error, trace, cases = content
      if cases:
        error.cases = cases
      error.add_note(f"In a scoring worker:\n{trace}")
      raise error

  def supervise(self) -> None:
    """Kills what overran and replaces what died."""
    for worker in list(self.workers):
      if worker.process.poll() is not None and not readable([worker.fileno()], 0.0):
        self._failed(worker, "crash")  # dead, while something that it started keeps the pipe open
      elif self._overran(worker):
        self._failed(worker, "deadline")

  def _overran(self, worker: "Worker") -> bool:
    wall = time.monotonic() - worker.since
    if not worker.ready:
      return wall > START_SECONDS
    if not worker.task:
      return False
    if not self._alone:
      return wall > self._timeout
    progress = worker.progress()
    position, _, started = progress
    if progress != worker.seen:
      worker.seen, worker.since = progress, time.monotonic()
      return False
    clock = worker.cpu_seconds()
    used = wall if clock is None else clock - started
    limit = self._timeout * (1.0 if worker.task.last else FIRST_TRY)
    return (position > 0 and used > limit) or wall > self._timeout * WALL_DEADLINES

  def _failed(self, worker: "Worker", cause: str) -> None:
    """Replaces a worker that died or overran, and decides what becomes of its task."""
    worker.kill()
    self.workers.remove(worker)
    try:
      while (message := worker.receive()) is not None:  # what it finished before counts
        self._handle(worker, *message)
      position, component, _ = worker.progress()
    finally:
      worker.close()
    task = worker.task
    if task is None or (self._alone and position == 0):
      self._deaths += 1
      if self._deaths >= START_ATTEMPTS:
        raise WorkerError(
            f"{self._deaths} scoring workers in a row ended without scoring anything, the last with "
            f"exit status {worker.process.returncode}: see above for what they printed."
        )
      if task:  # a gold answer that no worker survives is not warmed up with again
        self._tasks.appendleft(dataclasses.replace(task, warm_up=False))
    elif self._alone:
      suspect = task.items[position - 1]
      index, example, _ = suspect
      rest = [item for item in task.items if item[0] not in worker.done and item is not suspect]
      if rest:
        self._tasks.appendleft(Task(items=rest))
      if index in worker.done:
        pass  # it died between two completions
      elif not task.last:
        self._tasks.append(Task(items=[suspect], last=True))
      else:
        name = self._names[component]
        _log.warning("%s: stopped in reward %r (%s): 0.0.", example.uid, name, cause)
        self._deliver(index, Stopped(component=name, cause=cause))
    elif not task.last:
      self._tasks.extend(task.split())
    else:
      _log.error("reward %r, batch of %d: %s twice; not scored.", task.name, len(task.items), cause)
      for i, _, _ in task.items:
        self._deliver(i, {task.name: Unscored(cause, f"its worker ended twice ({cause}) on this batch or group")})
    self.fill()

  def give_up(self, scorer: Scorer) -> None:
    """Delivers None for whatever is not scored yet."""
    for task, done in [(w.task, w.done) for w in self.workers if w.task] + [(t, ()) for t in self._tasks]:
      for i, example, _ in task.items:
        if i not in done:
          names = [task.name] if task.name else [
              c.name for c in scorer.domain(example).components.values() if c.spec.scope == "completion"
          ]
          _log.error("%s: not scored: the batch's deadline has passed.", example.uid)
          late = Unscored("batch_deadline", "the batch's deadline passed before its turn was over")
          self._deliver(i, dict.fromkeys(names, late))
    self.abandon()

  def abandon(self) -> None:
    """Forgets the batch; workers that are busy with it are replaced."""
    self._tasks.clear()
    self._deaths = 0
    for worker in [worker for worker in self.workers if worker.task]:
      self._remove(worker)

  def _remove(self, worker: "Worker") -> None:
    self.workers.remove(worker)
    worker.kill()
    worker.close()

  def close(self) -> None:
    for worker in self.workers:
      worker.dismiss()
    for worker in self.workers:
      worker.kill()
      worker.close()
    self.workers.clear()


class Worker:
  """One worker process as its parent sees it."""

  def __init__(self, setup: bytes, *, one_thread: bool):
    import psutil

    self.task: Task | None = None
    self.done: set[int] = set()
    self.ready = False
    self.since = time.monotonic()  # of the start, the task, or what `progress` says
    self.seen: tuple[int, int, float] | None = None
    environment = os.environ | {"PYTHONHASHSEED": "0"}  # sets of strings iterate alike in all workers
    if one_thread:
      environment["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryFile() as shared:  # has no name, so nothing of it can be left behind
      shared.truncate(8)
      self._progress = mmap.mmap(shared.fileno(), 8)
      start = (
          f"import sys; sys.path[:] = {sys.path!r}\n"
          f"import rewards.service.worker\nrewards.service.worker.work({shared.fileno()})"
      )
      self.process = subprocess.Popen(
          [sys.executable, "-c", start],
          stdin=subprocess.PIPE,
          stdout=subprocess.PIPE,
          pass_fds=[shared.fileno()],
          bufsize=0,
          env=environment,
          start_new_session=True,  # Ctrl-C is for the parent to hear
      )
    self._watched = psutil.Process(self.process.pid)
    try:
      write_message(self.process.stdin.fileno(), setup)
    except OSError:
      pass  # already dead, which `supervise` finds out

  def fileno(self) -> int:
    return self.process.stdout.fileno()

  def begin(self, task: Task) -> None:
    self.task, self.done = task, set()
    self.seen, self.since = None, time.monotonic()

  def send(self, message: Any) -> None:
    write_message(self.process.stdin.fileno(), pickle.dumps(message, pickle.HIGHEST_PROTOCOL))

  def receive(self) -> Any:
    """Returns the next message, or None when there will be none."""
    return read_message(self.fileno())

  def progress(self) -> tuple[int, int, float]:
    """The position of the current completion (0: none), its component, and CPU seconds before it."""
    word = int.from_bytes(self._progress[:8], sys.byteorder)
    return word >> 48, (word >> 40) & 0xFF, (word & 0xFFFFFFFFFF) / 1000

  def cpu_seconds(self) -> float | None:
    """Returns the CPU time that the worker has used, to about 0.02 s; None once it is gone."""
    import psutil

    try:
      times = self._watched.cpu_times()
    except psutil.Error:
      return None
    return times.user + times.system

  def dismiss(self) -> None:
    """Lets an idle worker end by itself."""
    self.process.stdin.close()

  def kill(self) -> None:
    """Ends the worker and all that it started; what it has sent can still be received."""
    if self.process.stdin.closed and self.ready and not self.task:
      try:
        self.process.wait(timeout=2.0)
      except subprocess.TimeoutExpired:
        pass
    if self.process.poll() is None:
      os.kill(self.process.pid, signal.SIGSTOP)  # it starts no more while its descendants are collected
      for _ in range(100):
        if not _kill_descendants(self._watched):
          break
        time.sleep(0.01)
      self.process.kill()
      self.process.wait()
    with contextlib.suppress(ProcessLookupError):
      os.killpg(self.process.pid, signal.SIGKILL)
    os.set_blocking(self.fileno(), False)

  def close(self) -> None:
    self.process.stdin.close()
    self.process.stdout.close()
    self._progress.close()


def _kill_descendants(process) -> int:
  """Kills all that a psutil.Process started, at any depth; returns how many were alive."""
  import psutil

  alive = 0
  for descendant in process.children(recursive=True):
    with contextlib.suppress(psutil.NoSuchProcess):
      if descendant.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
        descendant.kill()
        alive += 1
  return alive


def readable(files, timeout_seconds: float) -> list[int]:
  poller = select.poll()
  for file in files:
    poller.register(file, select.POLLIN)
  return [file for file, _ in poller.poll(timeout_seconds * 1000)]
