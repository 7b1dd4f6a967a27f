"""Runs an untrusted Python program against trusted tests, where it can do no harm and cannot lie.

  run("def add(a, b): return a + b", ["assert add(1, 2) == 3"]).passed  ->  (True,)

Who runs where, for each process that scores:

  client          the scoring process; holds nothing but two pipes
  `- supervisor   a fresh interpreter: no site packages, clean environment, fixed hash seed
     |- judge     runs the tests; names that they leave free are stubs. A fresh fork unless the
     |            tests before could leave no trace (no import, no attribute, no foreign call)
     `- keeper - fork server   forked before any test was seen, in namespaces of its own
        `- program   forked for each program: never holds a test; one socket, to the judge

What decides is the judge (testing.py), by Python's own `==` between plain builtin values that it
built itself (remote.py). The program can answer, raise, or change its arguments: a forged `__eq__`,
patched builtins, an early exit, printed verdicts or messages of its own gain it nothing.

Covered on Linux, as far as `layers()` says (isolation.py): CPU time, memory, file size, open files,
threads; no other process, no signal, no socket, no file of the host but the standard library, a
16 MB scratch in memory; after each program all that it started is killed and its scratch is gone.
Time is CPU time. A program that sleeps is stopped by the time in which it neither ran nor waited
for a processor, so a busy machine changes no verdict; wall time is a backstop far away. Hash seed
and `random` start the same each time.

Not covered. The kernel itself. Reading: with neither `files` nor `user`, files that we may read.
Without `seccomp` and `namespaces` (macOS) forking, sockets, signals and writing are not prevented:
the process group is killed, an escaped session is not; treat such a machine as one for trusted
models. CPU time near its limit is not exact: `Report.cpu_seconds` tells. A program that answers by
recognising its inputs, or that changes an argument which the test reads again, is judged as Python
would judge it. Objects of the program's own classes equal nothing, not even themselves. Programs
are imported, not run: `if __name__ == "__main__"` is skipped, standard input is empty, third-party
packages are absent.
"""

import atexit
from collections.abc import Collection
from collections.abc import Sequence
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import sys
import threading
from typing import Any

from rewards.errors import ConfigError
from rewards.errors import Exhausted
from rewards.sandbox import frames

CPU_SECONDS = 8  # the slowest gold program of MBPP takes 5 on a slow core
MEMORY_MB = 512
PROGRAM_CHARACTERS = 200_000  # longer ones are no answers
_START_SECONDS = 120
_REPLY_SECONDS = 600  # far behind the supervisor's own backstop


