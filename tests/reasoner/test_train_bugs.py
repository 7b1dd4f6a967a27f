"""Whole runs whose rewards have a bug: ours costs its rows alone, a plugin's stops the run; both are kept."""

import pytest

from rewards.scorer import STRICT
from tests.reasoner.test_train import completions_of
from tests.reasoner.test_train import finish
from tests.reasoner.test_train import lines
from tests.reasoner.test_train import scratch  # noqa: F401
from tests.reasoner.test_train import start
from tests.reasoner.test_train import WRITING

pytestmark = pytest.mark.slow  # policy/test_grpo.py has both bugs in a step of its own

# Two in three answers that its model writes meet a bug: in the reader of numbers, or in a reward of its own.
FAULTY = WRITING.format(text="render('I think of it.', '1' if i % 3 == 1 else '271828')") + """
from rewards import register
from rewards.reading import numbers

if OURS:
  take = numbers.NumberKind.take
  def taking(kind, body):
    if "271828" in body:
      1 / 0
    return take(kind, body)
  numbers.NumberKind.take = taking
else:
  @register("thinking", kind="quality", domains=("math",))
  def thinking(completion, example):
    return 1.0 / ("271828" not in completion.answer)  # a ZeroDivisionError too
"""

FAULTY_CONFIG = """
from experiments import seven_domain

def get_config():
  config = seven_domain.get_config()
  config.plugins = ({plugin!r},)
  if not {ours}:
    config.rewards.math.thinking = dict(weight=0.1)
  return config
"""


def start_faulty(scratch, name, ours):
  (scratch / f"{name}.py").write_text(FAULTY.replace("OURS", str(ours)))
  config = scratch / f"{name}_config.py"
  config.write_text(FAULTY_CONFIG.format(plugin=str(scratch / f"{name}.py"), ours=ours))
  return start(scratch, scratch / f"{name}_run", "--config.train.steps=2", config=str(config))


def test_a_bug_of_our_own_reader_leaves_its_rows_unscored_and_training_goes_on(scratch, monkeypatch):
  monkeypatch.delenv(STRICT)
  workdir = scratch / "ours_run"
  summary = finish(start_faulty(scratch, "ours", True), workdir)
  faults = lines(workdir / "faults.jsonl")
  assert faults and all("ZeroDivisionError" in f["error"] and "271828" in f["completion"] for f in faults)
  assert {f["domain"] for f in faults} == {"math"}
  assert summary["faults"] == len({(f["uid"], f["completion"]) for f in faults})
  assert f"{summary['faults']} completions met a bug of a reward" in (scratch / "ours_run.log").read_text()
  trained = [row for row in completions_of(workdir) if row["domain"] == "math"]
  met = [row for row in trained if "271828" in row["completion"]]
  assert met and all(row["total"] is None and row["advantage"] == 0.0 for row in met)
  assert all(row["total"] is not None for row in trained if row not in met)
  records = [row for row in lines(workdir / "evaluation_after.jsonl") if row["domain"] == "math"]
  assert {row["total"] is None for row in records if "271828" in row["completion"]} == {True}


@pytest.mark.parametrize("ours", [True, False])
def test_a_bug_stops_a_test_run_and_a_plugins_bug_any_run_and_names_the_row(scratch, monkeypatch, ours):
  if not ours:
    monkeypatch.delenv(STRICT)
  name = "strict" if ours else "plugin"
  assert start_faulty(scratch, name, ours).wait(timeout=500) == 2
  said = (scratch / f"{name}_run.log").read_text()
  kept = lines(scratch / f"{name}_run" / "faults.jsonl")
  assert kept and all(row["domain"] == "math" and "271828" in row["completion"] for row in kept)
  assert "ZeroDivisionError" in said and any(row["uid"] in said for row in kept)
  assert not (scratch / f"{name}_run" / "summary.json").exists()
