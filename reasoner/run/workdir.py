"""A run's directory: what each file in it is called, whose it is, and the model that a finished run is.

  workdir = Workdir("runs/seven_domain")
  finished = workdir.open()  # model with its adapter, tokenizer, limits; no row is read

Whoever writes the first result claims the directory: config, rows, environment and all that the
model is opened with are written together, right before it. A start that fails earlier leaves nothing
of its own behind, and a start with another config is refused from then on.
"""

from collections.abc import Callable, Iterator, Mapping
import contextlib
import dataclasses
import fcntl
import pathlib
import tempfile
from typing import Any
from typing import TYPE_CHECKING

from reasoner import models
from reasoner import processes
from reasoner.data import prompts
from reasoner.models import lora
from reasoner.models import mesh as mesh_lib
from reasoner.models import peft_format
from reasoner.models.tokenizer import Tokenizer
from reasoner.run import files
from reasoner.run import remote
from reasoner.run.settings import Settings
from rewards.errors import ConfigError

if TYPE_CHECKING:
  import jax
  from tunix.models.gemma3.model import Gemma3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finished:
  """A finished run's model: its base with the trained adapter, on `mesh`, and what it was trained under.

  origin: where the base came from, as the run recorded it.
  """

  source: models.ModelSource
  origin: str
  model: "Gemma3"
  mesh: "jax.sharding.Mesh"
  tokenizer: Tokenizer
  settings: Settings  # the prompt's and the completion's limits are settings.rollout


