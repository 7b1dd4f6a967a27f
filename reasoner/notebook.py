"""What a notebook shows of a run: its curves while it goes on; its table and samples when it has ended.

  notebook.follow("--config=recipe.py", "--workdir=run")    # python -m reasoner.main, in a process of its own

The notebook's own process loads no model: a TPU belongs to one process at a time.
"""

from collections.abc import Iterator
import io
import os
import pathlib
import subprocess
import sys
import time

from reasoner.reporting import charts
from reasoner.reporting import records
from reasoner.run import files
from reasoner.run.workdir import Workdir

CURVES = {"rewards/total": "reward", "rewards/gate_pass_rate": "format", "rewards/accuracy": "accuracy"}
SECONDS_BETWEEN_LOOKS = 15.0


def follow(*flags: str) -> None:
  """Trains with these flags of reasoner.main, and shows its last lines and curves until it has ended.

  Stopped and called again, it goes on from the last checkpoint, as the command does.

  Raises:
    RuntimeError: the run ended with another status than 0.
  """
  from IPython import display

  (path,) = (flag.partition("=")[2] for flag in flags if flag.startswith("--workdir="))
  workdir, log = Workdir(path), pathlib.Path(f"{path}.log")
  log.parent.mkdir(parents=True, exist_ok=True)
  with log.open("a") as file:
    training = subprocess.Popen(
        [sys.executable, "-m", "reasoner.main", *flags], stdout=file, stderr=subprocess.STDOUT
    )
  try:
    while True:
      try:
        training.wait(SECONDS_BETWEEN_LOOKS)
      except subprocess.TimeoutExpired:
        pass
      shown = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()][-20:]
      display.clear_output(wait=True)
      print("\n".join(shown))
      if picture := curves(workdir):
        display.display(display.Image(data=picture, width=900))
      if training.returncode is not None:
        break
  finally:  # the cell was stopped: so is the run, which saves its last whole step
    training.terminate()
    training.wait()
  if training.returncode:
    raise RuntimeError(f"the run ended with status {training.returncode}: see {log}")


def curves(workdir: Workdir) -> bytes | None:
  """Returns a picture of what each step's completions earned so far; None before the first step."""
  rows = files.read_lines(workdir.metrics) if workdir.metrics.exists() else []
  if not rows:
    return None

  def painter(name: str, title: str, colour: str):
    def paint(axes):
      points = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
      line = charts.Line(steps=[x for x, _ in points], values=[y for _, y in points], colour=colour)
      charts.curves(axes, [line], last=rows[-1]["step"], low=0, high=1)
      axes.set_title(f"{title} of a step's completions")

    return paint

  painters = [painter(name, title, colour) for (name, title), colour in zip(CURVES.items(), charts.PALETTE)]
  picture = io.BytesIO()
  charts.png(charts.draw(1, 3, (9, 2.2), *painters), picture)
  return picture.getvalue()


def result(path: str | os.PathLike) -> str:
  """Returns what a finished run reached on its held-out rows, and what it took."""
  workdir = Workdir(path)
  before, after = (records.summarize(files.read_lines(own)) for own in (workdir.before, workdir.after))
  summary = files.read_json(workdir.summary)
  lines = [
      *records.table(after, "held-out prompts, before -> after GRPO", before), "",
      f"GRPO took {summary['steps']} steps; {summary['seconds']['total'] / 60:.1f} minutes in all",
  ]  # fmt: skip
  return "\n".join(lines)


def samples(path: str | os.PathLike) -> Iterator[str]:
  """Yields the first held-out prompt of each domain with its completions before and after GRPO."""
  workdir = Workdir(path)
  before = {(row["set"], row["domain"], row["uid"]): row for row in files.read_lines(workdir.before)}
  seen = set()
  for row in files.read_lines(workdir.after):
    if row["domain"] not in seen:
      seen.add(row["domain"])
      then = before[row["set"], row["domain"], row["uid"]]
      yield f"=== {row['domain']}, {row['uid']}\n{row['prompt']}"
      for when, own in (("before", then), ("after", row)):
        paid = "not scored" if own["total"] is None else round(own["total"], 3)
        yield f"--- {when}: {paid}\n{own['completion']}\n"
