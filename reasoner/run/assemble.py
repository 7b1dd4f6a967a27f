"""From a config to a run: every name, setting and file is checked before anything heavy is loaded.

  run = assemble(config, defaults, workdir)   # a ConfigError says what to change, in one sentence

The only module that sees the ConfigDict: all below takes typed sections and plain arguments. Cheap
checks come first; rows are read after the settings are right, and weights after both.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import hashlib
import json
import pathlib
import tempfile
from typing import Any

from reasoner import data
from reasoner import models
from reasoner.data import embedded
from reasoner.data import embedded_flaws
from reasoner.data import plans
from reasoner.data import rationales
from reasoner.data import sampling
from reasoner.data import sources
from reasoner.data import traces
from reasoner.run.settings import Settings
from rewards import registry
from rewards import scorer
from rewards import settings as sections
from rewards.errors import ConfigError

CONFIG_FILE = "config.json"
BEFORE = "evaluation_before.jsonl"  # written before the first step of GRPO


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
  """A checked run: its settings, and what they name.

  config: the plain nested dict that was asked for, as it is saved and hashed. domains: what each
  pays. data_root: the folder that rows are read from; None for the hub. flaws: those of the traces.
  plan: what traces of rows without a rationale reason.
  warnings: for a person to read.
  """

  workdir: pathlib.Path
  settings: Settings
  config: Mapping[str, Any]
  config_hash: str
  default_rewards: Mapping[str, Any]
  domains: Mapping[str, scorer.DomainRewards]
  model: models.ModelSource
  data_root: str | None
  flaws: embedded_flaws.Flaws | None
  plan: traces.Plan
  warnings: Sequence[str]

  def load_rows(self, quarantine_path: pathlib.Path) -> data.Corpus:
    """Reads all rows, those of training and of evaluation."""
    section = self.settings.data
    corpus = data.load(
        section.sources,
        domains=tuple(self.domains),
        truths=[name for name, rewards in self.domains.items() if rewards.correctness],
        root=self.data_root,
        pools=section.pools,
        evaluation_sets=section.evaluation_sets,
        on_bad_row=section.on_bad_row,
        quarantine_path=quarantine_path,
        seed=self.settings.seed,
    )
    return rationales.join(corpus, self.settings.cold_start.rationales)

  def schedule(self, corpus: data.Corpus) -> sampling.Schedule:
    """Returns which rows each step of GRPO draws."""
    train = self.settings.train
    return self.draws(corpus, train.steps, train.prompts_per_step, self.settings.disco.max_repeats)

  def draws(
      self, corpus: data.Corpus, steps: int, prompts_per_step: int, max_repeats: int | None
  ) -> sampling.Schedule:
    """Returns a schedule in the run's shares."""
    return sampling.Schedule(
        {domain: len(examples) for domain, examples in corpus.train.items()},
        steps=steps,
        prompts_per_step=prompts_per_step,
        seed=self.settings.seed,
        alpha=self.settings.disco.alpha,
        weights=self.settings.disco.weights,
        max_repeats=max_repeats,
    )

  def lines(self) -> list[str]:
    """Returns what would run, to print; rows are read and counted where they are on this machine."""
    settings, model, train = self.settings, self.settings.model, self.settings.train
    cold, rollout = settings.cold_start, settings.rollout
    completions = train.steps * settings.completions_per_step
    lines = [
        f"config      {self.config_hash}, seed {settings.seed}",
        f"workdir     {self.workdir}" + (" (begun: it would be continued)" if has_results(self.workdir) else ""),
        f"model       {model.name}{f' in {model.path}' if model.path else ''}, {model.dtype}, "
        f"fsdp {model.mesh.fsdp or 'over all devices'} x tp {model.mesh.tp}, "
        f"LoRA rank {model.lora.rank}, alpha {model.lora.alpha} on {', '.join(model.lora.modules)}",
        f"cold start  {cold.steps:,} steps of {cold.batch_size} traces, {cold.traces:,} traces in all"
        if cold.steps else "cold start  none",
        f"{settings.grpo.name:<12}{train.steps:,} steps of {train.prompts_per_step} prompts x "
        f"{settings.grpo.num_generations} completions, {settings.grpo.num_iterations} updates each",
        f"tokens      prompts up to {rollout.max_prompt_tokens:,}, completions up to {rollout.max_new_tokens:,}: "
        f"at most {completions * rollout.max_new_tokens:,} sampled",
        "",
    ]
    for domain, rewards in sorted(self.domains.items()):
      paid = {"format": rewards.format_weight, **{n: c.weight for n, c in rewards.components.items()}}
      lines.append(f"{domain:<20}pays " + ", ".join(f"{name} {weight:g}" for name, weight in paid.items()))
    if self.data_root is None:
      weights = [f"{domain} {settings.disco.weights.get(domain, 1.0):g}" for domain in sorted(self.domains)]
      rows = [f"rows come from the hub; DISCO weights: {', '.join(weights)}, alpha {settings.disco.alpha:g}"]
    else:
      with tempfile.TemporaryDirectory() as scratch:
        rows = self.schedule(self.load_rows(pathlib.Path(scratch, "quarantine.jsonl"))).lines()
    return [*lines, "", *rows, *(f"warning: {warning}" for warning in self.warnings)]


