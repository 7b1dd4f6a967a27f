"""The processes of the sandbox: supervisor, keeper, fork server, program, judge.

  python -c "... import rewards.sandbox.supervisor; rewards.sandbox.supervisor.supervise(...)"    (the package does)

A request {"program": [...], "tests": [...], ...} comes in over standard input, the fields of a
sandbox.Report go out over standard output. sandbox.py draws the picture and says what it is good
for; isolation.py takes rights away, frames.py and remote.py carry values, testing.py runs the tests.

Everything here runs in a fresh interpreter with one thread and few modules, so that a fork is cheap
and safe. The fork server is forked off before the first request is read: neither it nor any program
ever holds a test.
"""

from collections.abc import Collection
from collections.abc import Sequence
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
import time
import types
from typing import Any

from rewards.sandbox import isolation
from rewards.sandbox import frames
from rewards.sandbox import remote
from rewards.sandbox import testing

SLEEP_SECONDS = 4  # in which a program neither runs nor wants to
BACKSTOP_SECONDS = 150  # of wall time, for what nothing above stops
JUDGE_MEMORY_MB = 1024
JUDGE_PROGRAMS = 200  # and then a fresh one
_TICK_SECONDS = 0.05

# Imported once, so that a program's own import of them costs nothing. Each makes each fork dearer.
_PRELOADED = """bisect cmath collections.abc copy dataclasses datetime decimal enum fractions
functools heapq itertools math operator random re string typing""".split()


def supervise(without: Sequence[str]) -> None:
  """Serves one client over standard input and output until it hangs up."""
  hook, os.register_at_fork = os.register_at_fork, lambda **_: None
  for name in _PRELOADED:
    importlib.import_module(name)
  os.register_at_fork = hook
  # Without its hook, `random` is not seeded anew in a fork: a program that shuffles does the same
  # each time, as a fixed hash seed makes sets the same.
  sys.modules["random"].seed(0)
  isolation.hide_memory()
  requests, replies = os.dup(0), os.dup(1)
  _silence(0, 1)
  gc.collect()
  gc.freeze()
  control, far_end = socket.socketpair()
  keeper = os.fork()
  if not keeper:
    _keep(far_end, without)
  far_end.close()
  frames.write_frame(replies, _receive(control))
  court = _Court(control, keeper, requests)
  while (request := frames.read_frame(requests)) is not None:
    reply = court.try_program(json.loads(request))
    if reply is None:
      break
    frames.write_frame(replies, json.dumps(reply).encode())
  control.close()  # the fork server reads the end, and the keeper ends with it
  os.waitpid(keeper, 0)
  court.close()
  os._exit(0)


def _silence(*descriptors: int) -> None:
  null = os.open(os.devnull, os.O_RDWR)
  for descriptor in descriptors:
    os.dup2(null, descriptor)
  os.close(null)


def _keep_only(stream: socket.socket) -> socket.socket:
  """Closes every other descriptor of this process, and silences the standard ones."""
  os.dup2(stream.detach(), 3)
  _silence(0, 1, 2)
  os.closerange(4, 1024)
  return socket.socket(fileno=3)


def _receive(control: socket.socket) -> bytes:
  data = frames.read_frame(control.fileno())
  if data is None:
    raise EOFError("the other end of the sandbox is gone")
  return data


class _Judge:
  """A judge as the supervisor sees it: a process that runs tests, for one program after another."""

  def __init__(self):
    self.control, far_end = socket.socketpair()
    self.process = os.fork()
    if not self.process:
      _serve_verdicts(far_end)
    far_end.close()
    self.programs = 0

  def begin(self, request: bytes, stream: socket.socket) -> None:
    socket.send_fds(self.control, [b"!"], [stream.fileno()])
    frames.write_frame(self.control.fileno(), request)
    self.programs += 1

  def end(self) -> int:
    """Kills the judge and returns how it ended, if it had."""
    with contextlib.suppress(ProcessLookupError):
      os.kill(self.process, signal.SIGKILL)
    self.control.close()
    return os.waitpid(self.process, 0)[1]


