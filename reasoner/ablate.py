r"""python -m reasoner.ablate --config=RECIPE --workdir=DIR EXPRESSION...: which component matters, for what.

  python -m reasoner.ablate --config=experiments/seven_domain.py:embedded_small --workdir=runs/ablation \
      --drop='rewards.creative_writing.*' --vary=disco.alpha=1.0 --seeds=0,1,2

  --drop=PATTERN           a run without each rewards.DOMAIN.COMPONENT that matches: measured, not paid
  --drop_together=PATTERN  one run without all of them
  --leave_one_out          a run without each that is paid
  --vary=FIELD=V,V         a run for each value of any field
  --seeds=0,1,2            each of these, and the config as it is, under each seed
  --print                  only prints the commands, for a cluster
  --config.FIELD=VALUE     of all runs

Runs come one after another and what is finished is not run again: the same command goes on after any
end. A seed has one cold start, which all runs share but those that vary the model, the data or the cold start
itself (as config.model.adapter, or as config.model.path where the model starts from nothing): what differs is
GRPO. DISCO's shares count as GRPO's, though traces are drawn by them too. It ends in DIR/compare.html, see
reasoner/compare.py.
"""

import argparse
from collections.abc import Sequence
import dataclasses
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

from reasoner.run import assemble
from reasoner.run import stopping
from reasoner.run import variants as variants_lib
from reasoner.run.settings import Settings
from reasoner.run.workdir import Workdir
from rewards import recipes
from rewards.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
  """A run of `reasoner.main`. compared: whether its result is of interest, and not only its cold start."""

  workdir: Workdir
  arguments: tuple[str, ...]
  compared: bool = True

  @property
  def finished(self) -> bool:
    return self.workdir.summary.exists()


def plan(
    recipe: str, workdir: pathlib.Path, overrides: Sequence[str], variants: Sequence[variants_lib.Variant],
    seeds: Sequence[int],
) -> list[Job]:  # fmt: skip
  """Returns the runs in their order, each checked as far as that takes no row and no weight.

  Raises:
    ConfigError: one of them cannot be run.
  """
  jobs, configs = [], {}

  def add(directory: pathlib.Path, fields: Sequence[str], compared: bool = True) -> assemble.Rows:
    flags = [*overrides, *(f"{recipes.PREFIX}{field}" for field in fields)]
    config, defaults = recipes.load(recipe, flags, Settings)
    checked = assemble.assemble_rows(config, defaults)
    same = configs.setdefault(json.dumps(Settings.plain(config), sort_keys=True), directory)
    if same != directory:
      raise ConfigError(f"{directory} and {same} would be one run: their configs do not differ.")
    arguments = f"--config={recipe}", f"--workdir={directory}", *flags
    jobs.append(Job(workdir=Workdir(directory), arguments=arguments, compared=compared))
    return checked

  settings = assemble.assemble_rows(*recipes.load(recipe, overrides, Settings)).settings
  from_nothing = settings.model.get_source().from_nothing
  for seed in seeds:
    start: tuple[str, ...] = ()
    if settings.cold_start.steps and not settings.model.adapter:
      directory = workdir / "cold_start" / f"seed_{seed}"
      shortest = ["train.steps=1", "train.evaluate_every=0", "data.evaluation_rows=1"]
      learned = [f"model.path={directory / 'base'}"]
      if not from_nothing:
        # A run takes a step at least; at this rate it leaves the adapter as it is.
        shortest += ["train.learning_rate=0.0", "train.time_budget_hours=0.0"]
        learned = [f"model.adapter={directory}", "model.adapter_is_reference=True"]
      add(directory, [f"seed={seed}", *shortest], compared=False)
      start = *learned, "cold_start.steps=0"
    for variant in variants:
      own = start if variant.shares_cold_start else ()
      add(workdir / variant.name / f"seed_{seed}", [f"seed={seed}", *variant.fields, *own])
  return jobs