class Workdir:
  """The files of the run in `path`; nothing is made before something is written.

  The claim: config, rows, environment, disco, tokenizer, template; base where the model is nowhere
  else. budget: what of the run fits config.train.time_budget_hours. continued: the steps at which
  config.train.steps were raised. Results: checkpoints, before, metrics, samples, completions,
  tensorboard, seconds, after; evaluations of the small sample during training and best, the adapter of
  the best. A finished run: adapter (the last), summary, report and its pictures; harness: what an
  outside judge found of it. quarantine: rows that could not be
  read; faults: completions that met a reward's bug.
  """

  def __init__(self, path: str | pathlib.Path, shared: pathlib.Path | None = None):
    self.path = path = pathlib.Path(path) if isinstance(path, str) else path
    self._shared = shared or path
    self._remote: remote.Remote | None = None
    self.config, self.rows, self.disco = path / "config.json", path / "rows.json", path / "disco.json"
    self.continued, self.budget = path / "continued.json", path / "budget.json"
    self.environment, self.seconds = path / "environment.json", path / "seconds.json"
    self.quarantine, self.faults = path / "quarantine.jsonl", self._shared / "faults.jsonl"
    self.tokenizer, self.template = path / "tokenizer.model", path / "prompt_template.txt"
    self.base, self.adapter, self.best = path / "base", path / "adapter", path / "adapter_best"
    self.before, self.after = path / "evaluation_before.jsonl", path / "evaluation_after.jsonl"
    self.metrics, self.samples = path / "metrics.jsonl", path / "samples.jsonl"
    self.evaluations, self.completions = path / "evaluations.jsonl", path / "completions"
    self.tensorboard = path / "tensorboard"
    self.summary, self.report = path / "summary.json", path / "report.html"
    self.harness = path / "harness.json"
    self._write_claim: Callable[[], None] | None = None

  def checkpoints(self, phase: str) -> pathlib.Path:
    return self._shared / "checkpoints" / phase

  def picture(self, name: str) -> pathlib.Path:
    return self.path / f"{name}.png"

  @property
  def has_results(self) -> bool:
    """Whether a run has begun there: one that failed before it learned anything leaves no claim."""
    return self.before.exists() or any(self._shared.glob("checkpoints/*/[0-9]*"))

  @contextlib.contextmanager
  def lock(self) -> "Iterator[Workdir]":
    """Holds the directory against another run, and gives the one that this process writes to: itself.

    Of several processes the first holds it. Each other gets one of its own for a time, with the first one's files
    that a run goes on from; what it writes there, as all do, is dropped. They share checkpoints, which all of
    them write together, and faults.

    One in a bucket is a local one for as long, see run/remote.py.

    Raises:
      ConfigError: another run holds it, or several processes shall share a bucket.
    """
    with contextlib.ExitStack() as held:
      if remote.is_remote(self.path):
        if processes.several():
          raise ConfigError(f"--workdir={self.path}: several processes need a directory that all of them see.")
        yield held.enter_context(self._local())
        return
      given = None
      if processes.first():
        try:
          held.enter_context(self._held())
          given = self._files() if processes.several() else None
        except ConfigError as error:
          given = error
      given = processes.agreed(given)
      if isinstance(given, ConfigError):
        raise given
      yield self if processes.first() else self._copy(held.enter_context(tempfile.TemporaryDirectory()), given)
      processes.exchange(None)  # all is written before the first of them leaves

  @contextlib.contextmanager
  def _local(self):
    with tempfile.TemporaryDirectory(prefix="reasoner-") as directory:
      local = Workdir(directory)
      local._remote = remote.Remote(self.path, local.path)
      print(f"Fetching {self.path} ...", flush=True)
      local._remote.pull()
      try:
        yield local
      finally:
        local.carry()
        print(f"All files are in {self.path}; copy them to a directory to open, compare or export the run.", flush=True)

  def carry(self) -> None:
    """Sends what changed to the bucket, where the directory is one's."""
    if self._remote:
      self._remote.push()

  def _files(self) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in self.path.iterdir() if path.is_file() and path != self.faults}

  def _copy(self, directory: str, given: Mapping[str, bytes]) -> "Workdir":
    for name, content in given.items():
      pathlib.Path(directory, name).write_bytes(content)
    return Workdir(directory, shared=self.path)

  @contextlib.contextmanager
  def _held(self):
    """Locks the directory against a second process; freed by the system if this one dies."""
    self.path.mkdir(parents=True, exist_ok=True)
    with (self.path / ".lock").open("w") as file:
      try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
      except BlockingIOError:
        raise ConfigError(
            f"--workdir={self.path} is in use by another run: wait for it, or name another directory."
        ) from None
      yield

  def check_config(self, config: Mapping[str, Any]) -> None:
    """Raises ConfigError where the directory belongs to a run with another config."""
    if self.path.exists() and not self.path.is_dir():
      raise ConfigError(f"--workdir={self.path} is a file: name a directory.")
    if not (self.config.exists() and self.has_results):
      return
    theirs, ours = Settings.plain(files.read_json(self.config)), Settings.plain(config)
    if self.summary.exists() and theirs["train"]["steps"] < ours["train"]["steps"]:
      theirs["train"] = theirs["train"] | {"steps": ours["train"]["steps"]}  # a finished run may go on
    changes = _differences(theirs, ours, "config")
    if changes:
      raise ConfigError(
          f"--workdir={self.path} belongs to a run with another config: {'; '.join(changes)}. "
          "Use the same settings to continue it, or name another directory."
      )

  def ends(self, steps: int) -> list[int]:
    """Returns the steps at which the run's schedules end: `steps`, and before it where they were raised."""
    earlier = files.read_json(self.continued) if self.continued.exists() else []
    return [*(end for end in earlier if end < steps), steps]

  def finished(self, config: Mapping[str, Any]) -> bool:
    """Whether a run is complete; one whose config.train.steps were raised becomes one that goes on.

    What it ended with stays, under names with the old number of steps, but for the adapter and pictures.
    """
    if not self.summary.exists():
      return False
    summary, asked = files.read_json(self.summary), config["train"]["steps"]
    done, budget = summary["steps"], summary.get("budget")
    if asked == (budget["grpo"]["of_steps"] if budget else done):
      return True
    if budget:
      raise ConfigError(
          f"--workdir={self.path} is finished, with {done} steps within config.train.time_budget_hours: go on from "
          f"its adapter in another, with --config.model.adapter={self.path} --config.cold_start.steps=0."
      )
    files.write_json(self.continued, self.ends(done))
    files.write_json(self.config, config)
    for path in (self.after, self.report, self.summary):  # the last: while it stands, all this comes again
      if path.exists():
        path.rename(path.with_stem(f"{path.stem}_{done}"))
    return False

  def check_rows(self, rows: Mapping[str, Any]) -> None:
    """Raises ConfigError where the run began with other rows or plugins. rows: hashes by domain."""
    if not (self.rows.exists() and self.has_results):
      return
    then = files.read_json(self.rows)
    changed = [name for name, digest in rows.items() if then.get(name) != digest]
    if changed:
      raise ConfigError(
          f"--workdir={self.path} began with other rows or code of {', '.join(changed)}: "
          "restore them to continue it, or name another directory."
      )

  def check_environment(self, environment: Mapping[str, str]) -> None:
    """Warns where the run began in another environment: still right, but not the same to the last bit."""
    if not (self.environment.exists() and self.has_results):
      return
    then = files.read_json(self.environment)
    changes = [f"{k} was {then.get(k)!r}, now {v!r}" for k, v in environment.items() if then.get(k) != v]
    if changes:
      print(f"warning: this run began elsewhere, so its bits may differ: {'; '.join(changes)}.")

  def begin(
      self, *, config: Mapping[str, Any], rows: Mapping[str, Any], environment: Mapping[str, str],
      disco: list[Mapping[str, Any]], tokenizer: Tokenizer,
  ) -> None:  # fmt: skip
    """Takes what the first result is claimed with; a run that goes on has claimed already."""
    if self.config.exists() and self.has_results:
      return

    def write():
      for path, value in (
          (self.config, config), (self.rows, rows), (self.environment, environment), (self.disco, disco)
      ):  # fmt: skip
        files.write_json(path, value)
      files.write_text(self.template, prompts.template(tokenizer.turns))
      self.tokenizer.write_bytes(tokenizer.proto)

    self._write_claim = write

  def claim(self) -> None:
    """Writes what `begin` took; called right before each result, so with the first."""
    if self._write_claim:
      self._write_claim()
      self._write_claim = None

  def open(self, mesh: "jax.sharding.Mesh | None" = None) -> Finished:
    """Returns a finished run's model, which gives the logits that it ended with.

    Args:
      mesh: where to; None takes one device.

    Raises:
      ConfigError: no run has finished there, or it was trained under another prompt template.
    """
    if not (self.config.exists() and self.summary.exists()):
      raise ConfigError(f"{self.path} holds no finished run: the command that began it continues it.")
    settings = Settings.of(files.read_json(self.config))
    source = settings.model.get_source()
    here = prompts.template(source.family.TURNS)
    if (template := self.template.read_text(encoding="utf-8")) != here:
      raise ConfigError(
          f"{self.path} was trained under another prompt template:\n  its own: {template!r}\n"
          f"  this one: {here!r}\nUse the code that made it."
      )
    mesh = mesh or mesh_lib.make_mesh(1, 1)
    dtype = mesh_lib.compute_dtype(settings.model.dtype)
    if self.base.is_dir():  # of a model that started from nothing
      base = source.family.load_directory(self.base, mesh, dtype)
    else:
      self._check_model(source.origin()["model_sha256"])
      base = source.load(mesh, dtype, settings.seed)
    model = lora.add_lora(base, seed=settings.seed, **dataclasses.asdict(settings.model.lora))
    peft_format.read(self.adapter, model, settings.model.lora)
    return Finished(
        source=source,
        origin=files.read_json(self.environment).get("model", source.name),
        model=model,
        mesh=mesh,
        tokenizer=self._tokenizer(source),
        settings=settings,
    )

  def _tokenizer(self, source: models.ModelSource) -> Tokenizer:
    if self.tokenizer.exists():
      return source.family.tokenizer(self.tokenizer)
    return source.load_tokenizer(())  # evidence leaves out what the base model has

  def _check_model(self, sha256: str) -> None:
    then = files.read_json(self.environment).get("model_sha256", sha256)
    if then != sha256:
      raise ConfigError(
          f"{self.path} was trained on a model whose files have sha256 {then}; those that its config names"
          f" now have {sha256}: find the former and edit config.model in {self.config}."
      )


def _differences(theirs: Any, ours: Any, place: str) -> list[str]:
  if isinstance(theirs, dict) and isinstance(ours, dict):
    names = sorted({*theirs, *ours})
    return [d for n in names for d in _differences(theirs.get(n), ours.get(n), f"{place}.{n}")]
  return [] if theirs == ours else [f"{place} was {theirs!r}, now {ours!r}"]
