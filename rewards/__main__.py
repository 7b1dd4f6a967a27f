r"""Rewards from the command line, without JAX.

  python -m rewards list                                               what is registered
  python -m rewards score --input rows.jsonl --output scored.jsonl     thousands of completions
  python -m rewards explain --input rows.jsonl --line 3                why one got what it got
  python -m rewards attack --input rows.jsonl --budget 300             worthless text that is paid
  python -m rewards bench                                              rewards/s and latency

Rows are pool rows with a `completion`, as one real input of `score`:

  {"domain": "logic", "prompt": "Is a whale a fish?", "answer": "no",
   "completion": "<reasoning>It breathes air.</reasoning>\n<answer>No.</answer>"}

Recipes, variants and `--config.field=value` work as they do for the trainer. A user's mistake is
one sentence and exit status 2. Training and sampling are `python -m reasoner.main`'s.
"""

import argparse
import collections
from collections.abc import Iterator
import dataclasses
import json
import logging
import os
import pathlib
import sys
from typing import Any

from rewards import attack
from rewards import benchmark
from rewards import recipes
from rewards import registry
from rewards import scorer
from rewards import settings as sections
from rewards.errors import ConfigError
from rewards.explanation import columns
from rewards.explanation import explain
from rewards.output import cleaning_up_when_told_to_end
from rewards.output import Output
from rewards.rows import example_from_row
from rewards.rows import read_rows
from rewards.rows import RowError
from rewards.schema import Example
from rewards.schema import Model
from rewards.schema import RewardBreakdown
from rewards.schema import UnitTests
from rewards.service import Service
from rewards.service import WorkerError
from rewards.service.scoring import Scoring

RECIPE = pathlib.Path(__file__).resolve().parents[1] / "experiments" / "seven_domain.py"

# Rows are read, scored and written in blocks, so that memory does not grow with the file.
BLOCK_ROWS = 512
BLOCKS_IN_FLIGHT = 2

# Fields that this command understands or adds: they say nothing about the example.
_OWN_FIELDS = ("completion", "group", "total", "gate", "failure", "correct", "scores", "causes", "unscored")

def main(arguments: list[str] | None = None, model: Model | None = None) -> int:
  """Runs one command and returns its exit status; model: for components of model scope."""
  for stream in (sys.stdout, sys.stderr):
    if hasattr(stream, "reconfigure"):  # whatever a completion holds can be printed anywhere
      stream.reconfigure(errors="backslashreplace")
  logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
  parser = _parser()
  options, rest = parser.parse_known_args(arguments)
  overrides = [argument for argument in rest if argument.startswith(recipes.PREFIX)]
  if unknown := [argument for argument in rest if argument not in overrides]:
    parser.error(f"unknown argument {unknown[0]!r}; see python -m rewards {options.name} --help")
  options.overrides, options.model = overrides, model
  try:
    return options.run(options) or 0
  except (ConfigError, scorer.ComponentError, WorkerError) as error:
    print(f"error: {error}", file=sys.stderr)
    return 2
  except BrokenPipeError:  # `| head` has read enough
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
  return 0


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
      prog="python -m rewards",
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
      allow_abbrev=False,
  )
  commands = parser.add_subparsers(dest="name", required=True, metavar="list|score|explain|attack|bench")

  def command(name, run, help_text, recipe=True):
    added = commands.add_parser(name, help=help_text, description=help_text, allow_abbrev=False)
    added.set_defaults(run=run)
    if recipe:
      added.add_argument(
          "--config",
          default=str(RECIPE),
          metavar="PATH[:VARIANT]",
          help="recipe with the weights (default: experiments/seven_domain.py); any of its fields "
          "can be set by --config.FIELD=VALUE",
      )
    return added

  added = command("list", _list, "Prints the registry.", recipe=False)
  added.add_argument(
      "--plugin", action="append", default=[], metavar="PATH", help="a file that registers more"
  )
  added.add_argument("--markdown", action="store_true", help="the table of the README")

  added = command("score", _score, "Scores a JSONL file of pool rows with completions.")
  added.add_argument("--input", required=True, metavar="PATH")
  added.add_argument("--output", required=True, metavar="PATH", help="a file is written whole or not at all")

  added = command("explain", _explain, "Shows why one completion got what it got.")
  added.add_argument("--input", required=True, metavar="PATH")
  which = added.add_mutually_exclusive_group()
  which.add_argument("--line", type=int, help="line of the file, from 1 (default: the first row)")
  which.add_argument("--uid")

  added = command("attack", _attack, "Searches for worthless text that the recipe's rewards pay.")
  added.add_argument("--input", required=True, metavar="PATH", help="pool rows, with completions or without")
  added.add_argument("--domain", action="append", help="may be repeated (default: all of the input)")
  added.add_argument("--budget", type=int, default=300, help="texts tried on each row (default: 300)")
  added.add_argument("--seed", type=int, default=0)
  added.add_argument("--output", metavar="PATH", help="the report as HTML")
  added.add_argument(
      "--fail-above",
      type=float,
      metavar="RATIO",
      help="exit status 1 where worthless text is paid more than this share of the rows' own",
  )

  added = command("bench", _bench, "Measures rewards per second and latency by domain.")
  added.add_argument(
      "--domain", action="append", help="one domain of the recipe; may be repeated (default: all)"
  )
  added.add_argument("--seconds", type=float, default=3.0, help="time for each domain (default: 3)")
  added.add_argument("--num-workers", type=int, help="worker processes (default: one a core)")
  added.add_argument("--by-component", action="store_true", help="also CPU time by component")
  added.add_argument(
      "--hostile-every",
      type=int,
      metavar="N",
      help="also measures with every Nth completion running into its deadline",
  )
  return parser