def run(jobs: Sequence[Job], workdir: pathlib.Path) -> None:
  """Runs what is not finished; one that diverges is told and left out.

  Raises:
    SystemExit: a run ended otherwise, with its status; the same command goes on.
  """
  environment = {"JAX_COMPILATION_CACHE_DIR": str(workdir.resolve() / "compiled")} | os.environ
  for number, job in enumerate(jobs, start=1):
    said = f"[{number}/{len(jobs)}] {job.workdir.path}"
    if job.finished:
      print(f"{said}: finished", flush=True)
      continue
    job.workdir.path.mkdir(parents=True, exist_ok=True)
    log, began = job.workdir.path / "log.txt", time.monotonic()
    with log.open("a", encoding="utf-8") as output:
      command = [sys.executable, "-m", "reasoner.main", *job.arguments]
      process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
      try:
        status = process.wait()
      except BaseException:  # told to end: so is the run, which saves its last step
        process.terminate()
        process.wait()
        raise
    last = (log.read_text(encoding="utf-8", errors="replace").splitlines() or [""])[-1]
    ended = "" if not status else f", status {status}: {last}"
    print(f"{said}: {time.monotonic() - began:.0f} s{ended}", flush=True)
    if status and (status != stopping.DIVERGED_STATUS or not job.compared):
      sys.exit(status)


def main() -> None:
  parser = argparse.ArgumentParser(
      prog="python -m reasoner.ablate", description=__doc__, allow_abbrev=False,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )  # fmt: skip
  parser.add_argument("--config", required=True)
  parser.add_argument("--workdir", required=True, type=pathlib.Path)
  for flag in ("--drop", "--drop_together", "--vary"):
    parser.add_argument(flag, action="append", default=[])
  parser.add_argument("--leave_one_out", action="store_true")
  parser.add_argument("--seeds", default="")
  parser.add_argument("--print", action="store_true", dest="only_print")
  arguments, overrides = parser.parse_known_args()
  stopping.TERMINATION.install()
  try:
    ablate(arguments, overrides)
  except ConfigError as error:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(2)
  except stopping.Terminated:
    sys.stderr.write("terminated: the same command continues.\n")
    sys.exit(stopping.TERMINATED_STATUS)


def ablate(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
  for override in overrides:
    if not override.startswith(recipes.PREFIX):
      raise ConfigError(f"{override!r} is no flag; see python -m reasoner.ablate --help.")
  config = Settings.plain(recipes.load(arguments.config, overrides, Settings)[0])
  variants = variants_lib.expand(
      config, drop=arguments.drop, drop_together=arguments.drop_together, vary=arguments.vary,
      leave_one_out=arguments.leave_one_out,
  )  # fmt: skip
  try:
    seeds = [int(seed) for seed in arguments.seeds.split(",")] if arguments.seeds else [config["seed"]]
  except ValueError:
    raise ConfigError(f"--seeds={arguments.seeds}: expected whole numbers, as in 0,1,2.") from None
  jobs = plan(arguments.config, arguments.workdir, overrides, variants, seeds)
  compared = [job.workdir.path for job in jobs if job.compared]
  page = arguments.workdir / "compare.html"
  if arguments.only_print:
    for title, own in (
        ("# First:", [("reasoner.main", *job.arguments) for job in jobs if not job.compared]),
        ("# Then, in any order:", [("reasoner.main", *job.arguments) for job in jobs if job.compared]),
        ("# When all have finished:", [("reasoner.compare", *map(str, compared), f"--out={page}")]),
    ):  # fmt: skip
      print("\n".join([title] * bool(own) + [shlex.join(["python", "-m", *command]) for command in own]))
    return
  print(f"{len(jobs)} runs, of which {sum(job.finished for job in jobs)} are finished.", flush=True)
  run(jobs, arguments.workdir)
  from reasoner import compare  # charts: seconds, which the plan need not cost

  compare.compare([job.workdir.path for job in jobs if job.compared and job.finished], page)


if __name__ == "__main__":
  main()
