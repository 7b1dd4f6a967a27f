"""The real recipe, shrunk, through everything: cold start, GRPO, kill, resume, evaluation, report."""

import collections
import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from reasoner.data import embedded

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHRUNK = [
    "--config.cold_start.steps=6", "--config.cold_start.traces=64", "--config.cold_start.batch_size=8",
    "--config.cold_start.checkpoint_every=2", "--config.data.evaluation_rows=2",
    "--config.train.steps=6", "--config.train.prompts_per_step=7", "--config.train.checkpoint_every=1",
    "--config.train.samples_every=2", "--config.grpo.num_generations=2", "--config.grpo.num_iterations=2",
    "--config.rollout.max_new_tokens=24", "--config.train.evaluate_every=0", "--config.scoring.num_workers=1",
]
ROWS = 400  # of each file of the embedded corpus: a start reads, checks and measures all of them


# A plugin that has a hand in what the model writes: so early all of it would fail the format, and nothing be learned.
WRITING = """
import dataclasses, sys
from rewards.format import render

if getattr(sys.modules["__main__"].__spec__, "name", "") == "reasoner.main":  # not where rewards are computed
  from reasoner.policy import grpo
  generate = grpo.Policy.generate
  def writing(policy, prompts, sampling, *rest):
    rollout = generate(policy, prompts, sampling, *rest)
    return dataclasses.replace(rollout, texts=[{text} for i, text in enumerate(rollout.texts)])
  grpo.Policy.generate = writing
"""
HALF_VALID = "render('I think.', text or '1') if sampling.temperature and sum(map(ord, text)) % 2 else text"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
  """Where this file's runs live, with a shrunken corpus, and a torch that is as good as not installed."""
  path = tmp_path_factory.mktemp("train")
  with pytest.MonkeyPatch.context() as patch:
    rows = embedded.rows
    patch.setattr(embedded, "rows", lambda *file: itertools.islice(rows(*file), ROWS))
    embedded.folder(path / "cache")
  (path / "hidden").mkdir()
  (path / "hidden" / "torch.py").write_text("raise ImportError('a run needs no torch')")
  (path / "half_valid.py").write_text(WRITING.format(text=HALF_VALID))
  return path


def start(scratch, workdir, *flags, config=None):
  """Starts the shrunken recipe, half of whose completions are made valid, or another config."""
  if not config:
    config, flags = "experiments/seven_domain.py", (f"--config.plugins={scratch / 'half_valid.py'}", *flags)
  paths = [str(scratch / "hidden"), *filter(None, [os.environ.get("PYTHONPATH")])]
  environment = os.environ | {
      "JAX_PLATFORMS": "cpu", "REASONER_CACHE": str(scratch / "cache"), "PYTHONPATH": os.pathsep.join(paths)
  }
  command = [sys.executable, "-m", "reasoner.main", f"--config={config}", f"--workdir={workdir}", *SHRUNK, *flags]
  log = (workdir.parent / f"{workdir.name}.log").open("a")
  return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)


def finish(process, workdir):
  assert process.wait(timeout=500) == 0, (workdir.parent / f"{workdir.name}.log").read_text()[-3000:]
  return json.loads((workdir / "summary.json").read_text())


@pytest.fixture(scope="module")
def uninterrupted(scratch):
  workdir = scratch / "whole"
  return workdir, finish(start(scratch, workdir), workdir)