# ---- list ----


def _list(options: argparse.Namespace) -> None:
  registry.discover(options.plugin)
  rows = [("name", "kind", "scope", "domains", "settings", "measures")]
  for spec in registry.specs():
    settings = ", ".join(
        name if p.default is p.empty else f"{name}={p.default!r}" for name, p in spec.settings.items()
    )
    domains = ", ".join(spec.domains) or "any"
    rows.append((spec.name, spec.kind, spec.scope, domains, settings, spec.summary))
  if options.markdown:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    cells[1:] = [
        [f"`{name}`", kind, scope, domains, settings and f"`{settings}`", summary]
        for name, kind, scope, domains, settings, summary in cells[1:]
    ]
    cells.insert(1, ["---"] * 6)
    print("\n".join(f"| {' | '.join(row)} |" for row in cells))
  else:
    _print_table(rows)


def _print_table(rows: list[tuple[str, ...]], file=None) -> None:
  print("\n".join(columns(rows)), file=file)


# ---- score ----


def _score(options: argparse.Namespace) -> None:
  if os.path.isdir(options.output) or not os.path.isdir(os.path.dirname(os.path.realpath(options.output))):
    raise ConfigError(f"--output {options.output}: expected a file in a directory that exists.")
  blocks = _blocks(_examples(options.input))
  first = next(blocks, [])  # a bad path is reported before any worker starts
  tally: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
  with cleaning_up_when_told_to_end(), _service(options) as service, Output(options.output) as output:
    waiting: collections.deque = collections.deque()

    def write_oldest():
      block, future = waiting.popleft()
      for (_, row, example, _), breakdown in zip(block, future.result()):
        output.write(json.dumps(row | breakdown.as_record()) + "\n")
        _count(tally[example.domain], breakdown)

    for block in _chain(first, blocks):
      _check_domains(service, block)
      examples, texts = [e for _, _, e, _ in block], [row["completion"] or "" for _, row, _, _ in block]
      waiting.append((block, service.submit(examples, texts, [group for *_, group in block])))
      if len(waiting) == BLOCKS_IN_FLIGHT:
        write_oldest()
    while waiting:
      write_oldest()
  _print_summary(tally, sys.stderr if output.direct else sys.stdout)


def _chain(first: list, blocks: Iterator[list]) -> Iterator[list]:
  if first:
    yield first
    yield from blocks


def _examples(path: str) -> Iterator[tuple[str, dict[str, Any], Example]]:
  """Yields place, row and example; stops at the first row that cannot be scored."""
  for place, row in read_rows(path):
    if not isinstance(row.get("completion", 0), str | None):
      found = f"{row['completion']!r:.200}" if "completion" in row else "missing"
      raise RowError(f"{place}: 'completion' is {found}; expected a string, or null for an empty one.")
    own = {k: v for k, v in row.items() if k not in _OWN_FIELDS}
    yield place, row, example_from_row(own, place, truth=False)  # _check_domains asks for answers


def _blocks(examples) -> Iterator[list[tuple[str, dict[str, Any], Example, int]]]:
  """Cuts the rows into blocks of about BLOCK_ROWS, never within a group, and numbers the groups.

  Rows with the same "group" are one group and must stand together; a row without is its own.
  """
  block: list[tuple[str, dict[str, Any], Example, int]] = []
  seen: set[str] = set()
  number, current = 0, None
  for place, row, example in examples:
    group = None if row.get("group") is None else json.dumps(row["group"], sort_keys=True)
    if group is None or group != current:
      number += 1
      if group in seen:
        raise RowError(f"{place}: 'group' {group} appeared before; expected its rows one after another.")
      if len(block) >= BLOCK_ROWS:
        yield block
        block = []
    elif (example.domain, example.prompt) != (block[-1][2].domain, block[-1][2].prompt):
      raise RowError(f"{place}: 'group' {group} has rows of two prompts; expected one prompt.")
    if group is not None:
      seen.add(group)
    current = group
    block.append((place, row, example, number))
  if block:
    yield block


def _check_domains(service: Service, block) -> None:
  for place, _, example, _ in block:
    if example.domain not in service.domains:
      raise RowError(
          f"{place}: 'domain' is {example.domain!r}; the recipe has {', '.join(sorted(service.domains))}."
      )
    truth = service.domains[example.domain].correctness
    if truth and not isinstance(example.reference, UnitTests) and not example.reference.text:
      raise RowError(f"{place}: 'answer' is empty; expected the reference, with which {truth} compares.")


