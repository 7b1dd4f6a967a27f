"""A run without the texts of its data sets: what may be published, and what others can check it by.

  evidence.write(Workdir("runs/mine"), pathlib.Path("docs/runs/mine"))

Config, rows' hashes, environment, metrics and all evaluation records stay as they are, but a record names
its row by uid: its prompt is left out, and its reference where that is more than one word. The adapter is
rounded to bfloat16. The report and samples.md (the first rows of each domain, before and after) are made of
these records. `Workdir.open` opens the directory as it opens a run's, where the base model can be had.
"""

from collections.abc import Mapping
import pathlib
import shutil
from typing import Any

from reasoner.reporting import records as records_lib
from reasoner.reporting import report
from reasoner.run import files
from reasoner.run.workdir import Workdir

WITHHELD = "[withheld]"
SAMPLES = "samples.md"
SAMPLES_SHOWN = 3  # of each domain, the first by uid


def write(run: Workdir, output: pathlib.Path) -> None:
  """Writes a finished run's evidence into a directory, made here."""
  output.mkdir()
  own = Workdir(output)
  for name in ("rows", "disco", "environment", "seconds", "template", "metrics", "evaluations", "harness", "continued"):
    if (path := getattr(run, name)).exists():
      shutil.copyfile(path, getattr(own, name))
  summary, config = files.read_json(run.summary), _without_places(files.read_json(run.config))
  files.write_json(own.config, config)
  files.write_json(own.summary, summary)
  for name in ("before", "after", "samples"):
    files.write_lines(getattr(own, name), [_without_texts(row) for row in files.read_lines(getattr(run, name))])
  if run.base.is_dir():  # of a model that is found nowhere else
    shutil.copytree(run.base, own.base)
    shutil.copyfile(run.tokenizer, own.tokenizer)
  _write_rounded(run.adapter, own.adapter)
  report.write(output, summary, config)
  files.write_text(output / SAMPLES, _samples(own))


def _without_texts(record: Mapping[str, Any]) -> dict[str, Any]:
  reference = str(record.get("reference") or "")
  withheld = WITHHELD if len(reference.split()) > 1 else reference
  return {**record, "prompt": f"[{record['uid']}]"} | ({"reference": withheld} if "reference" in record else {})


def _without_places(config: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the config with DATA for the directory of the data, which is nobody else's."""
  root = config["data"]["root"]
  if not root or not pathlib.Path(root).is_absolute():
    return dict(config)

  def renamed(value):
    if isinstance(value, dict):
      return {key: renamed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
      return [renamed(item) for item in value]
    return value.replace(root.rstrip("/"), "DATA") if isinstance(value, str) else value

  return renamed(config)


def _write_rounded(adapter: pathlib.Path, output: pathlib.Path) -> None:
  import ml_dtypes
  from safetensors import numpy as safetensors

  from reasoner.models import peft_format

  shutil.copytree(adapter, output)
  tensors = safetensors.load_file(adapter / peft_format.ADAPTER)
  rounded = {name: array.astype(ml_dtypes.bfloat16) for name, array in tensors.items()}
  safetensors.save_file(rounded, output / peft_format.ADAPTER, metadata={"format": "pt"})


def _samples(run: Workdir) -> str:
  """Returns samples.md: unselected, so that a page of successes is not all that one sees."""
  before, after = (
      {r["uid"]: r for r in files.read_lines(path) if r["set"] == records_lib.HELD_OUT}
      for path in (run.before, run.after)
  )
  lines = [f"The first {SAMPLES_SHOWN} held-out rows of each domain by uid, before and after GRPO, greedy."]
  for domain in sorted({r["domain"] for r in after.values()}):
    lines.append(f"\n## {domain}")
    uids = sorted(uid for uid in before.keys() & after.keys() if after[uid]["domain"] == domain)
    for uid in uids[:SAMPLES_SHOWN]:
      lines.append(f"\n### {uid}: reference {after[uid]['reference'] or WITHHELD}")
      for when, record in (("before", before[uid]), ("after", after[uid])):
        paid = "not scored" if record["total"] is None else f"paid {record['total']:.2f}"
        lines.append(f"\n{when}, {paid}, {record['tokens']} tokens\n\n```\n{record['completion'].strip()}\n```")
  return "\n".join(lines) + "\n"