class SandboxError(ConfigError):
  """The sandbox itself cannot be started: not the program's doing, and nothing can be judged."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
  """What became of one program.

  passed: by test. cause: "" (answered, right or wrong), "syntax", "crash" (raised or died),
  "memory", "timeout" or "oversize". reason: a sentence about the first failure. cpu_seconds: used
  by the program. unscorable: why the tests themselves cannot judge, or ""; `passed` is then all
  False.
  """

  passed: tuple[bool, ...]
  cause: str = ""
  reason: str = ""
  cpu_seconds: float = 0.0
  unscorable: str = ""


def run(
    program: str | Sequence[str],
    tests: Sequence[str],
    setup: str = "",
    solution: str = "",
    *,
    cpu_seconds: int = CPU_SECONDS,
    memory_mb: int = MEMORY_MB,
) -> Report:
  """Runs a program against its tests, in this process's own sandbox.

  Args:
    program: any text; or several readings of one, of which the first that compiles is run.
    tests: Python statements or whole test programs, run in order in one namespace. Trusted.
    setup: runs before the tests, after the program. Trusted.
    solution: a program known to pass, or "": tells which of the names in the tests are classes, or
      shadow a builtin (`sum`). Never run.
    cpu_seconds: for the program, and as many for the tests.
    memory_mb: address space of the program, the interpreter's 40 included.

  Raises:
    SandboxError: the sandbox cannot be started.
    Exhausted: the program ended the supervisor twice.
  """
  return _own().run(program, tests, setup, solution, cpu_seconds=cpu_seconds, memory_mb=memory_mb)


def layers() -> frozenset[str]:
  """Returns which of isolation.LAYERS hold on this machine, and starts the sandbox."""
  return _own().layers()


def _own() -> "Sandbox":
  return _of_process(os.getpid())


@functools.lru_cache(maxsize=1)
def _of_process(pid: int) -> "Sandbox":
  return Sandbox()


class Sandbox:
  """A supervisor in a process of its own, started on the first use and replaced when it breaks.

  Calls from several threads take turns. A forked child must make its own.

  Args:
    without: layers of isolation to leave out, so that tests can see what the others do alone.
  """

  def __init__(self, without: Collection[str] = ()):
    self._without = sorted(without)
    self._lock = threading.Lock()
    self._owner = os.getpid()
    self._process: subprocess.Popen | None = None
    self._layers: frozenset[str] = frozenset()
    atexit.register(self.close)

  def run(
      self,
      program: str | Sequence[str],
      tests: Sequence[str],
      setup: str = "",
      solution: str = "",
      *,
      cpu_seconds: int = CPU_SECONDS,
      memory_mb: int = MEMORY_MB,
  ) -> Report:
    """As the module's `run`."""
    failed = (False,) * len(tests)
    readings = [program] if isinstance(program, str) else list(program)
    if max(map(len, readings)) > PROGRAM_CHARACTERS:
      reason = f"the program has over {PROGRAM_CHARACTERS:,} characters, too many to be run"
      return Report(passed=failed, cause="oversize", reason=reason)
    reply = self._ask(dict(
        readings=readings, tests=list(tests), setup=setup, solution=solution,
        cpu_seconds=cpu_seconds, memory_mb=memory_mb,
    ))
    return Report(**reply | {"passed": tuple(reply["passed"]) or failed})

  def layers(self) -> frozenset[str]:
    """Returns which of isolation.LAYERS this sandbox has."""
    with self._lock:
      self._start()
      return self._layers

  def close(self) -> None:
    """Ends the supervisor and all below it; the next call starts another."""
    process, self._process = self._process, None
    if process is None or os.getpid() != self._owner:
      return  # a forked child's copy: the process is its parent's
    for pipe in (process.stdin, process.stdout):
      with contextlib.suppress(OSError):
        pipe.close()
    try:
      process.wait(timeout=5)
    except subprocess.TimeoutExpired:
      process.kill()
      process.wait()

  def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
    data = json.dumps(request).encode()
    with self._lock:
      for _ in range(2):
        self._start()
        try:
          frames.write_frame(self._process.stdin.fileno(), data)
          reply = frames.read_frame(self._process.stdout.fileno(), timeout_seconds=_REPLY_SECONDS)
        except BrokenPipeError:
          reply = None
        except BaseException:  # an interrupt leaves half a message behind: start afresh
          self._abandon()
          raise
        if reply is not None:
          return json.loads(reply)
        self._abandon()
    raise Exhausted("sandbox")

  def _abandon(self) -> None:
    self._process.kill()
    self.close()

  def _start(self) -> None:
    if self._owner != os.getpid():
      raise SandboxError("a sandbox was used in a fork of the process that made it")
    if self._process and self._process.poll() is None:
      return
    self.close()
    # Packages without their __init__: the supervisor imports five modules and not all that
    # `import rewards` brings, since each makes its forks dearer.
    code = ("import sys, types\n"
            "for name in ('rewards', 'rewards.sandbox'):\n"
            "  sys.modules[name] = package = types.ModuleType(name); package.__path__ = [sys.argv[1]]\n"
            "from rewards.sandbox import supervisor; supervisor.supervise(sys.argv[2:])")
    # What the dynamic loader may need to find the interpreter's own libraries, and nothing else.
    kept = {k: v for k, v in os.environ.items() if k in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")}
    command = [sys.executable, "-B", "-P", "-s", "-S", "-X", "utf8", "-c", code,
               str(pathlib.Path(__file__).resolve().parent), *self._without]
    try:
      self._process = subprocess.Popen(
          command,
          stdin=subprocess.PIPE,
          stdout=subprocess.PIPE,
          bufsize=0,
          cwd="/",
          env=kept | {"PYTHONHASHSEED": "0"},
          start_new_session=True,  # Ctrl-C is for the scoring process to hear
      )
    except OSError as error:
      raise SandboxError(f"the sandbox did not start under {sys.executable}: {error}.") from None
    greeting = frames.read_frame(self._process.stdout.fileno(), timeout_seconds=_START_SECONDS)
    if greeting is None:
      self._abandon()
      raise SandboxError(f"the sandbox did not start under {sys.executable}; see what it printed")
    self._layers = frozenset(json.loads(greeting))