def assemble(config: Any, defaults: Any, workdir: pathlib.Path) -> Run:
  """Checks a config and the work directory that it is to run in.

  Args:
    config: a ConfigDict, flags applied. defaults: the same without them.
    workdir: made if absent; one that belongs to another config is refused.

  Raises:
    ConfigError: with the field, its value and what is accepted.
  """
  rows, notes = _assemble_rows(config, defaults)
  settings, plain, domains = rows.settings, rows.config, rows.domains
  path = {"path": settings.model.path} if settings.model.path else {}
  source = models.get_source(settings.model.name, **path)
  source.check()
  check_workdir(workdir, plain)
  return Run(
      workdir=workdir,
      settings=settings,
      config=plain,
      config_hash=hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16],
      default_rewards=rows.default_rewards,
      domains=domains,
      model=source,
      data_root=rows.data_root,
      flaws=embedded_flaws.CORPORA.get(settings.data.root),
      plan=embedded_flaws.restated if settings.data.root in embedded_flaws.CORPORA else plans.plan,
      warnings=[*_warnings(domains), *notes],
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
  """What of a config concerns rows, checked; no model is looked for. plan: the files to read."""

  settings: Settings
  config: Mapping[str, Any]
  default_rewards: Mapping[str, Any]
  domains: Mapping[str, scorer.DomainRewards]
  data_root: str | None
  plan: Sequence[sources.Source]


def assemble_rows(config: Any, defaults: Any) -> Rows:
  """Checks a config as far as rows and their rewards go; arguments and errors as of `assemble`."""
  return _assemble_rows(config, defaults)[0]


def _assemble_rows(config: Any, defaults: Any) -> tuple[Rows, list[str]]:
  plain, default_rewards = _plain(config), _plain(defaults.get("rewards") or {})
  sections.fill(Settings, plain)
  used, notes = _without_unused(plain)
  settings = sections.read(Settings, used)
  registry.discover(settings.plugins)
  domains = scorer.check(settings.rewards, default_rewards)
  root = settings.data.root or None
  if root in embedded_flaws.CORPORA:
    root = str(embedded.folder(models.cache_directory()))
  plan = data.check(
      settings.data.sources,
      domains=tuple(domains),
      root=root,
      pools=settings.data.pools,
      evaluation_sets=settings.data.evaluation_sets,
  )
  rows = Rows(
      settings=settings,
      config=plain,
      default_rewards=default_rewards,
      domains=domains,
      data_root=root,
      plan=plan,
  )
  return rows, notes


def _plain(config: Any) -> Any:
  """Returns a ConfigDict as nested dicts, tuples and values."""
  if hasattr(config, "keys"):
    return {key: _plain(config[key]) for key in sorted(config.keys())}
  return tuple(map(_plain, config)) if isinstance(config, (list, tuple)) else config


def _without_unused(config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
  """Returns the config without what its algorithm does not use, and a sentence about that."""
  grpo = config.get("grpo")
  if not (isinstance(grpo, dict) and grpo.get("algorithm") == "dapo" and grpo.get("beta")):
    return config, []
  note = f"config.grpo.beta={grpo['beta']} is not used: dapo has no KL term."
  return config | {"grpo": grpo | {"beta": 0.0}}, [note]


def _warnings(domains: Mapping[str, scorer.DomainRewards]) -> list[str]:
  return [
      f"domain {name!r} pays for the format alone: nothing in its answers is rewarded."
      for name, rewards in sorted(domains.items())
      if not any(component.weight for component in rewards.payers)
  ]


def has_results(workdir: pathlib.Path) -> bool:
  """Says whether a run has begun there: one that failed before it learned anything leaves no claim."""
  return (workdir / BEFORE).exists() or any(workdir.glob("checkpoints/*/[0-9]*"))


def check_workdir(workdir: pathlib.Path, config: Mapping[str, Any]) -> None:
  """Raises ConfigError where the work directory belongs to a run with another config."""
  if workdir.exists() and not workdir.is_dir():
    raise ConfigError(f"--workdir={workdir} is a file: name a directory.")
  path = workdir / CONFIG_FILE
  if path.exists() and has_results(workdir):
    theirs = json.loads(path.read_text())
    sections.fill(Settings, theirs)  # a field that is younger than the run had its default
    changes = _differences(theirs, json.loads(json.dumps(config)), "config")
    if changes:
      raise ConfigError(
          f"--workdir={workdir} belongs to a run with another config: {'; '.join(changes)}. "
          "Use the same settings to continue it, or name another directory."
      )


def _differences(theirs: Any, ours: Any, place: str) -> list[str]:
  if isinstance(theirs, dict) and isinstance(ours, dict):
    names = sorted({*theirs, *ours})
    return [d for n in names for d in _differences(theirs.get(n), ours.get(n), f"{place}.{n}")]
  return [] if theirs == ours else [f"{place} was {theirs!r}, now {ours!r}"]
