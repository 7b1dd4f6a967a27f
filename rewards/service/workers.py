"""Scoring as a service: the Scorer's verdicts, from processes that can be killed.

  with Service(config_rewards, plugins=("my_reward.py",)) as service:
    future = service.submit(examples, texts, groups)  # the device goes on sampling
    breakdowns = future.result()                      # what Scorer.score would return

Workers are fresh interpreters (never forks of a process that runs JAX; the user's `__main__` is
not imported), which load the plugins, build every component and score a gold answer of a domain
before any deadline counts.
Completions travel in chunks. Components of batch and group scope run in one worker of their own,
so that a heavy model is loaded once.

A completion is bounded by the CPU time of the worker that scores it, read from its CPU clock by
this process, so that a busy machine changes no verdict; wall time is a backstop far behind it. A
worker that overruns is killed with everything it started, and replaced; the rest of its chunk goes
to others. Whatever overran or died once is tried again, alone and after everything else: that is
when it gets its whole deadline, so hostile completions wait for honest ones and a worker that died
of something else costs nobody a reward. What fails again is `Stopped`: 0.0, counted.

Not here: isolation. Components are our code and read hostile text; the programs that a completion
contains are the sandbox's to contain.
"""

import collections
from collections.abc import Mapping, Sequence
import concurrent.futures
import contextlib
import dataclasses
import itertools
import logging
import mmap
import os
import pickle
import queue
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from typing import Any

from rewards.errors import ConfigError
from rewards.format import parse
from rewards.format import render
from rewards.schema import Example
from rewards.schema import RewardBreakdown
from rewards.scorer import ComponentError
from rewards.scorer import DomainRewards
from rewards.scorer import Scorer
from rewards.scorer import Stopped

_log = logging.getLogger(__name__)

# A chunk is big enough to hide the cost of a pipe and small enough to keep all workers busy.
CHUNK_COMPLETIONS = 64
CHUNK_CHARACTERS = 1 << 20
# Of its deadline of CPU time, what a completion gets the first time, among others.
FIRST_TRY = 0.1
# Wall-time backstop, in deadlines: a worker that sleeps, or waits for a program, uses no CPU.
WALL_DEADLINES = 12
# Beyond this, a worker that scores gets a MemoryError; one that has grown by so much is replaced.
WORKER_MEMORY_BYTES = 4 << 30
WORKER_GROWTH_BYTES = 1 << 30
START_SECONDS = 300.0
START_ATTEMPTS = 3
_TICK_SECONDS = 0.05
_FLUSH_SECONDS = 0.02


class WorkerError(RuntimeError):
  """Workers cannot be started, or the service was closed under a batch: no completion's fault."""


