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
from typing import TYPE_CHECKING

from reasoner import data
from reasoner import models
from reasoner.data import curriculum
from reasoner.data import embedded
from reasoner.data import embedded_flaws
from reasoner.data import plans
from reasoner.data import prompts
from reasoner.data import rationales
from reasoner.data import sampling
from reasoner.data import sources as sources_lib
from reasoner.data import traces
from reasoner.models import peft_format
from reasoner.run.settings import Settings
from reasoner.run.workdir import Workdir
from rewards import registry
from rewards import scorer
from rewards.errors import ConfigError

if TYPE_CHECKING:
  from tunix.models.gemma3.model import Gemma3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
  """What of a config concerns rows, checked; no model is looked for.

  config: the plain nested dict that was asked for, as it is saved and hashed. domains: what each
  pays. data_root: the folder that rows are read from; None for the hub. sources: what to read.
  """

  settings: Settings
  config: Mapping[str, Any]
  default_rewards: Mapping[str, Any]
  domains: Mapping[str, scorer.DomainRewards]
  data_root: str | None
  sources: Sequence[sources_lib.Source]

  @property
  def truths(self) -> tuple[str, ...]:
    """Returns the domains whose rows need a reference."""
    return tuple(name for name, rewards in self.domains.items() if rewards.correctness)

  def load_rows(self, quarantine_path: pathlib.Path) -> data.Corpus:
    """Reads all rows, those of training and of evaluation."""
    section = self.settings.data
    corpus = data.load(
        section.sources,
        domains=tuple(self.domains),
        truths=self.truths,
        root=self.data_root,
        pools=section.pools,
        evaluation_sets=section.evaluation_sets,
        on_bad_row=section.on_bad_row,
        quarantine_path=quarantine_path,
        seed=self.settings.seed,
    )
    return rationales.join(corpus, self.settings.cold_start.rationales)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run(Rows):
  """A checked run: its rows, settings, and what they name.

  start: the directory of an adapter to go on from. flaws: those of the traces. plan: what traces of
  rows without a rationale reason. warnings: for a person to read.
  """

  workdir: Workdir
  config_hash: str
  model: models.ModelSource
  start: pathlib.Path | None
  flaws: embedded_flaws.Flaws | None
  plan: traces.Plan
  warnings: Sequence[str]

  def fingerprints(self) -> dict[str, list[str]]:
    """Returns hashes of the plugins' sources, and of the adapter where it goes on from one."""
    paths = {"plugins": list(map(pathlib.Path, self.settings.plugins))}
    if self.start:
      paths["adapter"] = [self.start / peft_format.ADAPTER]
    return {n: [hashlib.sha256(path.read_bytes()).hexdigest() for path in own] for n, own in paths.items()}

  def schedules(self, corpus: data.Corpus) -> list[sampling.Schedule]:
    """Returns which rows each step of GRPO draws: a schedule, and another for each time steps were raised."""
    train, disco = self.settings.train, self.settings.disco
    kind = curriculum.Curriculum if disco.curriculum else sampling.Schedule
    ends = self.workdir.ends(train.steps)
    return [
        self._draws(corpus, last - first, train.prompts_per_step, disco.max_repeats, kind, first)
        for first, last in zip([0, *ends], ends)
    ]

  def drawable(self, schedules: Sequence[sampling.Schedule]) -> list[sampling.Pair]:
    """Returns the pairs that training may draw: the schedules', or all where groups are replaced."""
    every = self.settings.grpo.max_replacements
    return [pair for schedule in schedules for pair in (schedule.every() if every else schedule.pairs())]

  def cold_start_schedule(self, corpus: data.Corpus) -> sampling.Schedule:
    """Returns which rows traces are made of, in the same shares."""
    return self._draws(corpus, self.settings.cold_start.traces, prompts_per_step=1, max_repeats=None)

  def write_adapter(self, directory: pathlib.Path, actor: "Gemma3") -> None:
    """Writes an adapter of this run's base in PEFT's format."""
    source = self.model
    peft_format.write(
        directory, actor, self.settings.model.lora, base=source.base or str(self.workdir.base),
        license=source.license.name, template=prompts.template(source.family.TURNS),
    )  # fmt: skip

  def _draws(
      self, corpus: data.Corpus, steps: int, prompts_per_step: int, max_repeats: int | None,
      kind: type[sampling.Schedule] = sampling.Schedule, first: int = 0,
  ) -> sampling.Schedule:  # fmt: skip
    return kind(
        {domain: len(examples) for domain, examples in corpus.train.items()},
        steps=steps,
        prompts_per_step=prompts_per_step,
        seed=self.settings.seed,
        alpha=self.settings.disco.alpha,
        weights=self.settings.disco.weights,
        max_repeats=max_repeats,
        first=first,
    )

  def lines(self) -> list[str]:
    """Returns what would run, to print; rows are read and counted where they are on this machine."""
    settings, model, train = self.settings, self.settings.model, self.settings.train
    cold, rollout = settings.cold_start, settings.rollout
    completions = train.steps * settings.completions_per_step
    lines = [
        f"config      {self.config_hash}, seed {settings.seed}",
        f"workdir     {self.workdir.path}" + (" (begun: it would go on)" if self.workdir.has_results else ""),
        f"model       {self.model.name}{f' from {self.model.place}' if self.model.place else ''}, {model.dtype}, "
        f"fsdp {model.mesh.fsdp or 'over all devices'} x tp {model.mesh.tp}, "
        f"LoRA rank {model.lora.rank}, alpha {model.lora.alpha} on {', '.join(model.lora.modules)}"
        f"{f', from {self.start}' if self.start else ''}",
        f"terms       {self.model.license.text}",
        f"cold start  {cold.steps:,} steps of {cold.batch_size} traces, {cold.traces:,} traces in all"
        if cold.steps else "cold start  none",
        f"{settings.grpo.name:<12}{train.steps:,} steps of {train.prompts_per_step} prompts x "
        f"{settings.grpo.num_generations} completions, {settings.grpo.num_iterations} updates each"
        f"{f', as many as fit {train.time_budget_hours:g} hours in all' if train.time_budget_hours else ''}",
        f"tokens      prompts up to {rollout.max_prompt_tokens:,}, completions up to "
        f"{rollout.max_new_tokens:,}: at most {completions * rollout.max_new_tokens:,} sampled",
        "",
    ]
    for domain, rewards in sorted(self.domains.items()):
      weights = {name: f"{name} {component.weight:g}" for name, component in rewards.components.items()}
      paid = [f"format {rewards.format_weight:g}", *(weights[c.name] for c in rewards.payers)]
      lines.append(f"{domain:<20}pays {', '.join(paid)}")
      if rewards.guards:
        reach = f"; they reach {rewards.format_guarded:g} of the format's" if rewards.format_guarded else ""
        lines.append(f"{'':<20}guards {', '.join(weights[c.name] for c in rewards.guards)}{reach}")
    if self.data_root is None:
      weights = [f"{domain} {settings.disco.weights.get(domain, 1.0):g}" for domain in sorted(self.domains)]
      rows = [f"rows come from the hub; DISCO weights: {', '.join(weights)}, alpha {settings.disco.alpha:g}"]
    else:
      with tempfile.TemporaryDirectory() as scratch:
        rows = self.schedules(self.load_rows(pathlib.Path(scratch, "quarantine.jsonl")))[-1].lines()
    return [*lines, "", *rows, *(f"warning: {warning}" for warning in self.warnings)]


