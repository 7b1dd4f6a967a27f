"""What a notebook shows of a run, from the files of one."""

import json

import pytest

from reasoner import notebook
from reasoner.run.workdir import Workdir


def record(domain, uid, completion, total, name="held_out"):
  return {
      "set": name, "domain": domain, "uid": uid, "prompt": f"ask {uid}", "reference": "5", "completion": completion,
      "gate": total is not None and total > 0, "failure": None, "correct": bool(total), "total": total, "scores": {},
      "tokens": 4, "truncated": False,
  }  # fmt: skip


@pytest.fixture(name="workdir")
def _workdir(tmp_path):
  rows = ("math", "m1"), ("math", "m2"), ("logic", "l1")
  for when, text, total in (("before", "nothing", 0.0), ("after", "<answer>5</answer>", 0.9123)):
    lines = [json.dumps(record(domain, uid, f"{text} {uid}", total)) for domain, uid in rows]
    (tmp_path / f"evaluation_{when}.jsonl").write_text("\n".join(lines) + "\n")
  (tmp_path / "summary.json").write_text(json.dumps({"steps": 7, "seconds": {"total": 90.0}}))
  return Workdir(tmp_path)


def test_curves_are_a_picture_once_a_step_is_done(workdir):
  assert notebook.curves(workdir) is None
  steps = [{"step": i, "rewards/total": 0.1 * i, "rewards/gate_pass_rate": 0.5, "rewards/accuracy": None} for i in (0, 1)]
  workdir.metrics.write_text("".join(json.dumps(step) + "\n" for step in steps) + '{"step": 2, "rew')  # being written
  assert notebook.curves(workdir).startswith(b"\x89PNG")


def test_the_result_says_before_and_after(workdir):
  said = notebook.result(workdir.path)
  assert "0.0 -> 100.0 %" in said and "GRPO took 7 steps; 1.5 minutes in all" in said


def test_samples_are_the_first_prompt_of_each_domain_before_and_after(workdir):
  said = list(notebook.samples(workdir.path))
  assert said == [
      "=== math, m1\nask m1", "--- before: 0.0\nnothing m1\n", "--- after: 0.912\n<answer>5</answer> m1\n",
      "=== logic, l1\nask l1", "--- before: 0.0\nnothing l1\n", "--- after: 0.912\n<answer>5</answer> l1\n",
  ]  # fmt: skip


def test_a_run_that_fails_says_where_its_log_is(tmp_path, capsys):
  pytest.importorskip("IPython")
  with pytest.raises(RuntimeError, match=r"ended with status 2: see .*run\.log"):
    notebook.follow("--config=nowhere.py", f"--workdir={tmp_path / 'run'}")
  assert "error: " in capsys.readouterr().out