class Service:
  """Scores batches in worker processes; a drop-in for Scorer whose `submit` does not block.

  Results are those of `Scorer.score` and do not depend on the number of workers. Batches are
  scored one after another in the order of `submit`. Starting is asynchronous: workers import and
  build while the caller does something else; `start` waits for them.

  `on_scored`, where set, is called in the service's thread with the index of each completion whose
  components of completion scope are done: for progress and benchmarks.

  Args:
    rewards, defaults, plugins: as Scorer takes them.
    num_workers: processes for components of completion scope; None: one for each usable core.
    completion_timeout_seconds: CPU time that one completion may use in a worker.
    batch_timeout_seconds: wall time for one batch. What is not scored by then is None: not scored,
      for reasons that are not the completion's.

  Raises:
    ConfigError: as `scorer.check` does.
  """

  def __init__(
      self,
      rewards: Mapping[str, Any],
      *,
      defaults: Mapping[str, Any] | None = None,
      plugins: Sequence[str] = (),
      num_workers: int | None = None,
      completion_timeout_seconds: float = 10.0,
      batch_timeout_seconds: float = 1800.0,
  ):
    for name, value in (
        ("num_workers", 1 if num_workers is None else num_workers),
        ("completion_timeout_seconds", completion_timeout_seconds),
        ("batch_timeout_seconds", batch_timeout_seconds),
    ):
      if not value > 0:
        raise ConfigError(f"{name}={value!r}: expected a number above 0.")
    plugins = tuple(os.path.abspath(plugin) for plugin in plugins)
    self._scorer = Scorer(rewards, defaults=defaults, plugins=plugins)
    self._batch_timeout = batch_timeout_seconds
    used = [c for domain in self._scorer.domains.values() for c in domain.components.values()]
    setup = dict(
        rewards=rewards,
        defaults=defaults,
        plugins=plugins,
        names=sorted({component.name for component in used}),
        timeout=completion_timeout_seconds,
        log_level=_log.getEffectiveLevel(),
        memory=WORKER_MEMORY_BYTES,
        growth=WORKER_GROWTH_BYTES,
    )
    scopes = {component.spec.scope for component in used}
    self._alone = self._together = None
    if "completion" in scopes:
      size = num_workers or _usable_cores()
      self._alone = _Pool(setup, ("completion",), size, completion_timeout_seconds)
    if scopes - {"completion"}:
      self._together = _Pool(setup, ("batch", "group"), 1, batch_timeout_seconds)
    self._pools = [pool for pool in (self._alone, self._together) if pool]
    self._requests: queue.SimpleQueue = queue.SimpleQueue()
    self.on_scored = lambda index: None
    self._closing = threading.Event()
    self._lock = threading.Lock()
    # One thread owns the workers. A daemon: a trainer that dies of an exception is not kept alive;
    # its workers end with it, whether they read the end of their pipe or are killed by the kernel.
    self._thread = threading.Thread(target=self._serve, name="rewards", daemon=True)
    self._thread.start()
    self._started = self._request(None)

  @property
  def domains(self) -> Mapping[str, DomainRewards]:
    return self._scorer.domains

  def start(self) -> None:
    """Waits until every worker has built its components; raises what kept one from it."""
    self._started.result()

  def submit(
      self,
      examples: Sequence[Example],
      texts: Sequence[str],
      groups: Sequence[int] | None = None,
  ) -> "concurrent.futures.Future[list[RewardBreakdown]]":
    """Queues a batch; arguments and result as `Scorer.score` has them.

    The future raises ComponentError for a component's own bug, with the uid and the place, and
    WorkerError when workers die before they score anything.
    """
    groups = range(len(texts)) if groups is None else list(groups)
    return self._request((list(examples), list(texts), groups))

  def score(
      self,
      examples: Sequence[Example],
      texts: Sequence[str],
      groups: Sequence[int] | None = None,
  ) -> list[RewardBreakdown]:
    """Scores a batch and waits for it; see `Scorer.score`."""
    return self.submit(examples, texts, groups).result()

  def close(self) -> None:
    """Ends all workers and whatever they started; batches not yet scored raise WorkerError."""
    with self._lock:
      self._closing.set()
      self._requests.put(None)
    if threading.current_thread() is not self._thread:
      self._thread.join()

  def __enter__(self) -> "Service":
    return self

  def __exit__(self, *_) -> None:
    self.close()

  def _request(self, batch) -> concurrent.futures.Future:
    future = concurrent.futures.Future()
    with self._lock:
      if self._closing.is_set():
        raise WorkerError("this scoring service is closed.")
      self._requests.put((future, batch))
    return future

  # Below, everything runs in the service's own thread.

  def _serve(self) -> None:
    try:
      while (request := self._requests.get()) is not None:
        future, batch = request
        if not future.set_running_or_notify_cancel():
          continue
        try:
          future.set_result(self._score(*batch) if batch else self._run_pools())
        except BaseException as error:  # whatever it is, it belongs to who waits for the result
          future.set_exception(error)
          for pool in self._pools:
            pool.abandon()
    finally:
      for pool in self._pools:
        pool.close()
      while not self._requests.empty():
        request = self._requests.get()
        if request and request[0].set_running_or_notify_cancel():
          request[0].set_exception(WorkerError("this scoring service was closed."))

  def _score(self, examples, texts, groups) -> list[RewardBreakdown]:
    completions = [parse(text) for text in texts]
    for example, _, _ in zip(examples, completions, groups, strict=True):
      self._scorer.domain(example)
    alone: list[Any] = [{} for _ in completions]
    together: list[dict[str, Any]] = [{} for _ in completions]
    started = time.monotonic()

    def deliver(i, scores):
      alone[i] = scores
      self.on_scored(i)

    if self._alone:
      valid = [i for i, completion in enumerate(completions) if completion.failure is None]
      self._alone.begin(
          [_Task(items=[(i, examples[i], texts[i]) for i in chunk]) for chunk in self._chunks(valid, texts)],
          deliver,
      )
    if self._together:
      tasks: list[_Task] = []
      for name, batch in self._scorer.batches(examples, completions, groups):
        if not tasks or tasks[-1].name != name or len(tasks[-1].items) >= CHUNK_COMPLETIONS:
          tasks.append(_Task(items=[], name=name))
        tasks[-1].items.extend((i, examples[i], texts[i]) for i in batch)
        tasks[-1].calls.append(len(batch))
      self._together.begin(tasks, lambda i, scores: together[i].update(scores))
    self._run_pools(started + self._batch_timeout)
    return self._scorer.combine(examples, completions, groups, alone, together)

  def _chunks(self, indices: list[int], texts: list[str]) -> list[list[int]]:
    most = min(CHUNK_COMPLETIONS, -(-len(indices) // (4 * self._alone.size)))
    chunks, characters = [], CHUNK_CHARACTERS
    for i in indices:
      if characters >= CHUNK_CHARACTERS or len(chunks[-1]) >= most:
        chunks.append([])
        characters = 0
      chunks[-1].append(i)
      characters += len(texts[i])
    return chunks

  def _run_pools(self, deadline: float = float("inf")) -> None:
    """Runs until all tasks are done and, without tasks, until all workers are ready."""
    starting = deadline == float("inf")
    now = time.monotonic()
    while any(pool.busy or (starting and not pool.ready) for pool in self._pools):
      if self._closing.is_set():
        raise WorkerError("this scoring service was closed.")
      before, now = now, time.monotonic()
      if any(pool.busy and not any(worker.ready for worker in pool.workers) for pool in self._pools):
        deadline += now - before  # a worker that has yet to start scores nothing
      if now > deadline:
        for pool in self._pools:
          pool.give_up(self._scorer)
        return
      for pool in self._pools:
        pool.fill()
        pool.assign()
      workers = {worker.fileno(): (pool, worker) for pool in self._pools for worker in pool.workers}
      for file in _readable(workers, _TICK_SECONDS):
        pool, worker = workers[file]
        pool.read(worker)
      for pool in self._pools:
        pool.supervise()


@dataclasses.dataclass(kw_only=True, eq=False)
class _Task:
  """What a worker gets at once.

  items: (index in the batch, example, text). name: the component of batch or group scope to run on
  them, `calls` saying how many it sees at once; None runs all components of completion scope on
  each. last: the second try.
  """

  items: list[tuple[int, Example, str]]
  name: str | None = None
  calls: list[int] = dataclasses.field(default_factory=list)
  last: bool = False

  def split(self) -> "list[_Task]":
    """Returns a last task for each call."""
    ends = list(itertools.accumulate(self.calls))
    return [
        _Task(items=self.items[end - size : end], name=self.name, calls=[size], last=True)
        for size, end in zip(self.calls, ends)
    ]


class _Pool:
  """Workers of one kind, the tasks that wait for them, and what happens when one fails."""

  def __init__(self, setup: dict[str, Any], scopes: tuple[str, ...], size: int, timeout: float):
    self.size = size
    self.workers: list[_Worker] = []
    self._setup = pickle.dumps(setup | {"scopes": scopes, "parent": os.getpid()})
    self._names = setup["names"]
    self._alone = scopes == ("completion",)
    self._timeout = timeout
    self._tasks: collections.deque[_Task] = collections.deque()
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
      self.workers.append(_Worker(self._setup, one_thread=self._alone))

  def begin(self, tasks: list[_Task], deliver) -> None:
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

  def read(self, worker: "_Worker") -> None:
    message = worker.receive()
    if message is None:
      self._failed(worker, "crash")
    else:
      self._handle(worker, *message)

  def _handle(self, worker: "_Worker", kind: str, *content: Any) -> None:
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
      error, trace = content
      error.add_note(f"In a scoring worker:\n{trace}")
      raise error

  def supervise(self) -> None:
    """Kills what overran and replaces what died."""
    for worker in list(self.workers):
      if worker.process.poll() is not None and not _readable([worker.fileno()], 0.0):
        self._failed(worker, "crash")  # dead, while something that it started keeps the pipe open
      elif self._overran(worker):
        self._failed(worker, "deadline")

  def _overran(self, worker: "_Worker") -> bool:
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

  def _failed(self, worker: "_Worker", cause: str) -> None:
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
      if task:
        self._tasks.appendleft(task)
    elif self._alone:
      suspect = task.items[position - 1]
      index, example, _ = suspect
      rest = [item for item in task.items if item[0] not in worker.done and item is not suspect]
      if rest:
        self._tasks.appendleft(_Task(items=rest))
      if index in worker.done:
        pass  # it died between two completions
      elif not task.last:
        self._tasks.append(_Task(items=[suspect], last=True))
      else:
        name = self._names[component]
        _log.warning("%s: stopped in reward %r (%s): 0.0.", example.uid, name, cause)
        self._deliver(index, Stopped(component=name, cause=cause))
    elif not task.last:
      self._tasks.extend(task.split())
    else:
      _log.error("reward %r, batch of %d: %s twice; not scored.", task.name, len(task.items), cause)
      for i, _, _ in task.items:
        self._deliver(i, {task.name: None})
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
          self._deliver(i, dict.fromkeys(names))
    self.abandon()

  def abandon(self) -> None:
    """Forgets the batch; workers that are busy with it are replaced."""
    self._tasks.clear()
    self._deaths = 0
    for worker in [worker for worker in self.workers if worker.task]:
      self._remove(worker)

  def _remove(self, worker: "_Worker") -> None:
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


class _Worker:
  """One worker process as its parent sees it."""

  def __init__(self, setup: bytes, *, one_thread: bool):
    import psutil

    self.task: _Task | None = None
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
          f"import rewards.service.workers\nrewards.service.workers.work({shared.fileno()})"
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
      _write(self.process.stdin.fileno(), setup)
    except OSError:
      pass  # already dead, which `supervise` finds out

  def fileno(self) -> int:
    return self.process.stdout.fileno()

  def begin(self, task: _Task) -> None:
    self.task, self.done = task, set()
    self.seen, self.since = None, time.monotonic()

  def send(self, message: Any) -> None:
    _write(self.process.stdin.fileno(), pickle.dumps(message, pickle.HIGHEST_PROTOCOL))

  def receive(self) -> Any:
    """Returns the next message, or None when there will be none."""
    return _read(self.fileno())

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


def _usable_cores() -> int:
  return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _readable(files, timeout_seconds: float) -> list[int]:
  poller = select.poll()
  for file in files:
    poller.register(file, select.POLLIN)
  return [file for file, _ in poller.poll(timeout_seconds * 1000)]


_LENGTH = struct.Struct("<Q")


def _write(file: int, message: bytes) -> None:
  view = memoryview(_LENGTH.pack(len(message)) + message)
  while view:
    view = view[os.write(file, view) :]


def _read(file: int) -> Any:
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


# Below, everything runs in a worker process.


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
      _write(replies, pickle.dumps(message, pickle.HIGHEST_PROTOCOL))

  setup = _read(requests)
  if setup is None:
    return
  _end_with_parent(setup["parent"])
  root = logging.getLogger()
  root.addHandler(_Forward(send))
  root.setLevel(setup["log_level"])
  try:
    scorer = Scorer(setup["rewards"], defaults=setup["defaults"], plugins=setup["plugins"])
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
    while (task := _read(requests)) is not None:
      if task.name is None:
        _warm_up(scorer, task.items, warm)
        _score_alone(scorer, task, send, progress, names, setup["timeout"])
      else:
        for call in task.split():
          _score_batch(scorer, call.name, call.items, send)
      send("finished", _resident_bytes() - size > setup["growth"])
  except (BrokenPipeError, KeyboardInterrupt):
    return  # the parent is gone
  except (ConfigError, ComponentError) as error:
    send("error", type(error)(str(error)), traceback.format_exc())
  except Exception as error:
    failure = WorkerError(f"a scoring worker failed: {type(error).__name__}: {error}")
    send("error", failure, traceback.format_exc())


def _warm_up(scorer: Scorer, items, warm: set[str]) -> None:
  """Scores a gold answer of each domain that is new here: tables load before deadlines count."""
  for _, example, _ in items:
    if example.domain not in warm:
      warm.add(example.domain)
      completion = parse(render("Warm up.", example.reference.text or "warm up"))
      if completion.failure is None:
        scorer.score_alone(example, completion)


def _score_alone(scorer: Scorer, task: _Task, send, progress, names: dict[str, int], timeout: float) -> None:
  scored, flushed = [], time.monotonic()
  for position, (i, example, text) in enumerate(task.items, start=1):
    started = time.process_time()
    word = position << 48 | int(started * 1000)
    progress[0] = word  # one aligned store: the parent never reads half of it
    announce = lambda name: progress.__setitem__(0, word | names[name] << 40)
    scores = scorer.score_alone(example, parse(text), announce)
    if isinstance(scores, Stopped) and scores.cause == "memory" and not task.last:
      os._exit(1)  # others may have filled the memory: it is tried again, alone in a fresh worker
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
    values = [None] * len(items)
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
