"""Scoring as a service: the Scorer's verdicts, from processes that can be killed.

  with Service(config_rewards, plugins=("my_reward.py",)) as service:
    future = service.submit(examples, texts, groups)  # the device goes on sampling
    breakdowns = future.result()                      # what Scorer.score would return

Workers are fresh interpreters (never forks of a process that runs JAX; the user's `__main__` is
not imported), which load the plugins, build every component and score a gold answer of a domain
before any deadline counts.
Completions travel in chunks. Components of batch and group scope run in one worker of their own,
so that a heavy model is loaded once; those of model scope run in this process, which has the model.

A completion is bounded by the CPU time of the worker that scores it, read from its CPU clock by
this process, so that a busy machine changes no verdict; wall time is a backstop far behind it. A
worker that overruns is killed with everything it started, and replaced; the rest of its chunk goes
to others. Whatever overran or died once is tried again, alone and after everything else: that is
when it gets its whole deadline, so hostile completions wait for honest ones and a worker that died
of something else costs nobody a reward. What fails again is `Stopped`: 0.0, counted. What the batch's
deadline cuts off, and calls of batch or group scope that fail twice, are `Unscored`: no one's fault.

A completion that met a bug, ours or a plugin's, is written to a file, as a pool row that
`python -m rewards explain` reads.

Not here: isolation. Components are our code and read hostile text; the programs that a completion
contains are the sandbox's to contain.
"""

from collections.abc import Mapping, Sequence
import concurrent.futures
import json
import logging
import os
import queue
import tempfile
import threading
import time
from typing import Any

from rewards.format import mended
from rewards.format import parse
from rewards.schema import Example
from rewards.schema import Model
from rewards.schema import RewardBreakdown
from rewards.scorer import BUG
from rewards.scorer import ComponentError
from rewards.scorer import DomainRewards
from rewards.scorer import Scorer
from rewards.service.pool import Pool
from rewards.service.pool import readable
from rewards.service.scoring import Scoring
from rewards.service.worker import Task
from rewards.service.worker import WorkerError

_log = logging.getLogger(__name__)

# A chunk is big enough to hide the cost of a pipe and small enough to keep all workers busy.
CHUNK_COMPLETIONS = 64
CHUNK_CHARACTERS = 1 << 20
# Beyond this, a worker that scores gets a MemoryError; one that has grown by so much is replaced.
WORKER_MEMORY_BYTES = 4 << 30
WORKER_GROWTH_BYTES = 1 << 30
_TICK_SECONDS = 0.05
_IN_A_WORKER = ("batch", "group")


