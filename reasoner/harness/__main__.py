"""python -m reasoner.harness --workdir=runs/seven_domain --data=DATA [--tasks=arc_easy,sciq] [--limit=100]

Judges the model that a run began from and the one that it exports, and puts the table into the run's
harness.json and report. DATA holds the data sets' files as config.data.root has them.
"""

import argparse
import pathlib
import sys
import tempfile

from reasoner.harness import judging
from rewards.errors import ConfigError

STARTING, EXPORTED = "starting", "exported"


def main(arguments: list[str] | None = None) -> int:
  """Runs the command and returns its exit status."""
  parser = argparse.ArgumentParser(
      prog="python -m reasoner.harness", description=__doc__, allow_abbrev=False,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )  # fmt: skip
  parser.add_argument("--workdir", type=pathlib.Path, required=True, help="a finished run")
  parser.add_argument("--data", type=pathlib.Path, required=True, help="the folder of the data sets' files")
  parser.add_argument("--tasks", default=",".join(judging.TASKS), help="some of: %(default)s (default: all)")
  parser.add_argument("--limit", type=int, help="the first so many rows of each task (default: all)")
  parser.add_argument("--batch_size", type=int, default=8)
  options = parser.parse_args(arguments)
  try:
    for name in ("limit", "batch_size"):
      value = getattr(options, name)
      if value is not None and value < 1:
        raise ConfigError(f"--{name}={value}: expected 1 or more.")
    tasks = options.tasks.split(",")
    judging.check(tasks, options.data)
    run(options.workdir, options.data, tasks, options.limit, options.batch_size)
  except ConfigError as error:
    print(f"error: {error}", file=sys.stderr)
    return 2
  return 0


def run(workdir: pathlib.Path, data: pathlib.Path, tasks: list[str], limit: int | None, batch_size: int) -> None:
  from reasoner.reporting import report  # JAX and Tunix: seconds
  from reasoner.run import files
  from reasoner.run.workdir import Workdir

  run = Workdir(workdir)
  with tempfile.TemporaryDirectory() as scratch:
    models = {name: pathlib.Path(scratch, name) for name in (STARTING, EXPORTED)}
    finished = run.open()
    for name, directory in models.items():
      write(directory, finished, adapted=name == EXPORTED)
    del finished
    rows = judging.judge(models, data=data, tasks=tasks, limit=limit, batch_size=batch_size)
  files.write_json(run.harness, rows)
  print("\n".join(judging.table(rows, list(models))))
  report.write(run.path, files.read_json(run.summary), files.read_json(run.config))
  print(f"Report: {run.report}")


def write(directory: pathlib.Path, finished, *, adapted: bool) -> None:
  """Writes a run's model as an export does, or its base in the same way, without a card."""
  from reasoner.data import prompts
  from reasoner.models import family
  from reasoner.models import hugging_face
  from reasoner.models import tokenizer_json

  model, tokenizer = finished.model, finished.tokenizer
  weights = (
      hugging_face.merged(model, finished.settings.model.lora) if adapted
      else family.of_model(model).weights_of(model)
  )  # fmt: skip
  hugging_face.write_weights(directory, weights, hugging_face.config_of(model, tokenizer))
  tokenizer_json.write(directory, tokenizer, chat_template=prompts.chat_template(tokenizer.turns))


if __name__ == "__main__":
  sys.exit(main())
