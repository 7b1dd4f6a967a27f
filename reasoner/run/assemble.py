"""From a config to a run: every name, setting and file is checked before anything heavy is loaded.

  run = assemble(config, defaults, workdir)   # a ConfigError says what to change, in one sentence

The only module that sees the ConfigDict: all below takes plain arguments. Cheap checks come first;
rows are read after the settings are right, and weights after both.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import hashlib
import json
import math
import pathlib
import re
from typing import Any

from reasoner import data
from reasoner import models
from reasoner.data import embedded
from reasoner.data import sampling
from reasoner.models import lora as lora_lib
from reasoner.models import mesh as mesh_lib
from reasoner.policy import algorithms
from reasoner.policy import cold_start
from reasoner.policy import reward_scaling
from rewards import registry
from rewards import scorer
from rewards.errors import ConfigError
from rewards.errors import suggest

EMBEDDED_ROOT = "embedded"  # config.data.root: the corpus written for this project
CONFIG_FILE = "config.json"
BEFORE = "evaluation_before.jsonl"  # written before the first step of GRPO

# What a config has, by type. A mapping of its own names (domains, data sets, rewards) is `dict`.
_FIELDS = {
    "seed": int,
    "plugins": tuple,
    "model": {
        "name": str,
        "path": str,
        "dtype": str,
        "mesh": {"fsdp": int, "tp": int},
        "lora": {"rank": int, "alpha": float, "modules": tuple},
    },
    "data": {
        "root": str,
        "pools": tuple,
        "on_bad_row": str,
        "evaluation_rows": int,
        "sources": dict,
        "evaluation_sets": dict,
    },
    "disco": {
        "alpha": float,
        "max_repeats": int,
        "weights": dict,
        "reward_scaling": {"domain": str, "difficulty": bool, "epsilon": float},
    },
    "rewards": dict,
    "scoring": {"num_workers": int, "completion_timeout_seconds": float, "batch_timeout_seconds": float},
    "rollout": {
        "max_prompt_tokens": int,
        "max_new_tokens": int,
        "temperature": float,
        "top_p": float,
        "top_k": int,
    },
    "cold_start": {
        "steps": int,
        "traces": int,
        "batch_size": int,
        "learning_rate": float,
        "warmup_fraction": float,
        "flaws": {"openings": float, "no_answers": float, "careless": float, "careful": float},
        "checkpoint_every": int,
    },
    "grpo": {
        "algorithm": str,
        "num_generations": int,
        "num_iterations": int,
        "beta": float,
        "epsilon": float,
        "epsilon_high": float,
    },
    "train": {
        "steps": int,
        "prompts_per_step": int,
        "micro_batches": int,
        "learning_rate": float,
        "warmup_fraction": float,
        "b1": float,
        "b2": float,
        "weight_decay": float,
        "gradient_clip": float,
        "checkpoint_every": int,
        "checkpoints_kept": int,
        "samples_every": int,
    },
}

# The least and the greatest accepted value; an open end where only one side is bounded.
_RANGES = {
    "seed": (0, 2**31 - 1),
    "disco.alpha": (0.0, 10.0),
    "model.mesh.fsdp": (0, math.inf),
    "model.mesh.tp": (1, math.inf),
    "data.evaluation_rows": (1, math.inf),
    "disco.max_repeats": (1, math.inf),
    "scoring.num_workers": (1, math.inf),
    "scoring.completion_timeout_seconds": (0.1, math.inf),
    "scoring.batch_timeout_seconds": (0.1, math.inf),
    "rollout.max_prompt_tokens": (1, math.inf),
    "rollout.max_new_tokens": (1, math.inf),
    "rollout.temperature": (0.01, math.inf),
    "rollout.top_p": (0.01, 1.0),
    "rollout.top_k": (0, math.inf),
    "cold_start.steps": (0, math.inf),
    "cold_start.traces": (1, math.inf),
    "cold_start.batch_size": (1, math.inf),
    "cold_start.learning_rate": (0.0, math.inf),
    "cold_start.warmup_fraction": (0.0, 1.0),
    "cold_start.checkpoint_every": (1, math.inf),
    "train.steps": (1, math.inf),
    "train.prompts_per_step": (1, math.inf),
    "train.micro_batches": (1, math.inf),
    "train.learning_rate": (0.0, math.inf),
    "train.warmup_fraction": (0.0, 1.0),
    "train.b1": (0.0, 0.9999999),
    "train.b2": (0.0, 0.9999999),
    "train.weight_decay": (0.0, math.inf),
    "train.gradient_clip": (1e-9, math.inf),
    "train.checkpoint_every": (1, math.inf),
    "train.checkpoints_kept": (1, math.inf),
    "train.samples_every": (1, math.inf),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
  """A checked run. config: the plain nested dict that was asked for, as it is saved and hashed.

  The sections of the config stand beside it as what they mean: domains (what each pays), model
  source, algorithm, reward scaling. `warnings` are for a person to read.
  """

  workdir: pathlib.Path
  config: Mapping[str, Any]
  config_hash: str
  default_rewards: Mapping[str, Any]
  domains: Mapping[str, scorer.DomainRewards]
  model: models.ModelSource
  algorithm: algorithms.Algorithm
  reward_scaling: reward_scaling.RewardScaling
  warnings: Sequence[str]

  @property
  def seed(self) -> int:
    return self.config["seed"]


def assemble(config: Any, defaults: Any, workdir: pathlib.Path) -> Run:
  """Checks a config and the work directory that it is to run in.

  Args:
    config: a ConfigDict, flags applied. defaults: the same without them.
    workdir: made if absent; one that belongs to another config is refused.

  Raises:
    ConfigError: with the field, its value and what is accepted.
  """
  plain, default_plain = _plain(config), _plain(defaults)
  _check_fields(plain, _FIELDS, "config")
  _check_ranges(plain)
  for field, paths in (("plugins", plain["plugins"]), ("data.pools", plain["data"]["pools"])):
    for path in paths:
      if not isinstance(path, str):
        raise ConfigError(f"config.{field} has {path!r}: expected paths as texts.")
  registry.discover(plain["plugins"])
  default_rewards = default_plain.get("rewards", {})
  domains = scorer.check(plain["rewards"], default_rewards)
  if not domains:
    raise ConfigError("config.rewards is empty: expected at least one domain.")
  for domain in domains:
    if domain == "all" or not re.fullmatch(r"[A-Za-z][\w-]*", domain):
      raise ConfigError(
          f"config.rewards.{domain}: the domain's name must be letters, digits, '_' and '-', and not 'all'."
      )
  algorithm, notes = _algorithm(plain["grpo"])
  scaling = reward_scaling.RewardScaling(**plain["disco"]["reward_scaling"])
  scaling.check(algorithm.name)
  cold_start.Flaws(**plain["cold_start"]["flaws"])
  _check_disco(plain["disco"], domains)
  _check_batch(plain)
  source = _model(plain["model"])
  section = plain["data"]
  data.check(
      section["sources"],
      domains=tuple(domains),
      root=data_root(section),
      pools=section["pools"],
      evaluation_sets=section["evaluation_sets"],
      on_bad_row=section["on_bad_row"],
  )
  check_workdir(workdir, plain)
  return Run(
      workdir=workdir,
      config=plain,
      config_hash=_hash(plain),
      default_rewards=default_rewards,
      domains=domains,
      model=source,
      algorithm=algorithm,
      reward_scaling=scaling,
      warnings=[*_warnings(domains), *notes],
  )


def _plain(config: Any) -> Any:
  """Returns a ConfigDict as nested dicts, tuples and values."""
  if hasattr(config, "keys"):
    return {key: _plain(config[key]) for key in sorted(config.keys())}
  return tuple(map(_plain, config)) if isinstance(config, (list, tuple)) else config


def _check_fields(section: Any, fields: Mapping[str, Any], place: str) -> None:
  if not isinstance(section, Mapping):
    raise ConfigError(f"{place}={section!r}: expected a section with {', '.join(fields)}.")
  for name in section:
    if name not in fields:
      raise ConfigError(
          f"{place}.{name} does not exist. {suggest(name, fields)}{place} has: {', '.join(sorted(fields))}."
      )
  for name, kind in fields.items():
    if name not in section:
      raise ConfigError(f"{place}.{name} is missing; the recipe it comes from has one.")
    value = section[name]
    if isinstance(kind, Mapping):
      _check_fields(value, kind, f"{place}.{name}")
    elif kind is float and isinstance(value, int) and not isinstance(value, bool):
      continue
    elif not isinstance(value, kind) or isinstance(value, bool) and kind is not bool:
      raise ConfigError(f"{place}.{name}={value!r}: expected {_KINDS[kind]}.")


_KINDS = {
    int: "an integer", float: "a number", bool: "True or False", str: "a text", tuple: "a list",
    dict: "a section",
}  # fmt: skip


def _check_ranges(config: Mapping[str, Any]) -> None:
  for path, (low, high) in _RANGES.items():
    value: Any = config
    for name in path.split("."):
      value = value[name]
    if not (low <= value <= high and math.isfinite(value)):
      upper = "or more" if high == math.inf else f"to {high}"
      raise ConfigError(f"config.{path}={value}: expected {low} {upper}.")


def _algorithm(section: Mapping[str, Any]) -> tuple[algorithms.Algorithm, list[str]]:
  settings = {("name" if k == "algorithm" else k): v for k, v in section.items()}
  notes = []
  if settings["name"] == "dapo" and settings["beta"]:
    notes.append(f"config.grpo.beta={settings['beta']} is not used: dapo has no KL term.")
    settings["beta"] = 0.0
  return algorithms.Algorithm(**settings), notes


def _check_disco(disco: Mapping[str, Any], domains: Mapping[str, Any]) -> None:
  for domain, weight in disco["weights"].items():
    if domain not in domains:
      raise ConfigError(
          f"config.disco.weights.{domain}: unknown domain {domain!r}. {suggest(domain, domains)}"
          f"config.rewards has: {', '.join(sorted(domains))}."
      )
    if isinstance(weight, bool) or not isinstance(weight, (int, float)):
      raise ConfigError(f"config.disco.weights.{domain}={weight!r}: expected a number, 0 or more.")
  sampling.shares(dict.fromkeys(domains, 1), alpha=disco["alpha"], weights=disco["weights"])


def _check_batch(config: Mapping[str, Any]) -> None:
  prompts, parts = config["train"]["prompts_per_step"], config["train"]["micro_batches"]
  if prompts % parts:
    raise ConfigError(
        f"config.train.micro_batches={parts} does not divide config.train.prompts_per_step={prompts}."
    )
  completions = prompts // parts * config["grpo"]["num_generations"]
  fsdp = config["model"]["mesh"]["fsdp"]
  if fsdp and completions % fsdp:
    raise ConfigError(
        f"config.model.mesh.fsdp={fsdp} does not divide the {completions} completions of a micro-batch "
        f"(config.train.prompts_per_step={prompts} / micro_batches={parts} x "
        f"config.grpo.num_generations={config['grpo']['num_generations']})."
    )


def _model(model: Mapping[str, Any]) -> models.ModelSource:
  if model["dtype"] not in mesh_lib.DTYPES:
    raise ConfigError(
        f"config.model.dtype={model['dtype']!r} is unknown. Accepted: {', '.join(mesh_lib.DTYPES)}."
    )
  lora_lib.check_settings(**model["lora"])
  settings = {"path": model["path"]} if model["path"] else {}
  source = models.get_source(model["name"], **settings)
  source.check()
  return source


def data_root(section: Mapping[str, Any]) -> str | None:
  """Returns the folder that rows are read from; None for the hub."""
  if section["root"] == EMBEDDED_ROOT:
    return str(embedded.folder(models.cache_directory()))
  return section["root"] or None


def _warnings(domains: Mapping[str, scorer.DomainRewards]) -> list[str]:
  return [
      f"domain {name!r} pays for the format alone: nothing in its answers is rewarded."
      for name, rewards in sorted(domains.items())
      if not any(component.weight for component in rewards.payers)
  ]


def _hash(config: Mapping[str, Any]) -> str:
  return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]


def has_results(workdir: pathlib.Path) -> bool:
  """Says whether a run has begun there: one that failed before it learned anything leaves no claim."""
  return (workdir / BEFORE).exists() or any(workdir.glob("checkpoints/*/[0-9]*"))


def check_workdir(workdir: pathlib.Path, config: Mapping[str, Any]) -> None:
  """Raises ConfigError where the work directory belongs to a run with another config."""
  if workdir.exists() and not workdir.is_dir():
    raise ConfigError(f"--workdir={workdir} is a file: name a directory.")
  path = workdir / CONFIG_FILE
  if path.exists() and has_results(workdir):
    changes = _differences(json.loads(path.read_text()), json.loads(json.dumps(config)), "config")
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
