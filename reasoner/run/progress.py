"""Time: what a person watches while a run goes on, and what it took. Nothing learned depends on it."""

from collections.abc import Callable
import contextlib
import pathlib
import sys
import time

from reasoner import processes
from reasoner.run import files


class Progress:
  """Steps with their rate and the time left: a bar on a terminal, plain lines elsewhere.

  Args:
    name: of what is going on.
    start, total: steps done before, and in all.
  """

  SECONDS_BETWEEN_LINES = 10.0

  def __init__(self, name: str, start: int, total: int):
    self._name, self._start, self._total = name, start, total
    self._began = self._printed = time.monotonic()
    self._bar = None

  def __enter__(self) -> "Progress":
    if sys.stdout.isatty():
      import tqdm

      self._bar = tqdm.tqdm(desc=self._name, initial=self._start, total=self._total, file=sys.stdout)
    return self

  def __exit__(self, *_) -> None:
    if self._bar is not None:
      self._bar.close()

  def update(self, step: int, **values: float | None) -> None:
    """Shows that `step` steps are done, and the values that matter (None is left out)."""
    shown = {name: value for name, value in values.items() if value is not None}
    if self._bar is not None:
      self._bar.set_postfix({name: f"{value:.3f}" for name, value in shown.items()}, refresh=False)
      self._bar.update(step - self._bar.n)
      return
    now = time.monotonic()
    last = step == self._total
    if last or step == self._start + 1 or now - self._printed >= self.SECONDS_BETWEEN_LINES:
      self._printed = now
      pace = (now - self._began) / (step - self._start)
      text = "  ".join(f"{name} {value:.3f}" for name, value in shown.items())
      left = duration(pace * (self._total - step))
      print(f"{self._name} {step}/{self._total}  {text}  {pace:.2f} s/step  {left} left", flush=True)


def duration(seconds: float) -> str:
  """Returns a time as people read it: "02:03:04", and "1 d 02:03:04" beyond a day."""
  minutes, second = divmod(round(seconds), 60)
  hours, minute = divmod(minutes, 60)
  days, hour = divmod(hours, 24)
  return f"{days} d " * (days > 0) + f"{hour:02}:{minute:02}:{second:02}"


class Stopwatch:
  """Splits the time of a step into named laps."""

  def __init__(self):
    self._start = self._last = time.monotonic()
    self._laps: dict[str, float] = {}

  def lap(self, name: str) -> None:
    """Ends a lap: the time since the last one belongs to `name`, beside what did before."""
    now = time.monotonic()
    self._laps[name] = self._laps.get(name, 0.0) + now - self._last
    self._last = now

  @property
  def total(self) -> float:
    return self._last - self._start

  def metrics(self) -> dict[str, float]:
    return {f"seconds/{name}": value for name, value in self._laps.items()} | {"seconds/step": self.total}


class Clock:
  """Seconds by phase and in all, over every time that a run was started.

  What a start spent after its last `save` is not known: saved is with each result, and nothing else.

  Args:
    path: where they are kept.
    goes_on: whether what stands there belongs to this run.
    age: seconds since this start began, before the clock did.
    saved: called after each `save`.
  """

  def __init__(
      self, path: pathlib.Path, *, goes_on: bool, age: float = 0.0, saved: Callable[[], None] = lambda: None
  ):
    self._path, self._saved = path, saved
    self._earlier = files.read_json(path) if goes_on and path.exists() else {}
    self._start = time.monotonic() - age
    self._phases: dict[str, float] = {}
    self._open: tuple[str, float] | None = None

  @contextlib.contextmanager
  def phase(self, name: str):
    """Counts the time inside as `name`'s, and not as that of a phase around it."""
    outer = self._enter(name)
    try:
      yield
    finally:
      self._enter(outer)

  def _enter(self, name: str | None) -> str | None:
    """Ends the open phase and begins another; returns the name of the one that was open."""
    now, was = time.monotonic(), None
    if self._open:
      was, since = self._open
      self._phases[was] = self._phases.get(was, 0.0) + now - since
    self._open = name and (name, now)
    return was

  def seconds(self) -> dict[str, float]:
    """Returns the seconds of each phase so far, and "total": the first process' where there are several."""
    now = time.monotonic()
    spent = {**self._phases, "total": now - self._start}
    if self._open:
      spent[self._open[0]] = spent.get(self._open[0], 0.0) + now - self._open[1]
    own = {
        name: round(self._earlier.get(name, 0.0) + spent.get(name, 0.0), 2)
        for name in sorted({"cold_start", "grpo", "evaluation", "total", *self._earlier, *spent})
    }
    return processes.agreed(own)

  def save(self) -> None:
    files.write_json(self._path, self.seconds())
    self._saved()