def _service(options: argparse.Namespace, **settings: Any) -> Service:
  config, defaults = recipes.load(options.config, options.overrides)
  if "rewards" not in config:
    raise ConfigError(f"--config={options.config} has no config.rewards.")
  section = config.scoring.to_dict() if "scoring" in config else None
  scoring = dataclasses.asdict(sections.read(Scoring, section)) if section else {}
  service = Service(
      config.rewards.to_dict(),
      defaults=defaults.rewards.to_dict(),
      plugins=tuple(config.get("plugins") or ()),
      has_model=options.model is not None,
      **(scoring | settings),
  )
  service.attach(options.model)
  return service


def _count(tally: collections.Counter, breakdown: RewardBreakdown) -> None:
  tally["rows"] += 1
  tally["gate"] += breakdown.gate
  tally["judged"] += breakdown.correct is not None
  tally["correct"] += breakdown.correct is True
  tally["paid"] += breakdown.total is not None
  tally["total"] += breakdown.total or 0.0


def _print_summary(tally: dict[str, collections.Counter], file) -> None:
  def share(part, whole):
    return f"{part / whole:.3f}" if whole else "-"

  rows = [("domain", "rows", "gate", "correct", "not scored", "mean total")]
  for domain, t in sorted(tally.items()):
    rows.append((
        domain,
        str(t["rows"]),
        share(t["gate"], t["rows"]),
        share(t["correct"], t["judged"]),
        str(t["rows"] - t["paid"]),
        share(t["total"], t["paid"]),
    ))
  _print_table(rows, file)


# ---- explain ----


def _explain(options: argparse.Namespace) -> None:
  for place, row, example in _examples(options.input):
    line = int(place.rsplit(":", 1)[1])
    if options.uid is not None and example.uid != options.uid:
      continue
    if options.line is None or line == options.line:
      with _service(options, num_workers=1) as service:
        _check_domains(service, [(place, row, example, 0)])
        (breakdown,) = service.score([example], [row["completion"] or ""])
      print("\n".join(explain(example, breakdown)))
      return
  wanted = "" if options.line is None else f" with line {options.line}"
  wanted = wanted if options.uid is None else f" with uid {options.uid!r}"
  raise ConfigError(f"--input {options.input} has no row{wanted}.")


# ---- attack ----


def _attack(options: argparse.Namespace) -> int:
  if options.budget < 1:
    raise ConfigError(f"--budget {options.budget}: expected 1 or more.")
  if options.output and not pathlib.Path(options.output).absolute().parent.is_dir():
    raise ConfigError(f"--output {options.output}: expected a file in a directory that exists.")
  rows = []
  for place, raw in read_rows(options.input):
    example = example_from_row({k: v for k, v in raw.items() if k not in _OWN_FIELDS}, place)
    if options.domain and example.domain not in options.domain:
      continue
    own = attack.own_text(example, raw)
    if own is None:
      raise RowError(f"{place} has neither a completion nor a reference: nothing to attack.")
    rows.append((place, attack.Row(example=example, own=own)))
  if not rows:
    raise ConfigError(f"--input {options.input} has no row of {', '.join(options.domain or ['any domain'])}.")
  with _service(options) as service:
    _check_domains(service, [(place, {}, row.example, 0) for place, row in rows])
    outcomes = attack.run(service, [row for _, row in rows], budget=options.budget, seed=options.seed)
  print("\n".join(attack.report(outcomes)))
  if options.output:
    settings = dict(config=options.config, input=options.input, budget=options.budget, seed=options.seed)
    pathlib.Path(options.output).write_text(attack.page(outcomes, settings), encoding="utf-8")
  return int(options.fail_above is not None and attack.worst_ratio(outcomes) > options.fail_above)


# ---- bench ----


def _bench(options: argparse.Namespace) -> None:
  if options.hostile_every is not None and options.hostile_every < 2:
    raise ConfigError(f"--hostile-every {options.hostile_every}: expected 2 or more.")
  config, _ = recipes.load(options.config, options.overrides)
  chosen = options.domain or sorted(config.rewards.keys())
  if missing := [domain for domain in chosen if domain not in config.rewards]:
    raise ConfigError(f"--domain {missing[0]}: the recipe has {', '.join(sorted(config.rewards.keys()))}.")
  timeout = config.get("scoring", {}).get("completion_timeout_seconds", Scoring.completion_timeout_seconds)
  rows = benchmark.run(
      {domain: config.rewards[domain].to_dict() for domain in chosen},
      plugins=tuple(config.get("plugins") or ()),
      num_workers=options.num_workers,
      completion_timeout_seconds=timeout,
      seconds=options.seconds,
      hostile_every=options.hostile_every,
      by_component=options.by_component,
  )
  for row in rows:
    print(row, flush=True)


if __name__ == "__main__":
  sys.exit(main())