class _Court:
  """All that stands behind the supervisor: the fork server, and a judge."""

  def __init__(self, control: socket.socket, keeper: int, client: int):
    self._control = control
    self._keeper = keeper
    self._client = client
    self._judge: _Judge | None = None

  def try_program(self, request: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the fields of a Report; None when the client has hung up."""
    judge = self._judge = self._judge or _Judge()
    head = struct.pack(">II", request["cpu_seconds"], request["memory_mb"])
    readings = json.dumps(request.pop("readings")).encode()
    ours, theirs = socket.socketpair()
    with ours, theirs:
      socket.send_fds(self._control, [head], [theirs.fileno()])
      frames.write_frame(self._control.fileno(), readings)
      judge.begin(json.dumps(request).encode(), ours)
    verdict, stopped = self._wait(judge)
    status = 0
    if not verdict or not verdict.pop("reusable") or judge.programs >= JUDGE_PROGRAMS:
      status, self._judge = judge.end(), None
    self._control.sendall(b"!")
    end = json.loads(_receive(self._control))
    if stopped is None:
      return None
    return _reply(verdict, stopped, status, end, request["cpu_seconds"])

  def close(self) -> None:
    if self._judge:
      self._judge.end()

  def _wait(self, judge: _Judge) -> tuple[dict[str, Any] | None, str | None]:
    """Returns the verdict, and why it was not waited for; None there: the client hung up."""
    began, idle = time.monotonic(), _Idle(judge.process, self._keeper)
    poll = select.poll()
    poll.register(judge.control, select.POLLIN)
    poll.register(self._client, 0)  # a hang-up is always reported
    while True:
      events = dict(poll.poll(_TICK_SECONDS * 1000))
      if self._client in events:
        return None, None
      if events:
        verdict = frames.read_frame(judge.control.fileno())
        return verdict and json.loads(verdict), ""
      if idle.tick() > SLEEP_SECONDS:
        return None, f"it slept for {SLEEP_SECONDS} s"
      if time.monotonic() - began > BACKSTOP_SECONDS:
        return None, f"it was still there after {BACKSTOP_SECONDS} s of wall time"


def _reply(
    verdict: dict[str, Any] | None,
    stopped: str,
    judge_status: int,
    end: dict[str, Any],
    cpu_seconds: int,
) -> dict[str, Any]:
  """Returns the fields of a Report from what the judge said and how the program ended."""
  seconds, status = end["cpu_seconds"], end["status"]
  if stopped:
    verdict = dict(passed=[], cause="timeout", reason=stopped)
  elif not verdict and _ran_out(judge_status):
    reason = "the tests ran out of CPU time on its answers"
    verdict = dict(passed=[], cause="timeout", reason=reason)
  elif not verdict:
    verdict = dict(passed=[], cause="memory", reason="its answers were too much for the tests")
  elif verdict.pop("gone"):  # the judge only knows that the program ended; here is known how
    if _ran_out(status) or seconds > cpu_seconds:
      verdict |= dict(cause="timeout", reason=f"it used up its {cpu_seconds} s of CPU time")
    elif os.WIFEXITED(status):
      verdict["reason"] += f" with exit status {os.WEXITSTATUS(status)}"
    elif os.WTERMSIG(status) != signal.SIGKILL:
      verdict["reason"] += f" by signal {os.WTERMSIG(status)}"
  return verdict | dict(cpu_seconds=round(seconds, 3))


def _ran_out(status: int) -> bool:
  return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU


class _Idle:
  """Adds up the time in which neither the judge nor the program ran or wanted to run.

  Not wall time: what a loaded machine makes them wait for a processor or a disk does not count.
  Where the kernel does not tell (no /proc), it stays 0.
  """

  def __init__(self, judge: int, keeper: int):
    self._judge = judge
    self._keeper = keeper
    self._seconds = 0.0
    self._last: tuple[float, float] | None = None

  def tick(self) -> float:
    """Looks once; returns the idle seconds so far."""
    try:
      tasks = [_task(f"/proc/{process}/task/{task}")
               for process in (self._judge, *_descendants(self._keeper))
               for task in os.listdir(f"/proc/{process}/task")]
    except OSError:  # one of them ended while we looked, or there is no /proc
      return self._seconds
    now, active = time.monotonic(), sum(seconds for _, seconds in tasks)
    if self._last and not any(wants for wants, _ in tasks):
      passed = min(now - self._last[0], 2 * _TICK_SECONDS)
      self._seconds += max(0.0, passed - max(0.0, active - self._last[1]))
    self._last = now, active
    return self._seconds


def _task(directory: str) -> tuple[bool, float]:
  """Returns whether a thread runs or wants to, and its seconds of running and of waiting to."""
  with open(f"{directory}/stat", "rb") as stat, open(f"{directory}/schedstat", "rb") as schedstat:
    state = stat.read().rpartition(b")")[2].split()[0]
    ran, waited = schedstat.read().split()[:2]
  return state in (b"R", b"D"), (int(ran) + int(waited)) / 1e9


def _descendants(process: int) -> list[int]:
  """Returns the processes below one, as far as /proc tells."""
  found, waiting = [], [process]
  while waiting:
    parent = waiting.pop()
    with contextlib.suppress(OSError):
      for task in os.listdir(f"/proc/{parent}/task"):
        with open(f"/proc/{parent}/task/{task}/children", "rb") as children:
          waiting += map(int, children.read().split())
    if parent != process:
      found.append(parent)
  return found


# ---- the keeper, the fork server, and the program ----


def _keep(control: socket.socket, without: Sequence[str]) -> None:
  """Enters new namespaces, and keeps the fork server as their first process."""
  isolation.die_with_parent()
  control = _keep_only(control)
  active = isolation.unshare(without)
  server = os.fork()
  if not server:
    isolation.die_with_parent()
    _serve_forks(control, active, without)
  control.close()
  os.waitpid(server, 0)
  os._exit(0)


def _serve_forks(control: socket.socket, active: set[str], without: Sequence[str]) -> None:
  """Forks a program for each request, and clears away all that it leaves."""
  isolation.hide_memory()
  isolation.adopt_orphans()
  os.environ.clear()
  os.environ.update(HOME=isolation.SCRATCH, TMPDIR=isolation.SCRATCH, LANG="C.UTF-8", PATH="")
  active = active | isolation.bare_root(without) if active else active
  if "files" not in active:
    isolation.enter_nowhere()
  active |= isolation.available(without)
  frames.write_frame(control.fileno(), json.dumps(sorted(active)).encode())
  with contextlib.suppress(EOFError):  # the supervisor is gone
    while True:
      head, streams, _, _ = socket.recv_fds(control, 8, 1)
      if len(head) < 8:
        break
      cpu_seconds, memory_mb = struct.unpack(">II", head)
      readings = json.loads(_receive(control))
      limits = isolation.Limits(cpu_seconds=cpu_seconds, memory_mb=memory_mb)
      program = os.fork()
      if not program:
        _be_program(readings, streams[0], limits, active)
      os.close(streams[0])
      stop = control.recv(1)
      end = _clear_away(program, "namespaces" in active)
      if "files" in active:
        isolation.wipe_scratch()
      if not stop:
        break
      frames.write_frame(control.fileno(), json.dumps(end).encode())
  os._exit(0)


def _clear_away(program: int, namespaced: bool) -> dict[str, Any]:
  """Kills and reaps the program and whatever it started; tells how the program ended."""
  end = {}
  while True:
    for target in [-1] if namespaced else [-program, program, *_descendants(os.getpid())]:
      with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(target, signal.SIGKILL)
    try:
      process, status, usage = os.wait4(-1, 0)
    except ChildProcessError:
      return end
    if process == program:
      end = dict(status=status, cpu_seconds=usage.ru_utime + usage.ru_stime)


def _be_program(
    readings: list[str], stream: int, limits: isolation.Limits, active: Collection[str]
) -> None:
  """Becomes the untrusted program: gives up everything, imports it, answers the judge."""
  os.setsid()
  os.dup2(stream, 3)
  os.closerange(4, 64)
  module = types.ModuleType("program")
  sys.modules["program"] = module
  sys.modules.pop("__main__", None)
  sys.argv = ["program"]
  isolation.confine(limits, active)
  peer = remote.Peer(3, trusted=False, program=module)
  try:
    peer.send(_load(readings, module))
    while True:
      peer.serve(peer.receive())
  except remote.Gone:
    pass
  finally:
    os._exit(0)


def _load(readings: list[str], module: types.ModuleType) -> list[str]:
  """Imports the first reading that compiles; returns the greeting for the judge."""
  first = None
  for source in readings:
    try:
      code = compile(source, "program", "exec", dont_inherit=True)
      break
    except (SyntaxError, ValueError, OverflowError, RecursionError) as error:
      first = first or ["failed", "syntax", f"{type(error).__name__}: {error}"[:300]]
    except MemoryError:
      first = first or ["failed", "memory", "it ran out of memory while it was compiled"]
  else:
    return first or ["failed", "syntax", "there is no program"]
  try:
    exec(code, vars(module))
  except MemoryError:
    return ["failed", "memory", "it ran out of memory"]
  except BaseException as error:  # SystemExit too: the program is over before it was asked
    try:
      text = str(error)
    except BaseException:  # its own class, its own __str__
      text = ""
    return ["failed", "crash", f"{type(error).__name__}: {text}"[:300]]
  return ["ready", "", ""]


# ---- the judge ----


def _serve_verdicts(control: socket.socket) -> None:
  """Runs the tests of one program after another, until the supervisor hangs up."""
  control = _keep_only(control)
  isolation.limit(isolation.Limits(cpu_seconds=None, memory_mb=JUDGE_MEMORY_MB))
  try:
    while True:
      head, streams, _, _ = socket.recv_fds(control, 1, 1)
      if not head:
        break
      request = json.loads(_receive(control))
      isolation.limit_cpu(request["cpu_seconds"])
      tests, setup, solution = request["tests"], request["setup"], request["solution"]
      verdict = testing.verdict(streams[0], tuple(tests), setup, solution)
      os.close(streams[0])
      frames.write_frame(control.fileno(), json.dumps(verdict).encode())
  finally:
    os._exit(0)
