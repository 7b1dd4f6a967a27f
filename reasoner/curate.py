"""python -m reasoner.curate --config=experiments/seven_domain.py[:variant] --output=pool/ [--config.field=value]

From the rows that a recipe names to a pool: Parquet that config.data.pools reads, and its card.
Needs no model; where the model's tokenizer is on this machine, lengths are counted in its tokens.
The same command goes on where it was interrupted. What is done to rows: reasoner/data/curation.
"""

from collections.abc import Mapping
import contextlib
import dataclasses
import os
import pathlib
import sys
import time
from typing import Any

from absl import app
from absl import flags
import tqdm

from reasoner import models
from reasoner.data import gold
from reasoner.data import sampling
from reasoner.data.curation import curator
from reasoner.data.curation import lengths
from reasoner.run import assemble
from reasoner.run.settings import Settings
from rewards import recipes
from rewards.errors import ConfigError
from rewards.service import Service

_OUTPUT = flags.DEFINE_string("output", None, "A new or empty folder, or one of an interrupted curation.")
_PROCESSES = flags.DEFINE_integer("processes", None, "That screen rows; by default one a core.")


def main(argv: list[str]) -> None:
  try:
    overrides = [argument for argument in argv[1:] if argument.startswith(recipes.PREFIX)]
    for argument in argv[1:]:
      if argument not in overrides:
        raise ConfigError(
            f"{argument!r} is no flag; accepted: --config, --output, --processes, --config.FIELD=VALUE."
        )
    if not flags.FLAGS.config:
      raise ConfigError("--config is missing; try --config=experiments/seven_domain.py.")
    if not _OUTPUT.value:
      raise ConfigError("--output is missing; try --output=pool.")
    config, defaults = recipes.load(flags.FLAGS.config, overrides, Settings)
    rows = assemble.assemble_rows(config, defaults)
    curate(rows, pathlib.Path(_OUTPUT.value), _PROCESSES.value or os.cpu_count() or 1)
  except ConfigError as error:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(2)
  except KeyboardInterrupt:
    sys.stderr.write("interrupted: the same command goes on from here.\n")
    sys.exit(130)


def curate(rows: assemble.Rows, output: pathlib.Path, processes: int) -> None:
  """Makes the pool of a recipe's rows in `output`, and prints what became of them."""
  settings = rows.settings
  request = curator.Request(
      plan=rows.sources,
      pools=settings.data.pools,
      domains=tuple(rows.domains),
      truths=rows.truths,
      evaluation_sets=tuple(settings.data.evaluation_sets),
      seed=settings.seed,
      curation=settings.curation,
      count_tokens=_count_tokens(settings.model),
      draws=lambda counts: _disco(settings, counts),
      identity=[
          (name, rows.config[name]) for name in ("disco", "rewards", "train")
      ] + [settings.data.sources, settings.data.evaluation_sets],
      output=output,
      processes=processes,
  )  # fmt: skip
  start = time.monotonic()
  with contextlib.ExitStack() as resources:

    def verdicts() -> gold.Verdicts:
      # Only what has a truth: no embedding model needs to be loaded for the others.
      judged = {name: settings.rewards[name] for name in request.truths}
      service = judged and resources.enter_context(
          Service(
              judged,
              defaults=rows.default_rewards,
              plugins=settings.plugins,
              has_model=True,  # in training: what asks it decides no truth
              **dataclasses.asdict(settings.scoring),
          )
      )
      return gold.Verdicts(service, rewards=rows.domains, cache_path=models.cache_directory() / "gold.txt")

    bar = resources.enter_context(tqdm.tqdm(unit=" rows", unit_scale=True, mininterval=1.0))

    def progress(done: int, total: int, what: str) -> None:
      bar.total = total
      bar.set_description(what, refresh=False)
      bar.update(done)

    try:
      corpus = curator.curate(request, verdicts, progress)
    except curator.AlreadyThere as there:
      print(there)
      return
  print("\n".join([*corpus.table(), "", *curator.summary(output)]))
  print(f"{output / 'README.md'} after {time.monotonic() - start:,.0f} s.")


def _disco(settings: Settings, counts: Mapping[str, int]) -> list[dict[str, Any]]:
  """Returns the DISCO table of these rows; one too small for the run's steps repeats rows without a bound."""
  disco, train = settings.disco, settings.train
  draws = train.steps * train.prompts_per_step
  drawn = sum(count for domain, count in counts.items() if disco.weights.get(domain, 1.0) > 0)
  return sampling.Schedule(
      counts,
      steps=train.steps,
      prompts_per_step=train.prompts_per_step,
      seed=settings.seed,
      alpha=disco.alpha,
      weights=disco.weights,
      max_repeats=disco.max_repeats if drawn * disco.max_repeats >= draws else None,
  ).table()


def _count_tokens(model: models.Model):
  tokenizer = model.get_source().tokenizer_at_hand()
  return lengths.TokenizerLength(tokenizer, model.name) if tokenizer else lengths.WordLength()


if __name__ == "__main__":
  flags.DEFINE_string("config", None, "A recipe: a Python file, with an optional :variant.")
  app.run(main, flags_parser=lambda argv: flags.FLAGS(argv, known_only=True))
