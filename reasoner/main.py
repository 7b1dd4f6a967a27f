"""python -m reasoner.main --config=experiments/seven_domain.py[:variant] [--workdir=...] [--config.field=value]

--dry_run stops before JAX is loaded and prints what would run: model, steps, what each domain pays.
--fetch gets the model's files, which a run does by itself, and prints where from, their hash and terms.

Flags to one command. A user's mistake is answered with a sentence and exit status 2, what ends a run
before its time with one and a status of run/stopping.py; a stack trace is kept for our own bugs.
"""

import pathlib
import sys
import traceback

from absl import app
from absl import flags
from absl import logging

from reasoner import processes
from reasoner.run import assemble
from reasoner.run import memory
from reasoner.run import remote
from reasoner.run import stopping
from reasoner.run.settings import Settings
from rewards import recipes
from rewards.errors import ConfigError
from rewards.scorer import ComponentError
from rewards.service import WorkerError

_CONFIG = flags.DEFINE_string("config", None, "A recipe: a Python file, with an optional :variant.")
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Only print what would run.")
_FETCH = flags.DEFINE_bool("fetch", False, "Only fetch the model, and print where from, its hash and terms.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where the run lives; by default runs/<recipe>.")
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "Of several processes: host:port of the first, or auto on a cluster that JAX knows."
)
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "How many processes are this run.")
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "Which of them this is, from 0.")


def main(argv: list[str]) -> None:
  logging.set_verbosity(logging.WARNING)  # Orbax tells a page for each checkpoint
  try:
    stopping.TERMINATION.install()
    stopping.drop_echoes()
    overrides = [argument for argument in argv[1:] if argument.startswith(recipes.PREFIX)]
    for argument in argv[1:]:
      if argument not in overrides:
        raise ConfigError(
            f"{argument!r} is no flag; accepted: --config, --workdir, --dry_run, --fetch, "
            "--config.FIELD=VALUE, and for several processes --coordinator, --num_processes, --process_id."
        )
    if not _CONFIG.value:
      raise ConfigError("--config is missing; try --config=experiments/seven_domain.py.")
    config, defaults = recipes.load(_CONFIG.value, overrides, Settings)
    workdir = remote.path_of(_WORKDIR.value or _default_workdir(_CONFIG.value))
    run = assemble.assemble(config, defaults, workdir)
    if _DRY_RUN.value:
      print("\n".join(run.lines()))
      return
    if _FETCH.value:
      print("\n".join(assemble.origin_lines(run.model.origin())))
      return
    keeps = run.settings.train.keep_memory and memory.keep_freed()
    processes.join(_COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)
    if keeps:
      print("On a CPU: freed memory is kept for the next array; off by --config.train.keep_memory=False.")
    from reasoner import train  # JAX and Tunix: seconds, which a mistake in the config need not cost

    train.train(run)
  except (ConfigError, ComponentError, WorkerError) as error:
    sys.stderr.write(f"error: {error}\n")
    processes.leave(2)
  except stopping.Diverged as error:
    sys.stderr.write(f"error: {error}\n")
    processes.leave(stopping.DIVERGED_STATUS)
  except KeyboardInterrupt:
    sys.stderr.write("interrupted: the same command continues from the last checkpoint.\n")
    processes.leave(130)
  except stopping.Terminated:
    sys.stderr.write("terminated: the last whole step is saved, and the same command continues from it.\n")
    processes.leave(stopping.TERMINATED_STATUS)
  except Exception as error:  # a full disk wears many types (Orbax, Arrow, OSError); all else is raised again
    place = stopping.full_disk(error)
    if not place and processes.is_missing_another(error):
      sys.stderr.write("error: another process of this run has ended: start all of them again, to continue it.\n")
      processes.leave(stopping.TERMINATED_STATUS)
    if not place:
      if processes.several():
        traceback.print_exc()
        processes.leave(1)
      raise
    sys.stderr.write(f"error: the disk of {place} is full: the same command continues when there is room.\n")
    processes.leave(stopping.FULL_DISK_STATUS)


def _default_workdir(config: str) -> str:
  file, _, variant = config.partition(":")
  return f"runs/{pathlib.Path(file).stem}" + (f"_{variant}" if variant else "")


def _parse(argv: list[str]) -> list[str]:
  """Parses absl's flags and leaves --config.FIELD=VALUE, which recipes.py reads."""
  try:
    return flags.FLAGS(argv, known_only=True)
  except flags.Error as error:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(2)


def console() -> None:
  """The command `reasoner`."""
  app.run(main, flags_parser=_parse)


if __name__ == "__main__":
  console()