def lines(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


def completions_of(workdir):
  import pyarrow.parquet as parquet

  return [row for path in sorted((workdir / "completions").iterdir()) for row in parquet.read_table(path).to_pylist()]


def test_a_run_leaves_all_that_it_promises(uninterrupted):
  workdir, summary = uninterrupted
  assert summary["steps"] == 6 and len(summary["adapter_sha256"]) == 64 and summary["faults"] == 0
  assert set(summary["domains"]) == {
      "math", "coding", "science", "logic", "creative_writing", "creative_ideation", "summarization"
  }
  for name, row in summary["domains"].items():
    assert row["n"] == 2 and 0 <= row["format_after"] <= 1
    assert (row["accuracy_after"] is None) == (name in ("creative_writing", "creative_ideation", "summarization"))
  assert set(summary["seconds"]) >= {"cold_start", "grpo", "evaluation", "total"}
  page = (workdir / "report.html").read_text()
  assert "summarization" in page and "http://" not in page
  metrics = lines(workdir / "metrics.jsonl")
  assert [row["step"] for row in metrics] == list(range(6))
  wanted = {
      "rewards/gate_pass_rate", "gate_failures/unclosed", "groups/zero_advantage_fraction", "train/kl",
      "completions/truncated_fraction", "train/clip_fraction", "train/gradient_norm", "tokens_per_second",
      "seconds/rollout", "seconds/reward", "seconds/reference", "seconds/update",
  }
  assert all(wanted <= set(row) for row in metrics)
  shown = [(row["step"] // 2, row["domain"]) for row in lines(workdir / "samples.jsonl")]
  assert len(shown) == len(set(shown))  # one a domain every two steps, where it was drawn
  drawn = {(row["step"] // 2, name) for row in metrics for name in summary["domains"] if f"rewards/{name}/total" in row}
  assert set(shown) == drawn
  assert list((workdir / "tensorboard").iterdir())
  drawn = completions_of(workdir)
  assert [row["step"] for row in drawn] == [step for step in range(6) for _ in range(14)]  # 7 prompts, 2 each
  for row in metrics:  # each completion is there as it was measured
    own = [r["total"] for r in drawn if r["step"] == row["step"] and r["total"] is not None]
    assert sum(own) / len(own) == pytest.approx(row["rewards/total"])


def test_a_finished_run_opens_with_the_adapter_that_it_ended_with_and_reads_no_rows(uninterrupted, monkeypatch):
  from flax import nnx

  from reasoner.data import loading
  from reasoner.run import checkpoints
  from reasoner.run.workdir import Workdir

  workdir, summary = uninterrupted
  monkeypatch.setattr(loading, "load", None)
  opened = Workdir(workdir).open()
  assert checkpoints.sha256(checkpoints.arrays_of(opened.model, nnx.LoRAParam)) == summary["adapter_sha256"]
  assert opened.settings.rollout.max_new_tokens == 24
  text = "Today Nora has 27 shells."
  assert opened.tokenizer.decode(opened.tokenizer.encode(text)) == text
  assert {path.name for path in (workdir / "adapter").iterdir()} == {
      "adapter_model.safetensors", "adapter_config.json", "README.md"
  }


def test_a_finished_run_can_be_talked_to(uninterrupted, capsys, monkeypatch):
  from reasoner import chat
  from reasoner.run.conversation import Conversation

  workdir, _ = uninterrupted
  records = lines(workdir / "evaluation_after.jsonl")
  conversation = Conversation.of_run(workdir)
  assert list(conversation.rows) == [record["uid"] for record in records]
  monkeypatch.setattr(Conversation, "of_run", lambda path: conversation)

  typed = iter(["How many wheels do 3 cars have?", "", "wheels and " * 200, "Name three uses of a brick."])
  monkeypatch.setattr("builtins.input", lambda _: next(typed))
  with pytest.raises(StopIteration):
    chat.talk(chat.parse(["--workdir=run", "--max_new_tokens=5"]))
  before, _, after = capsys.readouterr().out.partition("error: the prompt takes")
  assert before.startswith("The trained model of run.") and before.count("\n") >= 2
  assert after.count("\n") >= 2  # a task that is too long is not the end

  record = next((record for record in records if record["gate"]), records[0])
  assert chat.main(["--workdir=run", f"--row={record['uid']}"]) == 0
  printed = capsys.readouterr().out
  assert record["prompt"] in printed and record["completion"] in printed  # greedy: as it was evaluated
  assert f"{record['uid']} ({record['domain']})" in printed
  assert ("total = 0:" if not record["gate"] else f"= {record['total']:.3f}") in printed
  assert chat.main(["--workdir=run", "--row=gsm8k/main/test/none"]) == 2
  assert "no row 'gsm8k/main/test/none' was evaluated" in capsys.readouterr().err


def test_a_finished_run_is_evaluated_again_and_on_more_rows(uninterrupted, scratch, tmp_path, capsys, monkeypatch):
  from reasoner import evaluate

  monkeypatch.setenv("REASONER_CACHE", str(scratch / "cache"))
  workdir, _ = uninterrupted
  command = [f"--workdir={workdir}", f"--output={tmp_path / 'found.jsonl'}"]
  assert evaluate.main(command) == 0
  assert lines(tmp_path / "found.jsonl") == lines(workdir / "evaluation_after.jsonl")
  assert "gsm8k main/test" in capsys.readouterr().out

  assert evaluate.main([*command, "--rows=5", "--domains=science,logic", "--starting"]) == 0
  found = lines(tmp_path / "found.jsonl")
  drawn = collections.Counter((record["set"], record["domain"]) for record in found)
  assert drawn == {(name, domain): 5 for name in ("held_out", "unseen_templates") for domain in ("science", "logic")}
  assert not any(record["gate"] for record in found)  # it has learned nothing

  for wrong, said in (("--domains=riddles", "the run has coding,"), ("--rows=0", "expected 1 or more")):
    assert evaluate.main([*command, wrong]) == 2
    assert said in capsys.readouterr().err
  assert evaluate.main([f"--workdir={workdir}", f"--output={tmp_path}"]) == 2
  assert evaluate.main([f"--workdir={tmp_path}", f"--output={tmp_path / 'none.jsonl'}"]) == 2


def test_the_base_of_a_finished_run_answers_what_rewards_ask(uninterrupted):
  from reasoner import attack

  (found,) = attack.frozen_base(uninterrupted[0]).log_probabilities(["Today Nora has "], ["27 shells."])
  assert len(found) and (found < 0).all()


def test_a_directory_of_weights_talks_as_the_starting_model_of_its_run(uninterrupted):
  from reasoner.run.conversation import Conversation
  from reasoner.run.conversation import STARTING
  from reasoner.run.conversation import TRAINED

  workdir, _ = uninterrupted
  task = "How many wheels do 3 cars have?"
  texts = [
      list(conversation.stream(name, task, max_new_tokens=12))[-1].text
      for conversation, name in (
          (Conversation.of_run(workdir), STARTING), (Conversation.of_directory(workdir / "base"), TRAINED)
      )
  ]  # fmt: skip
  assert texts[0] == texts[1] != ""


def test_a_finished_run_says_so_and_does_nothing(scratch, uninterrupted):
  workdir, summary = uninterrupted
  before = (workdir / "summary.json").stat().st_mtime_ns
  assert finish(start(scratch, workdir), workdir) == summary
  assert (workdir / "summary.json").stat().st_mtime_ns == before
  assert "is finished" in (scratch / "whole.log").read_text()


def killed_and_continued(scratch, name, *flags):
  """Kills a run three times, somewhere in the cold start and within GRPO, and lets it end."""
  workdir = scratch / name
  draw = random.Random(os.getpid())
  for attempt in range(3):
    process = start(scratch, workdir, *flags)
    began = time.monotonic()
    kill_at_step = attempt * 2  # somewhere in the cold start, then within GRPO
    while process.poll() is None and time.monotonic() - began < 400:
      metrics = workdir / "metrics.jsonl"
      if (kill_at_step == 0 and (workdir / "checkpoints" / "cold_start").exists()) or (
          metrics.exists() and metrics.read_text().count("\n") > kill_at_step
      ):
        time.sleep(draw.uniform(0, 1.0))
        break
      time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
  return workdir, finish(start(scratch, workdir, *flags), workdir)


def measured(workdir):
  """The metrics of each step but for times."""
  return [
      {k: v for k, v in row.items() if not k.startswith(("seconds", "tokens_per"))}
      for row in lines(workdir / "metrics.jsonl")
  ]


def test_a_run_killed_at_any_moment_ends_in_the_same_bits(scratch, uninterrupted):
  whole, expected = uninterrupted
  workdir, summary = killed_and_continued(scratch, "killed")
  assert summary["adapter_sha256"] == expected["adapter_sha256"]
  assert [row["step"] for row in measured(workdir)] == list(range(6))
  assert measured(workdir) == measured(whole)
  assert all(row["groups/zero_advantage_fraction"] < 1 for row in measured(whole))  # there was something to learn


@pytest.mark.slow
@pytest.mark.timeout(1500)  # five runs
def test_so_does_one_that_replaces_groups_keeps_a_curriculum_and_asks_the_frozen_model(scratch):
  flags = (
      "--config.grpo.beta=0.0", "--config.grpo.max_replacements=2",
      "--config.disco.curriculum=true", "--config.grpo.normalize_rewards=gdpo", "--config.grpo.least_spread=0.02",
      "--config.rewards.creative_writing.information.weight=0.2",
      "--config.rewards.creative_writing.model_judge.weight=0.0",
  )  # fmt: skip
  whole = scratch / "signals"
  expected = finish(start(scratch, whole, *flags), whole)
  workdir, summary = killed_and_continued(scratch, "signals_killed", *flags)
  assert summary["adapter_sha256"] == expected["adapter_sha256"]
  assert measured(workdir) == measured(whole)
  for name in ("groups/replaced_fraction", "train/gradient_norm", "rewards/creative_writing/model_judge"):
    assert any(row.get(name, 0.0) > 0 for row in measured(whole)), name
  assert completions_of(workdir) == completions_of(whole)


def stopped(process, workdir, status):
  """Waits for a run that ends before its time; returns what it said last, which is one sentence."""
  assert process.wait(timeout=500) == status, (workdir.parent / f"{workdir.name}.log").read_text()[-3000:]
  text = (workdir.parent / f"{workdir.name}.log").read_text()
  assert "Traceback" not in text, text[-3000:]
  return text.splitlines()[-1]


def checkpoints_of(workdir, phase="grpo"):
  return sorted(int(path.name) for path in (workdir / "checkpoints" / phase).glob("[0-9]*"))


def wait_for_steps(process, workdir, count):
  began = time.monotonic()
  while process.poll() is None and time.monotonic() - began < 400:
    path = workdir / "metrics.jsonl"
    if path.exists() and path.read_text().count("\n") >= count:
      return
    time.sleep(0.02)
  raise AssertionError((workdir.parent / f"{workdir.name}.log").read_text()[-3000:])


def test_sigterm_saves_the_last_whole_step_and_a_checkpoint_damaged_since_is_set_aside(scratch, uninterrupted):
  _, expected = uninterrupted
  workdir = scratch / "stopped"
  flags = ("--config.train.checkpoint_every=2", "--config.cold_start.checkpoint_every=100")
  process = start(scratch, workdir, *flags)
  wait_for_steps(process, workdir, 4)  # 3 whole ones at least, of which 2 were due
  process.send_signal(signal.SIGTERM)
  assert stopped(process, workdir, 75).startswith("terminated: the last whole step is saved")
  saved = checkpoints_of(workdir)
  assert len(saved) >= 2 and saved[-1] >= len(lines(workdir / "metrics.jsonl")) - 1
  largest = max((workdir / "checkpoints/grpo" / str(saved[-1])).rglob("*"), key=lambda path: path.stat().st_size)
  largest.write_bytes(largest.read_bytes()[:1000])
  assert finish(start(scratch, workdir, *flags), workdir)["adapter_sha256"] == expected["adapter_sha256"]
  assert f"checkpoint of step {saved[-1]} is damaged" in (scratch / "stopped.log").read_text()
  assert [row["step"] for row in lines(workdir / "metrics.jsonl")] == list(range(6))
  assert completions_of(workdir) == completions_of(uninterrupted[0])


@pytest.mark.slow
def test_a_run_from_the_base_that_another_left_ends_in_the_same_bits(scratch, uninterrupted):
  workdir = scratch / "shared"
  flags = f"--config.model.path={uninterrupted[0] / 'base'}", "--config.cold_start.steps=0"
  summary = finish(start(scratch, workdir, *flags), workdir)
  assert summary["adapter_sha256"] == uninterrupted[1]["adapter_sha256"]
  assert not (workdir / "checkpoints" / "cold_start").exists()


@pytest.mark.slow
def test_a_run_goes_on_from_the_adapter_of_another_and_keeps_the_best_of_its_own(scratch, uninterrupted):
  workdir, earlier = scratch / "second", uninterrupted[0]
  flags = (
      f"--config.model.adapter={earlier}", "--config.cold_start.steps=0", "--config.train.steps=2",
      "--config.train.evaluate_every=1",
  )  # fmt: skip
  summary = finish(start(scratch, workdir, *flags), workdir)
  shown = lambda path: [(row["uid"], row["completion"]) for row in lines(path)]  # noqa: E731
  assert shown(workdir / "evaluation_before.jsonl") == shown(earlier / "evaluation_after.jsonl")
  evaluations = lines(workdir / "evaluations.jsonl")
  assert [row["step"] for row in evaluations] == [0, 1, 2] and evaluations[0]["all"]["n"] == 14
  best = max(evaluations, key=lambda row: row["all"]["reward"])
  assert summary["best"] == best and summary["evaluated"] == {"adapter": "last", "step": 2}
  assert (workdir / "adapter_best" / "adapter_model.safetensors").exists()
  if best["step"] == 0:
    kept, was = (d / "adapter_model.safetensors" for d in (workdir / "adapter_best", earlier / "adapter"))
    assert kept.read_bytes() == was.read_bytes()


@pytest.mark.slow
def test_from_the_cold_start_that_an_ablation_shares_a_pretrained_model_ends_in_the_bits_of_its_own(scratch, uninterrupted):
  base, steps = f"--config.model.path={uninterrupted[0] / 'base'}", "--config.cold_start.steps=3"
  own = finish(start(scratch, scratch / "own", base, steps), scratch / "own")
  alone = "--config.train.steps=1", "--config.train.learning_rate=0.0", "--config.data.evaluation_rows=1"
  finish(start(scratch, scratch / "alone", base, steps, *alone), scratch / "alone")
  flags = base, f"--config.model.adapter={scratch / 'alone'}", "--config.cold_start.steps=0"
  assert finish(start(scratch, scratch / "after", *flags), scratch / "after")["adapter_sha256"] == own["adapter_sha256"]


@pytest.mark.slow
def test_the_steps_of_a_finished_run_are_raised_and_the_report_says_that_it_is_no_longer_run(scratch, uninterrupted):
  workdir = scratch / "raised"
  shutil.copytree(uninterrupted[0], workdir)
  summary = finish(start(scratch, workdir, "--config.train.steps=8"), workdir)
  assert (summary["steps"], summary["continued_at"]) == (8, [6])
  assert summary["adapter_sha256"] != uninterrupted[1]["adapter_sha256"]
  metrics = lines(workdir / "metrics.jsonl")
  assert [row["step"] for row in metrics] == list(range(8))
  # Two steps of two updates each, from the peak (or a warm-up to it) to nothing, as if there were no others.
  assert metrics[6]["train/learning_rate"] > metrics[5]["train/learning_rate"]
  assert [row["step"] for row in completions_of(workdir)][-28:] == [6] * 14 + [7] * 14
  assert "not one run of as many" in (workdir / "report.html").read_text()
  assert json.loads((workdir / "summary_6.json").read_text())["adapter_sha256"] == uninterrupted[1]["adapter_sha256"]


@pytest.mark.slow
def test_a_budget_is_kept_and_once_decided_a_killed_run_ends_in_the_same_bits(scratch):
  flags = (
      "--config.train.time_budget_hours=0.05", "--config.train.steps=3000", "--config.train.checkpoint_every=10",
      "--config.cold_start.steps=5000", "--config.cold_start.checkpoint_every=10", "--config.data.evaluation_rows=96",
  )
  workdir, again = scratch / "budget", scratch / "budget_killed"
  began = time.monotonic()
  summary = finish(start(scratch, workdir, *flags), workdir)
  assert time.monotonic() - began < 180
  decided, metrics = summary["budget"], lines(workdir / "metrics.jsonl")
  grpo, cold = decided["grpo"], decided["cold_start"]
  assert grpo["of_steps"] == 3000 and grpo["measured_steps"] <= 4 and summary["steps"] == grpo["ends"]
  assert cold["of_steps"] == 5000 and checkpoints_of(workdir, "cold_start")[-1] == cold["ends"] < 5000
  assert summary["domains"]["math"]["n"] == decided["evaluation"]["rows"]
  assert len(metrics) == summary["steps"] == checkpoints_of(workdir)[-1] and (workdir / "report.html").exists()
  rates = [row["train/learning_rate"] for row in metrics]
  assert grpo["ends"] < max(grpo["steps"], 12) or rates[-1] < 0.02 * max(rates)

  # From the cold start's checkpoint before the last on, and with what was decided: what a kill costs ends it no earlier.
  before = checkpoints_of(workdir, "cold_start")[0]
  assert before < cold["ends"]
  shutil.copytree(workdir / "checkpoints/cold_start" / str(before), again / "checkpoints/cold_start" / str(before))
  patient = decided | {"grpo": grpo | {"evaluation_seconds": -1e6}}
  (again / "budget.json").write_text(json.dumps(patient))
  process = start(scratch, again, *flags)
  wait_for_steps(process, again, min(12, grpo["ends"] - 1))
  os.killpg(process.pid, signal.SIGKILL)
  process.wait()
  assert finish(start(scratch, again, *flags), again)["adapter_sha256"] == summary["adapter_sha256"]
  assert stopped(start(scratch, workdir, *flags, "--config.train.steps=3500"), workdir, 2).endswith(
      f"with --config.model.adapter={workdir} --config.cold_start.steps=0."
  )


@pytest.mark.parametrize("phase, said", [
    ("train", "error: GRPO, step "), pytest.param("cold_start", "error: cold start, step ", marks=pytest.mark.slow)
])
def test_what_is_not_finite_ends_the_run_with_its_rows_and_the_last_healthy_checkpoint(
    scratch, uninterrupted, phase, said
):
  workdir = scratch / f"diverged_{phase}"
  if phase == "train":
    shutil.copytree(uninterrupted[0] / "checkpoints" / "cold_start", workdir / "checkpoints" / "cold_start")
  process = start(scratch, workdir, f"--config.{phase}.learning_rate=1e30")
  sentence = stopped(process, workdir, 3)
  assert sentence.startswith(said) and (" is nan" in sentence or " is inf" in sentence)
  assert any(name in sentence for name in ("gsm8k/", "mbpp/", "sciq/", "ai2_arc/", "strategyqa/"))
  step = int(sentence.removeprefix(said).split(":")[0])
  assert all(saved <= step for saved in checkpoints_of(workdir, "grpo" if phase == "train" else phase))
  assert not (workdir / "summary.json").exists()
  if phase == "train":
    refuse = lambda token: pytest.fail(f"{token} is no JSON")  # noqa: E731
    rows = [json.loads(line, parse_constant=refuse) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(step + bool("updated" in sentence)))


@pytest.mark.slow
def test_a_full_disk_ends_a_run_with_a_sentence_and_with_more_room_it_ends_in_the_same_bits(scratch, uninterrupted):
  disk = scratch / "disk"
  disk.mkdir()
  if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", disk], capture_output=True).returncode:
    pytest.skip("no file system can be mounted here")
  try:
    workdir = disk / "run"
    (scratch / "run.log").touch()
    (disk / "run.log").symlink_to(scratch / "run.log")
    assert " is full: the same command continues when there is room." in stopped(start(scratch, workdir), workdir, 74)
    subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
    assert finish(start(scratch, workdir), workdir)["adapter_sha256"] == uninterrupted[1]["adapter_sha256"]
  finally:
    subprocess.run(["umount", "-l", disk], check=True)


def test_another_config_in_the_same_directory_is_refused_with_the_difference(scratch, uninterrupted):
  workdir, _ = uninterrupted
  process = start(scratch, workdir, "--config.seed=5")
  assert process.wait(timeout=60) == 2
  assert "config.seed was 0, now 5" in (scratch / "whole.log").read_text()


PLUGIN = '''
from rewards import register

@register("line_count", kind="quality", domains=("haiku",))
def line_count(completion, example, *, lines: int = 3) -> float:
  """1.0 for an answer of as many lines as asked."""
  return float(len(completion.answer.splitlines()) == lines)

@register("names_season", kind="correctness", domains=("haiku",))
def names_season(completion, example):
  """1.0 for an answer that names the season of the row."""
  return float(example.extra["season"] in completion.answer.lower() and bool(example.reference.text))
'''

MINE = '''
from experiments import seven_domain

def get_config():
  config = seven_domain.get_config()
  config.plugins = ({plugin!r},)
  config.rewards.haiku = dict(format=dict(weight=0.2), line_count=dict(weight=0.3), names_season=dict(weight=0.5))
  config.disco.weights.haiku = 2.0
  config.data.pools = ({pool!r},)
  return config
'''


def test_a_new_domain_is_a_plugin_rows_and_a_few_lines_of_config(scratch):
  (scratch / "haiku.py").write_text(PLUGIN)
  rows = [
      {"domain": "haiku", "prompt": f"Write a haiku about the {season} and number {i} please.",
       "answer": f"old pond\na frog leaps in {season}\nwater {i}", "metadata": {"season": season}}
      for i in range(20) for season in ("spring", "summer", "autumn", "winter")
  ]
  (scratch / "haiku.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
  config = scratch / "mine.py"
  config.write_text(MINE.format(plugin=str(scratch / "haiku.py"), pool=str(scratch / "haiku.jsonl")))
  workdir = scratch / "haiku_run"
  summary = finish(
      start(scratch, workdir, "--config.rewards.haiku.line_count.weight=0.0", config=str(config)),
      workdir,
  )
  assert summary["domains"]["haiku"]["n"] == 2
  assert summary["domains"]["haiku"]["accuracy_after"] is not None
  metrics = lines(workdir / "metrics.jsonl")
  assert any("rewards/haiku/gate_pass_rate" in row for row in metrics)
  assert "haiku" in (workdir / "report.html").read_text()
  assert any(row["domain"] == "haiku" for row in json.loads((workdir / "disco.json").read_text()))
