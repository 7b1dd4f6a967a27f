"""From the data section of a config to the files to read; every mistake in it is found here.

  check({"math": {"gsm8k": {"train": ("train",), "evaluation": ("test",), "limit": 5000}}},
        domains=("math",), root="rows")
      ->  [Source(domain="math", dataset=..., train=(File("rows/openai__gsm8k/main/train.jsonl"),),
                  limit=5000, ...)]

No row is read and nothing is downloaded: this runs first, and takes a fraction of a second.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import pathlib
from typing import Annotated, Any

from reasoner.data import dataset as datasets_
from reasoner.data import reading
from reasoner.data.corpus import EVALUATION
from reasoner.data.corpus import TRAIN
from reasoner.data.dataset import DataSet
from reasoner.data.reading import File
from rewards.errors import ConfigError
from rewards.errors import suggest
from rewards.settings import Count
from rewards.settings import OneOf
from rewards.settings import Section

ON_BAD_ROW = ("stop", "quarantine")
# Splits that no config may train on, whatever it evaluates.
NEVER_TRAINED = ("test", "test_sft")
_FIELDS = (TRAIN, EVALUATION, "limit", "configs")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data(Section, place="config.data"):
  """Which rows a run reads."""

  root: str  # a directory of files by hub id, a name of embedded_flaws.CORPORA, or "" for the hub
  pools: tuple[str, ...]  # paths of pool files
  on_bad_row: Annotated[str, OneOf(ON_BAD_ROW)]
  evaluation_rows: Count  # held-out prompts a domain, at most
  sources: Mapping  # {domain: {data set: its splits, limit and settings}}
  evaluation_sets: Mapping  # {name: {data set: splits}}: further sets to report on


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
  """One data set as one domain uses it. evaluation: files by the name of the set."""

  domain: str
  dataset: DataSet
  train: tuple[File, ...]
  evaluation: Mapping[str, tuple[File, ...]]
  limit: int | None
  settings: Mapping[str, Any]


def check(
    sources: Mapping[str, Mapping[str, Mapping[str, Any] | None]],
    *,
    domains: Sequence[str],
    root: str | None = None,
    pools: Sequence[str] = (),
    evaluation_sets: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
) -> list[Source]:
  """Checks every name, file and value without reading a row; arguments as `load` takes them.

  Returns:
    What to read, sorted by domain and data set.

  Raises:
    ConfigError: the field, its value and what is accepted.
  """
  if root is not None and not pathlib.Path(root).is_dir():
    raise ConfigError(f"config.data.root={str(root)!r}: no such folder; expected one of data sets.")
  for path in _names(pools, "config.data.pools"):
    if not pathlib.Path(path).is_file():
      raise ConfigError(f"config.data.pools names {path!r}, which is not a file.")
  for domain in sorted(sources):
    place = f"config.data.sources.{domain}"
    if domain not in domains:
      raise ConfigError(
          f"{place}: unknown domain {domain!r}. {suggest(domain, domains)}"
          f"config.rewards has: {', '.join(sorted(domains))}."
      )
    if not isinstance(sources[domain] or {}, Mapping):
      raise ConfigError(f"{place}={sources[domain]!r}: expected data sets by name.")
    for name in sources[domain] or {}:
      datasets_.get(name, place)
  _check_evaluation_sets(evaluation_sets or {}, sources)
  plan = []
  for domain in sorted(sources):
    place = f"config.data.sources.{domain}"
    for name, entry in sorted((sources[domain] or {}).items()):
      dataset = datasets_.get(name, place)
      if entry is not None:
        further = {s: sets[name] for s, sets in (evaluation_sets or {}).items() if name in sets}
        plan.append(_check_source(domain, dataset, entry, further, root, f"{place}.{name}"))
  fed = {source.domain for source in plan if source.train}
  for domain in domains:
    if domain not in fed and not pools:
      raise ConfigError(
          f"domain {domain!r} of config.rewards has no rows: expected a data set with 'train' in "
          f"config.data.sources.{domain}, or a file in config.data.pools."
      )
  return plan


def _check_source(
    domain: str,
    dataset: DataSet,
    entry: Any,
    further: Mapping[str, Sequence[str]],
    root: str | None,
    place: str,
) -> Source:
  if domain not in dataset.domains:
    raise ConfigError(
        f"{place}: {dataset.name} feeds {', '.join(dataset.domains)}, not domain {domain!r}."
    )
  if not isinstance(entry, Mapping):
    raise ConfigError(f"{place}={entry!r}: expected fields such as {', '.join(_FIELDS)}.")
  accepted = (*_FIELDS, *dataset.settings)
  for field, value in entry.items():
    if field not in accepted:
      raise ConfigError(
          f"{place}.{field}: no such field. {suggest(field, accepted)}"
          f"Accepted: {', '.join(accepted)}."
      )
    if field in dataset.settings and type(value) is not dataset.settings[field].annotation:
      wanted = dataset.settings[field].annotation.__name__
      raise ConfigError(f"{place}.{field}={value!r}: expected {wanted}.")
  limit = entry.get("limit")
  if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
    raise ConfigError(f"{place}.limit={limit!r}: expected a number of rows, 1 or more, or None.")
  configs = _names(entry.get("configs") or dataset.configs, f"{place}.configs")
  for config in configs:
    if config not in dataset.configs:
      raise ConfigError(
          f"{place}.configs names {config!r}. {suggest(config, dataset.configs)}"
          f"{dataset.name} has: {', '.join(dataset.configs) or 'none'}."
      )
  named = {field: (entry.get(field, ()), f"{place}.{field}") for field in (TRAIN, EVALUATION)}
  for name, value in further.items():
    named[name] = value, f"config.data.evaluation_sets.{name}.{dataset.name}"
  splits = {role: _names(value, where) for role, (value, where) in named.items()}
  if not any(splits.values()):
    raise ConfigError(f"{place} names no split: expected 'train', 'evaluation' or both.")
  for split in splits[TRAIN]:
    if split in NEVER_TRAINED:
      raise ConfigError(
          f"{place}.train names {split!r}: the test rows of {dataset.name} are for evaluation only."
      )
    for role in splits.keys() - {TRAIN}:
      if split in splits[role] and (dataset.official_split or role != EVALUATION):
        raise ConfigError(
            f"{place}: {split!r} is named for train and for {role}; what is evaluated is never "
            "trained on."
        )
  files = {
      role: tuple(
          reading.find(dataset, config, split, root, named[role][1])
          for config in sorted(configs) or ("",)
          for split in names
      )
      for role, names in splits.items()
  }
  return Source(
      domain=domain,
      dataset=dataset,
      train=files.pop(TRAIN),
      evaluation=files,
      limit=limit,
      settings={k: v for k, v in entry.items() if k in dataset.settings},
  )


def _check_evaluation_sets(
    evaluation_sets: Mapping[str, Mapping[str, Sequence[str]]], sources: Mapping[str, Any]
) -> None:
  used = {name for entries in sources.values() for name in entries or {} if entries[name]}
  for name, sets in evaluation_sets.items():
    if name in (TRAIN, EVALUATION):
      raise ConfigError(f"config.data.evaluation_sets.{name}: {name!r} is taken; use another name.")
    if not isinstance(sets, Mapping):
      raise ConfigError(f"config.data.evaluation_sets.{name}={sets!r}: expected {{data set: splits}}.")
    for dataset in sets:
      if dataset not in used:
        raise ConfigError(
            f"config.data.evaluation_sets.{name} names data set {dataset!r}. "
            f"{suggest(dataset, used)}config.data.sources has: {', '.join(sorted(used))}."
        )


def _names(value: Any, place: str) -> tuple[str, ...]:
  names = tuple(value) if isinstance(value, (tuple, list)) else None
  if names is None or not all(isinstance(name, str) for name in names):
    raise ConfigError(f"{place}={value!r}: expected a tuple of names, as in ('train',).")
  return names