def assemble(config: Any, defaults: Any, workdir: pathlib.Path) -> Run:
  """Checks a config and the work directory that it is to run in.

  Args:
    config: a ConfigDict, flags applied. defaults: the same without them.
    workdir: made if absent; one that belongs to another config is refused.

  Raises:
    ConfigError: with the field, its value and what is accepted.
  """
  rows = assemble_rows(config, defaults)
  settings, plain, domains = rows.settings, rows.config, rows.domains
  source, start = _source(settings.model)
  workdir = Workdir(workdir)
  workdir.check_config(plain)
  return Run(
      **vars(rows),
      workdir=workdir,
      config_hash=hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16],
      model=source,
      start=start,
      flaws=embedded_flaws.CORPORA.get(settings.data.root),
      plan=embedded_flaws.restated if settings.data.root in embedded_flaws.CORPORA else plans.plan,
      warnings=_warnings(domains, settings.grpo.beta, plain["grpo"]["beta"]),
  )


def _source(model: models.Model) -> tuple[models.ModelSource, pathlib.Path | None]:
  """Returns where the base comes from, and the directory of the adapter to go on from, both checked."""
  if not model.adapter:
    source = model.get_source()
    source.check()
    return source, None
  earlier = Workdir(pathlib.Path(model.adapter).expanduser())
  start = earlier.adapter if earlier.adapter.is_dir() else earlier.path
  source = model.get_source(str(earlier.base) if earlier.base.is_dir() else "")
  peft_format.check(start, model.lora, source.family.MODULES, "config.model.adapter")
  if source.from_nothing:
    raise ConfigError(
        f"config.model.adapter={model.adapter!r} has no base beside it, and model {model.name!r} starts from "
        "nothing: name the directory of a run, or its base in config.model.path."
    )
  source.check()
  return source, start


def assemble_rows(config: Any, defaults: Any) -> Rows:
  """Checks a config as far as rows and their rewards go; arguments and errors as of `assemble`."""
  plain, default_rewards = Settings.plain(config), Settings.plain(defaults).get("rewards")
  settings = Settings.of(plain)
  registry.discover(settings.plugins)
  domains = scorer.check(settings.rewards, default_rewards, has_model=True)
  root = settings.data.root or None
  if root in embedded_flaws.CORPORA:
    root = str(embedded.folder(models.cache_directory()))
  sources = data.check(
      settings.data.sources,
      domains=tuple(domains),
      root=root,
      pools=settings.data.pools,
      evaluation_sets=settings.data.evaluation_sets,
  )
  return Rows(
      settings=settings,
      config=plain,
      default_rewards=default_rewards,
      domains=domains,
      data_root=root,
      sources=sources,
  )


def origin_lines(origin: Mapping[str, str]) -> list[str]:
  """Returns where a model came from, to print."""
  return [f"{name.replace('_', ' '):<14}{value}" for name, value in origin.items()]


def _warnings(domains: Mapping[str, scorer.DomainRewards], beta: float, asked_beta: float) -> list[str]:
  unused = [f"config.grpo.beta={asked_beta} is not used: dapo has no KL term."] if beta != asked_beta else []
  return unused + [
      f"domain {name!r} pays for the format alone: nothing in its answers is rewarded."
      for name, rewards in sorted(domains.items())
      if not any(component.weight for component in rewards.payers)
  ]