class Service:
  """Scores batches in worker processes; a drop-in for Scorer whose `submit` does not block.

  Results are those of `Scorer.score` and do not depend on the number of workers. Batches are
  scored one after another in the order of `submit`. Starting is asynchronous: workers import and
  build while the caller does something else; `start` waits for them.

  `on_scored`, where set, is called in the service's thread with the index of each completion whose
  components of completion scope are done: for progress and benchmarks.

  Args:
    rewards, defaults, plugins, has_model: as Scorer takes them.
    num_workers: processes for components of completion scope; None: one for each usable core.
    completion_timeout_seconds: CPU time that one completion may use in a worker.
    batch_timeout_seconds: wall time for one batch. What is not scored by then is not scored, for
      reasons that are not the completion's.
    gate: "none" scores what the format gate refuses, see Scoring; training alone has it.
    faults_path: where completions that met a bug are appended; None: a new temporary file.

  Raises:
    ConfigError: as `scorer.check` does.
  """

  def __init__(
      self,
      rewards: Mapping[str, Any],
      *,
      defaults: Mapping[str, Any] | None = None,
      plugins: Sequence[str] = (),
      has_model: bool = False,
      num_workers: int | None = None,
      completion_timeout_seconds: float = 10.0,
      batch_timeout_seconds: float = 1800.0,
      gate: str = "strict",
      faults_path: str | os.PathLike[str] | None = None,
  ):
    Scoring(
        num_workers=1 if num_workers is None else num_workers,
        completion_timeout_seconds=completion_timeout_seconds,
        batch_timeout_seconds=batch_timeout_seconds,
        gate=gate,
    )
    plugins = tuple(os.path.abspath(plugin) for plugin in plugins)
    self._scorer = Scorer(rewards, defaults=defaults, plugins=plugins, has_model=has_model)
    self._batch_timeout = batch_timeout_seconds
    self._strict = gate == "strict"
    self._faults_path = faults_path
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
      self._alone = Pool(setup, ("completion",), size, completion_timeout_seconds)
    if scopes & set(_IN_A_WORKER):
      self._together = Pool(setup, _IN_A_WORKER, 1, batch_timeout_seconds)
    self._asks = "model" in scopes
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

  def attach(self, model: Model | None) -> None:
    """Gives components of model scope what they ask; until then they are Unscored."""
    self._scorer.model = model

  def start(self) -> None:
    """Waits until every worker has built its components; raises what kept one from it."""
    self._started.result()

  def submit(
      self,
      examples: Sequence[Example],
      texts: Sequence[str],
      groups: Sequence[int] | None = None,
      asked: Sequence[dict[str, Any]] | None = None,
  ) -> "concurrent.futures.Future[list[RewardBreakdown]]":
    """Queues a batch; arguments and result as `Scorer.score` has them. asked: of `ask`; None: it is called.

    The future raises ComponentError for a component's own bug, with the uid and the place, and
    WorkerError when workers die before they score anything.
    """
    groups = range(len(texts)) if groups is None else list(groups)
    asked = self.ask(examples, texts, groups) if asked is None else list(asked)
    refused = {} if self._strict else {i: f for i, text in enumerate(texts) if (f := parse(text).failure)}
    texts = [self._as_scored(text) for text in texts]
    return self._request((list(examples), texts, groups, asked, refused))

  def ask(
      self, examples: Sequence[Example], texts: Sequence[str], groups: Sequence[int]
  ) -> list[dict[str, Any]]:
    """Returns what components of model scope say, in the caller's thread: the device is the caller's."""
    if not self._asks:
      return [{} for _ in texts]
    completions = [parse(self._as_scored(text)) for text in texts]
    try:
      return self._scorer.score_together(examples, completions, groups, ("model",))
    except ComponentError as error:
      self._keep_cases(error)
      raise

  def _as_scored(self, text: str) -> str:
    return text if self._strict or not parse(text).failure else mended(text)

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
          if isinstance(error, ComponentError):
            self._keep_cases(error)
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

  def _score(self, examples, texts, groups, together, refused) -> list[RewardBreakdown]:
    completions = [parse(text) for text in texts]
    for example, _, _ in zip(examples, completions, groups, strict=True):
      self._scorer.domain(example)
    alone: list[Any] = [{} for _ in completions]
    started = time.monotonic()

    def deliver(i, scores):
      alone[i] = scores
      self.on_scored(i)

    if self._alone:
      valid = [i for i, completion in enumerate(completions) if completion.failure is None]
      self._alone.begin(
          [Task(items=[(i, examples[i], texts[i]) for i in chunk]) for chunk in self._chunks(valid, texts)],
          deliver,
      )
    if self._together:
      tasks: list[Task] = []
      for name, batch in self._scorer.batches(examples, completions, groups, _IN_A_WORKER):
        if not tasks or tasks[-1].name != name or len(tasks[-1].items) >= CHUNK_COMPLETIONS:
          tasks.append(Task(items=[], name=name))
        tasks[-1].items.extend((i, examples[i], texts[i]) for i in batch)
        tasks[-1].calls.append(len(batch))
      self._together.begin(tasks, lambda i, scores: together[i].update(scores))
    self._run_pools(started + self._batch_timeout)
    breakdowns = self._scorer.combine(examples, completions, groups, alone, together)
    bugs = [
        (example, text, reason)
        for example, text, breakdown in zip(examples, texts, breakdowns)
        for name, reason in breakdown.unscored.items()
        if f"{name}:not_scored_{BUG}" in breakdown.causes
    ]
    if bugs:
      _log.error("%d scores missing for bugs of ours: the completions are kept in %s.", len(bugs), self._keep(bugs))
    return [b.ungated(refused[i]) if i in refused else b for i, b in enumerate(breakdowns)]

  def _keep_cases(self, error: ComponentError) -> None:
    """Keeps the completions of a component's bug, and has the error say where."""
    if error.cases:
      path = self._keep([(*case, str(error)) for case in error.cases])
      error.args = (f"{error} The completion is kept in {path}",)

  def _keep(self, cases: Sequence[tuple[Example, str, str]]) -> str:
    """Appends (example, completion, error) to the faults' file and returns its path."""
    if self._faults_path is None:
      handle, self._faults_path = tempfile.mkstemp(prefix="reward_faults_", suffix=".jsonl")
      os.close(handle)
    try:
      with open(self._faults_path, "a", encoding="utf-8") as file:
        for example, text, error in cases:
          file.write(json.dumps(example.as_row() | {"completion": text, "error": error}, default=str) + "\n")
    except (OSError, ValueError, RecursionError) as error:  # a full disk must not hide the bug itself
      _log.error("a completion that met a bug could not be kept (%s): %.2000r", error, cases[0][1])
    return str(self._faults_path)

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
      for file in readable(workers, _TICK_SECONDS):
        pool, worker = workers[file]
        pool.read(worker)
      for pool in self._pools:
        pool.supervise()


def _usable_cores() -> int:
  return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
